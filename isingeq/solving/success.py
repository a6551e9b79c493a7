"""Success probability and time to solution from a count of reads that succeeded."""

import math

from scipy.special import betaincinv

_ENOUGH = 0.99
_DOUBT = 0.05


def interval(hits: int, reads: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a probability (Clopper & Pearson 1934)."""
    low = float(betaincinv(hits, reads - hits + 1, _DOUBT / 2)) if hits else 0.0
    high = float(betaincinv(hits + 1, reads - hits, 1 - _DOUBT / 2)) if hits < reads else 1.0
    return low, high


def time_to_solution(probability: float, read_s: float) -> float | None:
    """Return the time after which a success has been seen with a probability of 99 %.

    It is t ln(1 − 0.99) / ln(1 − p), but never less than a read: t where p is 0.99 or more. None where p is 0.

    Args:
        probability: of success of one read, p.
        read_s: time of one read, t.
    """
    if probability >= _ENOUGH:
        return read_s
    if probability <= 0:
        return None
    return read_s * math.log(1 - _ENOUGH) / math.log1p(-probability)
