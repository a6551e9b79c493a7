"""What machines whose outcome is read as spins have in common."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Claim, Precision, Trace
from isingeq.kernels.pool import Pool
from isingeq.machines.graph import Graph
from isingeq.schedule import Schedule

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Task:
    """One settle of a spin machine: E = Σ h s + Σ J s s, every term already a field.

    Attributes:
        graph: couplings, shared by all samples.
        h: fields (b, n), float64.
        reads: states wanted per sample.
        schedule: to follow.
        seed: read r of sample b draws from the stream (seed, b, r), whatever runs beside it.
        pool: threads.
        start: spins (b, r, n) to start from, ±1 int8; None for the machine's own start.
        nudged: a nudge is in the fields.
        precision: of the arithmetic.
        trace: write down what happens, step by step.
    """

    graph: Graph
    h: NDArray[np.float64]
    reads: int
    schedule: Schedule
    seed: int
    pool: Pool
    start: NDArray[np.int8] | None = None
    nudged: bool = False
    precision: Precision = "float32"
    trace: bool = False


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a task.

    Attributes:
        spins: ±1 int8 (b, r, n).
        details: for the provenance: representation chosen, kernel, sweeps.
        trace: when asked for.
    """

    spins: NDArray[np.int8]
    details: Mapping[str, object] = field(default_factory=dict)
    trace: Trace | None = None


class SpinMachine(Protocol):
    """A dynamics that ends in spins."""

    @property
    def claim(self) -> Claim:
        """What is promised about the spins."""
        ...

    @property
    def schedule_kind(self) -> type:
        """Class of the schedules taken."""
        ...

    @property
    def warm_start(self) -> bool:
        """True where a start makes a difference."""
        ...

    @property
    def split_invariant(self) -> bool:
        """True where a read's numbers do not depend on what runs beside it."""
        ...

    def suggest(self, graph: Graph, h: Floats) -> Schedule:
        """Return the default schedule for couplings and fields (b, n)."""
        ...

    def run(self, task: Task) -> Outcome:
        """Run a task.

        Raises:
            ConfigError: a schedule outside the bounds of the machine, such as a time step beyond stability.
        """
        ...
