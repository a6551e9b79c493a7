"""Imperfect boards: each fault does what is said of it, and nothing else does."""

import numpy as np
import pytest
from host import COUPLINGS, FIELDS, Host, N, changed
from test_core_statistics import states

from drivers.wire import requests as ask
from drivers.wire.constants import Opcode, Start
from drivers.wire.packing import pack_spins
from firmware_models.runs import Slice, integer_core
from firmware_models.server import Server
from firmware_models.spin_array import Chip, spin_array_of
from isingeq.errors import ConfigError

GAIN, SHIFT, READS = 40, 2, 20_000
BETA = GAIN / 2**SHIFT / 64
LEG = np.array([[GAIN, GAIN, 30]])


def board(**imperfections):
    return changed(imperfections=imperfections, limits={"row_memory": 65000, "field_memory": 2000})


def draw(descriptor, *, uid=3, fields=FIELDS[0], legs=LEG, **more):
    host = Host(Server(descriptor, uid=uid, boot=1)).ready(fields=fields[None], legs=legs)
    run = {"num_slots": 1, "num_legs": 1, "reads": READS, "shift": SHIFT, **more}
    return host.sample(**run)[0].astype(float)


def chip_of(descriptor, *, uid=3):
    return Chip(descriptor, uid=uid, seed=0)


def real(chip, couplings=COUPLINGS):
    """Couplings and offsets that a chip has, by looking inside."""
    i, j = np.triu_indices(N, 1)
    dense = np.zeros((N, N), np.int16)
    dense[i, j] = dense[j, i] = couplings
    return chip.real(dense)[i, j], chip.drift.offsets[:N]


def terms(s):
    i, j = np.triu_indices(N, 1)
    return np.concatenate([s, s[..., i] * s[..., j]], axis=-1)


def exact(couplings, fields, *, beta=BETA, only=lambda s: True):
    """Moments by enumeration, and their spread."""
    every = np.array([s for s in states(N) if only(s)], float)
    weights = np.exp(-beta * (terms(every) @ np.concatenate([fields, couplings])))
    weights /= weights.sum()
    means = weights @ terms(every)
    return means, np.sqrt(np.maximum(weights @ terms(every) ** 2 - means**2, 0))


def deviation(spins, moments):
    """Largest distance from moments, in standard errors."""
    means, spread = moments
    error = spread / np.sqrt(len(spins))
    distance = np.abs(terms(spins).mean(axis=0) - means)
    assert (distance[error == 0] == 0).all()
    return (distance[error > 0] / error[error > 0]).max()


IDEAL = exact(COUPLINGS, FIELDS[0])


def test_at_rest_the_integer_core_answers():
    assert spin_array_of(changed(), uid=1, seed=2) is integer_core
    assert isinstance(spin_array_of(board(offset_sigma=1.0), uid=1, seed=2), Chip)


def test_another_unit_of_beta_is_followed():
    """The core knows its own unit alone; the chip takes any."""
    half = changed(board(), schedule={"beta_unit": 1 / 128})
    assert isinstance(spin_array_of(half, uid=1, seed=2), Chip)
    assert deviation(draw(half), exact(COUPLINGS, FIELDS[0], beta=BETA / 2)) < 5


@pytest.mark.parametrize(
    "tables", [{"update": {"rule": "analog"}}, {"units": {"state": "phase", "bits": 4}}]
)
def test_other_physics_is_refused(tables):
    with pytest.raises(ConfigError, match="this model does sequential gibbs of spins"):
        Server(changed(**tables), uid=1, boot=1)


@pytest.mark.parametrize("sign", [1, -1])
def test_gains_and_offsets_shift_the_moments_as_enumeration_says(sign):
    descriptor = changed(board(gain_sigma=0.5, offset_sigma=4.0), update={"energy_sign": sign})
    couplings, offsets = real(chip_of(descriptor), sign * COUPLINGS)
    moved = exact(couplings, sign * FIELDS[0] + offsets)
    spins = draw(descriptor)
    assert deviation(spins, moved) < 5
    assert deviation(spins, exact(sign * COUPLINGS, sign * FIELDS[0])) > 20


