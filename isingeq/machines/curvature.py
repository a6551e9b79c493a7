"""Smallest curvature of an energy at a state: what sets the slowest time of a relaxation."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from isingeq.problem import Problem

Floats = NDArray[np.floating]


def smallest_curvature(problem: Problem, states: Floats, *, quantile: float = 0.25) -> float:
    """Return the smallest eigenvalue of ∂²E/∂x² in units of the stiffness, over units off their walls.

    Args:
        problem: amplitudes with quadratic self-energy.
        states: (b, n), settled.
        quantile: of the samples' smallest eigenvalues that is returned: a step made for the very slowest
            sample slows down all others.
    """
    low, high = problem.bounds
    stiffness = np.concatenate(
        [np.full(k.size, getattr(k.unit, "stiffness", 1.0)) for k in problem.layers]
    )
    scale = 1.0 / np.sqrt(stiffness)
    smallest = []
    for state in states:
        free = ((state > low) & (state < high)).astype(np.float64) * scale
        if np.count_nonzero(free) < 3:
            smallest.append(1.0)
            continue

        def product(v: Floats, free: Floats = free) -> Floats:
            v = v.ravel()
            total = v.copy()
            for coupling in problem.couplings:
                total += free * coupling.field(free * v)
            return total

        operator = LinearOperator((problem.n, problem.n), matvec=product, dtype=np.float64)
        start = np.ones(problem.n) / np.sqrt(problem.n)
        try:
            value = eigsh(operator, k=1, which="SA", v0=start, tol=1e-2, return_eigenvectors=False)[
                0
            ]
        except ArpackNoConvergence as error:
            value = min(error.eigenvalues, default=1.0)
        smallest.append(min(1.0, float(value)))
    return float(np.quantile(smallest, quantile))
