"""Amplitudes under a steady pump: the unit in closed form, rest points, steps and stability."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isingeq.backend import SettleRequest
from isingeq.couplings import Dense, Edges
from isingeq.errors import ProblemError
from isingeq.machines.flow import LONGEST, Flow, stable_step
from isingeq.problem import Problem
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge, total_gradient
from isingeq.units import Layer, Quartic


class TestUnit:
    @given(st.floats(-4, 4), st.floats(-50, 50))
    def test_rest_is_the_lowest_minimum_under_a_force(self, pump, z):
        unit, force = Quartic(pump), np.array([z])
        rest = unit.rest(force)
        assert unit.slope(rest) == pytest.approx(force, abs=1e-8, rel=1e-8)
        grid = np.linspace(-6, 6, 4001)
        assert unit.energy(rest) - z * rest <= (unit.energy(grid) - z * grid).min() + 1e-9

    def test_rest_at_the_threshold_and_in_the_middle(self):
        assert Quartic(1.0).rest(np.array([-8.0, 0.0])) == pytest.approx([-2, 0])
        assert Quartic(1.5).rest(np.array([0.0, -0.0])) == pytest.approx(np.sqrt([0.5, 0.5]) * [1, -1])  # fmt: skip

    def test_slope_is_the_derivative_of_the_energy(self):
        x, unit, step = np.linspace(-2, 2, 9), Quartic(1.4), 1e-6
        slope = (unit.energy(x + step) - unit.energy(x - step)) / (2 * step)
        assert unit.slope(x) == pytest.approx(slope, abs=1e-8)

    def test_complex_forces_below_threshold(self):
        z = np.array([0.4 + 0.3j, -1 - 0.2j])
        unit = Quartic(0.3)
        assert unit.slope(unit.rest(z)) == pytest.approx(z)

    @pytest.mark.parametrize("pump", [np.nan, np.inf])
    def test_a_pump_is_a_number(self, pump):
        with pytest.raises(ProblemError, match="pump"):
            Quartic(pump)


@pytest.fixture
def problem():
    rng = np.random.default_rng(3)
    layers = (Layer("a", 4, Quartic(0.2)), Layer("b", 3, Quartic(-0.5)))
    block = Dense((0, 4), (4, 7), rng.normal(0, 0.2, (4, 3)))
    ring = Edges(7, np.array([0, 1, 4]), np.array([1, 2, 5]), np.array([0.2, -0.3, 0.25]))
    return Problem(layers, (block, ring), rng.normal(size=(5, 7)))


def terms_of(problem):
    rng = np.random.default_rng(4)
    mask = np.arange(7) == 1
    return (
        LinearNudge(rng.normal(size=(5, 7))),
        QuadraticNudge((4, 7), rng.normal(size=(5, 3)), np.array([0.5, -0.4, 0.3, 0.0, 0.7])),
        Clamp(mask, np.where(mask, rng.normal(size=(5, 7)), 0.0)),
    )


def settle(request, tolerance=1e-12, steps=2000):
    flow = Flow.of(request, request.problem.couplings)
    dt = stable_step(request.problem, request.problem.couplings)
    return flow, *flow.settle(dt, tolerance, steps)


@pytest.mark.parametrize("nudged", [False, True])
def test_it_comes_to_rest_where_the_slope_is_zero(problem, nudged):
    terms = terms_of(problem) if nudged else ()
    request = SettleRequest(problem, terms, reads=2, precision="float64")
    flow, steps, residual = settle(request)
    states = flow.x.reshape(5, 2, 7)
    slope = total_gradient(problem, terms, states)
    assert np.abs(slope).max() < 2e-12
    assert residual.reshape(5, 2) == pytest.approx(np.abs(slope).max(axis=-1), abs=1e-13)
    assert (steps > 3).all()
    assert np.array_equal(states[:, 0], states[:, 1])
    if nudged:
        assert np.array_equal(states[:, 0, 1], terms[2].values[:, 1])


def test_rows_stop_on_their_own(problem):
    request = SettleRequest(problem, precision="float64")
    flow, steps, residual = settle(request, 1e-3)
    assert len(set(steps.tolist())) > 1
    assert (residual <= 1e-3).all()
    rows = (problem.with_fields(problem.fields[k : k + 1].copy()) for k in range(5))
    alone = [settle(SettleRequest(row, precision="float64"), 1e-3) for row in rows]
    assert [int(found[1][0]) for found in alone] == steps.tolist()
    assert np.concatenate([found[0].x for found in alone]) == pytest.approx(flow.x, abs=1e-12)
    assert (settle(request, 0.0, 17)[1] == 17).all()


def test_a_step_is_of_first_order(problem):
    request = SettleRequest(problem, precision="float64")

    def after(steps):
        flow = Flow.of(request, problem.couplings)
        flow.settle(1.0 / steps, 0.0, steps)
        return flow.x

    exact = 2 * after(2048) - after(1024)
    errors = np.array([np.abs(after(steps) - exact).max() for steps in (32, 64, 128)])
    assert np.log2(errors[:-1] / errors[1:]) == pytest.approx([1, 1], abs=0.1)


def test_the_step_suggested_settles_strong_couplings_and_halves_when_they_double():
    rng = np.random.default_rng(0)
    layers = (Layer("a", 30, Quartic(0.5)), Layer("b", 20, Quartic(1.6)))
    J, fields = rng.normal(size=(30, 20)), rng.normal(size=(8, 50))
    one, two = (Problem(layers, (Dense((0, 30), (30, 50), f * J),), fields) for f in (1, 2))
    assert stable_step(one, one.couplings) == pytest.approx(2 * stable_step(two, two.couplings))
    _, _, residual = settle(SettleRequest(two, precision="float64"), 1e-10, 5000)
    assert (residual <= 1e-10).all()


def test_without_couplings_the_step_is_bounded_by_the_pump_alone():
    layers = (Layer("a", 2, Quartic(-1.0)),)
    assert stable_step(Problem(layers, (), np.zeros((1, 2))), ()) == LONGEST
    layers = (Layer("a", 2, Quartic(3.0)),)
    assert stable_step(Problem(layers, (), np.zeros((1, 2))), ()) == pytest.approx(0.25)


def test_two_clamps_that_disagree_are_refused(problem):
    mask = np.arange(7) == 2
    terms = tuple(Clamp(mask, np.full((5, 7), value)) for value in (0.5, 0.6))
    with pytest.raises(ProblemError, match="two clamps"):
        Flow.of(SettleRequest(problem, terms), problem.couplings)
