"""Block Gibbs sampling: spins that do not feel each other are drawn at once, one colour of the graph after the other.

    E = Σ_i h_i s_i + Σ_(i<j) J_ij s_i s_j        f_i = h_i + Σ_j J_ij s_j        P(s_i = +1) = 1 / (1 + exp(2 β f_i))

Geman & Geman, IEEE Trans. Pattern Anal. Mach. Intell. 6, 721 (1984); the parallel form after Gonzalez, Low, Gretton &
Guestrin, AISTATS 2011. Colours come from first fit: a chain of layers has two, alternate layers being drawn together; a
complete graph has as many as spins, and each sweep then goes through them one by one.

`acceptance` "metropolis" flips s_i with probability min(1, exp(2 β s_i f_i)) instead, block by block. That anneals to
lower energies in equal sweeps, but in a fixed order it flips a spin without field at every sweep and never mixes it,
so only the heat bath samples.

Couplings are summed in whole numbers, each rounded to about 2^-21 of the largest of its spin, as float32 sums would be,
in one of two forms (`representation` in the details) that give the same spins: tables of four spins looked up by their
signs where couplings are dense, rows of neighbours elsewhere.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Claim
from isingeq.errors import ConfigError
from isingeq.kernels.sweeps import Chances
from isingeq.machines.block_sweeps import betas_of, plan, run_sweeps, suggest_betas
from isingeq.machines.graph import Graph
from isingeq.machines.spinning import Outcome, Task
from isingeq.schedule import Annealing, Schedule

Acceptance = Literal["heat-bath", "metropolis"]


def thermal_chances(
    betas: NDArray[np.float64], *, bath: bool = True, random_bits: int = 32
) -> Chances:
    """Return the chances of exact decisions at betas (sweeps,).

    Args:
        betas: inverse temperatures.
        bath: heat bath, else Metropolis.
        random_bits: leading bits kept of every random number.
    """
    scales = (2 / math.log(2) * betas).astype(np.float32)
    constants = np.array([bath, 2.0**-random_bits], np.float32)
    return Chances(scales, constants, 32 - random_bits, np.zeros(1, np.uint32))


@dataclass(frozen=True, slots=True)
class Gibbs:
    """Anneals spins, or samples them at one inverse temperature.

    Attributes:
        sweeps: of the suggested schedule.
        beta: finite to sample at this inverse temperature.
        acceptance: heat-bath or metropolis.
        reverse: how far along its schedule a nudged task with a start turns round when annealing; a sampler goes on at
            its beta from there.
    """

    sweeps: int = 100
    beta: float = math.inf
    acceptance: Acceptance = "heat-bath"
    reverse: float = 0.25
    schedule_kind: ClassVar[type] = Annealing
    split_invariant: ClassVar[bool] = True
    warm_start: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.sweeps < 1 or not self.beta >= 0 or not 0 <= self.reverse <= 1:
            raise ConfigError(
                f"gibbs needs sweeps >= 1, beta >= 0 and 0 <= reverse <= 1, got {self.sweeps}, {self.beta:g} and "
                f"{self.reverse:g}"
            )
        if self.acceptance not in ("heat-bath", "metropolis"):
            raise ConfigError(f"acceptance {self.acceptance!r} is not heat-bath or metropolis")
        if self.sampling and self.acceptance != "heat-bath":
            raise ConfigError(
                "sampling at a finite beta needs acceptance=heat-bath, got metropolis"
            )

    @property
    def sampling(self) -> bool:
        """True when states are to follow the Boltzmann distribution at `beta`."""
        return math.isfinite(self.beta)

    @property
    def claim(self) -> Claim:
        """Boltzmann at a finite beta, low energies otherwise."""
        return Claim.BOLTZMANN if self.sampling else Claim.GROUND_STATE

    def suggest(self, graph: Graph, h: NDArray[np.floating]) -> Schedule:
        """Return a constant `beta` where it is finite, else geometric betas; see `suggest_betas`."""
        if self.sampling:
            return Annealing.constant(self.beta, self.sweeps)
        return suggest_betas(graph, h, self.sweeps)

    def run(self, task: Task) -> Outcome:
        """Run a task; see `SpinMachine.run`."""
        betas, told = betas_of(task, reverse=1 if self.sampling else self.reverse)
        chances = thermal_chances(betas, bath=self.acceptance == "heat-bath")
        outcome = run_sweeps(task, plan(task.graph, "coloured", tables=True), chances)
        return Outcome(outcome.spins, {**told, **outcome.details}, outcome.trace)
