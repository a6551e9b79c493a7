"""What edges keep, and that their products do not hang on how the list is laid out."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isingeq.couplings import Edges
from isingeq.errors import ProblemError


@settings(derandomize=True, max_examples=40, deadline=None)
@given(
    st.integers(2, 40), st.floats(0, 1), st.integers(0, 2**31),
    st.sampled_from([np.float32, np.float64]), st.booleans(),
)  # fmt: skip
def test_products_are_those_of_the_matrix(n, share, seed, kind, ascending):
    """Sparse and full, in ascending and in any order."""
    rng = np.random.default_rng(seed)
    i, j = np.triu_indices(n, 1)
    chosen = rng.random(i.size) < share
    order = np.arange(chosen.sum()) if ascending else rng.permutation(chosen.sum())
    i, j = i[chosen][order], j[chosen][order]
    edges = Edges(n, i, j, rng.normal(size=i.size).astype(kind))
    full = np.zeros((n, n))
    full[i, j] = full[j, i] = edges.J
    states = rng.normal(size=(2, 3, n))
    np.testing.assert_allclose(edges.field(states), states @ full, atol=1e-5)
    energy = 0.5 * np.einsum("bri,ij,brj->br", states, full, states)
    np.testing.assert_allclose(edges.energy(states), energy, atol=1e-5)


def test_indices_are_kept_in_32_bits_and_couplings_as_they_came():
    i, j = np.array([0, 1]), np.array([1, 2])
    for kind in (np.float32, np.float64):
        edges = Edges(3, i, j, np.ones(2, kind))
        assert edges.i.dtype == edges.j.dtype == np.int32
        assert edges.J.dtype == kind
    wide = Edges(2**33, i, np.array([1, 2**32]), np.ones(2))
    assert wide.j.tolist() == [1, 2**32]


def test_an_edge_listed_twice_is_refused_wherever_it_stands():
    rng = np.random.default_rng(0)
    i, j = np.triu_indices(50, 1)
    for order in (np.arange(i.size), rng.permutation(i.size)):
        Edges(50, i[order], j[order], np.ones(i.size))
        again = np.append(order, order[700])
        with pytest.raises(ProblemError, match="twice"):
            Edges(50, i[again], j[again], np.ones(again.size))


def test_whole_numbers_alone_are_indices():
    with pytest.raises(ProblemError, match="whole numbers"):
        Edges(3, np.array([0.0]), np.array([1.5]), np.ones(1))


def test_a_long_list_costs_little_more_than_itself():
    """Per edge: 12 bytes kept, and at most 8 more and a few flags while keys are compared."""
    n = 200_000
    i = np.repeat(np.arange(n - 4, dtype=np.int32), 4)
    j = i + np.tile(np.arange(1, 5, dtype=np.int32), n - 4)
    J = np.ones(i.size, np.float32)
    tracemalloc.start()
    try:
        edges = Edges(n, i, j, J)
        kept, peak = tracemalloc.get_traced_memory()
        assert kept < 10_000
        assert peak < 11 * i.size
        tracemalloc.reset_peak()
        states = np.ones((1, n), np.float32)
        edges.energy(states)
        kept, _ = tracemalloc.get_traced_memory()
        assert kept < 4 * n + 4 * n + 100_000  # states and row starts: the list itself is shared
    finally:
        tracemalloc.stop()
