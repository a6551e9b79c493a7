"""What solving a problem comes to."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isingeq.schedule import Schedule
from isingeq.solving.schedules import schedule_words
from isingeq.solving.success import interval, time_to_solution

Stopped = Literal["target", "budget", "reads", "interrupted"]

ROUNDING = 1e-9
"""Of the larger of 1 and |target|: how far above its target an energy may lie and still have reached it."""


@dataclass(frozen=True, eq=False)
class Solution:
    """The lowest states found, and what they took.

    Attributes:
        backend: SPEC of the backend.
        energies: of every read, in the order drawn (reads,).
        states: the lowest ones, ±1 int8, lowest first (k, n).
        state_energies: of them (k,).
        target: energy asked for, None where nothing was.
        stopped: why no more reads were made.
        full_reads: reads went on past the target, as an unbiased success probability needs it.
        seed: of all reads.
        schedule: that every read followed.
        cpu_s: processor time of all threads.
        wall_s: time on the wall.
        read_cpu_s: processor time per read where most reads ran at a time.
        read_wall_s: time on the wall, likewise.
        weight: Σ w less the problem's constant, so that cut = (weight − E) / 2; None where there are fields.
        provenance: of the first reads.
    """

    backend: str
    energies: NDArray[np.float64]
    states: NDArray[np.int8]
    state_energies: NDArray[np.float64]
    target: float | None
    stopped: Stopped
    full_reads: bool
    seed: int
    schedule: Schedule | None
    cpu_s: float
    wall_s: float
    read_cpu_s: float
    read_wall_s: float
    weight: float | None
    provenance: Mapping[str, object]

    @property
    def reads(self) -> int:
        """Number of reads made."""
        return self.energies.size

    @property
    def best_energy(self) -> float:
        """Lowest energy found."""
        return float(self.energies.min())

    @property
    def mean_energy(self) -> float:
        """Mean over reads."""
        return float(self.energies.mean())

    @property
    def best_cut(self) -> float | None:
        """Largest cut found, None where there are fields."""
        return self.cut(self.best_energy)

    def cut(self, energy: float | None) -> float | None:
        """Return the cut that an energy stands for."""
        if self.weight is None or energy is None:
            return None
        return (self.weight - energy) / 2

    @cached_property
    def hits(self) -> int:
        """Reads that reached the target, or the best energy where there was none."""
        return int(reached(self.energies, self.target).sum())

    @property
    def success_probability(self) -> float:
        """Share of reads that reached the target; too high where reads stopped at it."""
        return self.hits / self.reads

    @property
    def success_interval(self) -> tuple[float, float]:
        """95 % confidence interval of the success probability."""
        return interval(self.hits, self.reads)

    @property
    def tts99_s(self) -> float | None:
        """Processor time until a success has been seen with a probability of 99 %; None where none was seen."""
        return time_to_solution(self.success_probability, self.read_cpu_s)

    @property
    def tts99_s_at_least(self) -> float | None:
        """Lower end of its confidence interval."""
        return time_to_solution(self.success_interval[1], self.read_cpu_s)

    def as_dict(self) -> dict[str, object]:
        """Return plain data for JSON, without the states."""
        return {
            "best_energy": self.best_energy,
            "best_cut": self.best_cut,
            "mean_energy": self.mean_energy,
            "success_probability": self.success_probability,
            "success_interval": list(self.success_interval),
            "success_means": "best energy found" if self.target is None else "target reached",
            "biased": self.stopped == "target",
            "tts99_s": self.tts99_s,
            "tts99_s_at_least": self.tts99_s_at_least,
            "tts99_wall_s": time_to_solution(self.success_probability, self.read_wall_s),
            "cpu_s": self.cpu_s,
            "wall_s": self.wall_s,
            "read_cpu_s": self.read_cpu_s,
            "reads": self.reads,
            "target": self.target,
            "target_cut": self.cut(self.target),
            "stopped": self.stopped,
            "full_reads": self.full_reads,
            "seed": self.seed,
            "backend": self.backend,
            "schedule": schedule_words(self.schedule),
            "provenance": dict(self.provenance),
        }


def reached(energies: NDArray[np.float64], target: float | None) -> NDArray[np.bool_]:
    """Return which energies are as low as the target, or as the lowest of them where there is none."""
    goal = float(energies.min()) if target is None else target
    return energies <= goal + ROUNDING * max(1.0, abs(goal))
