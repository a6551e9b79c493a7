"""What a chip draws for itself: uniform, normal and rare numbers, each a function of chip, seed, sample, read, spin."""

import numpy as np
import pytest

from firmware_models import readout
from firmware_models.readout import idle_spins, keys_of, misread, normals, uniforms

KEYS = keys_of(7, 3, samples=40, reads=50)
SPINS = np.arange(11)


def test_compiled_and_plain_agree():
    keys, units = KEYS[:30], np.array([2, 5, 9], np.uint64)
    fast, slow = np.empty((30, 3), np.float32), np.empty((30, 3), np.float32)
    readout._uniforms(keys, units, np.uint64(4), fast)
    with np.errstate(over="ignore"):
        readout._uniforms_plain(keys, units, np.uint64(4), slow)
    assert np.array_equal(fast, slow)
    held = np.array([False, True] + [False] * 9)
    fast, slow = np.ones((30, 11)), np.ones((30, 11))
    readout._flip(keys, np.uint64(2), np.log1p(-0.3), held, fast)
    with np.errstate(over="ignore"):
        readout._flip_plain(keys, np.uint64(2), np.log1p(-0.3), held, slow)
    assert np.array_equal(fast, slow)
    assert (fast < 0).any()


def test_uniforms_are_uniform_and_apart():
    u = uniforms(KEYS, SPINS, 1)
    assert u.min() >= 0
    assert u.max() < 1
    counts = np.histogram(u, 20, (0, 1))[0]
    due = u.size / 20
    assert ((counts - due) ** 2 / due).sum() < 19 + 5 * np.sqrt(38)
    for a, b in ((u[:, 0], u[:, 1]), (u[1:, 0], u[:-1, 0]), (u[:, 0], uniforms(KEYS, SPINS, 2)[:, 0])):  # fmt: skip
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(a.size)


def test_a_read_has_its_numbers_whatever_stands_beside_it():
    part = keys_of(7, 3, samples=10, reads=50)
    assert np.array_equal(part, KEYS[:500])
    assert np.array_equal(uniforms(part, SPINS[3:5], 1), uniforms(KEYS, SPINS, 1)[:500, 3:5])
    assert np.array_equal(normals(part, 4, 2.0), normals(KEYS, 9, 2.0)[:500, :4])
    for other in (keys_of(8, 3, samples=1, reads=2), keys_of(7, 4, samples=1, reads=2)):
        assert not np.isin(other, KEYS).any()


def test_normals_have_their_spread():
    z = normals(KEYS, 11, 2.5)
    assert abs(z.mean()) < 5 * 2.5 / np.sqrt(z.size)
    assert abs(z.std() - 2.5) < 5 * 2.5 / np.sqrt(2 * z.size)


@pytest.mark.parametrize("error", [1e-4, 0.02, 0.5])
def test_errors_come_at_their_rate_in_every_place(error):
    keys = keys_of(1, 2, samples=200, reads=100)
    held = SPINS == 4
    wrong = misread(np.ones((200, 100, 11)), error, keys, held) < 0
    assert not wrong[..., 4].any()
    free = wrong[..., ~held]
    spread = np.sqrt(error * (1 - error))
    assert abs(free.mean() - error) < 5 * spread / np.sqrt(free.size)
    assert np.abs(free.mean(axis=(0, 1)) - error).max() < 5 * spread / np.sqrt(20_000)
    pairs = (free[..., 1:] & free[..., :-1]).mean()
    assert abs(pairs - error**2) < 5 * max(error, 1e-3) / np.sqrt(free.size) + 5e-6


def test_what_cannot_be_written_is_copied():
    states = np.ones((2, 3, 11))
    states.flags.writeable = False
    keys = keys_of(1, 2, samples=2, reads=3)
    assert (misread(states, 0.5, keys, np.zeros(11, bool)) < 0).any()
    assert (states == 1).all()


def test_idle_spins_are_in_equilibrium_with_their_field():
    h = np.array([[0.0, 0.8, -0.3, 2.0]])
    stuck = np.array([0, 0, 0, -1], np.int8)
    found = idle_spins(h, stuck, SPINS[:4], KEYS, 0.9)
    assert (found[:, 3] == -1).all()
    error = 5 / np.sqrt(len(KEYS))
    assert np.abs(found[:, :3].mean(axis=0) + np.tanh(0.9 * h[0, :3])).max() < error
    cold = idle_spins(h, 0 * stuck, SPINS[:4], KEYS, np.inf)
    assert (cold[:, 1:] == -np.sign(h[0, 1:])).all()
    assert abs(cold[:, 0].mean()) < error
    own = np.where(np.arange(40) % 2, 9.0, -9.0)[:, None]
    by_sample = idle_spins(own, stuck[:1], SPINS[:1], KEYS, 10.0).reshape(40, 50)
    assert (by_sample == -np.sign(own)).all()
