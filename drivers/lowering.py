"""A request in the whole numbers of a device: the same for every board that describes itself alike.

    E = ±(Σ h s + Σ J s s)   in counts, the sign the device's own; β per count

Fields and couplings must be whole numbers in range; the layers of `calibration` see to that.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from drivers.descriptor import Descriptor
from drivers.job import Job
from drivers.legs import Legs, legs_of
from isingeq.backend import SettleRequest
from isingeq.errors import CapabilityError
from isingeq.problem import Problem, lower
from isingeq.schedule import Annealing
from isingeq.spins import held_spins, spin_fields
from isingeq.terms import Clamp

Ints = NDArray[np.int64]
_MOST_SCHEDULES = 16
"""Schedules kept as legs: a trainer alternates between two."""


@dataclass(slots=True, eq=False)
class Lowering:
    """From requests to jobs; what stays the same between calls is made once.

    Attributes:
        name: of the backend, for messages.
        descriptor: of the device.
    """

    name: str
    descriptor: Descriptor
    _edges: tuple[object, Ints, int] | None = field(default=None, repr=False)
    _couplings: tuple[object, Ints] | None = field(default=None, repr=False)
    _legs: dict[Annealing, Legs] = field(default_factory=dict, repr=False)
    _last: tuple[Annealing, Legs] | None = field(default=None, repr=False)

    def jobs(self, request: SettleRequest, schedule: Annealing) -> tuple[Job, ...]:
        """Return a whole batch as jobs, one after the other: as many reads in each as a run has rows for.

        Where a sample's reads start apart, each of them is a slot of its own, in one job. Block q of reads has a seed
        of its own, the same whatever the batch.

        Raises:
            CapabilityError: couplings, fields with their nudges, or a schedule that the device does not have.
        """
        problem, sign, d = request.problem, self.descriptor.update.energy_sign, self.descriptor
        n, reads = problem.n, request.reads
        h = np.rint(sign * spin_fields(problem, request.terms)).astype(np.int64)
        if request.terms:
            self._check_fields(h)
        starts = _starts(request)
        given = None if starts is None else starts[:, 0]
        each = 1
        if starts is not None and reads > 1 and not (starts == starts[:, :1]).all():
            h, given, reads, each = np.repeat(h, reads, axis=0), starts.reshape(-1, n), 1, reads
        clamps = None
        if any(isinstance(term, Clamp) for term in request.terms):
            held, values = held_spins(problem, request.terms)
            if held.any():
                clamps = held
                free = 1 if given is None else given
                given = np.where(held, np.repeat(values, each, axis=0), free).astype(np.int8)
        legs = self.legs(schedule)
        couplings = self._couplings_of(problem)
        most = min(d.rows(n), d.limits.reads)
        blocks = [min(most, reads - at) for at in range(0, reads, most)]
        seeds = np.random.SeedSequence(request.seed).generate_state(len(blocks))
        return tuple(
            Job(
                couplings, h, legs.table, legs.shift, block, int(seed),
                starts=given, clamps=clamps, random=starts is None,
                slots_per_sample=each,
            )
            for block, seed in zip(blocks, seeds, strict=True)
        )  # fmt: skip

    def legs(self, schedule: Annealing) -> Legs:
        """Return a schedule as the device takes it.

        Raises:
            CapabilityError: too cold, or too crooked for the legs it has.
        """
        if self._last is not None and self._last[0] is schedule:
            return self._last[1]
        found = self._legs.get(schedule)
        if found is None:
            found = legs_of(schedule.array, self.descriptor.schedule)
            found.table.flags.writeable = False
            if len(self._legs) == _MOST_SCHEDULES:
                self._legs.clear()
            self._legs[schedule] = found
        self._last = schedule, found
        return found

    def _check_fields(self, h: Ints) -> None:
        """Refuse fields that fit by themselves and no longer do with their nudge."""
        allowed = self.descriptor.field
        if h.min() < allowed.low or h.max() > allowed.high:
            raise CapabilityError(
                f"{self.name} holds fields in [{allowed.low}, {allowed.high}], with nudges they are in "
                f"[{h.min()}, {h.max()}]: scale the problem, or let mapping=auto do so"
            )

    def _couplings_of(self, problem: Problem) -> Ints:
        """Return couplings (m,) in canonical order, made once per version."""
        key = (problem.structure, problem.version)
        if self._couplings is None or self._couplings[0] != key:
            edges = lower(problem)
            places, num_edges = self._places(problem, edges.i, edges.j)
            values = np.zeros(num_edges, np.int64)
            np.add.at(values, places, np.rint(edges.J).astype(np.int64))
            values *= self.descriptor.update.energy_sign
            allowed = self.descriptor.coupling
            if num_edges and not allowed.low <= values.min() <= values.max() <= allowed.high:
                raise CapabilityError(
                    f"{self.name} holds couplings in [{allowed.low}, {allowed.high}], those of one pair add up to "
                    f"[{values.min()}, {values.max()}]: scale the problem, or let mapping=auto do so"
                )
            values.flags.writeable = False  # so that a board may hold on to it
            self._couplings = (key, values)
        return self._couplings[1]

    def _places(
        self, problem: Problem, i: NDArray[np.integer], j: NDArray[np.integer]
    ) -> tuple[Ints, int]:
        """Return where every edge stands in canonical order, and how many edges the device has."""
        if self._edges is None or self._edges[0] != problem.structure:
            n = problem.n
            pairs = self.descriptor.topology.pairs(n)
            known = pairs[:, 0] * n + pairs[:, 1]
            wanted = np.minimum(i, j).astype(np.int64) * n + np.maximum(i, j)
            places = np.minimum(np.searchsorted(known, wanted), max(0, len(known) - 1))
            wrong = np.ones(len(wanted), np.bool_) if not len(known) else known[places] != wanted
            if wrong.any():
                a, b = divmod(int(wanted[wrong][0]), n)
                raise CapabilityError(
                    f"{self.name} does not couple spins {a} and {b} ({self.descriptor.topology.kind}): "
                    "embed the problem first"
                )
            self._edges = (problem.structure, places, len(pairs))
        return self._edges[1:]


def _starts(request: SettleRequest) -> NDArray[np.int8] | None:
    if request.initial is None:
        return None
    if not (np.abs(request.initial) == 1).all():
        raise CapabilityError(
            "initial states of spins are -1 or +1, these are not: take their sign"
        )
    return request.initial.astype(np.int8)
