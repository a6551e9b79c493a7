"""Convolutions: energy from plain loops, field, change and moments from differences, edges from the energy."""

import itertools

import numpy as np
import pytest

from isingeq.couplings import Convolution, Window
from isingeq.errors import CapabilityError, ProblemError
from isingeq.problem import Problem, lower
from isingeq.units import Amplitude, Layer

SOURCE = (6, 8, 2)
WINDOWS = [
    Window(SOURCE, 3, kernel, stride=stride, padding=padding, pool=pool, pooling=pooling)
    for kernel, stride, padding, pool, pooling in [
        (3, 1, 1, 2, "max"), (3, 1, 1, 2, "average"), (3, 1, 1, 2, "soft"), (2, 2, 0, 1, "max"),
        (3, 1, 0, 1, "average"), (3, 1, 0, 2, "max"), (2, 2, 0, 1, "soft"), (1, 1, 0, 2, "average"),
    ]
]  # fmt: skip
EVERY = pytest.mark.parametrize(
    "window", WINDOWS, ids=lambda w: f"{w.kernel}-{w.stride}-{w.padding}-{w.pool}-{w.pooling}"
)
LINEAR = pytest.mark.parametrize("window", [window for window in WINDOWS if window.linear])


def made(window, seed=0):
    """A coupling with units before, between and behind its ends."""
    a, b = np.prod(window.source), np.prod(window.target)
    J = np.random.default_rng(seed).normal(size=window.shape)
    return Convolution((1, 1 + a), (a + 3, a + 3 + b), window, J), a + b + 5


def plain_energy(window, J, a, b):
    """−Σ b P(−J ∗ a), loop by loop."""
    rows, columns, channels = window.swept
    z = np.zeros(window.swept)
    for y, x, o in itertools.product(range(rows), range(columns), range(channels)):
        for dy, dx, c in itertools.product(
            range(window.kernel), range(window.kernel), range(window.source[2])
        ):
            v, u = y * window.stride + dy - window.padding, x * window.stride + dx - window.padding
            if 0 <= v < window.source[0] and 0 <= u < window.source[1]:
                z[y, x, o] -= J[dy, dx, c, o] * a[v, u, c]
    total, p = 0.0, window.pool
    for y, x, o in itertools.product(*(range(size) for size in window.target)):
        square = z[y * p : (y + 1) * p, x * p : (x + 1) * p, o]
        pooled = {
            "max": square.max(),
            "average": square.mean(),
            "soft": np.log(np.exp(window.sharpness * square).mean()) / window.sharpness,
        }[window.pooling]
        total -= b[y, x, o] * pooled
    return total


@EVERY
def test_energy_is_what_the_loops_say(window):
    coupling, n = made(window)
    states = np.random.default_rng(1).normal(size=(2, n))
    expected = [
        plain_energy(
            window,
            coupling.J,
            row[slice(*coupling.a)].reshape(window.source),
            row[slice(*coupling.b)].reshape(window.target),
        )
        for row in states
    ]
    np.testing.assert_allclose(coupling.energy(states), expected, rtol=1e-12)
    np.testing.assert_allclose(coupling.energy(states[:, None]), np.array(expected)[:, None])


@EVERY
def test_field_change_and_moments_are_slopes(window):
    coupling, n = made(window)
    rng = np.random.default_rng(2)
    states, direction = rng.normal(size=(2, 3, n))
    step = 1e-6
    slope = (
        coupling.energy(states + step * direction) - coupling.energy(states - step * direction)
    ) / (2 * step)
    field = coupling.field(states)
    np.testing.assert_allclose((field * direction).sum(axis=1), slope, atol=1e-7)
    assert not field[:, [0, -1]].any()
    turned = (
        coupling.field(states + step * direction) - coupling.field(states - step * direction)
    ) / (2 * step)
    np.testing.assert_allclose(coupling.change(states, direction), turned, atol=1e-6)
    weights, along = rng.normal(size=3), rng.normal(size=window.shape)
    moved = [
        Convolution(coupling.a, coupling.b, window, coupling.J + sign * step * along).energy(states)
        for sign in (1, -1)
    ]
    expected = weights @ (moved[0] - moved[1]) / (2 * step)
    assert (coupling.moments(states, weights) * along).sum() == pytest.approx(expected, abs=1e-6)


@EVERY
def test_change_is_symmetric(window):
    """It is the second derivative of an energy."""
    coupling, n = made(window)
    states, u, v = np.random.default_rng(3).normal(size=(3, 1, n))
    left, right = (u * coupling.change(states, v)).sum(), (v * coupling.change(states, u)).sum()
    assert left == pytest.approx(right, rel=1e-10)
    assert abs(left) > 1e-3


