"""Rows of neighbours against a plain matrix."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isingeq.kernels.adjacency import adjacency, row_reach, whole_multiples
from isingeq.machines.graph import Graph


def matrix(n, i, j, J):
    out = np.zeros((n, n), np.float32)
    for a, b, w in zip(i, j, J, strict=True):
        out[a, b] += w
        out[b, a] += w
    return out


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.integers(2, 12), st.integers(0, 60), st.integers(0, 2**31))
def test_rows_are_those_of_the_matrix(n, m, seed):
    """Edges in any order, listed again, of weight 0, and such as cancel."""
    rng = np.random.default_rng(seed)
    ends = np.sort([rng.choice(n, 2, replace=False) for _ in range(m)] or np.zeros((0, 2), int))
    i, j = ends.astype(np.int32).T.copy()
    J = rng.integers(-2, 3, m).astype(np.float32) / 2
    for part in (i, j, J):
        part.flags.writeable = False
    starts, neighbours, values, kept = adjacency(n, i, j, J)
    dense = matrix(n, i, j, J)
    assert kept == starts[n] == (dense != 0).sum()
    for row in range(n):
        span = slice(starts[row], starts[row + 1])
        assert neighbours[span].tolist() == np.flatnonzero(dense[row]).tolist()
        np.testing.assert_array_equal(values[span], dense[row][dense[row] != 0])
    np.testing.assert_allclose(row_reach(starts, values), np.abs(dense).sum(axis=1), rtol=1e-6)
    graph = Graph.of(n, i.astype(np.int64), j.astype(np.int64), J.astype(np.float64))
    np.testing.assert_array_equal(graph.dense, dense)
    assert graph.values.size == graph.neighbours.size == kept
    assert (graph.starts.dtype, graph.neighbours.dtype, graph.values.dtype) == (
        np.int64, np.int32, np.float32,
    )  # fmt: skip
    assert graph.rms == pytest.approx(np.sqrt((dense.astype(float) ** 2).sum()) / n)


@pytest.mark.parametrize(
    ("values", "unit", "whole"),
    [
        ([1, -1, 1], 1.0, [1, -1, 1]),
        ([0.5, -1.5], 0.5, [1, -3]),
        ([2, 3], 2.0, None),
        ([127, -127], 1.0, [127, -127]),
        ([1, 128], 1.0, None),
        ([1, 1.00001], 1.0, None),
        ([1, 1e30], 1.0, None),
    ],
)
def test_whole_multiples_are_found_and_nothing_else(values, unit, whole):
    fits, found = whole_multiples(np.array(values, np.float32), unit)
    assert fits == (whole is not None)
    if fits:
        assert found.tolist() == whole


@pytest.mark.parametrize(
    ("values", "unit"), [([1, -1], 1.0), ([2, 3], 1.0), ([3, 5], 1.0), ([0.5, 1.25], 0.25)]
)
def test_the_unit_is_the_least_or_half_or_a_third_of_it(values, unit):
    graph = Graph.of(3, np.array([0, 1]), np.array([1, 2]), np.array(values, np.float64))
    found, whole = graph.integers
    assert found == pytest.approx(unit)
    np.testing.assert_allclose(found * whole, graph.values)


def test_values_without_a_unit_have_none():
    assert Graph.of(3, np.array([0, 1]), np.array([1, 2]), np.array([1.0, 0.71])).integers is None
    nothing = Graph.of(3, np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    assert nothing.integers[1].size == 0
    assert nothing.reach.tolist() == [0, 0, 0]
