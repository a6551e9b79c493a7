"""The working point: how cold, and at which couplings and fields, responses are strong and not saturated.

The error of a gain from a log odds x = β J is cosh(x) / (x √N), smallest at x = 1.2; the point is sought near x = 1. A
backend that takes annealing schedules is held at one beta, at its largest couplings. One that does not has its own
temperature, if any, and couplings and fields are made smaller instead.
"""

from dataclasses import dataclass, replace

import numpy as np

from calibration.measure.log_odds import Kept, coupling_of, field_of
from calibration.measure.matchings import matchings
from calibration.measure.pairs import count, placed
from calibration.measure.probe import Levels, Probe, levels
from isingeq.errors import CalibrationError, CapabilityError
from isingeq.problem import Problem
from isingeq.schedule import Annealing, Drive, Schedule

_LOW, _HIGH, _AIM = 0.7, 1.3, 1.0
_TRIES = 12
_FAR = 1000.0
"""Factor below the largest couplings at which a response that is still saturated has no temperature to speak of."""
_READS = 512
_FEWEST_ELEMENTS = 4096
"""Reads times elements that a response is averaged over, at least."""


@dataclass(frozen=True)
class Point:
    """Where a chip is measured.

    Attributes:
        schedule: of all settles but those that look at saturation.
        coupling: lower and higher level of a pair; None where no pair is coupled.
        field: lower and higher level of a unit.
        response: β J at the higher level, or β h without couplings, as found in a few reads; infinite where most pairs
            leave a state empty at the smallest coupling that the chip holds.
        field_response: β h at the higher level; infinite where most units follow the smallest field.
    """

    schedule: Schedule | None
    coupling: Levels | None
    field: Levels
    response: float
    field_response: float = 0.0

    @property
    def beta(self) -> float | None:
        """Inverse temperature asked for, None where it is the backend's own."""
        return self.schedule.betas[-1] if isinstance(self.schedule, Annealing) else None

    def with_sweeps(self, sweeps: int) -> "Point":
        """Return the same point after so many sweeps; itself where the schedule has none."""
        match self.schedule:
            case Annealing(betas):
                return replace(self, schedule=Annealing.constant(betas[-1], sweeps))
            case Drive():
                return replace(self, schedule=replace(self.schedule, sweeps=sweeps))
        return self

    def colder(self, factor: float) -> "Point":
        """Return the point at a beta so many times as high; itself where there is none."""
        if not isinstance(self.schedule, Annealing):
            return self
        betas = tuple(factor * beta for beta in self.schedule.betas)
        return replace(self, schedule=Annealing(betas))


def find_point(probe: Probe, *, beta: float | None, sweeps: int) -> Point:
    """Look for the working point.

    Args:
        probe: of the backend.
        beta: to use, in the chip's units; None to look for one.
        sweeps: that are surely enough.

    Raises:
        CalibrationError: the chip answers to nothing, or to everything alike.
    """
    probe.procedure = "working point"
    # Couplings of one size for all: the end of the range. Without a range any size will do, and beta is relative to it.
    limits, step = probe.coupling_levels
    widest = max(map(abs, limits)) if limits else 1.0
    coupling = levels(limits, step, widest) if probe.graph.num_edges else None
    anneals = Annealing in probe.backend.capabilities.schedules
    if anneals:
        return _with_field(probe, _by_beta(probe, coupling, widest, beta, sweeps))
    if beta is not None:
        raise CalibrationError(
            f"{probe.backend.name} takes no beta: leave it away, and it is measured at its own temperature"
        )
    return _with_field(probe, _by_size(probe, coupling, widest))


def _fields(probe: Probe, size: float) -> Levels:
    """Return field levels of a size, with room to take offsets out where the range has it."""
    limits, step = probe.field_levels
    most = max(map(abs, limits)) if limits else np.inf
    found = levels(limits, step, min(size, 0.75 * most))
    if not found[0] < 0 < found[1]:
        raise CalibrationError(
            f"{probe.backend.name} holds fields in {limits}: both signs are needed to measure it"
        )
    return found


