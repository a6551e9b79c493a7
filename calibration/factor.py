"""The one factor that brings couplings and fields into their ranges, and how it is chosen."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from isingeq.errors import CapabilityError, ConfigError

HEADROOM = 2.0
"""Range over largest value, at the least, when a factor is chosen at a first problem of many."""

SLACK = 1e-6
"""Share by which values may be above their limits: what single precision leaves of a limit, and of sums up to it."""


class Limits(NamedTuple):
    """The largest values, of either sign, that will ever be asked for: fields with all nudges in them."""

    coupling: float
    field: float


@dataclass(eq=False)
class Factor:
    """Fixed by limits; or a power of two, chosen at the first values and halved when some no longer fit.

    Attributes:
        name: of the backend, for messages.
        ends: how far its ranges reach to both sides of 0.
        limits: known beforehand; None to choose.
        headroom: range over largest value, at the least, when it is chosen.
        firm: limits are for good, and what is beyond is refused; otherwise it starts from them and can be halved.
        value: None before it is chosen.
        num_rechosen: times that it was halved.
    """

    name: str
    ends: Limits
    limits: Limits | None = None
    headroom: float = HEADROOM
    firm: bool = True
    value: float | None = field(default=None, init=False)
    num_rechosen: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not 1 <= self.headroom < math.inf:
            raise ConfigError(f"a headroom is 1 or more, got {self.headroom:g}")
        if self.limits is None:
            return
        if not all(0 < limit < math.inf for limit in self.limits):
            raise ConfigError(f"limits must be above 0 and finite, got {tuple(self.limits)}")
        self.value = _fitting(self.ends, self.limits) / (1 + 2 * SLACK)

    def of(self, sizes: Limits) -> float:
        """Return the factor for values as large as these.

        Raises:
            CapabilityError: limits were given for good and these are beyond.
        """
        if self.limits is not None and self.firm:
            assert self.value is not None
            if any(s > limit * (1 + SLACK) for s, limit in zip(sizes, self.limits, strict=True)):
                raise CapabilityError(
                    f"{self.name} is scaled for couplings up to {self.limits.coupling:g} and fields, nudges in them, "
                    f"up to {self.limits.field:g}; asked are {sizes.coupling:g} and {sizes.field:g}: raise the limits"
                )
            return self.value
        if self.value is None:
            most = _fitting(self.ends, Limits(*(self.headroom * size for size in sizes)))
            if math.isinf(most):  # all 0: these values tell nothing of those to come
                return 1.0
            self.value = 2.0 ** math.floor(math.log2(most))
        while any(self.value * s > end for s, end in zip(sizes, self.ends, strict=True)):
            self.value, self.num_rechosen = self.value / 2, self.num_rechosen + 1
        return self.value


def end_of(name: str, span: tuple[float, float] | None) -> float:
    """Return how far a range reaches to both sides of 0, infinite without one.

    Raises:
        CapabilityError: 0 does not lie inside.
    """
    if span is None:
        return math.inf
    end = min(-span[0], span[1])
    if not end > 0:
        raise CapabilityError(
            f"{name} has a range [{span[0]:g}, {span[1]:g}], and scaling needs 0 inside of it: use mapping=none"
        )
    return end


def _fitting(ends: Limits, sizes: Limits) -> float:
    """Return the largest factor under which these sizes fit; infinite where they are all 0."""
    ratios = (end / size for end, size in zip(ends, sizes, strict=True) if size > 0)
    return min(ratios, default=math.inf)
