"""Runs through the wire: the rows of the definition, whatever the slots, slices and starts."""

import numpy as np
import pytest
from host import COUPLINGS, FIELDS, LEGS, Host, N, changed
from rows import DOWN, SAMPLE, SEED, SHIFT, UP, expected, oracle
from test_core_statistics import states

from drivers.profile import load_profile
from drivers.wire import requests as ask
from drivers.wire.constants import Memory, Opcode, RunFlag, RunState, Start, Status
from drivers.wire.crc import crc32
from drivers.wire.packing import pack_legs, pack_spins, pack_values
from drivers.wire.replies import Progress
from firmware_models import core, runs
from firmware_models.memory import LEG
from firmware_models.programme import ADDRESSES, SPAN, Leg, Programme
from firmware_models.server import Server


def test_rows_are_those_of_the_definition():
    assert np.array_equal(Host().ready().sample(reads=4), expected(3, 4))


def test_rows_depend_neither_on_the_slot_nor_on_how_a_batch_is_cut():
    host = Host().ready()
    whole = host.sample(reads=4)
    parts = [host.sample(slot=k, num_slots=1, sample=SAMPLE + k, reads=4) for k in range(3)]
    assert np.array_equal(np.concatenate(parts), whole)
    other = Host().ready(fields=FIELDS[[2, 0, 1]])
    moved = other.sample(slot=2, num_slots=1, sample=SAMPLE + 1, reads=4)
    assert np.array_equal(moved[0], whole[1])


def test_slices_may_be_cut_anywhere(monkeypatch):
    host = Host().ready()
    whole, thinned = host.sample(reads=5), host.sample(reads=5, thin=3)
    monkeypatch.setattr(runs, "MOST_SLOTS", 2)
    assert np.array_equal(host.sample(reads=5), whole)
    for most in (1, 2 * 10 * N, 45 * N):
        monkeypatch.setattr(runs, "MOST_UPDATES", most)
        assert np.array_equal(host.sample(reads=5), whole)
        assert np.array_equal(host.sample(reads=5, thin=3), thinned)


def test_part_of_the_table_of_legs_is_the_schedule():
    host = Host().ready()
    assert np.array_equal(host.sample(leg=1, num_legs=1), expected(3, 2, legs=(DOWN,)))
    assert np.array_equal(host.sample(num_legs=1), expected(3, 2, legs=(UP,)))


@pytest.mark.parametrize("leg", [[9, 9, 1], [65535, 0, 400], [0, 65535, 400], [3, 50, 2]])
def test_gains_are_those_of_the_definition(leg):
    table = np.frombuffer(pack_legs(np.array([leg, leg])), LEG)
    assert runs.gains_of(table).tolist() == 2 * Leg(*leg).gains


def test_samples_wrap_at_32_bits():
    rows = Host().ready().sample(sample=2**32 - 1)
    for k, sample in enumerate([2**32 - 1, 0, 1]):
        assert np.array_equal(rows[k], [oracle(sample, r, fields=FIELDS[k]) for r in range(2)])


def test_the_other_sign_of_energy():
    mirrored = changed(update={"energy_sign": -1})
    host = Host(Server(mirrored, uid=1, boot=1)).ready()
    assert np.array_equal(host.sample(), expected(3, 2, sign=-1))


def test_given_starts_are_where_reads_begin():
    host = Host().ready()
    starts = np.array([[1, -1, 1, 1, -1], [-1, -1, 1, -1, 1], [1, 1, 1, -1, -1]])
    host.ask(Opcode.LOAD_STATES, ask.LoadStates(0, pack_spins(starts)))
    given = host.sample(start=Start.GIVEN, reads=3, leg=1, num_legs=1)
    assert np.array_equal(given, expected(3, 3, starts=starts.tolist(), legs=(DOWN,)))
    assert host.ask(Opcode.READBACK, ask.Stretch(Memory.STATES, 0, 3)).data == pack_spins(starts)


