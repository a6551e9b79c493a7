"""Rounding to steps and to lists of levels, once and over several programmings."""

import math
from dataclasses import replace

import numpy as np
import pytest
from board import Board
from hypothesis import given
from hypothesis import strategies as st
from problems import couplings, nudges, problem

from calibration import Limits, Quantise, mapped, reports
from calibration.levels import effective_bits, rounded
from calibration.rounding import chances
from isingeq.backend import Claim, SettleRequest
from isingeq.backends.exact import exact
from isingeq.backends.null import null
from isingeq.errors import CapabilityError, ConfigError
from isingeq.problem import lower
from isingeq.schedule import Annealing
from isingeq.testing import BackendConformance

UNEVEN = (-2.0, -0.5, 0.0, 0.75, 1.0)
TERNARY = (-1.0, 0.0, 1.0)
BETA = Annealing.constant(0.8, 1)

grids = st.one_of(st.sampled_from([1.0, 0.25, 0.1]), st.just(UNEVEN), st.just(TERNARY))


class Levelled(Board):
    """A board whose couplings have levels; fields have steps of a quarter."""

    levels = UNEVEN

    @property
    def capabilities(self):
        c = super().capabilities
        return replace(c, coupling_step=None, coupling_range=None, coupling_levels=self.levels)


def levelled(inner=None, levels=UNEVEN):
    board = Levelled(inner or exact(), 2.0, 8.0, 0.25)
    board.levels = levels
    return board


class TestLevels(BackendConformance):
    @pytest.fixture
    def backend(self):
        return mapped(levelled())


class TestDither(BackendConformance):
    @pytest.fixture
    def backend(self):
        return Quantise(Board(exact(draw=True)), "stochastic", 4)


@given(grids, st.floats(0, 1), st.sampled_from([np.float32, np.float64]))
def test_the_nearest_is_the_nearest(grid, share, kind):
    low, high = (grid[0], grid[-1]) if isinstance(grid, tuple) else (-3.0, 3.0)
    value = np.array([low + share * (high - low)], kind)
    known = np.array(grid) if isinstance(grid, tuple) else grid * np.arange(-40, 41)
    got = rounded(value, grid)
    assert got.dtype == kind
    assert abs(got[0] - value[0]) <= np.abs(known - value[0]).min() + 1e-6
    assert np.abs(known - got[0]).min() < 1e-6


@given(grids, st.floats(0, 1), st.integers(1, 9))
def test_programmings_are_right_on_average_to_one_of_them(grid, share, count):
    """Up in a share of them that is within one of the right one, whatever the draw."""
    low, high = (grid[0], grid[-1]) if isinstance(grid, tuple) else (-3.0, 3.0)
    values = np.full(50, low + share * (high - low))
    held = [rounded(values, grid, chances((50,), [3], k / count)) for k in range(count)]
    known = np.array(grid) if isinstance(grid, tuple) else grid * np.arange(-40, 41)
    gap = np.diff(known)[np.clip(np.searchsorted(known, values) - 1, 0, known.size - 2)]
    assert (np.abs(np.mean(held, axis=0) - values) <= gap / count + 1e-6).all()


def test_levels_by_chance_are_right_on_average():
    values, count = np.linspace(-2, 1, 31), 4000
    held = rounded(np.tile(values, (count, 1)), UNEVEN, chances((count, 31), [7]))
    known = np.array(UNEVEN)
    at = np.clip(np.searchsorted(known, values, side="right") - 1, 0, 3)
    low, high = known[at], known[at + 1]
    error = np.sqrt((values - low) * (high - values) / count)
    assert (np.abs(held.mean(axis=0) - values) <= 5 * error + 1e-9).all()
    assert ((held == low) | (held == high)).all()
    assert held.std(axis=0).max() > 0.7


def test_ties_go_to_the_even_one():
    assert rounded(np.array([-0.5, 0.5, 1.5]), 1.0).tolist() == [0, 0, 2]
    assert rounded(np.array([-1.25, -0.25, 0.375, 0.875]), UNEVEN).tolist() == [-2, 0, 0, 1]


