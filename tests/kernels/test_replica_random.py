"""Numbers of replicas: uniform along every counter, and thresholds that accept as Boltzmann says."""

import math

import numpy as np
import pytest
from numba import njit

from isingeq.kernels.replica_random import (
    HEAT_BATH,
    METROPOLIS,
    draw,
    draw_spins,
    fill_lanes,
    fill_units,
    highest,
    replica_keys,
    scales,
    staying,
    words,
)

M = 1 << 18
RULES = [METROPOLIS, HEAT_BATH]


@njit
def _bits(keys, along):
    """Bits along the replicas, the sweeps or the units, the other two counters held."""
    out = np.empty(M, np.uint32)
    for k in range(M):
        a, b = words(keys[k if along == 0 else 7], 3 + k * (along == 1))
        out[k] = draw(a, b, 5 + k * (along == 2))
    return out


@njit
def _single(a, b):
    return draw(np.uint32(a), np.uint32(b), 5)


@njit
def _words(keys, sweep):
    a, b = np.empty(keys.size, np.uint32), np.empty(keys.size, np.uint32)
    for k in range(keys.size):
        a[k], b[k] = words(keys[k], sweep)
    return a, b


def keys_of(count, seed=1):
    return replica_keys(np.uint64(seed), np.arange(1), count)


def bits(along, seed=1):
    return _bits(keys_of(M, seed), along)


ALONG = pytest.mark.parametrize("along", range(3), ids=["replicas", "sweeps", "units"])