def _by_beta(
    probe: Probe, coupling: Levels | None, widest: float, beta: float | None, sweeps: int
) -> Point:
    now = beta or _AIM / widest
    field = _fields(probe, widest)
    for _ in range(_TRIES):
        point = Point(Annealing.constant(now, sweeps), coupling, field, 0.0)
        try:
            found = _response(probe, point)
        except CapabilityError:
            if beta is not None:
                raise
            now /= 4
            continue
        if beta is not None or _LOW < found < _HIGH:
            return replace(point, response=found)
        now *= float(np.clip(_AIM / max(found, 1e-3), 1 / 8, 8))
    raise CalibrationError(
        f"{probe.backend.name} does not converge: no beta was found at which it answers halfway, the last was "
        f"{now:.3g} with a response of {found:.3g}; give --beta, or check that the chip works"
    )


def _by_size(probe: Probe, coupling: Levels | None, widest: float) -> Point:
    """Lower couplings and fields until they no longer saturate."""
    size, smallest = widest, max(probe.coupling_levels[1], probe.field_levels[1])
    for _ in range(_TRIES):
        limits, step = probe.coupling_levels
        now = levels(limits, step, size) if coupling else None
        field = _fields(probe, size)
        schedule = probe.backend.suggest_schedule(_trial(probe, now, field))
        point = Point(schedule, now, field, 0.0)
        found = _response(probe, point)
        if found < _HIGH or size <= smallest:
            break
        if size < widest / _FAR:
            return Point(schedule, now, _fields(probe, widest), np.inf, np.inf)
        size = max(smallest, size * float(np.clip(_AIM / found, 1 / 8, 0.9)))
    if found < 0.02:
        raise CalibrationError(
            f"{probe.backend.name} answers neither to couplings nor to fields: nothing can be measured"
        )
    return replace(point, response=found)


def _trial(probe: Probe, coupling: Levels | None, field: Levels) -> Problem:
    """Return what a schedule is suggested for: one matching and all fields at their higher level."""
    J = np.zeros(probe.graph.num_edges)
    if coupling:
        J[matchings(probe.graph, np.arange(J.size))[0]] = coupling[1]
    return probe.problem(J, np.full((1, probe.graph.n), field[1]))


def _response(probe: Probe, point: Point) -> float:
    """Return the median β J of the pairs of one matching at the higher level; without couplings the median β h.

    Half of the pairs are at the lower level, so that none of their neighbours' effects has a sign.
    """
    if point.coupling is None:
        return _field_response(probe, point)
    n, m = probe.graph.n, probe.graph.num_edges
    edges = matchings(probe.graph, np.arange(m))[0]
    signs = np.ones(edges.size, np.int8)
    signs[1::2] = -1
    J = placed(probe.graph, edges, point.coupling, signs)
    states = probe.settle(J, np.zeros((1, n)), reads=_reads(n), schedule=point.schedule)
    one = Kept(np.ones(edges.size), np.zeros(edges.size))
    cells = count(states[0], probe.graph, edges)
    value = coupling_of(cells, one, one).value
    value[(cells == 0).any(axis=(0, 1))] = np.inf
    return float(np.median(value[signs > 0]))


def _field_response(probe: Probe, point: Point) -> float:
    """Return half the median difference of β h between the two levels."""
    n = probe.graph.n
    J = np.zeros(probe.graph.num_edges)
    signs = np.where(np.arange(n) % 2, -1, 1) * np.array([[1], [-1]])
    h = np.where(signs > 0, point.field[1], point.field[0])
    states = probe.settle(J, h, reads=_reads(n), schedule=point.schedule)
    one = Kept(np.ones(n), np.zeros(n))
    reads, total = states.shape[1], states.sum(axis=1, dtype=np.float64)
    found = (field_of(total, reads, one).value * signs).mean(axis=0)
    found[(total * signs == -reads).any(axis=0)] = np.inf
    return float(np.median(found))


def _reads(n: int) -> int:
    return max(_READS, _FEWEST_ELEMENTS // n)


def _with_field(probe: Probe, point: Point) -> Point:
    """Return the point with fields at which units answer halfway, as far as their range and step allow."""
    most = point.field[1]
    for _ in range(_TRIES if np.isfinite(point.field_response) else 0):
        found = max(_field_response(probe, point), 1e-3)
        point = replace(point, field_response=found)
        size = point.field[1] * float(np.clip(_AIM / found, 1 / 8, 8))
        field = _fields(probe, size)
        if _LOW < found < _HIGH or field == point.field:
            break
        if size < most / _FAR:
            return replace(point, field=_fields(probe, most), field_response=np.inf)
        point = replace(point, field=field)
    return point
