"""The graph of a spin machine against the dense matrix of the same edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isingeq.machines.graph import Graph


def random_edges(seed, n, m, draw):
    rng = np.random.default_rng(seed)
    i, j = rng.integers(0, n, (2, m))
    i, j = np.minimum(i, j)[i != j], np.maximum(i, j)[i != j]
    return i.astype(np.intp), j.astype(np.intp), draw(rng, i.size)


def matrix(n, i, j, J):
    out = np.zeros((n, n))
    np.add.at(out, (i, j), J)
    return out + out.T


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(0, 40))
def test_rows_are_those_of_the_matrix(seed, n, m):
    """Edges that are listed again add up, those that come to nothing are gone, rows are in order."""
    i, j, J = random_edges(seed, n, m, lambda rng, k: rng.integers(-2, 3, k).astype(float))
    graph, whole = Graph.of(n, i, j, J), matrix(n, i, j, J)
    np.testing.assert_array_equal(graph.dense, whole)
    np.testing.assert_array_equal(graph.reach, np.abs(whole).sum(axis=1))
    assert graph.num_edges == np.count_nonzero(np.triu(whole))
    assert graph.rms == pytest.approx(np.sqrt((whole**2).sum()) / n)
    for row in range(n):
        near = graph.neighbours[graph.starts[row] : graph.starts[row + 1]]
        np.testing.assert_array_equal(near, np.flatnonzero(whole[row]))
    types = graph.starts.dtype, graph.neighbours.dtype, graph.values.dtype
    assert types == (np.int64, np.int32, np.float32)


@pytest.mark.parametrize(
    ("J", "unit"),
    [
        ([1.0, -1.0, 1.0], 1.0),
        ([0.5, -1.5, 2.0], 0.5),
        ([0.2, 0.3, -0.5], 0.1),
        ([1.0, 1.5, -127.0], None),
        ([1.0, np.sqrt(2), 3.0], None),
        ([1.0, 128.0, 1.0], None),
    ],
)
def test_whole_couplings_are_found_with_their_unit(J, unit):
    i, j = np.array([0, 0, 1]), np.array([1, 2, 2])
    graph = Graph.of(3, i, j, np.array(J))
    if unit is None:
        assert graph.integers is None
        return
    found, whole = graph.integers
    assert found == pytest.approx(unit)
    assert whole.dtype == np.int8
    np.testing.assert_allclose(found * whole, graph.values, rtol=1e-6)


def test_no_edges_are_a_graph_too():
    graph = Graph.of(3, *(np.zeros(0, t) for t in (np.intp, np.intp, float)))
    assert graph.num_edges == 0
    assert graph.density == 0
    assert graph.rms == 0
    assert not graph.dense.any()
    assert graph.integers[1].size == 0
