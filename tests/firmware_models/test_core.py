"""The definition itself: numbers worked out apart from it, its corners, and what it refuses."""

import itertools
import math

import numpy as np
import pytest
from programmes import hardest, oracle

from firmware_models.chances import CHANCES, c_header
from firmware_models.core import _xorshift, energy, mix, run, stream
from firmware_models.programme import ADDRESSES, SPAN, Leg, Programme
from isingeq.errors import CapabilityError
from isingeq.machines.pbit import counts_below, tanh_table


def small(**changes):
    parts = {
        "couplings": (3, -5, 7),
        "fields": (2, -4, 1),
        "clamps": (0, 0, 0),
        "legs": (Leg(10, 60, 6),),
        "shift": 0,
    }
    return Programme(**{**parts, **changes})


def test_energy_of_a_state_worked_out_by_hand():
    J = [[0, 3, -5], [3, 0, 7], [-5, 7, 0]]
    assert energy(J, [2, -4, 1], [1, -1, -1]) == (-3 + 5 + 7) + (2 + 4 - 1)
    assert run(small(legs=()), seed=1, start=(1, -1, -1)).energy == 14


def test_random_numbers_are_the_published_generator():
    numbers = _xorshift(123456789, 362436069, 521288629, 88675123)
    assert [next(numbers) for _ in range(3)] == [3701687786, 458299110, 2500872618]


def test_every_read_has_a_stream_of_its_own():
    firsts = {
        tuple(next(numbers) for _ in range(3))
        for seed in range(8)
        for sample in range(20)
        for read in range(20)
        for numbers in [stream(seed, sample, read)]
    }
    assert len(firsts) == 8 * 20 * 20
    assert len({mix(k) for k in range(50_000)}) == 50_000
    assert mix(2**32 + 5) == mix(5)


@pytest.mark.parametrize(
    "numbered", [lambda k: (7, 3, k), lambda k: (7, k, 3), lambda k: (k, 7, 3)]
)
def test_first_numbers_of_a_read_do_not_follow_each_other(numbered):
    """A short read uses these alone: highest bits of up to three, over the reads of a sample, samples and seeds."""
    firsts = [
        [next(numbers) >> 31 for _ in range(8)]
        for k in range(5000)
        for numbers in [stream(*numbered(k))]
    ]
    coins = 2.0 * np.array(firsts) - 1
    for size in (1, 2, 3):
        for chosen in itertools.combinations(range(8), size):
            assert abs(coins[:, chosen].prod(axis=1).mean()) < 4.5 / math.sqrt(len(coins))


