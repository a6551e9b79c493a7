"""A job: one run in whole numbers, or a batch that is cut into runs.

Axes: `k` slots (samples), `n` spins, `m` couplings in canonical order, `l` legs.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer]


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One run: a slot per sample, all of them together.

    Attributes:
        couplings: of the edges among `n` spins, (m,).
        fields: (k, n).
        legs: of the schedule: gain first, gain last, sweeps; (l, 3).
        shift: power of two that gains are divided by.
        reads: rows per sample.
        seed: 32 bits.
        sample: number of the first sample, 32 bits.
        starts: ±1 (k, n), to start from or to hold clamped spins at.
        clamps: which spins are held, (n,).
        random: start from random spins; else from `starts`.
        slots_per_sample: of a batch whose reads start apart, each in a slot of its own.
    """

    couplings: Ints
    fields: Ints
    legs: Ints
    shift: int
    reads: int
    seed: int
    sample: int = 0
    starts: Ints | None = None
    clamps: NDArray[np.bool_] | None = None
    random: bool = True
    slots_per_sample: int = 1

    def part(self, first: int, last: int) -> "Job":
        """Return the slots from `first` to before `last`, with the sample numbers that they have here."""
        return replace(
            self,
            fields=self.fields[first:last],
            sample=self.sample + first,
            starts=None if self.starts is None else self.starts[first:last],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A job and where it goes.

    Attributes:
        job: as many slots.
        slot: the first of them.
        like: slot from which on others hold about the same; None where none do.
    """

    job: Job
    slot: int
    like: int | None = None

    @property
    def slots(self) -> range:
        """All slots it takes."""
        return range(self.slot, self.slot + len(self.job.fields))
