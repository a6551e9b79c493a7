"""Estimates from counts of spins read out, each with its variance, readout errors taken out.

    one spin      atanh⟨s_i⟩ = −β h'_i
    two spins     ¼ ln (p₊₊ p₋₋ / p₊₋ p₋₊) = −β J'_ij          whatever the fields on either

The second line holds for a pair that is coupled to nothing else: fields drop out of the odds ratio. A spin read wrongly
with probability ε shrinks ⟨s⟩ by κ = 1 − 2ε, and ⟨s_i s_j⟩ by both κ; probabilities are those of the spins themselves
once that is undone. Half a count is added to every cell (Haldane 1955), which takes out the bias of order 1/N.
Variances are by the delta method.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]

_SIGNS = np.array([[1.0, -1.0], [-1.0, 1.0]])
_STEP = 1e-4
"""Relative change of κ by which its effect on an estimate is found."""


class Estimate(NamedTuple):
    """Values and variances, NaN where counts allow none."""

    value: Reals
    variance: Reals


class Kept(NamedTuple):
    """κ = 1 − 2ε of some spins, and its standard error."""

    value: Reals
    error: Reals

    def at(self, units: NDArray[np.integer]) -> "Kept":
        """Return those of some units."""
        return Kept(self.value[units], self.error[units])


def field_of(total: Reals, reads: int, kept: Kept) -> Estimate:
    """Return β h' of spins from the sums of their reads, all of the shape of `total`."""
    m = total / (reads + 1)
    true = m / kept.value
    with np.errstate(invalid="ignore", divide="ignore"):
        y = np.where(np.abs(true) < 1, -np.arctanh(np.clip(true, -1, 1)), np.nan)
        slope = 1 / (kept.value * (1 - true**2))
        variance = slope**2 * ((1 - m**2) / (reads + 1) + (true * kept.error) ** 2)
    return Estimate(y, np.where(np.isnan(y), np.nan, variance))


def coupling_of(counts: Reals, first: Kept, second: Kept) -> Estimate:
    """Return β J' of pairs from counts (2, 2, m): up first, of the first spin along axis 0."""
    filled = counts + 0.5
    total = filled.sum(axis=(0, 1))
    q = filled / total
    value, slopes = _odds(q, first.value, second.value)
    mean = (q * slopes).sum(axis=(0, 1))
    variance = ((q * slopes**2).sum(axis=(0, 1)) - mean**2) / total
    for one, other, swap in ((first, second, False), (second, first, True)):
        ends = (one.value * (1 + _STEP), other.value)
        moved, _ = _odds(q, *(ends[::-1] if swap else ends))
        variance = variance + ((moved - value) / (_STEP * one.value) * one.error) ** 2
    return Estimate(value, np.where(np.isnan(value), np.nan, variance))


def _odds(q: Reals, first: Reals, second: Reals) -> tuple[Reals, Reals]:
    """Return β J' from shares q (2, 2, m) under κ of both ends, and its derivative by each share."""
    a, b = _undone(first), _undone(second)
    p = np.einsum("acm,bdm,cdm->abm", a, b, q)
    fine = (p > 0).all(axis=(0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(fine, -0.25 * (_SIGNS[..., None] * np.log(p)).sum(axis=(0, 1)), np.nan)
        slopes = -0.25 * np.einsum("abm,acm,bdm->cdm", _SIGNS[..., None] / p, a, b)
    return value, slopes


def _undone(kept: Reals) -> Reals:
    """Return the inverse of what reading out does to the two probabilities of a spin, (2, 2, m)."""
    same, other = (1 + 1 / kept) / 2, (1 - 1 / kept) / 2
    return np.array([[same, other], [other, same]])
