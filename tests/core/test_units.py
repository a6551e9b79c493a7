"""Units: self-energies, their slopes, and the states in which they rest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isingeq.errors import ProblemError
from isingeq.units import Amplitude, Layer, Logistic, Spin

CONTINUOUS = pytest.mark.parametrize(
    "unit",
    [
        Amplitude(),
        Amplitude(-0.5, 1.5, 2.5),
        Amplitude(-np.inf, np.inf, 0.7),
        Logistic(),
        Logistic(1.3),
    ],
)


@CONTINUOUS
def test_slope_is_the_derivative_of_the_energy(unit):
    x, step = np.linspace(0.05, 0.95, 9), 1e-6
    numeric = (unit.energy(x + step) - unit.energy(x - step)) / (2 * step)
    np.testing.assert_allclose(unit.slope(x), numeric, atol=1e-8)


@CONTINUOUS
def test_rest_has_the_lowest_energy_under_a_force(unit):
    grid = np.linspace(max(unit.low, -6), min(unit.high, 6), 200_001)
    for force in (-3.0, -0.4, 0.3, 0.9, 4.0):
        best = grid[np.argmin(unit.energy(grid) - force * grid)]
        assert unit.rest(np.array(force)) == pytest.approx(best, abs=1e-4)


def test_logistic_energy_is_finite_at_its_ends():
    np.testing.assert_allclose(Logistic(2.0).energy(np.array([0.0, 1.0])), [0.0, 0.5])


def test_logistic_rests_at_the_logistic_function():
    assert Logistic(4.0).rest(np.array(0.75)) == pytest.approx(1 / (1 + np.exp(-1.0)))


def test_spins_cost_nothing():
    s = np.array([[-1.0, 1.0]])
    np.testing.assert_array_equal(Spin().energy(s), [[0, 0]])
    np.testing.assert_array_equal(Spin().slope(s), [[0, 0]])
    assert (Spin().low, Spin().high) == (-1, 1)


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (1.0, 0.0), (np.nan, 1.0)])
def test_an_empty_box_is_refused(low, high):
    with pytest.raises(ProblemError, match="empty"):
        Amplitude(low, high)


@pytest.mark.parametrize("stiffness", [0.0, -1.0, np.nan])
def test_stiffness_is_positive(stiffness):
    with pytest.raises(ProblemError, match="stiffness"):
        Amplitude(stiffness=stiffness)


def test_only_an_amplitude_without_walls_is_smooth():
    assert Amplitude(-np.inf, np.inf).smooth
    assert not Amplitude().smooth
    assert not Amplitude(-np.inf, 1.0).smooth
    assert Logistic().smooth
    assert not Spin().smooth


@settings(derandomize=True)
@given(st.integers(max_value=0))
def test_a_layer_has_units(size):
    with pytest.raises(ProblemError, match="at least 1"):
        Layer("hidden", size, Spin())
