"""Directed couplings: forces by the definition, products by finite differences and by ⟨w, G v⟩ = ⟨Gᵀ w, v⟩."""

from dataclasses import replace

import numpy as np
import pytest
from paths_of import N, directed

from isingeq.couplings import (
    Arrows,
    Convolution,
    Dense,
    Directed,
    Matrix,
    Sliding,
    Turned,
    VectorField,
    Window,
)
from isingeq.couplings.directed import response
from isingeq.errors import CapabilityError, ProblemError
from isingeq.problem import Problem
from isingeq.units import Amplitude, Layer

COUPLINGS = directed()
EVERY = pytest.mark.parametrize("name", COUPLINGS)
STEP = 1e-6


def drawn(seed, shape=(3, N)):
    return np.random.default_rng(seed).uniform(-1.5, 1.5, shape)


@EVERY
def test_the_target_feels_the_source_and_nothing_else_is_touched(name):
    k = COUPLINGS[name]
    x, moved = drawn(1), drawn(1)
    target, source = np.zeros(N, bool), np.zeros(N, bool)
    target[slice(*k.target)] = source[slice(*k.source)] = True
    moved[:, ~source] += 1
    assert np.abs(k.field(x)[:, target]).max() > 0.1
    assert not k.field(x)[:, ~target].any()
    np.testing.assert_array_equal(k.field(x), k.field(moved))
    np.testing.assert_array_equal(k.onto(x), k.field(x)[:, target])


def test_forces_are_those_of_a_loop():
    x = drawn(2, (N,))
    k = COUPLINGS["matrix, logistic"]
    for q in range(4):
        force = sum(k.path.J[p, q] / (1 + np.exp(-x[1 + p])) for p in range(3))
        assert k.field(x)[4 + q] == pytest.approx(force, rel=1e-13)
    k = COUPLINGS["arrows"]
    for q in range(4):
        force = sum(
            J * np.tanh(x[i])
            for i, j, J in zip(k.path.i, k.path.j, k.path.J, strict=True)
            if j == q
        )
        assert k.field(x)[q] == pytest.approx(force, abs=1e-14)


@pytest.mark.parametrize("pooling", ["max", "soft", "average"])
def test_a_window_pushes_as_the_energy_of_the_convolution_does(pooling):
    window = Window((4, 4, 2), 3, 3, padding=1, pool=2, pooling=pooling)
    J = drawn(3, window.shape)
    x = drawn(4, (2, 32 + 12))
    both = Convolution((0, 32), (32, 44), window, J)
    way = Directed((0, 32), (32, 44), Sliding(window, J), "identity")
    np.testing.assert_allclose(way.field(x)[:, 32:], both.field(x)[:, 32:], rtol=1e-13)
    if pooling == "average":
        back = Directed((32, 44), (0, 32), Turned(Sliding(window, J)), "identity")
        np.testing.assert_allclose(back.field(x)[:, :32], both.field(x)[:, :32], rtol=1e-13)


@EVERY
def test_change_is_the_slope_of_the_field(name):
    k, x, v = COUPLINGS[name], drawn(5), drawn(6)
    slope = (k.field(x + STEP * v) - k.field(x - STEP * v)) / (2 * STEP)
    assert np.abs(slope).max() > 0.05
    np.testing.assert_allclose(k.change(x, v), slope, atol=1e-8)
    np.testing.assert_allclose(k.change(x[0], v[0]), k.change(x, v)[0], atol=1e-14)


@EVERY
def test_change_back_is_the_transpose(name):
    k, x, v, w = COUPLINGS[name], drawn(5), drawn(6), drawn(7)
    there = np.einsum("bn,bn->b", w, k.change(x, v))
    back = np.einsum("bn,bn->b", k.change_back(x, w), v)
    assert np.abs(there).min() > 1e-3
    np.testing.assert_allclose(back, there, rtol=1e-12)
    np.testing.assert_array_equal(response(k, x).change_back(w), k.change_back(x, w))