def test_table_is_the_tanh_of_simulated_p_bits():
    """Ours goes down to no chance at all; theirs never holds ±1, which is one step of 2^−16."""
    theirs = counts_below(tanh_table(17, SPAN), 17, 16)[65535 :: 2**16 // ADDRESSES]
    assert len(theirs) == len(CHANCES) == ADDRESSES
    assert np.abs(2**16 - theirs.astype(int) - CHANCES).max() <= 1
    assert CHANCES[0] == 2**15
    assert CHANCES[-1] == 0
    for address in (1, 64, 300):
        expected = (1 - math.tanh(address * SPAN / ADDRESSES)) / 2
        assert abs(CHANCES[address] / 2**16 - expected) <= 0.5 / 2**16


def test_table_does_not_depend_on_the_last_bits_of_exp():
    exact = [2**16 / (1 + math.exp(2 * a * SPAN / ADDRESSES)) for a in range(ADDRESSES)]
    assert min(abs(value % 1 - 0.5) for value in exact) > 1e-6


def test_a_leg_goes_straight_and_rounds_towards_its_first_gain():
    assert Leg(0, 10, 4).gains == [0, 3, 6, 10]
    assert Leg(10, 0, 4).gains == [10, 7, 4, 0]
    assert Leg(5, 9, 1).gains == [9]
    assert Leg(65535, 0, 65535).gains[:3] == [65535, 65534, 65533]
    assert small(legs=(Leg(4, 2, 3), Leg(3, 4, 2))).gains == [4, 3, 2, 3, 4]


def test_one_unit_follows_its_field_when_cold_and_tosses_a_coin_when_hot():
    for field in (-40, 40):
        cold = Programme((), (field,), (0,), (Leg(65535, 65535, 1),), 0)
        assert {run(cold, seed=s).spins for s in range(50)} == {(-1 if field > 0 else 1,)}
    hot = Programme((), (32767,), (0,), (Leg(0, 0, 1),), 0)
    ups = sum(run(hot, seed=1, read=read).spins[0] == 1 for read in range(4000))
    assert abs(ups - 2000) < 4 * math.sqrt(1000)


def test_limits_saturate_the_table_and_nothing_else():
    """Couplings and fields at their limits, cold: every unit does what the first one did, in whole numbers."""
    assert oracle(hardest(1, shift=0)) == (-32767, (-1,))
    for n in (2, 17):
        assert oracle(hardest(n, shift=0)) == (-127 * n * (n - 1) // 2 - 32767 * n, (-1,) * n)
    # Against fields of full size couplings do nothing while they are few.
    assert oracle(hardest(17, sign=-1, shift=0)) == (127 * 17 * 8 - 32767 * 17, (-1,) * 17)


def test_addresses_round_halves_away_from_zero_for_both_signs():
    """At shift 10 a gain of 1 and |f| = 512 is half an address: rounded to 1, not 0."""
    for field in (-512, 512):
        programme = Programme((), (field,), (0,), (Leg(1, 1, 1),), 10)
        for read in range(4000):
            number = _second_number(read) >> 16
            along = -1 if field > 0 else 1
            expected = -along if number < CHANCES[1] else along
            assert run(programme, seed=9, read=read).spins == (expected,)


def _second_number(read):
    numbers = stream(9, 0, read)
    next(numbers)
    return next(numbers)


def test_clamping_holds_a_unit_and_leaves_the_noise_of_the_others():
    uncoupled = small(couplings=(0, 0, 0))
    held = small(couplings=(0, 0, 0), clamps=(0, -1, 0))
    for read in range(60):
        free, clamped = (run(p, seed=3, read=read).spins for p in (uncoupled, held))
        assert clamped == (free[0], -1, free[2])
    assert run(held, seed=3, start=(1, 1, 1)).spins[1] == -1


def test_a_run_without_sweeps_returns_its_start():
    assert run(small(legs=()), seed=4, start=(-1, 1, 1)).spins == (-1, 1, 1)
    ups = sum(run(small(legs=()), seed=4, read=read).spins.count(1) for read in range(1000))
    assert abs(ups - 1500) < 4 * math.sqrt(750)


def test_a_given_start_is_where_the_first_sweep_begins():
    apart = Programme((127,), (0, 0), (0, 0), (Leg(9000, 9000, 9),), 0)
    assert run(apart, seed=1, start=(1, 1)).spins == (-1, 1)
    assert run(apart, seed=1, start=(-1, 1)).spins == (-1, 1)
    assert run(apart, seed=1, start=(1, -1)).spins == (1, -1)


def test_results_are_what_they_were():
    warm = small(legs=(Leg(1, 5, 2),), shift=1)
    got = [run(warm, seed=2026, sample=s, read=r) for s in range(2) for r in range(3)]
    assert [(read.energy, read.spins) for read in got] == GOLDEN


GOLDEN = [
    (-22, (-1, 1, -1)),
    (6, (-1, -1, -1)),
    (-8, (1, -1, 1)),
    (-22, (-1, 1, -1)),
    (4, (-1, 1, 1)),
    (-8, (1, -1, 1)),
]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"couplings": (3, -5, 128)}, "coupling 128"),
        ({"couplings": (3, -128, 0)}, "coupling -128"),
        ({"couplings": (3, -5)}, "2 couplings came, 3"),
        ({"fields": (0, 32768, 0)}, "field 32768"),
        ({"clamps": (0, 2, 0)}, "clamp 2"),
        ({"clamps": (0, 0)}, "2 clamps came, 3"),
        ({"legs": (Leg(1, 1, 1),) * 33}, "number of legs 33"),
        ({"shift": 16}, "shift 16"),
        ({"shift": -1}, "shift -1"),
        ({"fields": (), "clamps": (), "couplings": ()}, "number of units 0"),
        ({"fields": (0,) * 256, "clamps": (0,) * 256, "couplings": ()}, "number of units 256"),
    ],
)
def test_a_programme_out_of_range_is_refused(changes, told):
    with pytest.raises(CapabilityError, match=told):
        small(**changes)


@pytest.mark.parametrize("leg", [(-1, 0, 1), (0, 65536, 1), (0, 0, 0), (0, 0, 65536)])
def test_a_leg_out_of_range_is_refused(leg):
    with pytest.raises(CapabilityError):
        Leg(*leg)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"deltas": (0, 0, 32767)}, "field with its delta 32768"),
        ({"deltas": (0, 0)}, "2 deltas came, 3"),
        ({"deltas": (0, 32768, 0)}, "delta 32768"),
        ({"start": (1, 0, 1)}, "no spin"),
        ({"start": (1, 1)}, "2 spins came, 3"),
        ({"seed": 2**32}, "seed, sample or read 4294967296"),
        ({"sample": -1}, "seed, sample or read -1"),
    ],
)
def test_a_run_out_of_range_is_refused(asked, told):
    with pytest.raises(CapabilityError, match=told):
        run(small(), **{"seed": 1, **asked})


def test_header_in_c_is_generated(request):
    header = request.config.rootpath / "firmware_models" / "c" / "chances.h"
    assert header.read_text(encoding="utf-8") == c_header()