@ALONG
def test_bits_are_fair_and_independent(along):
    x = bits(along)
    ones = (x[:, None] >> np.arange(32, dtype=np.uint32)) & 1
    assert (np.abs(ones.mean(axis=0) - 0.5) < 5 * 0.5 / math.sqrt(M)).all()
    signs = ones[: M // 4] * 2.0 - 1
    pairs = (signs.T @ signs / len(signs))[np.triu_indices(32, 1)]
    assert (np.abs(pairs) < 5 / math.sqrt(len(signs))).all()
    following = (signs[1:] * signs[:-1]).mean(axis=0)
    assert (np.abs(following) < 5 / math.sqrt(len(signs))).all()


@ALONG
def test_numbers_fill_the_range_evenly_down_to_its_tail(along):
    x = bits(along)
    counts = np.bincount(x >> np.uint32(22), minlength=1024)
    expected = M / 1024
    chi = ((counts - expected) ** 2 / expected).sum()
    assert abs(chi - 1023) < 5 * math.sqrt(2 * 1023)
    for power in (8, 12, 15):
        wanted = M / 2**power
        assert abs((x < 2 ** (32 - power)).sum() - wanted) < 5 * math.sqrt(wanted)
        assert abs((~x < 2 ** (32 - power)).sum() - wanted) < 5 * math.sqrt(wanted)


@ALONG
def test_neighbouring_numbers_are_not_related(along):
    u = bits(along) / 2.0**32 - 0.5
    for lag in (1, 2, 3, 16, 64, 128, 1000):
        assert abs((u[lag:] * u[:-lag]).mean() * 12) < 5 / math.sqrt(M)


def test_both_words_of_a_key_count():
    """32 bits alone would give two of ten thousand replicas the same numbers now and then."""
    for vary_first in (True, False):
        pairs = [(w, 9) if vary_first else (9, w) for w in range(2000)]
        x = np.array([_single(a, b) for a, b in pairs])
        assert len(np.unique(x)) > 1990


def test_seeds_samples_and_reads_have_their_own_keys():
    keys = np.concatenate(
        [replica_keys(np.uint64(seed), np.arange(50), 20) for seed in (0, 1, 2**64 - 1)]
    )
    assert len(np.unique(keys)) == keys.size
    some = replica_keys(np.uint64(1), np.array([3, 8]), 4)
    every = replica_keys(np.uint64(1), np.arange(10), 20).reshape(10, 20)
    np.testing.assert_array_equal(some.reshape(2, 4), every[[3, 8], :4])


def test_starts_are_fair_and_differ():
    spins = np.empty((200, 400), np.int8)
    draw_spins(keys_of(200), 0, 200, spins)
    assert set(np.unique(spins)) == {-1, 1}
    assert abs(spins.mean()) < 5 / math.sqrt(spins.size)
    overlaps = (spins.astype(float) @ spins.T)[np.triu_indices(200, 1)] / math.sqrt(400)
    assert abs(overlaps.std() - 1) < 0.05
    assert np.abs(overlaps).max() < 6


def drawn(dtype, rule, beta, unit=1.0):
    """Thresholds of M units of one replica, and their bits."""
    a, b = (w[0] for w in _words(keys_of(1), 9))
    out = np.empty(M, dtype)
    fill_units(out, a, b, 0, rule, scales(np.array([beta]), unit)[0], highest(dtype))
    return out, _one(a, b)


@njit
def _one(a, b):
    x = np.empty(M, np.uint32)
    for k in range(M):
        x[k] = draw(a, b, k)
    return x


def test_metropolis_accepts_with_the_boltzmann_factor():
    t, _ = drawn(np.int8, METROPOLIS, 0.3)
    for cost in range(13):
        p = math.exp(-2 * 0.3 * cost)
        assert abs((cost <= t).mean() - p) <= 5 * math.sqrt(p * (1 - p) / M), cost
    assert (t >= 0).all(), "a move that costs nothing is always accepted"


def test_one_unit_in_32_stays_and_others_in_every_sweep():
    """Every unit has its turn, and whether it stays does not follow from the sweeps before."""
    idle = np.zeros((4000, 200))
    for sweep, row in enumerate(idle):
        unit = staying(sweep, -1, METROPOLIS)
        while unit < 200:
            row[unit] = 1
            unit = staying(sweep, unit, METROPOLIS)
    share = idle.mean(axis=0)
    assert abs(share[64:].mean() * 32.5 - 1) < 0.02
    assert share.min() > 1 / 64 - 5 * math.sqrt(1 / 64 / 4000)
    for lag in (1, 2, 3, 16):
        product = (idle[lag:] - share) * (idle[:-lag] - share)
        assert abs(product.mean()) < 5 * share.mean() / math.sqrt(product.size)
    assert staying(3, -1, HEAT_BATH) == -1


def test_heat_bath_accepts_with_the_logistic_function():
    t, _ = drawn(np.int8, HEAT_BATH, 0.3)
    for field in range(-9, 10):
        p = 1 / (1 + math.exp(2 * 0.3 * field))
        assert abs((field <= t).mean() - p) < 5 * math.sqrt(p * (1 - p) / M), field


@pytest.mark.parametrize("rule", RULES)
def test_thresholds_are_those_of_the_formula(rule):
    """To 4e-6 in ln u, everywhere: far below what any number of sweeps could show."""
    unit, beta = 1e-7, 0.8
    t, x = drawn(np.int32, rule, beta, unit)
    u = (x.astype(np.float64) + 0.5) / 2**32
    wanted = -np.log(u) if rule == METROPOLIS else np.log1p(-u) - np.log(u)
    assert np.abs(t * (2 * beta * unit) - wanted).max() < 4e-6


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_lanes_and_units_agree_to_the_last_bit_in_every_type(dtype, rule):
    """And types differ only where the smaller one ends."""
    high, scale = highest(dtype), np.float32(20.0)
    a, b = _words(keys_of(150), 2)
    along, wide = np.empty((150, 40), dtype), np.empty((150, 40), np.int32)
    for k in range(150):
        fill_units(along[k], a[k], b[k], 3, rule, scale, high)
        fill_units(wide[k], a[k], b[k], 3, rule, scale, highest(np.int32))
    across = np.empty((40, 150), dtype)
    for unit in range(40):
        fill_lanes(across[unit], a, b, unit + 3, rule, scale, high)
    np.testing.assert_array_equal(across.T, along)
    limits = np.iinfo(dtype)
    np.testing.assert_array_equal(along, np.clip(wide, limits.min, limits.max))


@pytest.mark.parametrize("rule", RULES)
def test_at_beta_zero_fields_do_not_matter(rule):
    scale = scales(np.array([0.0]), 1.0)[0]
    assert np.isfinite(scale)
    a, b = (w[0] for w in _words(keys_of(1), 9))
    t = np.empty(M, np.int32)
    fill_units(t, a, b, 0, rule, scale, highest(np.int32))
    if rule == METROPOLIS:
        assert (t > 2**30).mean() > 1 - 1e-4
    else:
        assert abs((t > 2**30).mean() - 0.5) < 5 * 0.5 / math.sqrt(M)
        assert (np.abs(t.astype(np.int64)) > 2**30).mean() > 1 - 1e-4
