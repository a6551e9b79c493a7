"""What values a chip holds: multiples of a step, or a list of levels; and values brought to them.

nearest        v → the closest, ties to the even one, counted from 0 or from the lowest level
stochastic     v between a and b → b with chance (v − a) / (b − a): v on average
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Grid = float | tuple[float, ...]
"""A step, or levels in ascending order."""


def rounded(values: Floats, grid: Grid, chances: Floats | None = None) -> Floats:
    """Return values rounded, of the same shape and type.

    Args:
        values: of any shape; none beyond the first and last level.
        grid: step or levels.
        chances: uniform numbers of the same shape, for stochastic rounding; None for the nearest.
    """
    return (
        _to_levels(values, np.asarray(grid), chances)
        if isinstance(grid, tuple)
        else _to_steps(values, grid, chances)
    )


def num_within(end: float, grid: Grid) -> float:
    """Return how many values there are from −end to end."""
    if isinstance(grid, tuple):
        return sum(abs(level) <= end * (1 + 1e-6) for level in grid)
    return 2 * end / grid + 1


def effective_bits(end: float, grid: Grid) -> float:
    """Return log2 of how many values there are from −end to end."""
    return math.log2(max(1.0, num_within(end, grid)))


def _to_steps(values: Floats, step: float, chances: Floats | None) -> Floats:
    if chances is None:
        out = np.rint(values if step == 1 else values / step)
    else:
        steps = values if step == 1 else values / step
        out = np.floor(steps)
        up = steps - out
        up -= chances
        out += np.ceil(up, out=up)  # 1 where the chance is below the share, else 0
    if step != 1:
        out *= step
    return out


def _to_levels(values: Floats, levels: NDArray[np.float64], chances: Floats | None) -> Floats:
    at = np.clip(np.searchsorted(levels, values, side="right") - 1, 0, levels.size - 2)
    low = levels[at]
    share = (values - low) / (levels[at + 1] - low)
    if chances is None:
        at += (share > 0.5) | ((share == 0.5) & (at % 2 == 1))
    else:
        at += chances < share
    return levels[at].astype(values.dtype)