def test_last_goes_on_from_the_run_before_and_stays_for_given():
    host = Host().ready()
    free = host.sample(reads=3)
    last = free[:, -1].tolist()
    nudged = FIELDS + np.array([0, 0, 0, 3, -3])
    host.fields(nudged)
    after = expected(3, 2, fields=nudged, starts=last, legs=(DOWN,))
    part = {"leg": 1, "num_legs": 1}
    assert np.array_equal(host.sample(start=Start.LAST, **part), after)
    assert host.ask(Opcode.READBACK, ask.Stretch(Memory.STATES, 0, 3)).data == pack_spins(
        free[:, -1]
    )
    assert np.array_equal(host.sample(start=Start.GIVEN, **part), after)


def test_last_of_some_slots_leaves_the_others():
    host = Host().ready()
    starts = pack_spins(np.ones((3, N), int))
    host.ask(Opcode.LOAD_STATES, ask.LoadStates(0, starts))
    free = host.sample(reads=2)
    host.start(start=Start.LAST, slot=1, num_slots=1)
    held = host.ask(Opcode.READBACK, ask.Stretch(Memory.STATES, 0, 3)).data
    assert held == starts[:1] + pack_spins(free[1:2, -1]) + starts[2:]


def test_last_needs_a_complete_run_of_all_its_slots():
    host = Host().ready()
    bad = (Status.BAD_STATE, 2)
    ask_last = lambda **more: host.run_request(start=Start.LAST, **more)  # noqa: E731
    assert host.refused(Opcode.RUN, ask_last()) == bad
    host.sample(slot=1, num_slots=2)
    assert host.refused(Opcode.RUN, ask_last()) == bad
    assert host.refused(Opcode.RUN, ask_last(slot=2, num_slots=2)) == bad
    host.ask(Opcode.RUN, ask_last(slot=2, num_slots=1))
    host.ask(Opcode.ABORT, ask.RunId(host.ask(Opcode.STATUS).run))
    assert host.refused(Opcode.RUN, ask_last(slot=2, num_slots=1)) == bad
    host.sample()
    host.begin(keep=True)
    host.commit()
    host.ask(Opcode.RUN, ask_last())
    host.finish()
    host.begin(4, COUPLINGS[:6])
    host.commit(4, COUPLINGS[:6])
    assert host.refused(Opcode.RUN, ask_last(num_slots=1)) == bad


def test_clamps_hold_spins_at_the_start_of_their_slot():
    host = Host().ready()
    starts = np.array([[1, -1, 1, 1, -1], [-1, -1, 1, -1, 1], [1, 1, 1, -1, -1]])
    host.ask(Opcode.LOAD_STATES, ask.LoadStates(0, pack_spins(starts)))
    host.ask(Opcode.LOAD_CLAMPS, ask.LoadClamps(0, b"\x12"))
    rows = host.sample(reads=4)
    for k in range(3):
        clamps = tuple((starts[k] * [0, 1, 0, 0, 1]).tolist())
        assert np.array_equal(rows[k], expected(3, 4, clamps=clamps)[k])
    assert (rows[:, :, [1, 4]] == starts[:, None, [1, 4]]).all()


@pytest.mark.parametrize("start", [Start.RANDOM, Start.GIVEN])
def test_thin_goes_on_from_the_row_before(start):
    host = Host().ready()
    given = np.ones((3, N), int)
    host.ask(Opcode.LOAD_STATES, ask.LoadStates(0, pack_spins(given)))
    rows = host.sample(reads=5, thin=3, start=start)
    short = (Leg(LEGS[-1, 1], LEGS[-1, 1], 3),)
    for k in range(3):
        first = None if start is Start.RANDOM else given[k].tolist()
        due = [oracle(SAMPLE + k, 0, fields=FIELDS[k], start=first)]
        for read in range(1, 5):
            due.append(oracle(SAMPLE + k, read, fields=FIELDS[k], start=due[-1], legs=short))
        assert np.array_equal(rows[k], due)


