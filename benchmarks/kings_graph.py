"""A King's graph: spins on a square, each coupled to its up to eight neighbours by ±1."""

import numpy as np

from isingeq.couplings import Edges
from isingeq.problem import Problem
from isingeq.units import Layer, Spin


def kings_graph(side: int, seed: int = 0) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Return the number of spins and i, j, J (m,), ascending in i and then in j."""
    at = np.arange(side * side, dtype=np.int32)
    row, column = at // side, at % side
    steps = ((0, 1), (1, -1), (1, 0), (1, 1))
    there = np.stack(
        [(row + down < side) & (column + right >= 0) & (column + right < side) for down, right in steps], 1
    )  # fmt: skip
    ends = at[:, None] + np.array([down * side + right for down, right in steps], np.int32)
    i, j = np.broadcast_to(at[:, None], there.shape)[there], ends[there]
    signs = np.random.default_rng(seed).integers(0, 2, i.size, np.int8)
    return side * side, i, j, (2 * signs - 1).astype(np.float32)


def problem_of(n: int, i: np.ndarray, j: np.ndarray, J: np.ndarray) -> Problem:
    """Return edges as a problem of spins without fields."""
    return Problem((Layer("spins", n, Spin()),), (Edges(n, i, j, J),), np.zeros((1, n)))
