"""Metropolis and heat-bath annealing: spins flipped one at a time, in order, at falling temperature.

    E = Σ_i h_i s_i + Σ_(i<j) J_ij s_i s_j        f_i = h_i + Σ_j J_ij s_j        flipping s_i costs ΔE = −2 s_i f_i

    Metropolis    s_i flips with probability min(1, e^{−β ΔE})         (Metropolis et al., J. Chem. Phys. 21, 1953)
    heat bath     s_i = +1 with probability 1 / (1 + e^{2 β f_i})      (Glauber, J. Math. Phys. 4, 1963)

β runs through a schedule, one value per sweep (Kirkpatrick, Gelatt & Vecchi, Science 220, 671 (1983)). Metropolis moves
more and is the better annealer. In a fixed order it would flip a spin without field at every sweep, and walls between
domains would walk in step for ever; so in each sweep one spin in 32, others each time, stays if it feels no field
(`replica_random.staying`). Such spins still mix slowly, so only the heat bath, at one β, claims Boltzmann.

Energies are counted in whole numbers (`whole_numbers`) and random numbers are counters (`kernels.replica_random`), so
flips are the same for any number of threads, any batch and either kernel.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Claim, Trace
from isingeq.errors import ConfigError
from isingeq.kernels.local_fields import LocalFields
from isingeq.kernels.pool import Pool
from isingeq.kernels.replica_lanes import ReplicaLanes
from isingeq.kernels.replica_random import (
    HEAT_BATH,
    METROPOLIS,
    draw_spins,
    replica_keys,
    scales,
)
from isingeq.machines.graph import Graph
from isingeq.machines.spinning import Outcome, Task
from isingeq.machines.whole_numbers import WholeNumbers, whole_numbers
from isingeq.schedule import Annealing, Schedule

Floats = NDArray[np.floating]
Spins = NDArray[np.int8]
Acceptance = Literal["metropolis", "heat-bath"]
Keys = NDArray[np.uint64]
Walk = ReplicaLanes | LocalFields
Keep = Literal["final", "best"]
Numbers = Literal["exact", "pooled"]

_DENSE = 0.08
"""Share of coupled pairs from which a flip is quicker along a row of the matrix than along a list (measured)."""

_LEAST_LANES = {False: 5, True: 11}
"""Replicas from which lanes are faster than local fields, on sparse and on dense graphs (measured: 4–5 and 7–11)."""


@dataclass(frozen=True)
class Metropolis:
    """Anneals spins, or samples them at one inverse temperature.

    Attributes:
        sweeps: of the suggested schedule.
        beta: finite to sample at this inverse temperature; needs the heat bath.
        acceptance: metropolis or heat-bath.
        reverse: how far along its schedule a nudged task with a start turns round.
        keep: the final spins of a replica, or those of lowest energy at the end of any sweep (at 1.6 to 2.3 times the
            cost with exact numbers, 4 times with pooled ones).
        numbers: `exact`, a random number of its own for every replica, sweep and spin; `pooled`, every 128 reads of a
            sample share 4096 thresholds per sweep, each read and spin from another place: faster, reads not quite
            independent, so for optimisation alone.
    """

    sweeps: int = 1000
    beta: float = math.inf
    acceptance: Acceptance = "metropolis"
    reverse: float = 0.25
    keep: Keep = "final"
    numbers: Numbers = "exact"

    def __post_init__(self) -> None:
        if self.sweeps < 1 or not self.beta >= 0 or not 0 <= self.reverse <= 1:
            raise ConfigError(
                f"metropolis needs sweeps >= 1, beta >= 0 and 0 <= reverse <= 1, got {self.sweeps}, {self.beta:g} and "
                f"{self.reverse:g}"
            )
        for name, kinds in (("acceptance", Acceptance), ("keep", Keep), ("numbers", Numbers)):
            if (given := getattr(self, name)) not in get_args(kinds):
                raise ConfigError(
                    f"metropolis: {name} {given!r} is not known; use {' or '.join(get_args(kinds))}"
                )
        if math.isfinite(self.beta) and (self.acceptance, self.keep, self.numbers) != (
            "heat-bath",
            "final",
            "exact",
        ):
            raise ConfigError(
                "sampling at a finite beta needs acceptance=heat-bath, keep=final and numbers=exact, got "
                f"{self.acceptance}, {self.keep} and {self.numbers}"
            )

    @property
    def claim(self) -> Claim:
        """Boltzmann at a finite beta, low energies otherwise."""
        return Claim.BOLTZMANN if math.isfinite(self.beta) else Claim.GROUND_STATE

    @property
    def schedule_kind(self) -> type:
        """Inverse temperatures."""
        return Annealing

    @property
    def split_invariant(self) -> bool:
        """True: sums do not depend on what else is in a tile."""
        return True

    @property
    def warm_start(self) -> bool:
        """A start is where the first sweep begins."""
        return True

    def suggest(self, graph: Graph, h: Floats) -> Schedule:
        """Return a constant `beta` where it is finite, else betas that rise by a constant factor.

        They run from 1 / σ to 10 / σ or 3 / J, whichever is hotter: σ the root mean square of what a spin feels among
        random others, √(h² + Σ_j J²), J that of the couplings. For ±1 that is 0.2–0.5 to 2–3 on sparse graphs, and
        1 / √n to 10 / √n on the complete graph of n spins. Of starts 0.25, 0.5 and 1 over σ and ends from 3 to 20
        over σ, that is the best or within 0.1 % of it in mean energy, on G22, G81, Chimera 16, WK2000_1 and sparse
        layered nets.
        """
        if math.isfinite(self.beta):
            return Annealing.constant(self.beta, self.sweeps)
        squares = float((graph.values.astype(np.float64) ** 2).sum())
        fields = float((h.astype(np.float64) ** 2).sum()) / max(1, len(h))
        sigma = math.sqrt((squares + fields) / max(1, graph.n))
        if sigma == 0:
            return Annealing.constant(1.0, self.sweeps)
        coldest = 3 / math.sqrt(squares / graph.values.size) if squares else math.inf
        return Annealing.geometric(1 / sigma, max(1 / sigma, min(10 / sigma, coldest)), self.sweeps)

    def run(self, task: Task) -> Outcome:
        """Run a task; see `SpinMachine.run`."""
        schedule = task.schedule
        assert isinstance(schedule, Annealing)
        backwards = task.nudged and task.start is not None
        if backwards:
            schedule = schedule.reverse(self.reverse)
        betas = schedule.array
        (b, n), reads = task.h.shape, task.reads
        spins = np.empty((b, reads, n), np.int8)
        trace = _Watch.over(len(betas), b) if task.trace else None
        used = []
        for part in whole_numbers(task.graph, task.h):
            keys = replica_keys(np.uint64(task.seed % 2**64), part.samples, reads)
            start = np.empty((len(keys), n), np.int8)
            if task.start is None:
                draw_spins(keys, 0, len(keys), start)
            else:
                start[:] = task.start[part.samples].reshape(-1, n)
            walk, kernel = self._walk(task.graph, part, keys, start, task.pool)
            used.append(f"{kernel}, {part.representation}")
            found = self._anneal(walk, part, start, betas, trace)
            spins[part.samples] = found.reshape(-1, reads, n)
        details = {
            "representation": "; ".join(used),
            "sweeps": len(betas),
            "betas": [float(betas[0]), float(betas[-1])],
            "turn_beta": float(betas[len(betas) // 2]) if backwards else None,
        }
        return Outcome(spins, details, None if trace is None else trace.finished())

    def _walk(
        self, graph: Graph, part: WholeNumbers, keys: Keys, start: Spins, pool: Pool
    ) -> tuple[Walk, str]:
        """Return the replicas on the kernel that is faster for them, and its name."""
        couplings = (graph.starts, graph.neighbours, part.values)
        dense = graph.density > _DENSE
        if self.numbers == "pooled" or len(keys) >= _LEAST_LANES[dense]:
            return ReplicaLanes(
                couplings, part.h, keys, start, pool, self.numbers == "pooled"
            ), "lanes"
        matrix = np.zeros((0, 0), part.values.dtype)
        if dense:
            matrix = np.zeros((graph.n, graph.n), part.values.dtype)
            matrix[np.repeat(np.arange(graph.n), np.diff(graph.starts)), graph.neighbours] = (
                part.values
            )
        return LocalFields(couplings, matrix, part.h, keys, start, pool), "local fields"

    def _anneal(
        self,
        walk: Walk,
        part: WholeNumbers,
        spins: Spins,
        betas: NDArray[np.float64],
        trace: "_Watch | None",
    ) -> Spins:
        """Run all sweeps from spins (R, n); return those to keep."""
        rule = METROPOLIS if self.acceptance == "metropolis" else HEAT_BATH
        scale = scales(betas, part.unit)
        everyone = np.ones(len(spins), np.bool_)
        if trace is None and self.keep == "final":
            walk.advance(0, len(betas), rule, scale)
            walk.read(everyone, spins)
            return spins
        best, lowest = spins.copy(), np.full(len(spins), np.iinfo(np.int64).max)
        for t in range(len(betas)):
            walk.advance(t, t + 1, rule, scale)
            twice = walk.twice_energies()
            lower = twice < lowest
            lowest[lower] = twice[lower]
            if self.keep == "best" and lower.any():
                walk.read(lower, best)
            if trace is not None:
                before = spins.copy()
                walk.read(everyone, spins)
                trace.note(t, part, twice, lowest, before != spins)
        if self.keep == "best":
            return best
        walk.read(everyone, spins)
        return spins


@dataclass(frozen=True, eq=False)
class _Watch:
    """What a trace holds, sweep by sweep, each array (sweeps, b)."""

    energy: NDArray[np.float64]
    best: NDArray[np.float64]
    accepted: NDArray[np.float64]

    @classmethod
    def over(cls, sweeps: int, batch: int) -> "_Watch":
        return cls(*np.zeros((3, sweeps, batch)))

    def note(
        self,
        sweep: int,
        part: WholeNumbers,
        twice: NDArray[np.int64],
        lowest: NDArray[np.int64],
        flips: NDArray[np.bool_],
    ) -> None:
        """Write down one sweep of some samples: twice the energies (R,), the lowest so far (R,), flips (R, n)."""
        rows, half = len(part.samples), part.unit / 2
        self.energy[sweep, part.samples] = half * twice.reshape(rows, -1).mean(axis=1)
        self.best[sweep, part.samples] = half * lowest.reshape(rows, -1).min(axis=1)
        self.accepted[sweep, part.samples] = flips.mean(axis=1).reshape(rows, -1).mean(axis=1)

    def finished(self) -> Trace:
        return Trace(self.energy, details={"best_energy": self.best, "acceptance": self.accepted})
