"""What a reference board is told: couplings, fields, clamps and a schedule of gains, all whole numbers in their ranges.

    E(s) = Σ_i h_i s_i + Σ_(i<j) J_ij s_i s_j        h_i = field + delta

A leg leads the gain from `first` to `last`, sweep t of N = `sweeps` at

    g(t) = first ± floor(|last − first| t / (N − 1))          and g = last where N = 1

and the inverse temperature per unit of energy is β = (g / 2^shift) SPAN / ADDRESSES; see `core`. A reverse anneal is
two legs, a list of betas one leg per stretch of equal ones. The ranges make every sum and product of a sweep fit 32
bits on every board, so nothing has to saturate but the address of the look-up table, which is meant to.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from isingeq.errors import CapabilityError

MAX_UNITS = 255
"""Of any board: one more and a local field times a gain no longer fits 32 bits. A board's profile may say less."""

MAX_LEGS = 32
COUPLING_MAX = 127
FIELD_MAX = 32767
GAIN_MAX = 65535
SHIFT_MAX = 15
SWEEPS_MAX = 65535

SPAN = 8
"""Where the look-up table ends: it tells |β I| apart below this, without a unit."""

ADDRESSES = 512
"""Of the look-up table, which holds one sign of β I."""


@dataclass(frozen=True, slots=True)
class Leg:
    """A stretch of a schedule: the gain goes in a straight line.

    Attributes:
        first: gain of its first sweep.
        last: gain of its last sweep, and of its only one.
        sweeps: how often every unit is updated.
    """

    first: int
    last: int
    sweeps: int

    def __post_init__(self) -> None:
        within("gain", (self.first, self.last), 0, GAIN_MAX)
        within("sweeps of a leg", (self.sweeps,), 1, SWEEPS_MAX)

    @property
    def gains(self) -> list[int]:
        """Gain of every sweep."""
        if self.sweeps == 1:
            return [self.last]
        sign = 1 if self.last >= self.first else -1
        rise = abs(self.last - self.first)
        return [self.first + sign * (rise * t // (self.sweeps - 1)) for t in range(self.sweeps)]


@dataclass(frozen=True, slots=True)
class Programme:
    """Couplings, fields, clamps and schedule.

    Attributes:
        couplings: J_ij of all pairs i < j, row after row: (0, 1), (0, 2) … (1, 2) …
        fields: one per unit.
        clamps: −1 or +1 where a unit is held, 0 where it is free; one per unit.
        legs: of the schedule, in order; none leaves a state as it is.
        shift: power of two that every gain is divided by.
    """

    couplings: tuple[int, ...]
    fields: tuple[int, ...]
    clamps: tuple[int, ...]
    legs: tuple[Leg, ...]
    shift: int

    def __post_init__(self) -> None:
        within("number of units", (self.num_units,), 1, MAX_UNITS)
        counted("couplings", self.couplings, self.num_units * (self.num_units - 1) // 2)
        counted("clamps", self.clamps, self.num_units)
        within("coupling", self.couplings, -COUPLING_MAX, COUPLING_MAX)
        within("field", self.fields, -FIELD_MAX, FIELD_MAX)
        within("clamp", self.clamps, -1, 1)
        within("number of legs", (len(self.legs),), 0, MAX_LEGS)
        within("shift", (self.shift,), 0, SHIFT_MAX)

    @property
    def num_units(self) -> int:
        """How many units there are."""
        return len(self.fields)

    @property
    def gains(self) -> list[int]:
        """Gain of every sweep of all legs."""
        return [gain for leg in self.legs for gain in leg.gains]

    def fields_with(self, deltas: Sequence[int]) -> list[int]:
        """Return the fields of one sample; no deltas leave them as they are.

        Raises:
            CapabilityError: a sum out of range, or not one delta per unit.
        """
        if not deltas:
            return list(self.fields)
        counted("deltas", deltas, self.num_units)
        within("delta", deltas, -FIELD_MAX, FIELD_MAX)
        total = [field + delta for field, delta in zip(self.fields, deltas, strict=True)]
        within("field with its delta", total, -FIELD_MAX, FIELD_MAX)
        return total


def within(what: str, values: Iterable[int], low: int, high: int) -> None:
    """Refuse values out of range, naming the first.

    Raises:
        CapabilityError: there is one.
    """
    wrong = next((value for value in values if not low <= value <= high), None)
    if wrong is not None:
        raise CapabilityError(f"{what} {wrong} is not within {low} … {high}; scale the problem")


def counted(what: str, values: Sequence[int], count: int) -> None:
    """Refuse a list of the wrong length.

    Raises:
        CapabilityError: it has another length.
    """
    if len(values) != count:
        raise CapabilityError(f"{len(values)} {what} came, {count} are needed")
