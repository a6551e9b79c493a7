"""How strongly the units of a chain are coupled.

    rule = 1.414 · rms(J) · sqrt(mean number of neighbours)        uniform torque compensation

What pulls at a chain is a sum of as many couplings as its unit has neighbours; of random signs, it grows with the
square root of their number. The factor is that of D-Wave's Ocean documentation, for chains of an annealer.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isingeq.errors import ConfigError

PREFACTOR = 1.414
"""√2 to the digits that the rule is published with."""


@dataclass(eq=False)
class Strength:
    """Given; or the power of two at or above the rule for the first couplings, doubled when later ones need more.

    It never follows the weights silently: every doubling is counted, and it never falls.

    Attributes:
        given: for good, in units of the problem's couplings; None for the rule.
        value: None before it is chosen.
        num_rechosen: times that it was doubled.
    """

    given: float | None = None
    value: float | None = field(default=None, init=False)
    num_rechosen: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.given is not None and not 0 < self.given < math.inf:
            raise ConfigError(f"a chain strength is above 0 and finite, got {self.given:g}")
        self.value = self.given

    def of(self, J: NDArray[np.floating], n: int) -> float:
        """Return the strength for couplings (m,) between n units."""
        if self.given is not None:
            return self.given
        needed = rule(J, n)
        if not needed:  # all 0: they tell nothing of those to come
            return self.value or 1.0
        if self.value is None:
            self.value = 2.0 ** math.ceil(math.log2(needed))
        while self.value < needed:
            self.value, self.num_rechosen = 2 * self.value, self.num_rechosen + 1
        return self.value


def rule(J: NDArray[np.floating], n: int) -> float:
    """Return the strength that couplings (m,) between n units need; 0 where all of them are."""
    return PREFACTOR * math.sqrt(2 / n) * float(np.linalg.norm(J))
