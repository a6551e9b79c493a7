"""From a list of edges to rows of neighbours, in the memory of the result and little more."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isingeq.kernels.inner import copy, inner


@njit(nogil=True, cache=True)
def adjacency(
    n: int, i: NDArray[np.int32], j: NDArray[np.int32], J: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32], int]:
    """Return starts (n + 1,), neighbours and values of symmetric rows, and how many entries count.

    Neighbours ascend within a row; edges listed more than once add up and zeros fall out, so that
    only the first entries of the last two arrays may count. Edges that ascend need no sorting.

    Args:
        n: number of rows.
        i: one end of every edge (m,).
        j: the other end (m,).
        J: couplings (m,).
    """
    starts = np.zeros(n + 1, np.int64)
    for e in range(J.size):
        starts[i[e] + 1] += 1
        starts[j[e] + 1] += 1
    for row in range(n):
        starts[row + 1] += starts[row]
    ends = starts[:-1].copy()
    neighbours, values = np.empty(2 * J.size, np.int32), np.empty(2 * J.size, np.float32)
    for e in range(J.size):
        a, b = i[e], j[e]
        neighbours[ends[a]], values[ends[a]] = b, J[e]
        neighbours[ends[b]], values[ends[b]] = a, J[e]
        ends[a] += 1
        ends[b] += 1
    kept = 0
    for row in range(n):
        first, last = starts[row], ends[row]
        _ascend(neighbours[first:last], values[first:last])
        starts[row] = kept
        at = first
        while at < last:
            column, total = neighbours[at], values[at]
            at += 1
            while at < last and neighbours[at] == column:
                total += values[at]
                at += 1
            if total != 0:
                neighbours[kept], values[kept] = column, total
                kept += 1
    starts[n] = kept
    return starts, neighbours, values, kept


@inner(cache=True)
def _ascend(columns: NDArray[np.int32], values: NDArray[np.float32]) -> None:
    """Sort a row by its columns, equal ones in the order in which they came."""
    for k in range(1, columns.size):
        if columns[k] < columns[k - 1]:
            order = np.argsort(columns, kind="mergesort")
            copy(columns, columns[order])
            copy(values, values[order])
            return


@njit(nogil=True, cache=True)
def row_reach(starts: NDArray[np.int64], values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return Σ_j |J_ij| of every row (n,)."""
    out = np.zeros(starts.size - 1)
    for row in range(out.size):
        total = 0.0
        for at in range(starts[row], starts[row + 1]):
            total += abs(values[at])
        out[row] = total
    return out


@njit(nogil=True, cache=True)
def whole_multiples(values: NDArray[np.float32], unit: float) -> tuple[bool, NDArray[np.int8]]:
    """Return whether all values are whole multiples of a unit within ±127, and these multiples."""
    out = np.empty(values.size, np.int8)
    for at in range(values.size):
        scaled = values[at] / unit
        whole = np.rint(scaled)
        if abs(whole) > 127 or abs(scaled - whole) >= 1e-6:
            return False, out
        out[at] = np.int8(whole)
    return True, out