def test_spreads_have_the_size_they_say():
    wide = changed(board(gain_sigma=0.2, offset_sigma=3.0))
    chips = [chip_of(wide, uid=uid) for uid in range(40)]
    gains = np.concatenate([chip.mismatch.coupling_gain for chip in chips])
    offsets = np.concatenate([chip.drift.offsets for chip in chips])
    for values, sigma in [(gains, 0.2), (offsets, 3.0)]:
        error = sigma / np.sqrt(len(values))
        assert abs(values.mean()) < 5 * error
        assert abs(values.std() - sigma) < 5 * error


def test_a_chip_is_its_own_and_stays_so():
    descriptor = board(gain_sigma=0.5, offset_sigma=4.0, noise_sigma=3.0)
    first = draw(descriptor, reads=200)
    assert np.array_equal(first, draw(descriptor, reads=200))
    assert not np.array_equal(first, draw(descriptor, uid=4, reads=200))
    noisy = board(noise_sigma=3.0)
    assert not np.array_equal(draw(noisy, reads=200), draw(noisy, uid=4, reads=200))
    other = Host(Server(descriptor, uid=3, boot=1, seed=1)).ready(fields=FIELDS[:1], legs=LEG)
    rows = other.sample(num_slots=1, num_legs=1, reads=200, shift=SHIFT)[0]
    assert not np.array_equal(first, rows)


def test_rows_do_not_depend_on_the_slot_or_the_cut():
    descriptor = board(gain_sigma=0.5, noise_sigma=3.0, readout_error=0.1)
    host = Host(Server(descriptor, uid=3, boot=1)).ready(legs=LEG)
    whole = host.sample(num_legs=1, reads=50)
    part = host.sample(num_legs=1, reads=50, slot=1, num_slots=1, sample=101)
    assert np.array_equal(part[0], whole[1])


def test_noise_flattens_the_moments():
    """One spin: the mean of −tanh β(h + ν) over ν ~ N(0, σ²)."""
    sigma, h = 12.0, 9
    descriptor = board(noise_sigma=sigma)
    fields = np.full(N, h)
    host = Host(Server(descriptor, uid=3, boot=1))
    host.ready(couplings=np.zeros(10, int), fields=fields[None], legs=np.array([[GAIN, GAIN, 1]]))
    spins = host.sample(num_slots=1, num_legs=1, reads=READS, shift=SHIFT)
    points, weights = np.polynomial.hermite_e.hermegauss(60)
    due = -(weights / weights.sum()) @ np.tanh(BETA * (h + sigma * points))
    assert abs(spins.mean() - due) < 5 * np.sqrt((1 - due**2) / spins.size)
    assert abs(np.tanh(BETA * h) + spins.mean()) > 20 / np.sqrt(spins.size)


def test_noise_is_new_in_each_sweep():
    """Were it kept through a read, spins of two fields at once would follow each other from sweep to sweep."""
    descriptor = board(noise_sigma=40.0)
    host = Host(Server(descriptor, uid=3, boot=1))
    host.ready(couplings=np.zeros(10, int), fields=np.zeros((1, N), int), legs=LEG)
    chain = host.sample(num_slots=1, num_legs=1, reads=READS, shift=SHIFT, thin=1)[0].astype(float)
    follows = (chain[1:] * chain[:-1]).mean(axis=0)
    assert np.abs(follows).max() < 5 / np.sqrt(READS)


def test_stuck_spins_never_move_and_are_felt():
    descriptor = board(stuck_spins=(1, 4))
    stuck = chip_of(descriptor).mismatch.stuck
    assert (np.flatnonzero(stuck) == [1, 4]).all()
    spins = draw(descriptor)
    assert (spins[:, [1, 4]] == stuck[[1, 4]]).all()
    given = exact(COUPLINGS, FIELDS[0], only=lambda s: s[1] == stuck[1] and s[4] == stuck[4])
    assert deviation(spins, given) < 5


def test_stuck_spins_overrule_starts_and_clamps():
    descriptor = board(stuck_spins=(1, 4))
    host = Host(Server(descriptor, uid=3, boot=1)).ready()
    stuck = chip_of(descriptor).mismatch.stuck[:N]
    against = np.where(stuck != 0, -stuck, 1)[None]
    host.ask(Opcode.LOAD_STATES, ask.LoadStates(0, pack_spins(against)))
    host.ask(Opcode.LOAD_CLAMPS, ask.LoadClamps(0, b"\x03"))
    rows = host.sample(num_slots=1, reads=40, start=Start.GIVEN)[0]
    assert (rows[:, [1, 4]] == stuck[[1, 4]]).all()
    assert (rows[:, 0] == 1).all()


