"""Trim: what a chip makes of values, taken back beforehand.

    J = (J_asked − p) / (1 + g)        so that the chip's (1 + g) J + p is J_asked
    h = (h_asked − o) / (1 + a)        so that the chip's (1 + a) h + o is h_asked, nudges in it

All of it in the chip's own units, those of its ranges, so this layer stands below Scale, and above Quantise, which
rounds what comes of it. A coupler works whether it is programmed or not: those between units of the problem that it
does not use get −p / (1 + g), as one more coupling that never changes.

The range presented to the layer above is what every working element can reach, so that nothing within it is refused by
the chip. One weak element narrows it for all, and the report tells by how much; corrections that call it dead have
the embedding route round it. Crosstalk is not taken back.
"""

from dataclasses import dataclass, field, replace
from threading import Lock
from time import perf_counter
from typing import NamedTuple

import numpy as np

from calibration.corrections import Corrections, Reals
from calibration.elements import connectivity_of
from calibration.factor import SLACK
from calibration.inverse import Inverse, Plan, mask_of, plan_for, reachable, share_left
from calibration.report import TrimReport, answer, correction
from calibration.spins import mappable, same, values_of, with_values
from isingeq.backend import Backend, Capabilities, Equilibrium, SettleRequest, check_request
from isingeq.connectivity import Connectivity
from isingeq.couplings import Coupling
from isingeq.errors import CalibrationError, CapabilityError
from isingeq.problem import Problem
from isingeq.schedule import Schedule
from isingeq.terms import LinearNudge, QuadraticNudge, Term


class _Trimmed(NamedTuple):
    """Couplings asked for, what they came to, and how."""

    asked: tuple[Coupling, ...]
    below: tuple[Coupling, ...]
    plan: Plan


@dataclass(eq=False)
class Trim:
    """Takes measured gains and offsets out of what is asked for.

    Attributes:
        inner: backend below: a chip, or Quantise over one.
        corrections: as measured on it.
        reserve: by how much `move` may move field offsets, in units of fields: the range presented has room for it.
    """

    inner: Backend
    corrections: Corrections
    reserve: float = 0.0
    capabilities: Capabilities = field(init=False, repr=False)
    _chip: Connectivity = field(init=False, repr=False)
    _offset: Reals = field(init=False, repr=False)
    _shares_left: tuple[float | None, float | None] = field(init=False, repr=False)
    _kept: _Trimmed | None = field(default=None, init=False, repr=False)
    _turn: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        c, k = mappable(self.name, self.inner.capabilities), self.corrections
        if (c.coupling_step, c.field_step, c.coupling_levels) != (None, None, None):
            raise CapabilityError(
                f"{self.name} holds certain values alone, which trimmed ones are not: put Quantise in between"
            )
        self._chip = chip = connectivity_of(self.name, c)
        if (chip.num_edges, chip.n) != (k.coupling_gain.size, k.field_gain.size):
            raise CalibrationError(
                f"corrections are of {k.field_gain.size} units and {k.coupling_gain.size} couplers, {self.name} has "
                f"{chip.n} and {chip.num_edges}: they belong to another chip"
            )
        works, alive, room = mask_of(chip, k), ~k.dead_units, self.reserve
        J = reachable("coupling", c.coupling_range, k.coupling_gain, k.coupling_offset, works)
        h = reachable("field", c.field_range, k.field_gain, k.field_offset, alive, room)
        self._shares_left = share_left(c.coupling_range, J), share_left(c.field_range, h)
        self.capabilities = replace(c, displacements=False, coupling_range=J, field_range=h)
        self._offset = k.field_offset

    @property
    def name(self) -> str:
        """SPEC of the backend below."""
        return self.inner.name

    def suggest_schedule(self, problem: Problem) -> Schedule | None:
        """Return what the backend below suggests for the trimmed problem."""
        below, _ = self._below(SettleRequest(problem))
        return self.inner.suggest_schedule(below.problem)

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle the trimmed problem; see `Backend.settle`.

        Raises:
            CapabilityError: a coupling at a dead element, or a field on a dead unit.
        """
        started = perf_counter()
        check_request(self.name, self.capabilities, request)
        below, report = self._below(request)
        own_s = perf_counter() - started
        return answer(request, self.inner.settle(below), report, own_s)

    def close(self) -> None:
        """Close the backend below."""
        self.inner.close()

    def move(self, field_offset: Reals) -> None:
        """Take other field offsets (n,) from now on.

        Raises:
            CalibrationError: one is further from that of the corrections than the reserve; none is taken then.
        """
        moved = np.abs(field_offset - self.corrections.field_offset)
        if (worst := float(moved.max(initial=0.0))) > self.reserve * (1 + SLACK):
            raise CalibrationError(
                f"the field offset of unit {moved.argmax()} of {self.name} has moved by {worst:g} since it was "
                f"calibrated, allowed are {self.reserve:g}: calibrate it again"
            )
        self._offset = field_offset

    @property
    def field_offset(self) -> Reals:
        """Field offsets (n,) taken out now: those of the corrections, or of the last `move`."""
        return self._offset

    def _below(self, request: SettleRequest) -> tuple[SettleRequest, TrimReport]:
        problem, k, n = request.problem, self.corrections, request.problem.n
        dead = k.dead_units[:n]
        if dead.any() and problem.fields[:, dead].any():
            raise CapabilityError(
                f"{self.name} has dead units, and the problem a field on unit "
                f"{np.flatnonzero(dead)[problem.fields[:, dead].any(axis=0)][0]}: embed it, or let mapping=auto do so"
            )
        with self._turn:
            trimmed = self._kept = self._trimmed(problem)
        offset = np.where(dead, 0.0, self._offset[:n])
        inverse = Inverse.of(np.where(dead, 0.0, k.field_gain[:n]), offset)
        gain, shift = (part.astype(problem.fields.dtype) for part in inverse)
        fields = problem.fields * gain
        fields -= shift
        below = Problem(problem.layers, trimmed.below, fields, problem.offset)
        terms = tuple(_trimmed(term, inverse.gain) for term in request.terms)
        report = TrimReport(
            calibration=k.source,
            couplings=correction(trimmed.plan.gain, trimmed.plan.offset),
            fields=correction(k.field_gain[:n][~dead], offset[~dead]),
            num_cancelled=sum(c.J.size for c in trimmed.plan.others),
            coupling_range_left=self._shares_left[0],
            field_range_left=self._shares_left[1],
        )
        return replace(request, problem=below, terms=terms), report

    def _trimmed(self, problem: Problem) -> _Trimmed:
        kept = self._kept
        if kept is not None and same(kept.asked, problem.couplings):
            return kept
        if kept is None or kept.plan.structure != problem.structure:
            plan = plan_for(self.name, self._chip, self.corrections, problem)
        else:
            plan = kept.plan
        below = []
        for coupling, inverse in zip(problem.couplings, plan.couplings, strict=True):
            values = values_of(coupling)
            J = (values * inverse.gain - inverse.shift).astype(values.dtype)
            below.append(with_values(coupling, problem.n, J))
        return _Trimmed(problem.couplings, (*below, *plan.others), plan)


def _trimmed(term: Term, gain: Reals) -> Term:
    """Return a nudge that the chip turns into the one asked for; a spring pulls a spin by strength times target."""
    if isinstance(term, LinearNudge):
        return LinearNudge(term.force * gain.astype(term.force.dtype))
    if isinstance(term, QuadraticNudge):
        return replace(
            term, targets=term.targets * gain[slice(*term.units)].astype(term.targets.dtype)
        )
    return term  # a clamp
