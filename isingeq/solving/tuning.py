"""A search for the schedule that solves soonest, within a budget, by successive halving.

Candidates are the backend's own schedule with other numbers of sweeps and, one at a time, other main factors: the scale
of the betas, or the time step and the feedback. All get the same time in a round; the better half goes on to the next.
Candidates and reads follow from the seed; what is chosen also hangs on the time that reads took.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Backend
from isingeq.errors import BackendError, CapabilityError, ConfigError
from isingeq.problem import Problem
from isingeq.schedule import Annealing, Drive, Schedule
from isingeq.solving.outcome import reached
from isingeq.solving.schedules import is_geometric
from isingeq.solving.solver import solve
from isingeq.solving.success import time_to_solution

_SWEEPS = (1.0, 0.5, 2.0, 0.25, 4.0, 0.125)
_FACTORS = (0.7, 1.4)
_MOST_READS = 256


@dataclass(eq=False)
class Trial:
    """A candidate and what its reads came to.

    Attributes:
        schedule: tried.
        energies: of its reads (reads,).
        cpu_s: processor time of all of them, as if all had run as many at a time as most did.
    """

    schedule: Annealing | Drive
    energies: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    cpu_s: float = 0.0

    @property
    def read_cpu_s(self) -> float:
        """Processor time per read."""
        return self.cpu_s / max(1, self.energies.size)

    def success_probability(self, target: float) -> float:
        """Share of reads that reached the target."""
        return float(reached(self.energies, target).mean())


@dataclass(frozen=True, eq=False)
class Tuned:
    """What tuning came to.

    Attributes:
        schedule: the best.
        trials: all candidates that were tried, best first.
        wall_s: time on the wall.
    """

    schedule: Schedule
    trials: tuple[Trial, ...]
    wall_s: float


def tune(
    problem: Problem,
    backend: Backend,
    *,
    budget_s: float,
    target_energy: float | None = None,
    seed: int = 0,
    stop: Callable[[], bool] = lambda: False,
) -> Tuned:
    """Search for the schedule with the least time to a target, or the lowest energy in equal time.

    Args:
        problem: spins, one sample.
        backend: to settle on.
        budget_s: seconds on the wall; one candidate is always tried.
        target_energy: to reach; None compares the lowest energies expected in equal time.
        seed: of all reads.
        stop: asked after each candidate; True ends the search.

    Raises:
        ConfigError: nothing to tune, or a budget that is not above 0.
    """
    if not budget_s > 0:
        raise ConfigError(f"a budget is a time above 0 s, got {budget_s:g}")
    started = time.perf_counter()
    alive = [Trial(schedule) for schedule in candidates(backend.suggest_schedule(problem))]
    rounds = max(1, math.ceil(math.log2(len(alive))))
    beaten: list[Trial] = []
    solve(problem, backend, reads=1, schedule=alive[0].schedule, seed=seed)  # code is loaded now

    def left_s() -> float:
        return budget_s - (time.perf_counter() - started)

    for number in range(rounds):
        share_s = left_s() / (rounds - number) / len(alive)
        for trial in list(alive):
            if (left_s() <= 0 or stop()) and any(t.energies.size for t in alive):
                break
            if not _read(trial, problem, backend, share_s, _seed(seed, number)):
                alive.remove(trial)
        if not alive:
            raise ConfigError(f"{backend.name} ran through none of the schedules tried")
        ranked = _ranked([t for t in alive if t.energies.size], target_energy)
        if left_s() <= 0 or stop():
            alive = ranked
            break
        alive, lost = ranked[: (len(ranked) + 1) // 2], ranked[(len(ranked) + 1) // 2 :]
        beaten = lost + beaten
    trials = (*alive, *beaten)
    return Tuned(trials[0].schedule, trials, time.perf_counter() - started)


def candidates(schedule: Schedule | None) -> list[Annealing | Drive]:
    """Return the schedules to try around a given one, which comes first.

    Raises:
        ConfigError: a schedule that has no sweeps.
    """
    if isinstance(schedule, Annealing):
        scaled = [schedule, *(_times(schedule, factor) for factor in _FACTORS)]
        return [_stretched(each, share) for each in scaled for share in _SWEEPS]
    if isinstance(schedule, Drive):
        varied = [schedule]
        for factor in _FACTORS:
            low, high = schedule.feedback
            varied.append(replace(schedule, dt=schedule.dt * factor))
            varied.append(replace(schedule, feedback=(low * factor, high * factor)))
        return [
            replace(each, sweeps=max(1, round(each.sweeps * share)))
            for each in varied
            for share in _SWEEPS
        ]
    raise ConfigError("this backend has no schedule with sweeps: there is nothing to tune")


def expected_lowest(energies: NDArray[np.float64], reads: int) -> float:
    """Return the mean over all choices of `reads` of these energies of the lowest among them."""
    ascending = np.sort(energies)
    n, k = ascending.size, min(reads, energies.size)
    place = np.arange(n - 1)
    # P(the lowest is at place i) is k/n times the chances that no place before was chosen.
    passed = np.clip((n - place - k) / np.maximum(n - place - 1, 1), 0.0, None)
    chance = k / n * np.concatenate([[1.0], np.cumprod(passed)])
    return float(chance @ ascending)


def _read(trial: Trial, problem: Problem, backend: Backend, share_s: float, seed: int) -> bool:
    """Make reads of a candidate for a share of the time; False where the machine refuses it."""
    try:
        found = solve(
            problem, backend, reads=_MOST_READS, budget_s=max(share_s, 1e-9),
            schedule=trial.schedule, seed=seed,
        )  # fmt: skip
    except (ConfigError, CapabilityError, BackendError):  # such as a time step beyond stability
        return False
    trial.energies = np.concatenate([trial.energies, found.energies])
    trial.cpu_s += found.read_cpu_s * found.reads
    return True


def _seed(seed: int, number: int) -> int:
    """Return the seed of a round: none that solving uses, or the choice would flatter itself."""
    return int(np.random.SeedSequence((seed, number), spawn_key=(1,)).generate_state(1)[0])


def _ranked(trials: list[Trial], target: float | None) -> list[Trial]:
    """Return trials, best first."""
    slot_s = max(trial.read_cpu_s for trial in trials)

    def score(trial: Trial) -> tuple[float, float]:
        read_s = max(trial.read_cpu_s, 1e-9)
        lowest = expected_lowest(trial.energies, max(1, round(slot_s / read_s)))
        if target is None:
            return math.inf, lowest
        tts = time_to_solution(trial.success_probability(target), read_s)
        return math.inf if tts is None else tts, lowest

    return sorted(trials, key=score)


def _times(schedule: Annealing, factor: float) -> Annealing:
    return _like(schedule, np.array(schedule.betas) * factor)


def _stretched(schedule: Annealing, share: float) -> Annealing:
    """Return the same way from first to last beta in another number of sweeps."""
    betas = schedule.array
    sweeps = max(1, round(betas.size * share))
    if sweeps == betas.size:
        return schedule
    at, ways = np.linspace(0, 1, sweeps), np.linspace(0, 1, betas.size)
    if (betas > 0).all():
        return _like(schedule, np.exp(np.interp(at, ways, np.log(betas))))
    return _like(schedule, np.interp(at, ways, betas))


def _like(schedule: Annealing, betas: NDArray[np.float64]) -> Annealing:
    """Return betas as a schedule, to the last bit a geometric one where the model is."""
    if is_geometric(schedule):
        return Annealing.geometric(float(betas[0]), float(betas[-1]), betas.size)
    return Annealing(tuple(betas.tolist()))
