"""The loop that solves: reads in growing chunks until the target, the budget or the number of reads is met.

Chunks hold 1, 1, 2, 4, 8, … reads up to a most that depends on the number of spins alone, and each has a seed that
follows from the seed of the call and its first read. So a target, a budget or another number of reads changes how many
reads are made, and never which: the first N are the same.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Backend, Equilibrium, SettleRequest
from isingeq.errors import CapabilityError, ConfigError
from isingeq.problem import Problem
from isingeq.schedule import Schedule
from isingeq.solving.lowest import Lowest
from isingeq.solving.maxcut import total_weight
from isingeq.solving.outcome import Solution, Stopped, reached

_MOST_READS = 1024
_LEAST_MOST = 16
_MOST_SPINS = 2**24
"""Spins of a chunk, all reads together: 64 MB of states in single precision."""
_SLICE_SPINS = 2**18
"""Spins whose energies are summed at a time: in double precision they fit into a cache."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call is.

    Attributes:
        done: reads made.
        reads: reads wanted.
        best_energy: lowest so far.
        elapsed_s: time on the wall.
    """

    done: int
    reads: int
    best_energy: float
    elapsed_s: float


def solve(
    problem: Problem,
    backend: Backend,
    *,
    reads: int = 100,
    target_energy: float | None = None,
    budget_s: float = math.inf,
    full_reads: bool = False,
    keep: int = 1,
    schedule: Schedule | None = None,
    seed: int = 0,
    stop: Callable[[], bool] = lambda: False,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Solution:
    """Read a backend until a target is met, a budget spent or all reads made.

    Args:
        problem: spins, one sample.
        backend: to settle on.
        reads: most reads.
        target_energy: to stop at; None makes all reads.
        budget_s: seconds on the wall; at least one read is made.
        full_reads: make all reads even where the target is reached, for an unbiased success probability.
        keep: number of lowest distinct states to keep; a state and its flip are one where there are no fields.
        schedule: every read follows it; None asks the backend once.
        seed: of all reads.
        stop: asked after each chunk; True ends the call.
        watch: told after each chunk.

    Raises:
        ConfigError: counts below 1, a budget that is not above 0, a target that is not finite.
        CapabilityError: units other than spins, more than one sample, or a backend that cannot hold the problem.
    """
    _check(problem, reads, target_energy, budget_s, keep, seed)
    started, cpu_started = time.perf_counter(), time.process_time()
    schedule = schedule if schedule is not None else backend.suggest_schedule(problem)
    request = SettleRequest(problem, schedule=schedule, seed=seed)
    lowest = Lowest(keep, not problem.fields.any())
    chunks: list[_Chunk] = []
    stopped: Stopped = "reads"
    for first, size in _plan(problem.n, reads):
        left = budget_s - (time.perf_counter() - started)
        affordable = _affordable(chunks, size, left)
        if not affordable:
            stopped = "budget"
            break
        chunk = _run(backend, replace(request, reads=affordable, seed=_seed(seed, first)), lowest)
        chunks.append(chunk)
        energies = np.concatenate([c.energies for c in chunks])
        watch(Progress(energies.size, reads, energies.min(), time.perf_counter() - started))
        hit = target_energy is not None and bool(reached(chunk.energies, target_energy).any())
        if hit and not full_reads:
            stopped = "target"
        elif chunk.complete or energies.size == reads:
            stopped = "reads"
        elif stop():
            stopped = "interrupted"
        elif affordable < size:
            stopped = "budget"
        else:
            continue
        break
    largest = max(chunks[1:] or chunks, key=lambda c: c.energies.size)
    state_energies, states = lowest.arrays()
    weight = total_weight(problem)
    return Solution(
        backend=backend.name,
        energies=np.concatenate([c.energies for c in chunks]),
        states=states,
        state_energies=state_energies,
        target=target_energy,
        stopped=stopped,
        full_reads=full_reads,
        seed=seed,
        schedule=schedule,
        cpu_s=time.process_time() - cpu_started,
        wall_s=time.perf_counter() - started,
        read_cpu_s=largest.cpu_s / largest.energies.size,
        read_wall_s=largest.wall_s / largest.energies.size,
        weight=None if weight is None else weight + problem.offset,
        provenance=chunks[0].provenance,
    )


@dataclass(frozen=True, eq=False)
class _Chunk:
    """Energies (r,) of reads made at a time, and their cost; complete when there is nothing more to read."""

    energies: NDArray[np.float64]
    cpu_s: float
    wall_s: float
    complete: bool
    provenance: dict[str, object]


def _run(backend: Backend, request: SettleRequest, lowest: Lowest) -> _Chunk:
    """Make the reads of one chunk."""
    started, cpu_started = time.perf_counter(), time.process_time()
    result = backend.settle(request)
    states, complete = result.states[0], result.weights is not None
    energies = _energies(result)
    lowest.add(energies, states)
    if complete:  # all states there are: one read, which cannot fail
        energies = energies.min(keepdims=True)
    told = result.provenance.as_dict()
    for known in ("schedule", "seed", "backend"):
        told.pop(known, None)
    cpu_s, wall_s = time.process_time() - cpu_started, time.perf_counter() - started
    return _Chunk(energies, cpu_s, wall_s, complete, told)


def _energies(result: Equilibrium) -> NDArray[np.float64]:
    """Return energies (r,) in float64, a few reads at a time."""
    problem, states = result.request.problem, result.states
    step = max(1, _SLICE_SPINS // problem.n)
    parts = [problem.energy(states[:, k : k + step])[0] for k in range(0, states.shape[1], step)]
    return np.concatenate(parts)


def _plan(n: int, reads: int) -> Iterator[tuple[int, int]]:
    """Yield the first read and the number of reads of every chunk."""
    most = min(max(_MOST_SPINS // n, _LEAST_MOST), _MOST_READS)
    first = 0
    while first < reads:
        size = min(max(first, 1), most, reads - first)
        yield first, size
        first += size


def _affordable(chunks: list[_Chunk], size: int, left_s: float) -> int:
    """Return how many of the next reads fit into what is left; the first is always made.

    The first chunk may have waited for code to load, so what it took says nothing about the second.
    """
    if not chunks:
        return size
    if left_s <= 0:
        return 0
    if len(chunks) == 1 or math.isinf(left_s):
        return size
    read_s = min(c.wall_s / c.energies.size for c in chunks[1:])
    return min(size, int(left_s / read_s)) if read_s > 0 else size


def _seed(seed: int, first: int) -> int:
    """Return the seed of the chunk that begins with read `first`."""
    return int(np.random.SeedSequence((seed, first)).generate_state(1, np.uint64)[0] >> 2)


def _check(
    problem: Problem, reads: int, target: float | None, budget_s: float, keep: int, seed: int
) -> None:
    if extra := {layer.unit.kind for layer in problem.layers} - {"spin"}:
        raise CapabilityError(f"only spins are solved for, not {', '.join(sorted(extra))} units")
    if problem.batch != 1:
        raise CapabilityError(f"one sample is solved at a time, this problem has {problem.batch}")
    if reads < 1 or keep < 1 or seed < 0:
        raise ConfigError(
            f"solving needs reads >= 1, keep >= 1 and seed >= 0, got {reads}, {keep} and {seed}"
        )
    if not budget_s > 0:
        raise ConfigError(f"a budget is a time above 0 s, got {budget_s:g}")
    if target is not None and not math.isfinite(target):
        raise ConfigError(f"a target is a finite number, got {target:g}")
