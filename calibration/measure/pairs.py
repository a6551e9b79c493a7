"""Pairs under one level each, and counts of what they did."""

import numpy as np
from numpy.typing import NDArray

from calibration.measure.probe import Levels
from isingeq.connectivity import Connectivity

Reals = NDArray[np.float64]
Signs = NDArray[np.int8]


def placed(graph: Connectivity, edges: NDArray[np.intp], of: Levels, signs: Signs) -> Reals:
    """Return couplings (m,): the higher level on edges (k,) whose sign is +1, the lower on the others, 0 elsewhere."""
    J = np.zeros(graph.num_edges)
    J[edges] = np.where(signs > 0, of[1], of[0])
    return J


def count(states: NDArray[np.int8], graph: Connectivity, edges: NDArray[np.intp]) -> Reals:
    """Return how often pairs were in each of their states (2, 2, k), up first; states (r, n)."""
    up = states > 0
    a, b = up[:, graph.i[edges]], up[:, graph.j[edges]]
    first, second, both = a.sum(axis=0), b.sum(axis=0), (a & b).sum(axis=0)
    cells = [[both, first - both], [second - both, len(states) - first - second + both]]
    return np.array(cells, np.float64)
