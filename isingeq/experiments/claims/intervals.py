"""Numbers with their 95 % intervals, over instances or seeds."""

from collections.abc import Sequence

import numpy as np

from isingeq.experiments.claims.claim import Estimate
from isingeq.experiments.study_outcomes import interval

_DRAWS = 4000


def mean(values: Sequence[float]) -> Estimate:
    """Return the mean of independent values with Student's interval; unbounded below two values."""
    middle, half = float(np.mean(values)), interval(values)
    half = np.inf if half is None else half
    return Estimate(middle, middle - half, middle + half, len(values))


def geometric_mean(values: Sequence[float]) -> Estimate:
    """Return the geometric mean of positive values, such as ratios, with Student's interval of their logarithms."""
    found = mean([float(value) for value in np.log(values)])
    low, high = (float(np.exp(end)) for end in (found.low, found.high))
    return Estimate(float(np.exp(found.value)), low, high, found.num)


def ratio_of_means(above: Sequence[float], below: Sequence[float]) -> Estimate:
    """Return Σ above / Σ below over paired values that may be 0, with its bootstrap interval over the pairs.

    Where the values below are all 0 the ratio is infinite, or 1 if those above are 0 too.
    """
    pairs = np.array([above, below], dtype=float)
    num = pairs.shape[1]
    value = float(_ratios(pairs.sum(axis=1)))
    if num < 2:
        return Estimate(value, -np.inf, np.inf, num)
    drawn = np.random.default_rng(0).integers(num, size=(_DRAWS, num))
    ratios = _ratios(pairs[:, drawn].sum(axis=2))
    low, high = np.quantile(ratios, (0.025, 0.975), method="closest_observation")
    return Estimate(value, float(low), float(high), num)


def plus_minus(values: Sequence[float], digits: int = 2) -> str:
    """Return a mean and its standard error as text."""
    middle = f"{np.mean(values):.{digits}f}"
    return middle if len(values) < 2 else f"{middle} ± {standard_error(values):.{digits}f}"


def standard_error(values: Sequence[float]) -> float:
    """Return the standard error of a mean, 0 for one value."""
    if len(values) < 2:
        return 0.0
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def _ratios(sums: np.ndarray) -> np.ndarray:
    above, below = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((above == 0) & (below == 0), 1.0, above / below)