@pytest.mark.parametrize(("thin", "sweeps"), [(0, 30), (4, 18)])
def test_the_estimate_is_what_a_run_takes(thin, sweeps):
    host = Host().ready()
    accepted = host.start(reads=3, thin=thin)
    assert accepted.estimate_us == 3 * sweeps * N * 150
    assert host.finish() == pytest.approx(accepted.estimate_us / 1e6)


def test_the_estimate_stops_at_its_largest_value():
    host = Host().ready(legs=np.array([[0, 9, 65535]] * 2))
    assert host.start(reads=1).estimate_us == 3 * 131070 * N * 150
    host.hello(nonce=2)
    assert host.start(reads=60).estimate_us == 2**32 - 1


def test_the_same_run_is_not_done_twice():
    host = Host().ready()
    first = host.start(run=5)
    host.finish()
    rows = host.rows(6)
    assert host.start(run=5, seed=8, shift=99) == first
    assert not host.server.busy
    assert np.array_equal(host.rows(6), rows)
    host.start(run=6)
    assert host.refused(Opcode.POLL, ask.RunId(5)) == (Status.UNKNOWN_RUN, 6)


def test_poll_follows_a_run(monkeypatch):
    monkeypatch.setattr(runs, "MOST_SLOTS", 1)
    host = Host().ready()
    host.start(run=5)
    assert host.ask(Opcode.POLL, ask.RunId(5)) == Progress(7, 5, RunState.PENDING, 0, 0, 0)
    host.server.work(0.0)
    begun = host.ask(Opcode.POLL, ask.RunId(5))
    assert (begun.state, begun.rows_ready) == (RunState.ACTIVE, 0), "its time is not over yet"
    host.server.work(0.0)
    some = host.ask(Opcode.POLL, ask.RunId(5))
    assert (some.state, some.rows_ready) == (RunState.ACTIVE, 2)
    assert host.ask(Opcode.STATUS).rows_ready == 2
    assert np.array_equal(host.rows(2)[None], expected(1, 2))
    assert host.refused(Opcode.READ, ask.Read(5, 1, 2)) == (Status.NOT_READY, 2)
    host.finish()
    done = host.ask(Opcode.POLL, ask.RunId(5))
    assert (done.state, done.rows_ready) == (RunState.COMPLETE, 6)
    assert done.digest == crc32(pack_spins(host.rows(6)))
    assert (some.couplings, done.couplings) == (0, host.ask(Opcode.STATUS).digest)


def test_abort_ends_a_run_and_leaves_its_rows(monkeypatch):
    monkeypatch.setattr(runs, "MOST_SLOTS", 1)
    host = Host().ready()
    host.ask(Opcode.SET_PARAMETER, ask.SetParameter(1, 1))
    host.ask(Opcode.ABORT, ask.RunId(99))
    host.start(run=5, flags=RunFlag.ANNOUNCE)
    host.server.work(0.0)
    host.server.work(0.0)
    host.ask(Opcode.ABORT, ask.RunId(5))
    assert not host.server.busy
    assert host.server.work(0.0) == (b"", 0.0)
    (end,) = host.told()
    assert (end.state, end.rows_ready) == (RunState.STOPPED, 2)
    assert host.ask(Opcode.POLL, ask.RunId(5)) == Progress(7, 5, end.state, 2, end.digest, 0)
    assert (end.row, end.packed) == (0, b"")
    assert np.array_equal(host.rows(2)[None], expected(1, 2))
    assert host.refused(Opcode.READ, ask.Read(5, 1, 2)) == (Status.ABORTED, 2)
    host.ask(Opcode.ABORT, ask.RunId(5))
    assert host.told() == []


