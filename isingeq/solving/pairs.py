"""From pairs with weights to a problem of spins, and the first pair that makes no sense."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from isingeq.couplings import Edges
from isingeq.errors import ProblemError
from isingeq.problem import Problem
from isingeq.units import Layer, Spin

Reals = NDArray[np.float64]
Indices = NDArray[np.integer]


def spin_problem(
    n: int,
    edges: Edges,
    *,
    h: NDArray[np.floating] | None = None,
    offset: float = 0.0,
) -> Problem:
    """Return a problem of n spins, one sample; fields are 0 unless they are given (n,)."""
    fields = np.zeros((1, n)) if h is None else np.asarray(h, np.float64)[None, :].copy()
    return Problem((Layer("spins", n, Spin()),), (edges,), fields, offset)


def binary_problem(n: int, edges: Edges, a: Reals, *, offset: float = 0.0) -> Problem:
    """Return Σ a_i x_i + Σ w_ij x_i x_j over x of 0 and 1 as a problem of spins: x = (s + 1) / 2.

    Args:
        n: number of variables.
        edges: w.
        a: linear part (n,).
        offset: constant.
    """
    i, j, w = edges.edges()
    quarter = np.asarray(w, np.float64) / 4
    h = a / 2 + np.bincount(i, quarter, n) + np.bincount(j, quarter, n)
    constant = offset + float(a.sum()) / 2 + float(quarter.sum())
    return spin_problem(n, Edges(n, i, j, narrowed(quarter)), h=h, offset=constant)


def edges_of(
    n: int, i: Indices, j: Indices, w: NDArray[np.floating], *, at: Callable[[int], str], first: int = 0
) -> Edges:  # fmt: skip
    """Return pairs (m,) as edges, in single precision where that holds the weights exactly.

    Args:
        n: number of spins.
        i: one end of every pair, counted from `first`.
        j: the other end, likewise.
        w: weights.
        at: says where a pair stands, for a message.
        first: number of the first spin.

    Raises:
        ProblemError: a spin that is not there, a self-loop, a weight that is not finite, a pair listed twice.
    """
    if n < 1:
        raise ProblemError(f"{at(0)}: there are no spins; a problem has at least 1")
    a, b = np.minimum(i, j), np.maximum(i, j)
    a -= first
    b -= first
    try:
        return Edges(n, a, b, narrowed(w))
    except ProblemError:
        row, fault = _first_fault(n, a, b, w, first)
        raise ProblemError(f"{at(row)}: {fault}") from None


def summed(
    i: Indices, j: Indices, w: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.int64], Reals]:
    """Return pairs (m,) in ascending order, the weights of equal ones added up."""
    a, b = np.minimum(i, j).astype(np.int64), np.maximum(i, j)
    width = int(b.max()) + 1 if b.size else 1
    keys, places = np.unique(a * width + b, return_inverse=True)
    return keys // width, keys % width, np.bincount(places, w, keys.size).astype(np.float64)


def narrowed(w: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return weights in single precision where nothing is lost by it."""
    with np.errstate(over="ignore"):
        single = w.astype(np.float32)
    return single if np.array_equal(single, w) else w


def _first_fault(
    n: int, a: Indices, b: Indices, w: NDArray[np.floating], first: int
) -> tuple[int, str]:
    """Return the row of the first pair that is wrong, and what is wrong with it."""
    keys = a.astype(np.int64) * n + b
    order = np.argsort(keys, kind="stable")
    again = np.zeros(w.size, np.bool_)
    again[order[1:]] = keys[order[1:]] == keys[order[:-1]]
    outside = (a < 0) | (b >= n)
    row = int(np.argmax(outside | (a == b) | ~np.isfinite(w) | again))
    x, y = int(a[row]) + first, int(b[row]) + first
    if outside[row]:
        wrong = x if x < first else y
        return row, f"there is no spin {wrong}: spins are {first} to {n + first - 1}"
    if x == y:
        return row, f"spin {x} is joined with itself; self-loops are refused"
    if not np.isfinite(w[row]):
        return row, f"the weight is {w[row]}; it has to be finite"
    return row, f"the pair {x} {y} is listed twice; each stands once"
