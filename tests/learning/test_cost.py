"""Costs by hand and by finite differences."""

import numpy as np
import pytest

from isingeq.errors import ProblemError
from isingeq.learning.cost import CrossEntropy, SquaredError, tangent
from isingeq.learning.parameters import Parameters
from isingeq.terms import QuadraticNudge

LABELS = np.array([2, 0, 1, 2])
NONE = Parameters.zeros((), np.float64)


def readout(outputs=5, classes=3):
    cost = CrossEntropy(classes)
    p = Parameters.zeros(cost.shapes(outputs), np.float64)
    p.vector[:] = np.random.default_rng(0).normal(size=p.vector.size)
    return cost, p


CASES = pytest.mark.parametrize(
    ("cost", "parameters", "outputs"),
    [(SquaredError(3), NONE, 3), (SquaredError(3, 2, -1.0, 1.0), NONE, 6), (*readout(), 5)],
    ids=["squared", "replicas", "cross-entropy"],
)


@CASES
def test_slope_is_that_of_the_values(cost, parameters, outputs):
    s = np.random.default_rng(1).normal(size=(4, outputs))
    slope = cost.slope(parameters, s, LABELS)
    for k in range(outputs):
        step = np.zeros(outputs)
        step[k] = 1e-6
        numeric = (
            cost.values(parameters, s + step, LABELS) - cost.values(parameters, s - step, LABELS)
        ) / 2e-6
        np.testing.assert_allclose(slope[:, k], numeric, atol=1e-8)


def test_squared_error_by_hand():
    s = np.array([[1.0, 2.0, 3.0]])
    assert SquaredError(3).values(NONE, s, np.array([1])) == pytest.approx(0.5 * (1 + 1 + 9))


def test_replicas_stand_side_by_side_and_vote():
    cost = SquaredError(3, 2, -1.0, 1.0)
    np.testing.assert_array_equal(cost.targets(np.array([1])), [[-1, -1, 1, 1, -1, -1]])
    s = np.array([[1.0, -1.0, 0.5, 0.25, -1.0, 1.0]])
    np.testing.assert_array_equal(cost.scores(NONE, s), [[0, 0.75, 0]])


def test_squared_error_nudges_by_a_spring_to_its_targets():
    cost, strength = SquaredError(3, 2), np.array([0.5, -0.5, 1.0, 0.1])
    term = cost.nudge(strength, LABELS, (4, 10))
    assert isinstance(term, QuadraticNudge)
    states = np.random.default_rng(0).normal(size=(4, 1, 10))
    energies = strength * cost.values(NONE, states[:, 0, 4:], LABELS)
    np.testing.assert_allclose(term.energy(states)[:, 0], energies)


def test_squared_error_refuses_another_output_layer():
    with pytest.raises(ProblemError, match="7 units, 3 classes × 2 replicas"):
        SquaredError(3, 2).shapes(7)


def test_cross_entropy_is_the_negative_log_of_the_softmax():
    cost, p = readout()
    s = np.random.default_rng(1).normal(size=(4, 5))
    z = s @ p["readout.weight"] + p["readout.bias"]
    probabilities = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        cost.values(p, s, LABELS), -np.log(probabilities[np.arange(4), LABELS])
    )
    np.testing.assert_allclose(cost.scores(p, s), z)
    assert cost.nudge(np.ones(4), LABELS, (0, 5)) is None


def test_cross_entropy_of_large_logits_is_finite():
    cost, p = readout()
    s = 1e4 * np.random.default_rng(1).normal(size=(4, 5))
    assert np.isfinite(cost.values(p, s, LABELS)).all()
    assert np.isfinite(cost.slope(p, s, LABELS)).all()


def test_cross_entropy_trains_its_readout_by_the_mean_slope():
    cost, p = readout()
    s = np.random.default_rng(1).normal(size=(4, 5))
    out = p.like()
    cost.explicit(p, s, LABELS, out)
    for k in range(p.vector.size):
        ends = []
        for sign in (1e-6, -1e-6):
            vector = p.vector.copy()
            vector[k] += sign
            ends.append(cost.values(p.like(vector), s, LABELS).mean())
        assert out.vector[k] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-8)


def test_tangent_is_the_force_down_the_slope():
    slope, strength = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.5, -1.0])
    np.testing.assert_allclose(
        tangent(slope, strength, (1, 3), np.zeros((2, 4)), phases=False).force,
        [[0, -0.5, -1, 0], [0, 3, 4, 0]],
    )
