"""Newton's method on phases that are near a minimum, sample by sample, each as a whole or not at all.

    A δ = slope,   A = ∂²F/∂φ∂φ = L Lᵀ,   φ ← φ − δ

A sample is refused, and left as it was, where A is not positive definite, as a saddle attracts Newton's method like a
minimum and is none; or where a unit would turn by more than `longest`, which may lead into another basin.
"""

import numpy as np
from numba import njit

from isingeq.kernels.slopes import slopes

MOST = 12
"""Iterations: near a minimum digits double with each, so that a fifth or sixth is rare."""

LEAST = 1e-9
"""Smallest pivot that counts as positive."""


@njit(nogil=True, cache=True)
def polish(first, last, samples, rows, batch, near, longest, tolerance, steps, residual):  # type: ignore[no-untyped-def]
    """Polish the samples that `samples` lists from `first` to `last` − 1.

    Args:
        first: first of them.
        last: one past the last.
        samples: rows of the batch.
        rows: couplings.
        batch: phases of samples that are accepted are overwritten.
        near: residual above which a sample is not tried.
        longest: largest turn of a unit.
        tolerance: residual to reach.
        steps: iterations are added to it (b,).
        residual: written for samples that are accepted (b,).
    """
    n, kind = batch.phases.shape[1], batch.phases.dtype
    place = np.full(n, -1, np.int64)
    m = 0
    for i in range(n):
        if rows.free[i]:
            place[i] = m
            m += 1
    A, step = np.empty((m, m), kind), np.empty(m, kind)
    phi, z = np.empty(n, kind), np.empty((n, 2), kind)
    slope, curvature = np.empty(n, kind), np.empty(n, kind)
    for at in range(first, last):
        sample = samples[at]
        phi[:] = batch.phases[sample]
        for iteration in range(MOST):
            worst = slopes(phi, z, rows, batch, sample, slope, curvature)
            if not worst <= (near if iteration == 0 else np.inf):
                break
            _second(A, phi, z, rows, place, curvature)
            for i in range(n):
                if place[i] >= 0:
                    step[place[i]] = slope[i]
            if not _solve(A, step):
                break
            if worst <= tolerance:
                batch.phases[sample] = phi
                steps[sample] += iteration
                residual[sample] = worst
                break
            if np.abs(step).max() > longest:
                break
            for i in range(n):
                if place[i] >= 0:
                    phi[i] -= step[place[i]]


@njit(nogil=True, cache=True)
def _second(A, phi, z, rows, place, curvature):  # type: ignore[no-untyped-def]
    """Write the second derivative by the units that move."""
    A[:] = 0.0
    for i in range(phi.size):
        a = place[i]
        if a < 0:
            continue
        A[a, a] = curvature[i]
        for e in range(rows.starts[i], rows.starts[i + 1]):
            j = rows.columns[e]
            if place[j] >= 0:
                A[a, place[j]] += rows.values[e] * (z[i, 0] * z[j, 0] + z[i, 1] * z[j, 1])


@njit(nogil=True, cache=True)
def _solve(A, x):  # type: ignore[no-untyped-def]
    """Overwrite x with A⁻¹ x and the lower half of A with its Cholesky factor; False where there is none."""
    m = x.size
    for a in range(m):
        for b in range(a + 1):
            total = A[a, b]
            for k in range(b):
                total -= A[a, k] * A[b, k]
            if b < a:
                A[a, b] = total / A[b, b]
            elif total > LEAST:
                A[a, a] = np.sqrt(total)
            else:
                return False
    for a in range(m):
        for k in range(a):
            x[a] -= A[a, k] * x[k]
        x[a] /= A[a, a]
    for a in range(m - 1, -1, -1):
        for k in range(a + 1, m):
            x[a] -= A[k, a] * x[k]
        x[a] /= A[a, a]
    return True
