"""Quantise: a backend whose values are multiples of a step, made to take real couplings and fields.

    J' = step · round(J / step),  h' = step · round((h − f) / step)        f the force of all nudges

A device holds the sum of field and nudge, so it is the sum that is rounded: the problem goes below with the rounded
fields, and one linear nudge makes up the difference to the rounded sums. It is 0 wherever no nudge acts, so a driver
sends little in a nudged phase, and a backend that treats nudged phases in another way still sees one.

States are of the rounded problem, so nothing is claimed about the one asked for, whose energies the answer has. Float
couplings stay with the caller; they are rounded when they change, and where the same values come of it, the couplings
below do not change either, nor their version: a device need not be told.
"""

from dataclasses import dataclass, field, replace
from threading import Lock
from time import perf_counter
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibration.report import QuantiseReport, Rounding, answer
from calibration.rounding import add, change_of, rounded, told
from calibration.spins import mappable, pull_of, same, values_of, with_values
from isingeq.backend import (
    Backend,
    Capabilities,
    Claim,
    Equilibrium,
    SettleRequest,
    check_request,
)
from isingeq.couplings import Coupling
from isingeq.errors import CapabilityError, ConfigError
from isingeq.problem import Problem
from isingeq.schedule import Schedule
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge, Term

Floats = NDArray[np.floating]
Way = Literal["nearest", "stochastic"]


class _Rounded(NamedTuple):
    """Couplings asked for, what they came to, and how far that is off."""

    asked: tuple[Coupling, ...]
    below: tuple[Coupling, ...]
    told: Rounding | None


@dataclass(eq=False)
class Quantise:
    """Rounds what is asked for to the steps of the backend below.

    Couplings that share an edge are rounded one by one.

    Attributes:
        inner: backend below.
        rounding: nearest, or stochastic: up or down with odds such that the mean is right. Its random numbers are a
            function of seed, sample and unit for fields; of couplings, of their place and the seed of the request that
            brought them first.
    """

    inner: Backend
    rounding: Way = "nearest"
    capabilities: Capabilities = field(init=False, repr=False)
    _coupling_step: float | None = field(init=False, repr=False)
    _field_step: float | None = field(init=False, repr=False)
    _kept: _Rounded | None = field(default=None, init=False, repr=False)
    _turn: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.rounding not in ("nearest", "stochastic"):
            raise ConfigError(f"rounding is nearest or stochastic, got {self.rounding!r}")
        c = mappable(self.name, self.inner.capabilities)
        self._coupling_step, self._field_step = c.coupling_step, c.field_step
        springs = {QuadraticNudge} if LinearNudge in c.terms else set()
        self.capabilities = replace(
            c,
            claim=Claim.NONE,
            terms=c.terms & {LinearNudge, Clamp} | springs,
            coupling_step=None,
            field_step=None,
            concurrent=c.concurrent and self.rounding == "nearest",
        )

    @property
    def name(self) -> str:
        """SPEC of the backend below."""
        return self.inner.name

    def suggest_schedule(self, problem: Problem) -> Schedule | None:
        """Return what the backend below suggests for the rounded problem."""
        below, _, _ = self._below(SettleRequest(problem))
        return self.inner.suggest_schedule(below)

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle the rounded problem; see `Backend.settle`.

        Raises:
            CapabilityError: a value that does not fit the ranges once it is rounded.
        """
        started = perf_counter()
        check_request(self.name, self.capabilities, request)
        problem, terms, report = self._below(request)
        own_s = perf_counter() - started
        found = self.inner.settle(replace(request, problem=problem, terms=terms))
        return answer(request, found, report, own_s)

    def close(self) -> None:
        """Close the backend below."""
        self.inner.close()

    def _below(self, request: SettleRequest) -> tuple[Problem, tuple[Term, ...], QuantiseReport]:
        problem = request.problem
        with self._turn:
            kept = self._kept
            if kept is None or not same(kept.asked, problem.couplings):
                kept = self._kept = self._coupled(problem, kept, request.seed)
        fields, told_of_fields, terms, num_lost = self._fields(request)
        report = QuantiseReport(self.rounding, kept.told, told_of_fields, num_lost)
        return Problem(problem.layers, kept.below, fields, problem.offset), terms, report

    def _coupled(self, problem: Problem, kept: _Rounded | None, seed: int) -> _Rounded:
        """Round couplings; those that come to what they were before stay the same objects."""
        step = self._coupling_step
        if step is None:
            return _Rounded(problem.couplings, problem.couplings, None)
        before = () if kept is None else kept.below
        below: list[Coupling] = []
        changes = []
        for place, coupling in enumerate(problem.couplings):
            values = values_of(coupling)
            J = rounded(values, step, self._chances(values.shape, seed, place + 1))
            changes.append(change_of(values, J))
            self._check_range("coupling", J, self.capabilities.coupling_range)
            old = before[place] if place < len(before) else None
            new = with_values(coupling, problem.n, J)
            below.append(old if old is not None and _equal(old, new) else new)
        return _Rounded(problem.couplings, tuple(below), told(step, add(changes)))

    def _fields(
        self, request: SettleRequest
    ) -> tuple[Floats, Rounding | None, tuple[Term, ...], int]:
        """Return fields for below, what rounding did to them, terms for below and the number of nudges lost."""
        asked, step = request.problem.fields, self._field_step
        chances = None if step is None else self._chances(asked.shape, request.seed, 0)
        fields, told_of_fields, num_lost = asked, None, 0
        if step is not None:
            fields = rounded(asked, step, chances)
            self._check_range("field", fields, self.capabilities.field_range)
            told_of_fields = told(step, change_of(asked, fields))
        terms: tuple[Term, ...] = tuple(t for t in request.terms if isinstance(t, Clamp))
        if (pull := pull_of(request.problem, request.terms)) is not None:
            force, part = np.zeros(asked.shape, asked.dtype), (slice(None), pull.units)
            if step is None:
                force[part] = pull.force
            else:
                sums = (asked[part] - pull.force).astype(asked.dtype)
                total = rounded(sums, step, None if chances is None else chances[part])
                self._check_range("nudged field", total, self.capabilities.field_range)
                np.subtract(fields[part], total, out=force[part])
                num_lost = int(np.count_nonzero(pull.force)) - int(np.count_nonzero(force[part]))
            terms = (LinearNudge(force), *terms)
        return fields, told_of_fields, terms, num_lost

    def _chances(self, shape: tuple[int, ...], seed: int, place: int) -> NDArray[np.float64] | None:
        """Return uniform numbers for stochastic rounding; of fewer samples the first are the same."""
        if self.rounding == "nearest":
            return None
        seeds = np.random.SeedSequence([seed, place])
        return np.random.Generator(np.random.Philox(seeds)).random(shape)

    def _check_range(self, what: str, values: Floats, span: tuple[float, float] | None) -> None:
        if span is None or not values.size:
            return
        low, high = float(values.min()), float(values.max())
        if not (span[0] <= low and high <= span[1]):
            raise CapabilityError(
                f"{self.name} holds {what}s in [{span[0]:g}, {span[1]:g}], the problem rounds to "
                f"[{low:g}, {high:g}]: scale it, or let mapping=auto do so"
            )


def _equal(old: Coupling, new: Coupling) -> bool:
    """Return whether couplings are of the same pairs and values."""
    return old.structure == new.structure and np.array_equal(values_of(old), values_of(new))
