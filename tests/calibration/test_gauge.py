from dataclasses import replace

import numpy as np
import pytest
from board import Board
from hypothesis import given, settings
from hypothesis import strategies as st
from imperfect import Imperfect, wrong
from problems import couplings, nudges, problem

from calibration import Gauge, Scale, reports
from isingeq.backend import Backend, SettleRequest
from isingeq.backends.exact import exact
from isingeq.backends.gibbs import gibbs
from isingeq.backends.metropolis import metropolis
from isingeq.backends.null import null
from isingeq.errors import ConfigError
from isingeq.schedule import Annealing
from isingeq.terms import Clamp
from isingeq.testing import BackendConformance

BETA = Annealing.constant(0.8, 1)


class TestGauge(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return Gauge(exact(), 3)


@pytest.mark.slow
class TestGaugeOfDraws(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return Gauge(exact(draw=True), 5, seed=2)


class TestGaugeOfASampler(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return Gauge(gibbs(beta=1.0), 4)


@pytest.mark.slow
class TestGaugeOfAnAnnealer(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return Gauge(Board(metropolis(sweeps=60)), 2)


@pytest.mark.slow
class TestOneGauge(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return Gauge(Scale(Board(exact(), step=None)), 1)


def chances(found):
    """Return the weight of every state, (b, states), in ascending order of states."""
    powers = 2 ** np.arange(found.states.shape[2])
    codes = ((found.states > 0) @ powers).astype(int)
    out = np.zeros((len(codes), 2**powers.size))
    for row, code, weight in zip(out, codes, found.weights, strict=True):
        np.add.at(row, code, weight)
    return out


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9), st.booleans(), st.integers(0, 2))
def test_the_distribution_does_not_depend_on_the_gauge(seed, gauges, nudged, held):
    """Fields, couplings, forces, springs and clamps turn over together."""
    rng = np.random.default_rng(seed)
    clamp = Clamp(np.arange(7) == 2 * held, np.where(rng.random((3, 7)) < 0.5, -1.0, 1.0))
    terms = (*(nudges() if nudged else ()), *((clamp,) if held else ()))
    asked = SettleRequest(problem(seed), terms, reads=9, schedule=BETA, precision="float64")
    found = Gauge(exact(), gauges, seed).settle(asked)
    assert reports(found)[0]["num_gauges"] == gauges
    np.testing.assert_allclose(chances(found), chances(exact().settle(asked)), atol=1e-12)


def test_offsets_average_out_to_first_order():
    """Means over 64 gauges are 5 times closer than without, and offsets of half the size leave a quarter."""
    asked = SettleRequest(problem(), reads=64, schedule=BETA, precision="float64")
    ideal = exact().settle(asked).mean()

    def off(size, gauges):
        truth = wrong(gain=0.0, coupling_offset=0.1 * size, field_offset=0.3 * size)
        chip = Imperfect(truth)
        found = (Gauge(chip, gauges) if gauges else chip).settle(asked)
        return np.sqrt(((found.mean() - ideal) ** 2).mean())

    assert off(1.0, 64) < 0.2 * off(1.0, 0)
    assert off(0.5, 0) == pytest.approx(0.5 * off(1.0, 0), rel=0.15)


def test_the_phases_of_a_step_share_gauges_and_the_next_step_draws_others():
    board = Board(exact(), step=None)
    gauge, first = Gauge(board, 3), couplings()
    for seed, shared in ((1, first), (2, first), (3, couplings(seed=8))):
        gauge.settle(SettleRequest(problem(seed, shared=shared), reads=6, seed=seed))
    free, nudged, other = board.seen[:3], board.seen[3:6], board.seen[6:]
    assert [r.problem.version for r in nudged] == [
        free[k].problem.version for k in (2, 0, 1)
    ]  # what is programmed comes first
    assert board.uploads == 3 + 2 + 3
    signs = [np.sign(r.problem.fields[0]) for r in (*free, *other)]
    assert all(len({tuple(abs(r.problem.fields[0])) for r in part}) == 1 for part in (free, other))
    turned = [s * np.sign(signs[0]) for s in signs]
    assert len({tuple(s) for s in turned}) > 3


def test_gauges_are_the_same_again():
    """In another process too: they come of seed and values, not of the order of events or versions."""
    told = []
    for seed in (0, 0, 1):
        board = Board(exact(), step=None)
        Gauge(board, 2, seed).settle(SettleRequest(problem(), reads=2))
        told.append(
            [np.concatenate([c.J.ravel() for c in r.problem.couplings]) for r in board.seen]
        )
    np.testing.assert_array_equal(told[0], told[1])
    assert (np.array(told[0]) != np.array(told[2])).any()
    kept = told[0][0] * np.concatenate([c.J.ravel() for c in couplings()]) > 0
    assert kept.astype(int).tolist() == GOLDEN


GOLDEN = [1, 1, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0, 1, 0, 0]
"""Couplings of the first gauge that kept their sign; a change here changes what every run draws."""


def test_reads_are_split_and_no_gauge_is_without_one():
    board = Board(exact(draw=True), step=None)
    found = Gauge(board, 4).settle(SettleRequest(problem(), reads=6, seed=5))
    assert [request.reads for request in board.seen] == [1, 2, 1, 2]
    assert len({request.seed for request in board.seen}) == 4
    assert found.states.shape == (3, 6, 7)
    few = Gauge(board, 4).settle(SettleRequest(problem(), reads=3, seed=5))
    assert reports(few)[0]["num_gauges"] == 3
    assert found.provenance.seed == 5


def test_a_start_comes_back_as_it_was():
    """`null` gives back what it is given; without a second turn it would come back turned over."""
    start = np.where(np.random.default_rng(3).random((3, 5, 7)) < 0.5, -1.0, 1.0)
    board = Board(null(), step=None)
    found = Gauge(board, 3).settle(SettleRequest(problem(), reads=5, initial=start))
    np.testing.assert_array_equal(found.states, start)
    below = np.concatenate([request.initial for request in board.seen], axis=1)
    assert (below != start).any(axis=(0, 1)).any()


def test_ranges_are_cut_to_what_can_be_turned_over():
    inner = replace(
        Board(exact()).capabilities,
        coupling_range=(-2.0, 1.0),
        field_range=(-3.0, 4.0),
        coupling_levels=(-2.0, -1.0, 0.0, 1.0),
    )
    c = Gauge(type("Lopsided", (), {"capabilities": inner, "name": "lopsided"})()).capabilities
    assert (c.coupling_range, c.field_range) == ((-1, 1), (-3, 3))
    assert c.coupling_levels == (-1, 0, 1)


def test_it_takes_a_gauge_or_more():
    with pytest.raises(ConfigError, match="gauges are 1 or more"):
        Gauge(exact(), 0)
