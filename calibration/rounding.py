"""Rounding of values to multiples of a step, and how much that changed.

nearest        v → step · round(v / step), ties to even
stochastic     v → step · floor(v / step + u), u uniform in [0, 1): v on average
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibration.report import Rounding

Floats = NDArray[np.floating]

_BLOCK = 2**15
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


def rounded(values: Floats, step: float, chances: Floats | None = None) -> Floats:
    """Return values rounded, of the same shape and type.

    Args:
        values: of any shape.
        step: to multiples of it.
        chances: uniform numbers of the same shape, for stochastic rounding; None for the nearest.
    """
    if chances is None:
        out = values / step
        np.rint(out, out=out)
    else:  # in double precision: in single, a whole number plus a chance just below 1 is the next one
        steps = values.astype(np.float64)
        steps /= step
        steps += chances
        out = np.floor(steps, out=steps).astype(values.dtype)
    if step != 1:
        out *= step
    return out


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


def told(step: float, change: Change) -> Rounding:
    """Return what changed, for results."""
    if not change.largest:
        return Rounding(step, 0.0, 0.0, 0, 0.0)
    return Rounding(
        step=step,
        rms_error=math.sqrt(change.squares / change.num) / change.largest,
        max_error=change.worst / change.largest,
        num_to_zero=change.num_to_zero,
        effective_bits=math.log2(2 * change.furthest / step + 1),
    )


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
        num_to_zero=int(np.count_nonzero(asked)) - int(np.count_nonzero(got)),
    )
