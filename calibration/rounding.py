"""How much rounding changed, and by what chances it is done."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibration.levels import Grid, effective_bits
from calibration.report import Rounding

Floats = NDArray[np.floating]

_BLOCK = 2**16
"""Values whose changes are looked at at a time: they stay in the cache."""


class Change(NamedTuple):
    """What rounding did to an array.

    Attributes:
        largest: absolute value before.
        furthest: absolute value after.
        squares: of all changes, summed.
        worst: largest change.
        num: values.
        num_to_zero: values other than 0 that became 0.
    """

    largest: float = 0.0
    furthest: float = 0.0
    squares: float = 0.0
    worst: float = 0.0
    num: int = 0
    num_to_zero: int = 0


def chances(shape: tuple[int, ...], seeds: Sequence[int], part: float = 0.0) -> Floats:
    """Return uniform numbers of 24 bits for stochastic rounding; of fewer samples the first are the same.

    Args:
        shape: of the values.
        seeds: that they are a function of.
        part: k / K of programming k of K: all K turn by that much from one draw, so that the mean of what they round
            a value to is within a K-th of a step of it, and right on average over draws.
    """
    num = math.prod(shape)
    raw = np.random.SFC64(np.random.SeedSequence(seeds)).random_raw((num + 1) // 2)
    halves = raw.astype("<u8", copy=False).view("<u4")[:num].reshape(shape)
    drawn: Floats = (halves >> 8).astype(np.float32)
    drawn *= np.float32(2.0**-24)
    if part:
        drawn += np.float32(part)
        drawn -= drawn >= 1
    return drawn


def change_of(asked: Floats, got: Floats) -> Change:
    """Return what changed from one array to another of the same shape."""
    if not asked.size:
        return Change()
    before, after = asked.ravel(), got.ravel()
    return add(
        _change(before[first : first + _BLOCK], after[first : first + _BLOCK])
        for first in range(0, before.size, _BLOCK)
    )


def add(changes: Iterable[Change]) -> Change:
    """Return the changes of several arrays as those of one."""
    every = list(changes)
    if len(every) == 1:
        return every[0]
    largest, furthest, squares, worst, num, num_to_zero = zip(Change(), *every, strict=True)
    return Change(max(largest), max(furthest), sum(squares), max(worst), sum(num), sum(num_to_zero))


def told(grid: Grid, change: Change) -> Rounding:
    """Return what changed, for results."""
    step = None if isinstance(grid, tuple) else grid
    if not change.largest:
        return Rounding(step, 0.0, 0.0, 0, 0.0)
    return Rounding(
        step=step,
        rms_error=math.sqrt(change.squares / change.num) / change.largest,
        max_error=change.worst / change.largest,
        num_to_zero=change.num_to_zero,
        effective_bits=effective_bits(change.furthest, grid),
    )


def num_nonzero(values: Floats) -> int:
    """Return how many values are not 0; of truth values they are counted ten times faster than of numbers."""
    return int(np.count_nonzero(values != 0))


def largest_of(values: Floats) -> float:
    """Return the largest absolute value, 0 of none."""
    return max(float(values.max()), -float(values.min())) if values.size else 0.0


def _change(asked: Floats, got: Floats) -> Change:
    error = got - asked
    return Change(
        largest=largest_of(asked),
        furthest=largest_of(got),
        squares=float(np.vdot(error, error)),
        worst=largest_of(error),
        num=asked.size,
        num_to_zero=num_nonzero(asked) - num_nonzero(got),
    )
