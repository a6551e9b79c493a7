"""A board that holds whole numbers alone, on top of any backend of spins; it counts what it is sent."""

from dataclasses import dataclass, field, replace

import numpy as np

from isingeq.backend import Backend, Capabilities, Equilibrium, SettleRequest, check_request
from isingeq.errors import CapabilityError
from isingeq.problem import Problem
from isingeq.spins import spin_fields
from isingeq.terms import Clamp, LinearNudge


@dataclass(eq=False)
class Board:
    """Couplings −127 … 127, fields −32767 … 32767, by default.

    `uploads` counts versions of couplings that it had not at hand, `seen` keeps every request.
    """

    inner: Backend
    coupling_end: float | None = 127.0
    field_end: float | None = 32767.0
    step: float | None = 1.0
    terms: frozenset[type] = frozenset({LinearNudge, Clamp})
    uploads: int = 0
    seen: list[SettleRequest] = field(default_factory=list)
    _held: object = None

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        return replace(
            self.inner.capabilities,
            terms=self.terms,
            coupling_range=self.coupling_end and (-self.coupling_end, self.coupling_end),
            field_range=self.field_end and (-self.field_end, self.field_end),
            coupling_step=self.step,
            field_step=self.step,
        )

    def suggest_schedule(self, problem: Problem):
        return self.inner.suggest_schedule(problem)

    def settle(self, request: SettleRequest) -> Equilibrium:
        check_request(self.name, self.capabilities, request)
        h = spin_fields(request.problem, request.terms)
        if self.field_end is not None and np.abs(h).max() > self.field_end:
            raise CapabilityError("the board cannot hold a nudged field")
        if self.step is not None:
            steps = h / self.step
            assert np.abs(steps - np.rint(steps)).max() < 1e-6, "a nudged field is between steps"
        now = (request.problem.structure, request.problem.version)
        self.uploads += now != self._held
        self._held = now
        self.seen.append(request)
        return self.inner.settle(request)

    def close(self) -> None:
        self.inner.close()
