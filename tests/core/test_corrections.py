"""Terms that turn a Jacobian round, against Jacobians written out."""

import numpy as np
import pytest
from paths_of import N, directed

from isingeq.corrections import Reciprocal, Transposed
from isingeq.couplings import Dense
from isingeq.errors import ProblemError
from isingeq.problem import Problem
from isingeq.units import Amplitude, Layer

FREE = Amplitude(-np.inf, np.inf, 1.3)
KINDS = directed()
COUPLINGS = (
    KINDS["matrix of one run"],
    KINDS["window, max"],
    Dense((0, 4), (5, 9), np.random.default_rng(3).normal(size=(4, 4))),
)
STEP = 1e-6


def at_random(seed):
    return np.random.default_rng(seed).uniform(-1, 1, (3, 2, N))


def jacobian(states):
    """∂field/∂x of one state (n,), column by column from differences."""
    columns = []
    for unit in np.eye(N):
        there, back = (sum(k.field(states + s * STEP * unit) for k in COUPLINGS) for s in (1, -1))
        columns.append((there - back) / (2 * STEP))
    return np.array(columns).T


def test_gradients_are_products_with_the_turned_jacobian():
    x0, x = at_random(1), at_random(2)
    moved = x - x0
    G = np.array([[jacobian(state) for state in reads] for reads in x0])
    turned = np.einsum("brji,brj->bri", G, moved)
    straight = np.einsum("brij,brj->bri", G, moved)
    found = Reciprocal(COUPLINGS, x0).gradient(x)
    assert np.abs(found).max() > 0.5
    np.testing.assert_allclose(found, turned - straight, atol=1e-7)
    np.testing.assert_allclose(Transposed(COUPLINGS, x0).gradient(moved), turned, atol=1e-7)


def test_the_response_to_a_push_becomes_that_of_the_transpose():
    x0, push = at_random(1)[:1, :1], at_random(4)[:1, :1]
    problem = Problem((Layer("all", N, FREE),), COUPLINGS, np.zeros((1, N)))
    term, v = Reciprocal(COUPLINGS, x0), STEP * push
    there, back = (problem.gradient(x0 + s * v) + term.gradient(x0 + s * v) for s in (1, -1))
    expected = (1.3 * np.eye(N) + jacobian(x0[0, 0]).T) @ push[0, 0]
    np.testing.assert_allclose((there - back)[0, 0] / (2 * STEP), expected, atol=1e-7)


@pytest.mark.parametrize("term", [Reciprocal, Transposed])
def test_refusals(term):
    problem = Problem((Layer("all", N, FREE),), COUPLINGS, np.zeros((3, N)))
    term(COUPLINGS, at_random(1)).check(problem)
    for wrong in (np.zeros((3, N)), np.zeros((2, 1, N)), np.zeros((3, 1, N + 1))):
        with pytest.raises(ProblemError, match="is taken about free states"):
            term(COUPLINGS, wrong).check(problem)
    with pytest.raises(ProblemError, match="NaN"):
        term(COUPLINGS, np.full((3, 1, N), np.nan)).check(problem)
    with pytest.raises(ProblemError, match="without an energy"):
        term(COUPLINGS, at_random(1)).energy(at_random(2))