def test_correlations_are_sums_over_rows():
    host = Host(Server(changed(limits={"sums": 15}), uid=42, boot=7)).ready()
    host.start(run=5, flags=RunFlag.CORRELATE, reads=20)
    assert host.refused(Opcode.CORRELATE, ask.Correlate(5, 0, 15)) == (Status.NOT_READY, 0)
    host.finish()
    spins = host.rows(60).astype(int)
    i, j = np.triu_indices(N, 1)
    due = np.concatenate([spins.sum(axis=0), (spins[:, i] * spins[:, j]).sum(axis=0)])
    sums = host.ask(Opcode.CORRELATE, ask.Correlate(5, 3, 12))
    assert sums.values == pack_values(due[3:], 4)
    assert host.refused(Opcode.CORRELATE, ask.Correlate(5, 3, 13)) == (Status.OUT_OF_RANGE, 4)
    assert host.refused(Opcode.CORRELATE, ask.Correlate(6, 3, 1)) == (Status.UNKNOWN_RUN, 5)
    host.start(run=6)
    host.finish()
    assert host.refused(Opcode.CORRELATE, ask.Correlate(6, 0, 1)) == (Status.OUT_OF_RANGE, 0)


def test_a_whole_board_is_the_definition_too():
    """All spins and slots of the larger board, more slots than a slice takes."""
    rng = np.random.default_rng(4)
    n, slots = 192, 32
    couplings = rng.integers(-9, 9, n * (n - 1) // 2)
    fields = rng.integers(-99, 99, (slots, n))
    host = Host(Server(load_profile("ref-arm192"), uid=1, boot=1))
    host.ready(n, couplings, fields, np.array([[2, 30, 3]]))
    rows = host.sample(n, num_slots=slots, reads=1, num_legs=1)
    for k in (0, 15, 16, 31):
        programme = Programme(
            tuple(couplings.tolist()), tuple(fields[k].tolist()), (0,) * n, (Leg(2, 30, 3),), SHIFT
        )
        assert tuple(rows[k, 0]) == core.run(programme, seed=SEED, sample=SAMPLE + k).spins


@pytest.mark.parametrize("thin", [0, 1, 12])
def test_rows_follow_boltzmann_at_the_beta_that_the_descriptor_tells(thin):
    """Means and products of every pair, each within 5 standard errors; several temperatures in one run."""
    n, gain, shift = 8, 36, 1
    rng = np.random.default_rng(8)
    couplings = rng.integers(-2, 2, n * (n - 1) // 2, endpoint=True) * 2
    fields = rng.integers(-2, 2, (1, n), endpoint=True) * 2
    board = changed(limits={"row_memory": 65000})
    host = Host(Server(board, uid=1, boot=1)).ready(
        n, couplings, fields, np.array([[gain] * 2 + [40]])
    )
    reads = 20_000
    spins = host.sample(n, num_slots=1, num_legs=1, reads=reads, shift=shift, thin=thin)[0]
    beta = gain / 2**shift * board.schedule.beta_unit
    assert board.schedule.beta_unit == SPAN / ADDRESSES
    check_moments(
        spins.astype(float), couplings, fields[0], beta, effective=reads / (4 if thin else 1)
    )


def moments(s):
    i, j = np.triu_indices(s.shape[-1], 1)
    return np.concatenate([s, s[..., i] * s[..., j]], axis=-1)


def check_moments(spins, couplings, fields, beta, *, effective):
    every = np.array(states(spins.shape[1]), float)
    energies = moments(every) @ np.concatenate([fields, couplings])
    weights = np.exp(-beta * (energies - energies.min()))
    weights /= weights.sum()
    due = weights @ moments(every)
    spread = np.sqrt(weights @ moments(every) ** 2 - due**2)
    assert spread.min() > 0.1
    deviation = np.abs(moments(spins).mean(axis=0) - due) / (spread / np.sqrt(effective))
    assert deviation.max() < 5
    assert deviation.max() > 0.5