def test_dead_couplers_do_nothing():
    descriptor = board(dead_couplers=((0, 2), (2, 3), (1, 4)))
    without = COUPLINGS.copy()
    without[[1, 7, 6]] = 0
    assert np.array_equal(np.flatnonzero(real(chip_of(descriptor))[0] == 0), [1, 6, 7])
    spins = draw(descriptor)
    assert deviation(spins, exact(without, FIELDS[0])) < 5
    assert deviation(spins, IDEAL) > 20


def test_spins_are_read_wrongly_at_the_rate_and_not_changed_by_it():
    rate = 0.07
    descriptor = board(readout_error=rate)
    means, _ = IDEAL
    read = np.concatenate([means[:N] * (1 - 2 * rate), means[N:] * (1 - 2 * rate) ** 2])
    assert deviation(draw(descriptor), (read, np.sqrt(1 - read**2))) < 5
    frozen = np.array([[60000, 60000, 1]])
    rows = draw(descriptor, fields=np.full(N, -9000), legs=frozen, shift=0)
    assert abs((rows < 0).mean() - rate) < 5 * np.sqrt(rate / rows.size)


def test_a_chain_goes_on_from_the_spins_and_not_from_what_was_read_of_them():
    """Five spins frozen side by side: were their wrong readings believed, they would turn over again and again."""
    host = Host(Server(board(readout_error=0.4), uid=3, boot=1))
    cold = np.array([[60000, 60000, 9]])
    host.ready(couplings=np.full(10, -99), fields=np.zeros((1, N), int), legs=cold)
    rows = host.sample(num_slots=1, num_legs=1, reads=READS, shift=0, thin=1)[0]
    means = rows.mean(axis=0) * np.sign(rows.sum())
    assert np.abs(means - 0.2).max() < 5 / np.sqrt(READS)


def test_a_thinned_chain_of_a_chip_may_be_cut(monkeypatch):
    from firmware_models import runs

    descriptor = board(readout_error=0.3, noise_sigma=2.0)
    whole = draw(descriptor, reads=30, thin=2)
    monkeypatch.setattr(runs, "MOST_UPDATES", 7 * 2 * N)
    assert np.array_equal(draw(descriptor, reads=30, thin=2), whole)


def drifted(tau, times, chips=400):
    """Offsets of many chips at these times, (times, chips, spins)."""
    descriptor = board(offset_sigma=3.0, drift_s=tau)
    part = Slice(
        couplings=np.zeros((1, 1), np.int16),
        fields=np.zeros((1, 1), np.int32),
        clamps=np.zeros((1, 1), np.int8),
        start=None,
        gains=np.zeros(1, np.int64),
        shift=0, seed=0, sample=0, read=0, reads=1, thin=0, goes_on=False,
    )  # fmt: skip
    every = []
    for uid in range(chips):
        chip = chip_of(descriptor, uid=uid)
        found = []
        for now in times:
            chip(part, now)
            found.append(chip.drift.offsets.copy())
        every.append(found)
    return np.array(every).transpose(1, 0, 2)


def test_offsets_wander_with_their_time_constant_and_keep_their_spread():
    before, after, later = drifted(10.0, (0.0, 5.0, 1000.0))
    error = 5 / np.sqrt(before.size)
    for offsets in (before, after, later):
        assert abs(offsets.std() / 3 - 1) < error
    follows = lambda a, b: (a * b).mean() / 9  # noqa: E731
    assert abs(follows(before, after) - np.exp(-0.5)) < error
    assert abs(follows(before, later)) < error


def test_without_drift_offsets_stay():
    descriptor = board(offset_sigma=3.0)
    server = Server(descriptor, uid=3, boot=1)
    host = Host(server).ready(legs=LEG)
    first = host.sample(num_legs=1, reads=30)
    host.now = 1e6
    assert np.array_equal(host.sample(num_legs=1, reads=30), first)
    drifting = changed(descriptor, imperfections={"drift_s": 1.0})
    host = Host(Server(drifting, uid=3, boot=1)).ready(legs=LEG)
    first = host.sample(num_legs=1, reads=30)
    host.now = 1e6
    assert not np.array_equal(host.sample(num_legs=1, reads=30), first)
