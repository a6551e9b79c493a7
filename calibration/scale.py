"""Scale: a backend whose values have ranges, made to take couplings and fields of any size.

    E' = k E,  β' = β / k        so β' E' = β E, and the distribution over states stays what it was

One factor k is on couplings, fields and nudges alike. It does not follow the weights, as a factor that does would hide
their size. Where limits are given, it is what brings them to the ends of the ranges, and it stays; what does not fit
then is refused. Otherwise it is a power of two, chosen at the first problem with some headroom, and it is halved,
counted and reported, whenever something no longer fits; it never grows again. Where values are rounded below, answers
then depend on the problems that came before, and a run that is resumed is not bit for bit the same.
"""

import math
from dataclasses import dataclass, field, replace
from threading import Lock
from time import perf_counter
from typing import NamedTuple

from calibration.factor import HEADROOM, Factor, Limits, end_of
from calibration.report import ScaleReport, answer
from calibration.rounding import largest_of
from calibration.spins import mappable, pull_of, same, values_of, with_values
from isingeq.backend import Backend, Capabilities, Equilibrium, SettleRequest, check_request
from isingeq.couplings import Coupling
from isingeq.errors import CapabilityError
from isingeq.problem import Problem
from isingeq.schedule import Annealing, Drive, Schedule
from isingeq.terms import LinearNudge, QuadraticNudge, Term


class _Scaled(NamedTuple):
    """Couplings asked for, the largest value of each, and what they came to under a factor."""

    asked: tuple[Coupling, ...]
    largest: tuple[float, ...]
    factor: float
    below: tuple[Coupling, ...]


@dataclass(eq=False)
class Scale:
    """Multiplies what is asked for, so that it fits the ranges of the backend below.

    Attributes:
        inner: backend below.
        limits: known beforehand; None to choose the factor at the first problem.
        headroom: of that choice.
        firm: what is beyond the limits is refused; otherwise the factor only starts from them, as it must where what
            comes also holds chains, whose strength nobody knows beforehand.
        factor: on couplings, fields and nudges.
    """

    inner: Backend
    limits: Limits | None = None
    headroom: float = HEADROOM
    firm: bool = True
    factor: Factor = field(init=False)
    capabilities: Capabilities = field(init=False, repr=False)
    _kept: _Scaled | None = field(default=None, init=False, repr=False)
    _schedules: tuple[object, object, float] = field(
        default=(None, None, 0.0), init=False, repr=False
    )
    _turn: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        c = mappable(self.name, self.inner.capabilities)
        if (c.coupling_step, c.field_step, c.coupling_levels) != (None, None, None):
            raise CapabilityError(
                f"{self.name} holds certain values alone, which scaled ones are not: put Quantise in between"
            )
        ends = Limits(end_of(self.name, c.coupling_range), end_of(self.name, c.field_range))
        if all(map(math.isinf, ends)):
            raise CapabilityError(
                f"{self.name} takes values of any size: there is nothing to scale"
            )
        self.factor = Factor(self.name, ends, self.limits, self.headroom, self.firm)
        fixed = self._fixed
        self.capabilities = replace(
            c,
            displacements=False,
            schedules=c.schedules & {Annealing, Drive},
            coupling_range=None,
            field_range=None,
            split_invariant=c.split_invariant and fixed,
            concurrent=c.concurrent and fixed,
        )

    @property
    def name(self) -> str:
        """SPEC of the backend below."""
        return self.inner.name

    @property
    def _fixed(self) -> bool:
        return self.limits is not None and self.firm

    def suggest_schedule(self, problem: Problem) -> Schedule | None:
        """Return what the backend below suggests, its betas or feedback times the factor."""
        below, _, report = self._below(problem, ())
        return _times(self.inner.suggest_schedule(below), report.factor)

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle the scaled problem; see `Backend.settle`.

        Without a schedule the backend below runs its own, in its own units. What its details tell is in those too,
        save for `beta`, the claimed one.

        Raises:
            CapabilityError: a value that does not fit the ranges under the factor.
        """
        started = perf_counter()
        check_request(self.name, self.capabilities, request)
        problem, terms, report = self._below(request.problem, request.terms)
        schedule = self._slowed(request.schedule, report.factor)
        own_s = perf_counter() - started
        found = self.inner.settle(replace(request, problem=problem, terms=terms, schedule=schedule))
        return answer(request, found, report, own_s, report.factor)

    def close(self) -> None:
        """Close the backend below."""
        self.inner.close()

    def _below(
        self, problem: Problem, terms: tuple[Term, ...]
    ) -> tuple[Problem, tuple[Term, ...], ScaleReport]:
        with self._turn:
            kept = self._kept
            if kept is None or not same(kept.asked, problem.couplings):
                largest = tuple(largest_of(values_of(c)) for c in problem.couplings)
                kept = _Scaled(problem.couplings, largest, 0.0, ())
            sizes = Limits(max(kept.largest, default=0.0), _largest_field(problem, terms))
            k = self.factor.of(sizes)
            if kept.factor != k:
                below = tuple(
                    with_values(c, problem.n, values_of(c) * k) for c in problem.couplings
                )
                kept = _Scaled(kept.asked, kept.largest, k, below)
            self._kept = kept
            num_rechosen = self.factor.num_rechosen
        fields = problem.fields * k
        ends = self.factor.ends
        report = ScaleReport(
            factor=k,
            fixed=self._fixed,
            num_rechosen=num_rechosen,
            coupling_headroom=_room(ends.coupling, k * sizes.coupling),
            field_headroom=_room(ends.field, k * sizes.field),
            headrooms=[_room(ends.coupling, k * size) for size in kept.largest],
        )
        scaled = Problem(problem.layers, kept.below, fields, k * problem.offset)
        return scaled, tuple(_scaled(term, k) for term in terms), report

    def _slowed(self, schedule: Schedule | None, factor: float) -> Schedule | None:
        """Return a schedule for the scaled problem; a trainer brings the same one again and again."""
        asked, below, known = self._schedules
        if asked is not schedule or known != factor:
            below = _times(schedule, 1 / factor)
            self._schedules = (schedule, below, factor)
        return below  # type: ignore[return-value]


def _room(end: float, size: float) -> float | None:
    return end / size if math.isfinite(end) and size > 0 else None


def _largest_field(problem: Problem, terms: tuple[Term, ...]) -> float:
    """Return the largest field in absolute value, without the nudges and with them."""
    pull = pull_of(problem, terms)
    nudged = 0.0 if pull is None else largest_of(problem.fields[:, pull.units] - pull.force)
    return max(largest_of(problem.fields), nudged)


def _scaled(term: Term, factor: float) -> Term:
    if isinstance(term, LinearNudge):
        return LinearNudge(term.force * factor)
    if isinstance(term, QuadraticNudge):
        return replace(term, strength=term.strength * factor)
    return term  # a clamp


def _times(schedule: Schedule | None, factor: float) -> Schedule | None:
    """Return a schedule with every beta, or the feedback of every step, times a factor."""
    if isinstance(schedule, Annealing):
        return Annealing(tuple((schedule.array * factor).tolist()))
    if isinstance(schedule, Drive):
        first, last = schedule.feedback
        return replace(schedule, feedback=(first * factor, last * factor))
    return None
