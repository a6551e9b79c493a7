"""Counter noise: normal, repeatable, and a function of seed, sample, step and unit alone."""

import numpy as np
import pytest
from numba import njit
from twin import motion, random_case, residual, run

from isingeq.kernels.noise import normal

M = 40_000
FREE = ((1.0, -np.inf, np.inf),)


@njit
def _draw(out, seed, sample, step, unit, which):
    for k in range(out.size):
        out[k] = normal(
            seed + k * (which == 0),
            sample + k * (which == 1),
            step + k * (which == 2),
            unit + k * (which == 3),
        )


def draw(which, *, seed=1, sample=2, step=3, unit=4):
    out = np.empty(M)
    _draw(out, seed, sample, step, unit, which)
    return out


@pytest.mark.parametrize("which", range(4), ids=["seed", "sample", "step", "unit"])
def test_is_normal_along_every_counter(which):
    values = draw(which)
    assert abs(values.mean()) < 5 / np.sqrt(M)
    assert abs(values.var() - 1) < 5 * np.sqrt(2 / M)
    assert abs((values**3).mean()) < 5 * np.sqrt(15 / M)
    assert abs((values**4).mean() - 3) < 5 * np.sqrt(96 / M)
    assert abs((values[1:] * values[:-1]).mean()) < 5 / np.sqrt(M)


@pytest.mark.parametrize("other", [{"seed": 2}, {"sample": 3}, {"step": 4}, {"unit": 9}])
def test_neighbouring_counters_are_independent(other):
    which = 1 if "unit" in other else 3
    assert abs((draw(which) * draw(which, **other)).mean()) < 5 / np.sqrt(M)


def test_repeats_exactly():
    np.testing.assert_array_equal(draw(0), draw(0))


def still(batch, **options):
    """Free units at rest at 0: whatever they do is noise."""
    case, net = random_case(0, sizes=(6,), batch=batch, boxes=FREE, order="synchronous", links=[])
    case.fields[:] = 0
    case.start = np.zeros((batch, 6))
    return run(case, net, motion(1, **options))[0].states


@pytest.mark.parametrize(
    ("options", "sigma"), [({"force": 0.3, "kick": 0.5}, 0.15), ({"state": 0.2}, 0.2)]
)
def test_has_the_standard_deviation_asked_for(options, sigma):
    values = still(3000, seed=5, **options).ravel()
    assert abs(values.mean()) < 5 * sigma / np.sqrt(values.size)
    assert abs(values.var() / sigma**2 - 1) < 5 * np.sqrt(2 / values.size)


@pytest.mark.parametrize("options", [{"force": 0.3}, {"state": 0.2}])
def test_of_a_sample_does_not_depend_on_how_many_come_after_it(options):
    np.testing.assert_array_equal(still(40, **options)[:17], still(17, **options))
    rows = still(40, **options)
    assert len(np.unique(rows)) == rows.size, "two samples or two units share a number"


@pytest.mark.parametrize("options", [{"force": 0.3}, {"state": 0.2}])
def test_depends_on_the_seed(options):
    assert not np.array_equal(still(3, seed=1, **options), still(3, seed=2, **options))


def test_is_fresh_at_every_step():
    """Positions that only add up noise spread like a random walk."""
    case, net = random_case(0, sizes=(6,), batch=500, boxes=FREE, order="synchronous", links=[])
    case.fields[:] = 0
    case.start = np.zeros((500, 6))
    states = run(case, net, motion(9, kick=0.0, state=0.1))[0].states
    assert abs(states.var() / (9 * 0.01) - 1) < 5 * np.sqrt(2 / states.size)


def test_keeps_positions_between_their_walls():
    case, net = random_case(
        1, sizes=(9, 4), batch=20, boxes=((1.0, 0.0, 1.0), (1.0, -0.5, 0.5)), order="asynchronous"
    )
    states = run(case, net, motion(5, state=3.0))[0].states
    assert set(np.unique(states[:, :9])) >= {0.0, 1.0}
    assert states[:, :9].min() == 0
    assert states[:, :9].max() == 1
    assert states[:, 9:].min() == -0.5
    assert states[:, 9:].max() == 0.5


def test_leaves_frozen_layers_alone():
    case, net = random_case(
        1, sizes=(9, 4), batch=3, boxes=FREE * 2, order="asynchronous", frozen=(1,)
    )
    states = run(case, net, motion(5, state=0.1, force=0.1))[0].states
    np.testing.assert_array_equal(states[:, 9:], case.start[:, 9:])


@pytest.mark.parametrize("options", [{"force": 0.01}, {"state": 0.01}])
def test_residuals_are_those_of_the_states_returned_without_the_noise(options):
    case, net = random_case(2, sizes=(9, 4), batch=20, boxes=FREE * 2, order="asynchronous")
    found, _ = run(case, net, motion(80, tolerance=0.05, **options))
    np.testing.assert_allclose(found.residual, residual(case, found.states), atol=1e-12)


@pytest.mark.parametrize("options", [{"force": 0.01}, {"state": 0.01}])
def test_a_sample_ends_where_it_ends_whatever_shares_its_tile(options):
    case, net = random_case(2, sizes=(9, 4), batch=14, boxes=FREE * 2, order="asynchronous")
    how = motion(80, tolerance=0.05, **options)
    np.testing.assert_array_equal(
        run(case, net, how)[0].states[:1], run(case, net, how, rows=slice(0, 1))[0].states
    )
