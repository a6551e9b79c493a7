"""Quantise: a backend that holds certain values alone, made to take real couplings and fields.

    J' = step · round(J / step), or the level that J is rounded to
    h' = step · round((h − f) / step)                                       f the force of all nudges

A device holds the sum of field and nudge, so it is the sum that is rounded: the problem goes below with the rounded
fields, and one linear nudge makes up the difference to the rounded sums. It is 0 wherever no nudge acts, so a driver
sends little in a nudged phase, and a backend that treats nudged phases in another way still sees one.

States are of the rounded problem, so nothing is claimed about the one asked for, whose energies the answer has. Float
couplings stay with the caller; they are rounded when they change, and where the same values come of it, the couplings
below do not change either, nor their version: a device need not be told.

Dither is stochastic rounding in several programmings: the reads of a settle are split over them, every value is up in a
share of them that is right to one of them, and the mean over reads is that of a finer chip. It costs a programming
and a settle each; the first one settled is the one that is programmed already.
"""

from dataclasses import dataclass, field, replace
from threading import Lock
from time import perf_counter
from typing import Literal

import numpy as np

from calibration.groups import in_turn, merged, split
from calibration.levels import Grid
from calibration.programmings import Programming, Programmings
from calibration.report import QuantiseReport, Rounding, answer
from calibration.rounded_fields import RoundedFields, rounded_fields
from calibration.rounding import Change, add, chances, told
from calibration.spins import mappable
from isingeq.backend import (
    Backend,
    Capabilities,
    Claim,
    Equilibrium,
    SettleRequest,
    check_request,
)
from isingeq.errors import CapabilityError, ConfigError
from isingeq.problem import Problem
from isingeq.schedule import Schedule
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge

Way = Literal["nearest", "stochastic"]

_STREAM = 2
"""Of the seeds of groups of reads."""


@dataclass(eq=False)
class Quantise:
    """Rounds what is asked for to the values of the backend below.

    Couplings that share an edge are rounded one by one.

    Attributes:
        inner: backend below.
        rounding: nearest, or stochastic: up or down with odds such that the mean is right. Its random numbers are a
            function of the seed of the request, sample and unit for fields; of couplings, of the seed here, their
            place and their values, so that the phases of a training step have the same ones.
        programmings: most in a settle.
        seed: of stochastic rounding of couplings.
    """

    inner: Backend
    rounding: Way = "nearest"
    programmings: int = 1
    seed: int = 0
    capabilities: Capabilities = field(init=False, repr=False)
    _grid: Grid | None = field(init=False, repr=False)
    _step: float | None = field(init=False, repr=False)
    _rounded: Programmings | None = field(default=None, init=False, repr=False)
    _loaded: int = field(default=0, init=False, repr=False)
    _turn: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.rounding not in ("nearest", "stochastic") or self.seed < 0:
            raise ConfigError(
                f"rounding is nearest or stochastic and a seed 0 or more, got {self.rounding!r} and {self.seed}"
            )
        if self.programmings < 1 or (self.programmings > 1 and self.rounding == "nearest"):
            raise ConfigError(
                f"{self.programmings} programmings of {self.rounding} rounding: 1 or more, and more than 1 differ "
                "by chance alone: set rounding=stochastic"
            )
        c = mappable(self.name, self.inner.capabilities)
        levels, self._step = c.coupling_levels, c.field_step
        span = c.coupling_range
        if levels is not None:
            if len(levels) < 2 or not (np.diff(levels) > 0).all():
                raise CapabilityError(f"{self.name} needs two levels or more, ascending: {levels}")
            span = levels[0], levels[-1]
        self._grid = levels or c.coupling_step
        if self._grid is not None:
            by_chance = self.seed if self.rounding == "stochastic" else None
            self._rounded = Programmings(self.name, self._grid, span, by_chance)
        springs = {QuadraticNudge} if LinearNudge in c.terms else set()
        self.capabilities = replace(
            c,
            displacements=False,
            claim=Claim.NONE,
            terms=c.terms & {LinearNudge, Clamp} | springs,
            coupling_range=span,
            coupling_step=None,
            coupling_levels=None,
            field_step=None,
        )

    @property
    def name(self) -> str:
        """SPEC of the backend below."""
        return self.inner.name

    def suggest_schedule(self, problem: Problem) -> Schedule | None:
        """Return what the backend below suggests for the rounded problem."""
        request = SettleRequest(problem)
        held, rounded = self._held(request, (0, 1)), self._fields(request, 0.0)
        below = Problem(problem.layers, held.couplings, rounded.fields, problem.offset)
        return self.inner.suggest_schedule(below)

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle the rounded problem, in every programming; see `Backend.settle`.

        Raises:
            CapabilityError: a value that does not fit the ranges once it is rounded.
        """
        started = perf_counter()
        below_s: list[float] = []
        check_request(self.name, self.capabilities, request)
        parts = split(request, self.programmings, _STREAM)
        count = len(parts)
        held: list[Change] = []
        fields: list[RoundedFields] = []

        def ask(k: int) -> Equilibrium:
            couplings = self._held(request, (k, count))
            rounded = self._fields(request, k / count)
            held.append(couplings.change)
            fields.append(rounded)
            problem = Problem(
                request.problem.layers, couplings.couplings, rounded.fields, request.problem.offset
            )
            asked = perf_counter()
            found = self.inner.settle(replace(parts[k], problem=problem, terms=rounded.terms))
            below_s.append(perf_counter() - asked)
            return found

        with self._turn:
            first, self._loaded = self._loaded, in_turn(count, self._loaded)[-1]
        found = merged(parts, first, ask)
        report = QuantiseReport(
            rounding=self.rounding,
            couplings=_told(self._grid, held),
            fields=_told(self._step, [part.change for part in fields]),
            num_nudges_lost=sum(part.num_lost for part in fields),
            num_programmings=count,
        )
        return answer(request, found, report, perf_counter() - started - sum(below_s))

    def close(self) -> None:
        """Close the backend below."""
        self.inner.close()

    def _held(self, request: SettleRequest, which: tuple[int, int]) -> Programming:
        """Return the couplings that the backend below holds in programming k of K."""
        asked = request.problem.couplings
        if self._rounded is None:
            return Programming(asked, Change())
        with self._turn:
            return self._rounded.of(asked, request.problem.n, which)

    def _fields(self, request: SettleRequest, turned: float) -> RoundedFields:
        drawn = None
        if self._step is not None and self.rounding == "stochastic":
            drawn = chances(request.problem.fields.shape, [request.seed, 0], turned)
        return rounded_fields(self.name, request, self._step, self.capabilities.field_range, drawn)


def _told(grid: Grid | None, changes: list[Change]) -> Rounding | None:
    return None if grid is None else told(grid, add(changes))
