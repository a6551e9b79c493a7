"""Mask: a chip some of whose units and couplers do not work, presented as one without them.

Nothing is set to 0 silently: a problem that couples a dead pair is refused, and so is a field or nudge on a dead unit.
`Embed` above routes round them.
"""

from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from calibration.elements import connectivity_of
from calibration.report import answer
from calibration.spins import mappable, pull_of
from isingeq.backend import Backend, Capabilities, Equilibrium, SettleRequest, check_request
from isingeq.errors import CalibrationError, CapabilityError
from isingeq.problem import Problem
from isingeq.schedule import Schedule


@dataclass(frozen=True)
class MaskReport:
    """What is masked; nothing is changed.

    Attributes:
        dead_units: by number.
        num_dead_edges: couplers that do not work, those of dead units among them.
        dead_edges: the others of them, as pairs of units.
    """

    dead_units: list[int]
    num_dead_edges: int
    dead_edges: list[tuple[int, int]]
    layer: str = "mask"

    def as_dict(self) -> dict[str, object]:
        """Return plain data."""
        return dict(vars(self))


@dataclass(frozen=True, eq=False)
class Mask:
    """Refuses what would use an element that does not work.

    Attributes:
        inner: backend below; one that couples every pair of a fixed number of units is presented with its pairs.
        dead_units: True where a unit does not work (n,).
        dead_edges: True where a coupler does not work (m,), in the order of the connectivity.
    """

    inner: Backend
    dead_units: NDArray[np.bool_]
    dead_edges: NDArray[np.bool_]
    capabilities: Capabilities = field(init=False, repr=False)
    report: MaskReport = field(init=False, repr=False)

    def __post_init__(self) -> None:
        c = mappable(self.name, self.inner.capabilities)
        chip = connectivity_of(self.name, c)
        wanted = (chip.n,), (chip.num_edges,)
        if (self.dead_units.shape, self.dead_edges.shape) != wanted:
            raise CalibrationError(
                f"masks have shapes {self.dead_units.shape} and {self.dead_edges.shape}, {self.name} has "
                f"{chip.n} units and {chip.num_edges} couplers: they belong to another chip"
            )
        if self.dead_units.all():
            raise CalibrationError(
                f"all {chip.n} units of {self.name} are dead: check that it is powered and was calibrated, "
                "or open it without its calibration"
            )
        left = chip.without(self.dead_units, self.dead_edges)
        alone = self.dead_edges & ~(self.dead_units[chip.i] | self.dead_units[chip.j])
        report = MaskReport(
            dead_units=np.flatnonzero(self.dead_units).tolist(),
            num_dead_edges=chip.num_edges - left.num_edges,
            dead_edges=list(zip(chip.i[alone].tolist(), chip.j[alone].tolist(), strict=True)),
        )
        object.__setattr__(self, "report", report)
        object.__setattr__(self, "capabilities", replace(c, connectivity=left))

    @property
    def name(self) -> str:
        """SPEC of the backend below."""
        return self.inner.name

    def suggest_schedule(self, problem: Problem) -> Schedule | None:
        """Return what the backend below suggests."""
        return self.inner.suggest_schedule(problem)

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle what uses working elements alone; see `Backend.settle`.

        Raises:
            CapabilityError: a coupling, field or nudge at an element that does not work.
        """
        started = perf_counter()
        check_request(self.name, self.capabilities, request)
        self._check_fields(request)
        own_s = perf_counter() - started
        return answer(request, self.inner.settle(request), self.report, own_s)

    def close(self) -> None:
        """Close the backend below."""
        self.inner.close()

    def _check_fields(self, request: SettleRequest) -> None:
        problem = request.problem
        dead = np.flatnonzero(self.dead_units[: problem.n])
        if not dead.size:
            return
        pulled = problem.fields[:, dead].any(axis=0)
        if (pull := pull_of(problem, request.terms)) is not None:
            force = np.zeros(problem.fields.shape)
            force[:, pull.units] = pull.force
            pulled |= force[:, dead].any(axis=0)
        if pulled.any():
            raise CapabilityError(
                f"unit {dead[np.argmax(pulled)]} of {self.name} does not work, and the problem has a field or nudge "
                f"on it and {pulled.sum() - 1} more like it: embed it, or let mapping=auto do so"
            )