@EVERY
def test_moments_along_a_direction_are_the_slope_in_the_parameters(name):
    k, x, v, weights = COUPLINGS[name], drawn(5), drawn(6), np.array([0.5, -1.0, 2.0])
    found = k.moments_along(x, v, weights)
    assert found.shape == k.path.J.shape

    def work(J):
        of = k.path.of if isinstance(k.path, Turned) else k.path
        path = replace(of, J=J)
        moved = replace(k, path=Turned(path) if isinstance(k.path, Turned) else path)
        return np.einsum("b,bn,bn->", weights, v, moved.field(x))

    for at in np.ndindex(*found.shape):
        J = [k.path.J.copy(), k.path.J.copy()]
        J[0][at] += STEP
        J[1][at] -= STEP
        assert found[at] == pytest.approx((work(J[0]) - work(J[1])) / (2 * STEP), abs=1e-8)
    assert np.abs(found).max() > 0.1


def test_moments_are_those_of_the_energy_there_would_be():
    k, x = COUPLINGS["matrix, tanh"], drawn(5)
    rho, weights = np.tanh(x), np.array([0.5, -1.0, 2.0])
    mutual = Dense((1, 4), (4, 8), k.path.J.copy())
    np.testing.assert_allclose(k.moments(x, weights), mutual.moments(rho, weights), rtol=1e-13)


def test_a_coupling_with_an_energy_answers_as_its_own_transpose():
    k, x, v = Dense((1, 4), (4, 8), drawn(8, (3, 4))), drawn(5), drawn(6)
    np.testing.assert_array_equal(response(k, x).change_back(v), k.change(x, v))
    np.testing.assert_array_equal(response(k, x).change(v), k.change(x, v))


def test_it_is_a_vector_field_and_has_no_energy():
    k = COUPLINGS["matrix, tanh"]
    assert isinstance(k, VectorField)
    layers = (Layer("all", N, Amplitude(-np.inf, np.inf)),)
    problem = Problem(layers, (k,), np.zeros((2, N)))
    x = drawn(9, (2, 1, N))
    np.testing.assert_allclose(problem.gradient(x), x + k.field(x), rtol=1e-13)
    with pytest.raises(ProblemError, match="has no energy"):
        problem.energy(x)
    with pytest.raises(CapabilityError, match="acts one way"):
        k.edges()
    with pytest.raises(CapabilityError, match="acts one way"):
        k.gather(np.zeros(12))


def test_a_field_without_a_transposed_product_is_told_what_to_write():
    class Mine:
        kind = "directed"

    with pytest.raises(ProblemError, match="Mine has no change_back"):
        response(Mine(), np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Directed((0, 2), (2, 4), Matrix(np.zeros((2, 3)))), "from 2 units to 2, its path from 2 to 3"),
        (lambda: Directed((0, 2), (2, 4), Matrix(np.full((2, 2), np.nan))), "NaN"),
        (lambda: Matrix(np.zeros(3)), r"shape \(p, q\)"),
        (lambda: Sliding(Window((2, 2, 1), 1, 1), np.zeros((2, 2))), "its window needs"),
        (lambda: Turned(Sliding(Window((2, 2, 1), 1, 1, pool=2), np.zeros((1, 1, 1, 1)))), "average"),
        (lambda: Arrows((2, 2), np.array([0, 0]), np.array([1, 1]), np.zeros(2)), "twice"),
        (lambda: Arrows((2, 2), np.array([0]), np.array([2]), np.zeros(1)), "one does not"),
        (lambda: Arrows((2, 2), np.array([0]), np.array([1]), np.zeros(2)), "one length"),
    ],
)  # fmt: skip
def test_refusals(make, message):
    with pytest.raises(ProblemError, match=message):
        make()


def test_units_that_are_not_there_are_refused():
    layers = (Layer("all", 5, Amplitude(-np.inf, np.inf)),)
    with pytest.raises(ProblemError, match="end at units 4 to 7"):
        Problem(layers, (COUPLINGS["matrix, tanh"],), np.zeros((1, 5)))