def test_the_seam_refuses_what_is_on_no_level():
    still = problem(reach=0.4).with_fields(np.zeros((1, 7)))
    with pytest.raises(CapabilityError, match="5 levels from -2 to 1, the problem has others"):
        levelled().settle(SettleRequest(still))


def test_couplings_go_to_their_levels_and_fields_to_their_steps():
    board = levelled()
    asked = SettleRequest(problem(), nudges(), schedule=BETA, precision="float64")
    found = Quantise(board).settle(asked)
    below = board.seen[-1].problem
    J, known = lower(asked.problem).J, np.array(UNEVEN)
    np.testing.assert_array_equal(lower(below).J, known[np.abs(J[:, None] - known).argmin(axis=1)])
    told = reports(found)[0]
    assert told["couplings"]["step"] is None
    assert told["couplings"]["effective_bits"] == pytest.approx(math.log2(3))  # −0.5, 0, 0.75
    assert told["fields"]["step"] == 0.25
    with pytest.raises(CapabilityError, match=r"couplings in \[-2, 1\]"):
        Quantise(board).settle(SettleRequest(problem(reach=3.0)))


def test_scale_fits_couplings_between_the_levels():
    board = levelled(levels=TERNARY)
    found = mapped(board, Limits(0.8, 8.0)).settle(SettleRequest(problem()))
    scale, quantise = reports(found)
    assert scale["factor"] == pytest.approx(1.0, rel=1e-5)  # the range of fields is the tighter one
    assert set(lower(board.seen[-1].problem).J.tolist()) <= set(TERNARY)
    assert quantise["couplings"]["effective_bits"] == pytest.approx(math.log2(3))


def test_effective_bits_count_the_values_within_reach():
    assert effective_bits(127, 1.0) == pytest.approx(math.log2(255))
    assert effective_bits(0.75, UNEVEN) == pytest.approx(math.log2(3))
    assert effective_bits(0.0, (-1.0, 1.0)) == 0


def test_dither_has_the_moments_of_a_finer_chip():
    """Root mean square error of mean spins, exact for every programming: 16 of them are 3 times better than one."""
    asked = SettleRequest(problem(), reads=16, schedule=BETA, precision="float64")
    ideal = exact().settle(asked).mean()

    def off(way, count):
        errors = []
        for seed in range(12):
            board = Board(exact(), 4.0, 8.0, 0.5)
            request = replace(asked, seed=seed)
            found = Quantise(board, way, count, seed).settle(request)
            assert reports(found)[0]["num_programmings"] == count == len(board.seen)
            errors.append(((found.mean() - ideal) ** 2).mean())
        return np.sqrt(np.mean(errors))

    assert off("stochastic", 16) < off("stochastic", 1) / 3
    assert off("stochastic", 16) < off("nearest", 1) / 2


def test_programmings_are_kept_and_the_loaded_one_comes_first():
    board, shared = Board(exact(), 4.0, 8.0, 0.5), couplings()
    quantise = Quantise(board, "stochastic", 3)
    for seed in (1, 2):
        quantise.settle(SettleRequest(problem(shared=shared), nudges(), reads=7, seed=seed))
    first, second = board.seen[:3], board.seen[3:]
    assert [r.reads for r in first] == [2, 2, 3]
    assert len({r.problem.version for r in board.seen}) == 3
    assert [r.problem.version for r in second] == [first[k].problem.version for k in (2, 0, 1)]
    assert len({r.seed for r in board.seen}) == 6


def test_reads_stay_in_their_order():
    start = np.where(np.random.default_rng(3).random((3, 8, 7)) < 0.5, -1.0, 1.0)
    quantise = Quantise(Board(null(), 4.0, 8.0, 0.5), "stochastic", 3)
    for _ in range(2):
        found = quantise.settle(SettleRequest(problem(), reads=8, initial=start))
        np.testing.assert_array_equal(found.states, start)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ConfigError, match="set rounding=stochastic"):
        Quantise(Board(exact()), programmings=2)
    with pytest.raises(CapabilityError, match="two levels or more, ascending"):
        Quantise(levelled(levels=(1.0, -1.0)))
    assert Quantise(levelled()).capabilities.claim is Claim.NONE
    assert Quantise(levelled()).capabilities.coupling_range == (-2, 1)
