"""Smallest and largest curvature of an energy at a state: what sets the slowest and fastest time of a relaxation."""

import numpy as np
from numpy.typing import NDArray

from isingeq.problem import Problem

Floats = NDArray[np.floating]

STEPS = 60
"""Most steps of the iteration: the ends of the spectra of trained networks are found in 15 to 40."""
CLOSE = 0.01
"""Residual of an eigenvector at which its eigenvalue counts as found; the eigenvalue errs by less, about its square."""


def smallest_curvature(problem: Problem, states: Floats, *, quantile: float = 0.25) -> float:
    """Return the smallest eigenvalue of ∂²E/∂x² in units of the stiffness, over units off their walls.

    Args:
        problem: amplitudes with quadratic self-energy.
        states: (b, n), settled.
        quantile: of the samples' smallest eigenvalues that is returned: a step made for the very slowest
            sample slows down all others.
    """
    low, high = problem.bounds
    ends = _ends(problem, states, (states > low) & (states < high))
    return float(np.quantile(ends[:, 0], quantile))


def largest_curvature(problem: Problem, states: Floats) -> float:
    """Return the largest eigenvalue in units of the stiffness, over all units: on the way all may leave their walls."""
    return float(_ends(problem, states, np.ones(states.shape, np.bool_))[:, 1].max())


def _ends(problem: Problem, states: Floats, free: NDArray[np.bool_]) -> Floats:
    """Return per sample the smallest and the largest eigenvalue (b, 2) over units that are free (b, n).

    The others count as 1, as do units without couplings. Lanczos iteration, all samples at once, every new direction
    made orthogonal to all before (Golub & Van Loan, section 10.3).
    """
    stiffness = np.concatenate(
        [np.full(k.size, getattr(k.unit, "stiffness", 1.0)) for k in problem.layers]
    )
    scale = (free / np.sqrt(stiffness)).astype(states.dtype)
    v = np.random.default_rng(0).standard_normal(problem.n) * free
    v = (v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-30)).astype(states.dtype)
    seen: list[Floats] = []
    steps = min(STEPS, problem.n)
    matrix = np.zeros((len(states), steps, steps))
    for k in range(steps):
        seen.append(v)
        following = v.copy()
        for coupling in problem.couplings:
            following += scale * coupling.change(states, scale * v)
        alone = np.linalg.norm(v, axis=1) == 0  # nothing is left to be found
        matrix[:, k, k] = np.where(alone, 1.0, np.einsum("bn,bn->b", v, following))
        for _ in range(2):
            for other in seen:
                following -= np.einsum("bn,bn->b", other, following)[:, None] * other
        left = np.linalg.norm(following, axis=1)
        values, vectors = np.linalg.eigh(matrix[:, : k + 1, : k + 1])
        reach = left[:, None] * np.abs(vectors[:, -1][:, [0, -1]])
        if k + 1 == steps or (reach <= CLOSE).all():
            break
        left = np.where(left > 1e-5, left, 0.0)
        matrix[:, k, k + 1] = matrix[:, k + 1, k] = left
        v = (following / np.where(left > 0, left, np.inf)[:, None]).astype(states.dtype)
    return np.stack([np.minimum(values[:, 0], 1.0), np.maximum(values[:, -1], 1.0)], axis=1)
