"""Slope and curvature of one sample of phases, nudges included, from rows of neighbours.

    g = Σ_j J_ij (cos φ_j, sin φ_j) + h         slope_i = g_y cos φ_i − g_x sin φ_i − 4 K sin φ_i cos φ_i + nudges
    ∂²F/∂φ_i∂φ_j = J_ij cos(φ_i − φ_j)          ∂²F/∂φ_i² = −g_x cos φ_i − g_y sin φ_i − 4 K cos 2 φ_i + nudges

Units that are held have slope 0. What `torque` and `rotor` do for panels of samples side by side is here for one sample
alone, because the machines that need this go at a pace of their own in each.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.floating]


class Rows(NamedTuple):
    """Couplings of n phases, both directions.

    Attributes:
        starts: of the rows of neighbours (n + 1,).
        columns: neighbours (entries,).
        values: couplings J (entries,).
        K: injection (n,).
        free: 1 for units that move, 0 for those that are held (n,).
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: Floats
    K: Floats
    free: NDArray[np.int64]


@njit(nogil=True, cache=True)
def slopes(phi, z, rows, batch, sample, slope, curvature):  # type: ignore[no-untyped-def]
    """Write slope and curvature (n,) at phases (n,), and their cosines and sines z (n, 2).

    Returns:
        The largest slope in absolute value: the residual.
    """
    n, pulls = phi.size, batch.pulls
    for i in range(n):
        z[i, 0], z[i, 1] = np.cos(phi[i]), np.sin(phi[i])
    for i in range(n):
        x, y = batch.fields[sample, 2 * i], batch.fields[sample, 2 * i + 1]
        for e in range(rows.starts[i], rows.starts[i + 1]):
            j = rows.columns[e]
            x += rows.values[e] * z[j, 0]
            y += rows.values[e] * z[j, 1]
        c, s, k = z[i, 0], z[i, 1], 4 * rows.K[i]
        slope[i] = y * c - x * s - k * s * c
        curvature[i] = -(x * c + y * s) - k * (c * c - s * s)
    for k in range(pulls.targets.shape[1]):
        i = pulls.first_spring + k
        gap = z[i, 0] - pulls.targets[sample, k]
        slope[i] -= pulls.spring[sample] * z[i, 1] * gap
        curvature[i] += pulls.spring[sample] * (z[i, 1] ** 2 - z[i, 0] * gap)
    for k in range(pulls.aims.shape[1]):
        i = pulls.first_pull + k
        away = phi[i] - pulls.aims[sample, k]
        c, s, room = np.cos(away), np.sin(away), 1 + pulls.floor + np.cos(away)
        slope[i] += pulls.pull[sample] * s / room
        curvature[i] += pulls.pull[sample] * (c * room + s * s) / room**2
    worst = 0.0
    for i in range(n):
        if not rows.free[i]:
            slope[i] = 0.0
        worst = max(worst, abs(slope[i]))
    return worst