@LINEAR
def test_edges_are_the_same_energy_and_gather_their_moments(window):
    coupling, n = made(window)
    rng = np.random.default_rng(4)
    states, weights = rng.normal(size=(3, n)), rng.normal(size=3)
    i, j, J = coupling.edges()
    assert (i < j).all()
    assert len({*zip(i.tolist(), j.tolist(), strict=True)}) == i.size
    products = states[:, i] * states[:, j]
    np.testing.assert_allclose(coupling.energy(states), products @ J, rtol=1e-12)
    np.testing.assert_allclose(
        coupling.gather(weights @ products), coupling.moments(states, weights), atol=1e-12
    )


def test_a_problem_with_an_averaging_convolution_lowers_with_its_other_couplings():
    window = Window((4, 4, 1), 2, 3, padding=1, pool=2, pooling="average")
    coupling = Convolution((0, 16), (16, 24), window, np.random.default_rng(0).normal(size=(3, 3, 1, 2)))  # fmt: skip
    layers = (Layer("a", 16, Amplitude()), Layer("b", 8, Amplitude()))
    problem = Problem(layers, (coupling,), np.zeros((2, 24)))
    lowered = lower(problem)
    (moments,) = lowered.gather(np.arange(lowered.J.size, dtype=float))
    assert moments.shape == window.shape


def test_only_linear_pools_lower():
    coupling, _ = made(Window(SOURCE, 3, 3, padding=1, pool=2, pooling="max"))
    assert not coupling.pairwise
    with pytest.raises(CapabilityError, match=r"max pooling is no sum over pairs.*average"):
        coupling.edges()
    with pytest.raises(CapabilityError, match="no sum over pairs"):
        coupling.gather(np.zeros(3))


def test_of_equal_sums_the_first_of_the_pool_counts():
    window = Window((2, 2, 1), 1, 1, pool=2, pooling="max")
    coupling = Convolution((0, 4), (4, 5), window, np.full((1, 1, 1, 1), -1.0))
    field = coupling.field(np.array([0.0, 7.0, 7.0, 0.0, 2.0]))
    np.testing.assert_array_equal(field, [0, -2, 0, 0, -7])


def test_complex_states_are_pooled_by_their_mean_alone():
    states = np.random.default_rng(5).normal(size=(1, 200)) * (1 + 0.1j)
    averaged, n = made(WINDOWS[1])
    np.testing.assert_allclose(
        averaged.field(states[:, :n]).imag, 0.1 * averaged.field(states[:, :n].real), atol=1e-12
    )
    largest, n = made(WINDOWS[0])
    with pytest.raises(CapabilityError, match="max pooling has no meaning for complex nudging"):
        largest.field(states[:, :n])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kernel": 9}, "kernel 9 is larger than the 6 × 8 image"),
        ({"kernel": 3, "pool": 2}, None),
        ({"kernel": 2, "pool": 2}, "pool 2 does not divide the 5 × 7 places"),
        ({"kernel": 3, "stride": 2}, "stride 2 leaves 1 rows or columns of 6 × 8 over"),
        ({"kernel": 3, "padding": 3}, "padding 3 leaves windows of 3 × 3 outside"),
        ({"kernel": 0}, "sizes and sharpness above 0"),
        ({"kernel": 1, "sharpness": float("nan")}, "sizes and sharpness above 0"),
    ],
)
def test_windows_that_do_not_fit_are_refused(options, says):
    if says is None:
        assert Window(SOURCE, 3, **options).target == (2, 3, 3)
        return
    with pytest.raises(ProblemError, match=says):
        Window(SOURCE, 3, **options)


def test_couplings_that_do_not_fit_their_window_are_refused():
    window = Window((4, 4, 1), 2, 3)
    J = np.zeros(window.shape)
    with pytest.raises(ProblemError, match=r"has couplings of shape \(3, 3\)"):
        Convolution((0, 16), (16, 24), window, np.zeros((3, 3)))
    with pytest.raises(ProblemError, match="the result of a convolution has units"):
        Convolution((0, 16), (16, 23), window, J)
    with pytest.raises(ProblemError, match="overlap"):
        Convolution((0, 16), (12, 20), window, J)
    with pytest.raises(ProblemError, match="NaN"):
        Convolution((0, 16), (16, 24), window, np.full(window.shape, np.nan))
