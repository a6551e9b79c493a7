"""Gradient flow of phases by an embedded pair of Runge–Kutta methods, every sample at a pace of its own.

    dφ/dt = −∂F/∂φ            pair of orders 5 and 4 of Dormand & Prince (1980); the last stage is the next step's first

A step is made anew, shorter, where the two differ in any unit by more than `rtol` of the way that the fastest unit
goes, or of a radian where that is less; the next has 0.9 of the length at which they would differ by as much. The way
shrinks as a sample comes to rest, and so steps at the edge of stability do not keep it from it.
"""

import numpy as np
from numba import njit

from isingeq.kernels.slopes import slopes

STAGES = np.array(
    [
        [1 / 5, 0, 0, 0, 0, 0],
        [3 / 40, 9 / 40, 0, 0, 0, 0],
        [44 / 45, -56 / 15, 32 / 9, 0, 0, 0],
        [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729, 0, 0],
        [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656, 0],
        [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
    ]
)
"""Weights of the slopes so far in each stage; those of the last are the step of order 5."""

ERROR = np.array([71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40])
"""Difference of the two orders."""


@njit(nogil=True, cache=True)
def follow(first, last, rows, batch, dt, most, rtol, tolerance, steps, residual):  # type: ignore[no-untyped-def]
    """Follow the flow of the samples first … last − 1 until they rest.

    Args:
        first: first sample.
        last: one past the last.
        rows: couplings.
        batch: samples; phases are overwritten.
        dt: first time step.
        most: steps at most, those made anew counted.
        rtol: error allowed in a step, as a share.
        tolerance: residual at which a sample rests.
        steps: written (b,).
        residual: written (b,).
    """
    n, kind = batch.phases.shape[1], batch.phases.dtype
    phi, z, curvature = np.empty(n, kind), np.empty((n, 2), kind), np.empty(n, kind)
    k = np.empty((7, n), kind)
    floor = 10.0 * np.finfo(kind).eps  # what rounding makes of a difference of two steps
    for sample in range(first, last):
        length, now = dt, batch.phases[sample]
        worst = slopes(now, z, rows, batch, sample, k[0], curvature)
        taken = 0
        while taken < most and not worst <= tolerance:
            taken += 1
            ahead = worst
            for stage in range(6):
                for i in range(n):
                    total = 0.0
                    for past in range(stage + 1):
                        total += STAGES[stage, past] * k[past, i]
                    phi[i] = now[i] - length * total
                ahead = slopes(phi, z, rows, batch, sample, k[stage + 1], curvature)
            error = 0.0
            for i in range(n):
                total = 0.0
                for stage in range(7):
                    total += ERROR[stage] * k[stage, i]
                error = max(error, abs(length * total))
            allowed = max(rtol * min(1.0, length * worst), floor)
            if error <= allowed:
                now[:] = phi
                k[0] = k[6]
                worst = ahead
            length *= min(5.0, max(0.2, 0.9 * (allowed / max(error, 1e-300)) ** 0.2))
        steps[sample], residual[sample] = taken, worst
