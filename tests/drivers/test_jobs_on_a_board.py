"""What travels, and what comes back, when a board settles one job after the other."""

from dataclasses import replace

import numpy as np
import pytest

from drivers.board import Board
from drivers.job import Job
from drivers.parts import settle_part
from drivers.profile import load_profile
from drivers.wire.constants import Opcode, ResetCause
from drivers.wire.faults import RefusedError
from firmware_models import core
from firmware_models.line import Line
from firmware_models.model import ModelTransport
from firmware_models.programme import Leg, Programme
from firmware_models.server import Server

N, K, READS = 9, 4, 2
LEGS = np.array([[4, 90, 12], [90, 60, 5]])
SHIFT = 3
RNG = np.random.default_rng(5)
COUPLINGS = RNG.integers(-60, 61, N * (N - 1) // 2)
FIELDS = RNG.integers(-200, 201, (K, N))


class Bench:
    """A board in the model, and what it was asked."""

    def __init__(self, profile="ref-avr64", **limits):
        found = load_profile(profile)
        found = replace(found, limits=replace(found.limits, **limits))
        self.server = Server(found, uid=1, boot=9)
        self.asked = []
        attempt = self.server._attempt

        def watched(order, frame):
            self.asked.append(Opcode(frame.opcode))
            return attempt(order, frame)

        self.server._attempt = watched
        self.board = Board(self.line)
        self.asked.clear()

    def line(self, uid):
        return ModelTransport(self.server, url="model://bench", line=Line())

    def settle(self, **changes):
        """Settle a job; return its spins and what was asked for it."""
        self.asked.clear()
        spins = self.board.settle(job_of(**changes))
        return spins, self.asked.copy()

    def settle_batch(self, **changes):
        """Settle a batch in as many runs as it takes."""
        self.asked.clear()
        job = job_of(**changes)
        spins = settle_part(self.board, (job,), np.arange(len(job.fields))).spins
        return spins, self.asked.copy()


def job_of(**changes):
    given = {
        "couplings": COUPLINGS, "fields": FIELDS, "legs": LEGS, "shift": SHIFT, "reads": READS, "seed": 77,
    }  # fmt: skip
    return Job(**{**given, **changes})


def expected(*, couplings=COUPLINGS, fields=FIELDS, starts=None, clamps=None, seed=77, sample=0):
    legs = tuple(Leg(*map(int, leg)) for leg in LEGS)
    held = np.zeros((len(fields), N), int) if clamps is None else np.where(clamps, starts, 0)
    given = starts if clamps is None else None
    return np.array(
        [
            [
                core.run(
                    Programme(tuple(couplings.tolist()), tuple(h.tolist()), tuple(c.tolist()), legs, SHIFT),
                    seed=seed, sample=sample + k, read=r, start=None if given is None else given[k].tolist(),
                ).spins
                for r in range(READS)
            ]
            for k, (h, c) in enumerate(zip(fields, held, strict=True))
        ]
    )  # fmt: skip


def test_a_job_comes_back_as_the_core_says():
    spins, asked = Bench().settle(sample=40)
    assert np.array_equal(spins, expected(sample=40))
    assert asked[0] is Opcode.BEGIN
    assert asked[-1] is Opcode.RUN


def test_the_same_job_again_sends_nothing_but_the_run():
    bench = Bench()
    first, _ = bench.settle()
    again, asked = bench.settle()
    assert np.array_equal(first, again)
    assert asked == [Opcode.RUN]


def test_couplings_travel_only_where_they_changed():
    bench = Bench()
    bench.settle()
    changed = COUPLINGS.copy()
    changed[7] += 3
    spins, asked = bench.settle(couplings=changed)
    assert np.array_equal(spins, expected(couplings=changed))
    assert asked[:3] == [Opcode.BEGIN, Opcode.LOAD_COUPLINGS, Opcode.COMMIT]
    assert Opcode.LOAD_FIELDS not in asked


def test_a_nudge_is_a_patch_and_starts_from_the_states_that_are_there():
    bench = Bench()
    free, _ = bench.settle(reads=1)
    ends = free[:, -1]
    fields = FIELDS.copy()
    fields[:, -2:] += 50
    _, asked = bench.settle(fields=fields, starts=ends, random=False, reads=1)
    assert asked[:2] == [Opcode.PATCH_FIELDS, Opcode.RUN], "states did not travel"
    fields[:, -2:] -= 100
    spins, asked = bench.settle(fields=fields, starts=ends, random=False)
    assert asked[:2] == [Opcode.PATCH_FIELDS, Opcode.RUN], "nor for the second sign"
    assert np.array_equal(spins, expected(fields=fields, starts=ends))


@pytest.mark.parametrize(
    ("slots", "asked"),
    [
        (8, "load RUN COPY_SLOTS load RUN"),
        (6, "load RUN COPY_SLOTS load RUN load RUN"),
        (5, "load RUN load RUN"),
    ],
)
def test_the_second_sign_is_loaded_while_the_first_one_runs(slots, asked):
    """In slots to spare, as many as there are, and then in those that are no longer run."""
    bench = Bench(slots=slots)
    free, _ = bench.settle_batch(reads=1)
    fields, starts = np.concatenate([FIELDS] * 2), np.concatenate([free[:, 0]] * 2)
    fields[:K, -2:] += 50
    fields[K:, -2:] -= 50
    spins, found = bench.settle_batch(fields=fields, starts=starts, random=False)
    loads = {Opcode.PATCH_FIELDS: "load", Opcode.LOAD_FIELDS: "load"}
    assert " ".join(loads.get(opcode, opcode.name) for opcode in found) == asked
    assert np.array_equal(spins, expected(fields=fields, starts=starts))


def test_runs_of_a_large_batch_are_loaded_in_turns():
    bench = Bench(slots=6)
    fields = RNG.integers(-200, 201, (8, N))
    spins, asked = bench.settle_batch(fields=fields)
    assert [opcode for opcode in asked if opcode in (Opcode.RUN, Opcode.LOAD_FIELDS)] == [
        Opcode.LOAD_FIELDS, Opcode.RUN, Opcode.LOAD_FIELDS, Opcode.RUN, Opcode.LOAD_FIELDS, Opcode.RUN,
    ]  # fmt: skip
    assert np.array_equal(spins, expected(fields=fields))


def test_a_board_that_is_reset_amid_two_runs_settles_both():
    bench = Bench(slots=8)
    free, _ = bench.settle_batch(reads=1)
    starts = np.concatenate([free[:, 0]] * 2)
    fields = np.concatenate([FIELDS + 1, FIELDS - 1])
    attempt, resets = bench.server._attempt, iter([True])

    def reset_at_the_copy(order, frame):
        answer = attempt(order, frame)
        if frame.opcode == Opcode.COPY_SLOTS and next(resets, False):
            bench.server.reset(ResetCause.PIN)
        return answer

    bench.server._attempt = reset_at_the_copy
    spins, _ = bench.settle_batch(fields=fields, starts=starts, random=False)
    assert bench.board.incidents["resets"] == 1
    assert np.array_equal(spins, expected(fields=fields, starts=starts))


def test_states_from_elsewhere_travel():
    bench = Bench()
    bench.settle()
    starts = RNG.choice([-1, 1], (K, N)).astype(np.int8)
    spins, asked = bench.settle(starts=starts, random=False)
    assert asked[0] is Opcode.LOAD_STATES
    assert np.array_equal(spins, expected(starts=starts))


def test_clamps_hold_spins_and_are_taken_back():
    bench = Bench()
    clamps = np.zeros(N, bool)
    clamps[[1, 6]] = True
    starts = RNG.choice([-1, 1], (K, N)).astype(np.int8)
    spins, _ = bench.settle(starts=starts, clamps=clamps)
    assert (spins[..., clamps] == starts[:, None, clamps]).all()
    assert np.array_equal(spins, expected(starts=starts, clamps=clamps))
    free, _ = bench.settle()
    assert np.array_equal(free, expected())


def test_clamps_of_the_host_before_are_not_believed():
    bench = Bench()
    bench.settle(starts=np.ones((K, N), np.int8), clamps=np.ones(N, bool))
    bench.board = Board(bench.line)
    assert np.array_equal(bench.settle()[0], expected())


def test_fewer_slots_then_more_again():
    bench = Bench()
    bench.settle()
    few, _ = bench.settle(fields=FIELDS[:2] + 1)
    assert np.array_equal(few, expected(fields=FIELDS[:2] + 1))
    more = np.concatenate([FIELDS[:1], FIELDS])
    assert np.array_equal(bench.settle(fields=more)[0], expected(fields=more))


def test_another_size_starts_anew():
    bench = Bench()
    bench.settle()
    small = bench.board.settle(Job(COUPLINGS[:3], FIELDS[:, :3], LEGS, SHIFT, READS, 77))
    assert small.shape == (K, READS, 3)
    assert np.array_equal(bench.settle()[0], expected())


def test_a_reset_between_two_jobs_is_made_good():
    bench = Bench()
    first, _ = bench.settle()
    bench.server.reset(ResetCause.WATCHDOG)
    again, asked = bench.settle()
    assert np.array_equal(first, again)
    assert Opcode.BEGIN in asked
    assert bench.board.incidents == {"resets": 1}


def test_a_refusal_says_what_was_refused_and_the_board_stays_usable():
    bench = Bench()
    with pytest.raises(RefusedError, match="device refused LOAD_COUPLINGS: OUT_OF_RANGE"):
        bench.settle(couplings=np.full_like(COUPLINGS, -128))
    assert np.array_equal(bench.settle()[0], expected())
