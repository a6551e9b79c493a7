"""A backend of spins as procedures see it: edges, levels that it can hold, reads, and a clock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Backend, SettleRequest
from isingeq.connectivity import Connectivity
from isingeq.couplings import Edges
from isingeq.errors import CalibrationError
from isingeq.problem import Problem
from isingeq.schedule import Schedule
from isingeq.units import Layer, Spin

Reals = NDArray[np.float64]
Spins = NDArray[np.int8]
Levels = tuple[float, float]

_MOST_VALUES = 2**23
"""Spins of one settle: 32 MB of states as floats."""


class StoppedError(CalibrationError):
    """A measurement was told to stop."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a measurement is.

    Attributes:
        procedure: under way.
        reads: made so far, over all samples.
        planned: in all; 0 while that is not known.
        elapsed_s: since it began, on the wall.
    """

    procedure: str
    reads: int
    planned: int
    elapsed_s: float


@dataclass(eq=False)
class Probe:
    """Settles problems on a backend and counts.

    Attributes:
        backend: measured.
        graph: its pairs, all of them where it couples every pair.
        seed: of all reads.
        watch: called after every settle.
        stop: says whether to stop.
        planned: reads in all, for those who watch.
        procedure: under way, for those who watch.
        reads: made so far.
        clock_s: of the device and its link, else of the host, over all settles so far.
        details: of the last provenance: who the device is.
    """

    backend: Backend
    graph: Connectivity
    seed: int = 0
    watch: Callable[[Progress], None] = lambda _: None
    stop: Callable[[], bool] = lambda: False
    planned: int = 0
    procedure: str = ""
    reads: int = 0
    clock_s: float = 0.0
    details: dict[str, object] = field(default_factory=dict)
    _began: float = field(default_factory=monotonic)
    _settles: int = 0
    _kept: tuple[bytes, Edges] | None = None

    def problem(self, J: Reals, h: Reals) -> Problem:
        """Return couplings (m,) and fields (b, n) as a problem; couplings keep their version while they stay."""
        key = J.tobytes()
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, Edges(self.graph.n, self.graph.i, self.graph.j, J.copy()))
        return Problem((Layer("chip", self.graph.n, Spin()),), (self._kept[1],), h)

    def settle(self, J: Reals, h: Reals, *, reads: int, schedule: Schedule | None) -> Spins:
        """Return reads (b, reads, n) under couplings (m,) and fields (b, n).

        Raises:
            StoppedError: it was told to stop.
        """
        problem, parts = self.problem(J, np.atleast_2d(h)), []
        most = max(1, _MOST_VALUES // (problem.batch * problem.n))
        for first in range(0, reads, most):
            if self.stop():
                raise StoppedError("stopped: nothing was written")
            some = min(most, reads - first)
            self._settles += 1
            seed = int(np.random.SeedSequence((self.seed, self._settles)).generate_state(1)[0] >> 1)
            found = self.backend.settle(
                SettleRequest(problem, reads=some, schedule=schedule, seed=seed)
            )
            if found.weights is not None:
                raise CalibrationError(
                    f"{self.backend.name} returns states with weights: measure one that draws reads"
                )
            outside = found.timing.link_s + found.timing.device_s
            self.clock_s += outside or found.timing.host_s
            self.details = dict(found.provenance.details)
            self.reads += problem.batch * some
            self.watch(Progress(self.procedure, self.reads, self.planned, self.elapsed_s))
            parts.append(found.states.astype(np.int8))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    @property
    def elapsed_s(self) -> float:
        """Seconds on the wall since this was made."""
        return monotonic() - self._began

    @property
    def field_levels(self) -> tuple[Levels | None, float]:
        """Range of fields and their step, 0 for real numbers."""
        c = self.backend.capabilities
        return c.field_range, c.field_step or 0.0

    @property
    def coupling_levels(self) -> tuple[Levels | None, float]:
        """Range of couplings and their step, 0 for real numbers; of a chip of few values both ends and all between.

        Raises:
            CalibrationError: a chip that cannot switch couplers off.
        """
        c = self.backend.capabilities
        if c.coupling_levels is None:
            return c.coupling_range, c.coupling_step or 0.0
        size = min(-c.coupling_levels[0], c.coupling_levels[-1])
        if 0.0 not in c.coupling_levels or not {-size, size} <= set(c.coupling_levels):
            raise CalibrationError(
                f"{self.backend.name} couples at {', '.join(f'{x:g}' for x in c.coupling_levels)}: 0, and the same "
                "value of either sign, are needed to measure it"
            )
        return (-size, size), size


def levels(limits: Levels | None, step: float, wanted: float) -> Levels:
    """Return the two levels to measure between, on steps: ±wanted, or as far as a range goes; 0 where it has one side.

    Args:
        limits: lowest and highest value, None for any.
        step: between values, 0 for real numbers.
        wanted: size.

    Raises:
        CalibrationError: the range holds nothing but 0.
    """
    low, high = limits or (-np.inf, np.inf)
    size = min(wanted, max(-low, high))
    if step:
        size = max(step, np.floor(size / step + 1e-9) * step)
    found = (max(-size, min(low, 0.0)), min(size, max(high, 0.0)))
    if step:
        found = (np.ceil(found[0] / step - 1e-9) * step, np.floor(found[1] / step + 1e-9) * step)
    if not found[0] < found[1]:
        raise CalibrationError(
            f"a range of [{low:g}, {high:g}] in steps of {step:g} holds nothing but 0: nothing can be measured"
        )
    return float(found[0]), float(found[1])
