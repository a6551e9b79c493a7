"""Probabilistic bits: every spin follows the tanh of its input, against a random number, with the precision it has.

    I_i = −(h_i + Σ_j J_ij s_j)        s_i = sgn(tanh(β I_i) − r),   r uniform in (−1, 1)

Camsari, Faria, Sutton & Datta, Phys. Rev. X 7, 031014 (2017), eqs. 1 and 2, with their I = −∂E/∂s. One by one, or
colour by colour (Aadit et al., Nat. Electron. 5, 460 (2022)), this is Gibbs sampling. All at once, each from what the
others were before (`synchronous`), it is not: coupled spins follow each other and may swing between two states.

Finite precision, as digital p-bits have it; B = `tanh_bits`, half = 2^(B−1), X = `tanh_range`, R = `random_bits`:

    a = clip(rint(I · β half / X), ±(half − 1))                 address in the look-up table; |β I| beyond X saturates
    t = clip(rint(half · tanh(a X / half)), ±(half − 1)) / half               its entry, in steps of 1 / half
    r = (2 k + 1) / 2^R − 1,   k = 0 … 2^R − 1                  random number, in steps of 2 / 2^R, even about 0
    s = +1 where r < t, else −1

I is a sum of couplings in whole steps, about 2^−21 of a spin's largest, and β half / X is one float32. The table
never holds ±1: at full scale a p-bit still turns against its input with probability 2^−B or so, and freezes only
where R < B − 1. Annealers that cannot freeze end with some spins excited, and claim nothing. Bits of couplings belong
to calibration, not here.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Claim
from isingeq.errors import ConfigError
from isingeq.kernels.sweeps import Chances
from isingeq.machines.block_sweeps import Order, betas_of, plan, run_sweeps, suggest_betas
from isingeq.machines.gibbs import thermal_chances
from isingeq.machines.graph import Graph
from isingeq.machines.spinning import Outcome, Task
from isingeq.schedule import Annealing, Schedule

FINE = 8
"""Bits of the random numbers from which on annealing still claims low energies."""


def tanh_table(bits: int, span: float) -> NDArray[np.int64]:
    """Return half · t of all addresses −(half − 1) … half − 1, half = 2^(bits − 1); `span` is X."""
    half = 2 ** (bits - 1)
    a = np.arange(1 - half, half)
    return np.rint(half * np.tanh(a * (span / half))).astype(np.int64).clip(1 - half, half - 1)


def counts_below(table: NDArray[np.int64], bits: int, random_bits: int) -> NDArray[np.uint32]:
    """Return how many of the 2^random_bits random numbers lie below each entry of a table of `bits` bits."""
    half = 2 ** (bits - 1)
    # (2 k + 1) / 2^R − 1 < table / half, solved for k.
    return (-((half - ((table + half) << random_bits)) // (2 * half))).astype(np.uint32)


@dataclass(frozen=True, slots=True)
class PBit:
    """Anneals p-bits, or lets them fluctuate at one inverse temperature.

    Attributes:
        sweeps: of the suggested schedule.
        beta: finite to stay at this inverse temperature.
        order: coloured, sequential or synchronous.
        tanh_bits: of the look-up table, in and out, 2 to 16; 0 for an exact tanh.
        tanh_range: largest |β I| that the table tells apart, without a unit.
        random_bits: of the random numbers, 1 to 32; 0 for all 32.
        reverse: how far along its schedule a nudged task with a start turns round when annealing; at a finite beta it
            goes on from there.
    """

    sweeps: int = 100
    beta: float = math.inf
    order: Order = "coloured"
    tanh_bits: int = 0
    tanh_range: float = 4.0
    random_bits: int = 0
    reverse: float = 0.25
    schedule_kind: ClassVar[type] = Annealing
    split_invariant: ClassVar[bool] = True
    warm_start: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.sweeps < 1 or not self.beta >= 0 or not 0 <= self.reverse <= 1:
            raise ConfigError(
                f"p-bit needs sweeps >= 1, beta >= 0 and 0 <= reverse <= 1, got {self.sweeps}, {self.beta:g} and "
                f"{self.reverse:g}"
            )
        if self.order not in get_args(Order):
            raise ConfigError(f"order {self.order!r} is not {', '.join(get_args(Order))}")
        if self.tanh_bits not in (0, *range(2, 17)) or not 0 <= self.random_bits <= 32:
            raise ConfigError(
                "p-bit takes tanh_bits 0 or 2 to 16 and random_bits 0 to 32, got "
                f"{self.tanh_bits} and {self.random_bits}"
            )
        if not 0 < self.tanh_range < math.inf:
            raise ConfigError(f"tanh_range {self.tanh_range:g} must be above 0 and finite")

    @property
    def sampling(self) -> bool:
        """True when p-bits stay at `beta`."""
        return math.isfinite(self.beta)

    @property
    def claim(self) -> Claim:
        """Boltzmann where nothing is rounded; low energies where p-bits freeze in the end; else nothing."""
        random_bits = self.random_bits or 32
        if self.order == "synchronous":
            return Claim.NONE
        if self.sampling:
            return Claim.NONE if self.tanh_bits or random_bits < 32 else Claim.BOLTZMANN
        freezes = not self.tanh_bits or random_bits < self.tanh_bits - 1
        return Claim.GROUND_STATE if freezes and random_bits >= FINE else Claim.NONE

    def suggest(self, graph: Graph, h: NDArray[np.floating]) -> Schedule:
        """Return a constant `beta` where it is finite, else geometric betas; see `suggest_betas`."""
        if self.sampling:
            return Annealing.constant(self.beta, self.sweeps)
        return suggest_betas(graph, h, self.sweeps)

    def run(self, task: Task) -> Outcome:
        """Run a task; see `SpinMachine.run`."""
        betas, told = betas_of(task, reverse=1 if self.sampling else self.reverse)
        rounded, random_bits = self.tanh_bits > 0, self.random_bits or 32
        chances = thermal_chances(betas, random_bits=random_bits)
        if rounded:
            half = 2 ** (self.tanh_bits - 1)
            table = counts_below(
                tanh_table(self.tanh_bits, self.tanh_range), self.tanh_bits, random_bits
            )
            # The kernel's field is −I.
            scales = (betas * (-half / self.tanh_range)).astype(np.float32)
            constants = np.array([half - 1, 0], np.float32)
            chances = Chances(scales, constants, 32 - random_bits, table)
        order = plan(task.graph, self.order, tables=not rounded)
        outcome = run_sweeps(task, order, chances, lookup=rounded)
        return Outcome(outcome.spins, {**told, **outcome.details}, outcome.trace)
