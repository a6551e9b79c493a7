"""Couplings rounded to what a chip holds, once or in several ways, and kept while they stay."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from calibration.levels import Grid, rounded
from calibration.rounding import Change, add, chances, change_of
from calibration.spins import digest_of, same, values_of, with_values
from isingeq.couplings import Coupling
from isingeq.errors import CapabilityError

Span = tuple[float, float] | None


class Programming(NamedTuple):
    """Couplings as a chip holds them, and what rounding changed."""

    couplings: tuple[Coupling, ...]
    change: Change


@dataclass(eq=False)
class Programmings:
    """Rounds couplings when they change; those that come to what they were before stay the same objects.

    Attributes:
        name: of the backend, for messages.
        grid: what it holds.
        span: range of it.
        seed: of stochastic rounding, along with values and place of each coupling; None for the nearest.
    """

    name: str
    grid: Grid
    span: Span
    seed: int | None
    _asked: tuple[Coupling, ...] = field(default=(), init=False)
    _now: dict[tuple[int, int], Programming] = field(default_factory=dict, init=False)
    _before: dict[tuple[int, int], Programming] = field(default_factory=dict, init=False)

    def of(self, asked: tuple[Coupling, ...], n: int, which: tuple[int, int]) -> Programming:
        """Return couplings of n units rounded, in the k-th of K ways.

        Raises:
            CapabilityError: a value that does not fit the range once it is rounded.
        """
        if not same(self._asked, asked):
            self._before, self._now, self._asked = self._before | self._now, {}, asked
        if which not in self._now:
            self._now[which] = self._made(asked, n, which)
        return self._now[which]

    def _made(self, asked: tuple[Coupling, ...], n: int, which: tuple[int, int]) -> Programming:
        before = self._before.pop(which, None)
        below: list[Coupling] = []
        changes = []
        for place, coupling in enumerate(asked):
            values = values_of(coupling)
            drawn = None
            if self.seed is not None:
                seeds = [self.seed, place, digest_of([coupling])]
                drawn = chances(values.shape, seeds, which[0] / which[1])
            J = rounded(values, self.grid, drawn)
            check_range(self.name, "coupling", J, self.span)
            changes.append(change_of(values, J))
            new = with_values(coupling, n, J)
            old = before.couplings[place] if before and place < len(before.couplings) else None
            below.append(old if old is not None and _equal(old, new) else new)
        return Programming(tuple(below), add(changes))


def check_range(name: str, what: str, values: np.ndarray, span: Span) -> None:
    """Refuse rounded values outside a range.

    Raises:
        CapabilityError: one is.
    """
    if span is None or not values.size:
        return
    low, high = float(values.min()), float(values.max())
    if not (span[0] <= low and high <= span[1]):
        raise CapabilityError(
            f"{name} holds {what}s in [{span[0]:g}, {span[1]:g}], the problem rounds to "
            f"[{low:g}, {high:g}]: scale it, or let mapping=auto do so"
        )


def _equal(old: Coupling, new: Coupling) -> bool:
    """Return whether couplings are of the same pairs and values."""
    return old.structure == new.structure and np.array_equal(values_of(old), values_of(new))
