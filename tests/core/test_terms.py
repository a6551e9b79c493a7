"""Terms: what a phase adds to the energy, and that its gradient is the slope of it."""

import numpy as np
import pytest

from isingeq.couplings import Dense
from isingeq.errors import ProblemError
from isingeq.problem import Problem
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge, total_energy, total_gradient
from isingeq.units import Amplitude, Layer

B, R, N = 3, 2, 5
RNG = np.random.default_rng(0)
LINEAR = LinearNudge(RNG.normal(size=(B, N)))
SPRING = QuadraticNudge((2, 5), RNG.normal(size=(B, 3)), np.array([0.5, -0.3, 2.0]))
CLAMP = Clamp(np.array([True, False, False, True, False]), RNG.normal(size=(B, N)))
EVERY = pytest.mark.parametrize(
    "term", [LINEAR, SPRING, CLAMP], ids=lambda term: type(term).__name__
)


def problem():
    layers = (Layer("a", 2, Amplitude(-9, 9, 1.5)), Layer("b", 3, Amplitude(-9, 9, 0.5)))
    rng = np.random.default_rng(1)
    return Problem(
        layers, (Dense((0, 2), (2, 5), rng.normal(size=(2, 3))),), rng.normal(size=(B, N))
    )


def slopes(energy, states, step=1e-6):
    out = np.empty_like(states)
    for unit in range(states.shape[-1]):
        moved = np.zeros(states.shape[-1])
        moved[unit] = step
        out[..., unit] = (energy(states + moved) - energy(states - moved)) / (2 * step)
    return out


@EVERY
def test_gradient_is_the_slope_of_the_energy(term):
    states = np.random.default_rng(2).normal(size=(B, R, N))
    assert term.energy(states).shape == (B, R)
    assert term.gradient(states).shape == (B, R, N)
    np.testing.assert_allclose(term.gradient(states), slopes(term.energy, states), atol=1e-8)


def test_linear_nudge_by_hand():
    term = LinearNudge(np.array([[1.0, -2.0], [0.5, 0.0]]))
    states = np.array([[[3.0, 1.0]], [[4.0, 7.0]]])
    np.testing.assert_allclose(term.energy(states), [[-1.0], [-2.0]])


def test_quadratic_nudge_by_hand():
    term = QuadraticNudge((1, 3), np.array([[1.0, 0.0]]), np.array([-0.5]))
    assert term.energy(np.array([[[9.0, 3.0, 2.0]]])) == pytest.approx(-0.25 * (4 + 4))


def test_quadratic_nudge_may_be_complex():
    term = QuadraticNudge((0, 2), np.zeros((1, 2)), np.array([0.5j]))
    np.testing.assert_allclose(term.gradient(np.array([[[1.0, 2.0, 3.0]]])), [[[0.5j, 1j, 0]]])


@pytest.mark.parametrize(
    ("targets", "strength"), [((2, 2), (2,)), ((3,), (3,)), ((2, 3), (3,)), ((2, 3), (2, 1))]
)
def test_quadratic_nudge_of_other_shapes_is_refused(targets, strength):
    with pytest.raises(ProblemError, match="quadratic nudge needs"):
        QuadraticNudge((2, 5), np.zeros(targets), np.zeros(strength))


def test_totals_add_up_and_clamped_units_feel_nothing():
    states = np.random.default_rng(3).normal(size=(B, R, N))
    terms = (LINEAR, SPRING, CLAMP)
    energy = problem().energy(states) + LINEAR.energy(states) + SPRING.energy(states)
    np.testing.assert_allclose(total_energy(problem(), terms, states), energy, rtol=1e-13)
    slope = slopes(lambda s: total_energy(problem(), terms, s), states)
    slope[..., CLAMP.mask] = 0
    np.testing.assert_allclose(total_gradient(problem(), terms, states), slope, atol=1e-7)


@pytest.mark.parametrize(
    ("strength", "fits"), [(-0.29, True), (-0.3, False), (0.5, True), (-0.31 + 0.1j, False)]
)
def test_a_spring_that_pushes_harder_than_units_without_walls_hold_is_refused(strength, fits):
    linear, boxed = Amplitude(-np.inf, np.inf, 0.3), Amplitude(0.0, 1.0, 0.3)
    spring = QuadraticNudge((2, 4), np.zeros((1, 2)), np.array([strength]))
    for outputs, good in ((linear, fits), (boxed, True)):
        problem = Problem((Layer("h", 2, linear), Layer("out", 2, outputs)), (), np.zeros((1, 4)))
        if good:
            spring.check(problem)
        else:
            with pytest.raises(ProblemError, match="layer out has no walls"):
                spring.check(problem)
