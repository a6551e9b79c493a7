"""A measured quantity: value, standard error and success of every element, in one unit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Quantity:
    """What was measured of some elements of a chip; made read-only.

    Attributes:
        value: one per element (k,); NaN where there is none.
        error: standard error (k,).
        good: True where value and error may be used (k,).
        unit: in words.
        why: what is wrong with elements that are not good.
    """

    value: Reals
    error: Reals
    good: Mask
    unit: str = ""
    why: str = ""

    def __post_init__(self) -> None:
        for kept in (self.value, self.error, self.good):
            kept.flags.writeable = False

    @classmethod
    def one(
        cls, value: float, error: float, unit: str = "", *, good: bool = True, why: str = ""
    ) -> "Quantity":
        """Return a quantity of one element."""
        return cls(np.array([value]), np.array([error]), np.array([good]), unit, why)

    @property
    def num_failed(self) -> int:
        """Elements that are not good."""
        return int((~self.good).sum())

    @property
    def median_error(self) -> float:
        """Median standard error of good elements; NaN without any."""
        return float(np.median(self.error[self.good])) if self.good.any() else float("nan")

    def spread(self) -> float:
        """Return the spread of good values that errors do not explain; 0 where they explain all of it."""
        if self.good.sum() < 2:
            return 0.0
        excess = self.value[self.good].var(ddof=1) - np.mean(self.error[self.good] ** 2)
        return float(np.sqrt(max(0.0, excess)))

    def shrunk(self) -> Reals:
        """Return values moved towards their mean by what chance put into them, 0 where there is none.

            v → m + (v − m) τ² / (τ² + e²)          τ the spread that errors do not explain

        So a quantity that does not differ from element to element by more than its errors is the same for all of them
        (empirical Bayes; Efron & Morris, J. Am. Stat. Assoc. 70 (1975) 311, equation 2.2, with unequal errors).
        """
        out = np.zeros(self.value.shape)
        if self.good.any():
            v, e, spread = self.value[self.good], self.error[self.good], self.spread() ** 2
            kept = spread / (spread + e**2) if spread else np.zeros(v.shape)
            out[self.good] = v.mean() + (v - v.mean()) * kept
        return out
