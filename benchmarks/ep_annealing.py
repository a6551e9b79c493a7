"""A batch of equilibrium propagation on spins: layered net, own fields per sample, against dwave-samplers.

    python benchmarks/ep_annealing.py [--density 0.1] [--samples 1000] [--sweeps 100] [--rounds 3] [--json]

512-256-64 units, a random share of the couplings between neighbouring layers present. One settle call for the batch on
our side; the peer gets a call per sample, betas given, on a tenth of the samples (its time is per sample). Process CPU
time on one thread, the sides taking turns, the least of all rounds counts. The peer's time follows the number of flips,
ours does not: `hot` stays where fields can be felt and learned from, `suggested` is ours, `published` the schedule of
Laydevant, Marković & Grollier (2024). Mean energies of the samples that both saw must agree within five errors.
`warm_call_ms` is one sample, one read and one sweep: what a call costs beside its arithmetic.
"""

import argparse
import json
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from dwave.samplers.sa.simulated_annealing import simulated_annealing

from isingeq.backend import SettleRequest
from isingeq.backends.annealing import neal
from isingeq.backends.metropolis import metropolis
from isingeq.couplings import Edges
from isingeq.problem import Problem
from isingeq.schedule import Annealing
from isingeq.units import Layer, Spin

SIZES = (512, 256, 64)


def make(density: float, samples: int) -> Problem:
    """Return the batch: couplings of the size that keeps fields near 1, fields as from inputs."""
    rng = np.random.default_rng(0)
    i, j, J, first = [], [], [], 0
    for p, q in pairwise(SIZES):
        a, b = np.nonzero(rng.random((p, q)) < density)
        i.append(a + first)
        j.append(b + first + p)
        J.append(rng.normal(0, 1 / np.sqrt(density * (p + q) / 2), a.size))
        first += p
    n = sum(SIZES)
    edges = Edges(n, np.concatenate(i), np.concatenate(j), np.concatenate(J))
    layers = tuple(Layer(f"layer{k}", size, Spin()) for k, size in enumerate(SIZES))
    return Problem(layers, (edges,), rng.normal(0, 0.5, (samples, n)))


def anneal_peer(problem: Problem, schedule: Annealing, samples: int, seed: int) -> np.ndarray:
    """Return the peer's energies (samples,), one read each."""
    i, j, J = (part.tolist() for part in problem.couplings[0].edges())
    h, betas = problem.fields[:samples].tolist(), list(schedule.betas)
    start = np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), (samples, 1, problem.n))
    found = [
        simulated_annealing(1, h[k], i, j, J, 1, betas, seed + k, start[k])[1]
        for k in range(samples)
    ]
    return np.concatenate(found)


def timed(work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Return seconds of process CPU, and the energies found."""
    started = time.process_time()
    energies = work()
    return time.process_time() - started, energies


def measure(problem: Problem, sweeps: int, rounds: int) -> dict[str, float]:
    """Return milliseconds of CPU per sample, ratios and differences of mean energies."""
    backend = metropolis(sweeps=sweeps)
    published = neal(sweeps=sweeps).suggest_schedule(problem)
    schedules = {
        "hot": Annealing.geometric(0.05, 1.0, sweeps),
        "suggested": backend.suggest_schedule(problem),
        "published": published,
    }
    seen = max(1, problem.batch // 10)
    out: dict[str, float] = {}

    def ours(schedule: Annealing, seed: int) -> np.ndarray:
        # Energies are worked out later, outside the time taken: the peer counts its own on the way.
        return backend.settle(SettleRequest(problem, schedule=schedule, seed=seed))

    ours(Annealing((1.0,)), 0)
    for name, schedule in schedules.items():
        mine, theirs, gaps = [], [], []
        for turn in range(rounds):
            used, answer = timed(lambda s=schedule, t=turn: ours(s, t))
            mine.append(1e3 * used / problem.batch)
            used, energies = timed(lambda s=schedule, t=turn: anneal_peer(problem, s, seen, 9 + t))
            theirs.append(1e3 * used / seen)
            gaps.append(answer.energies[:seen, 0] - energies)
        gap = np.concatenate(gaps)
        errors = float(gap.mean() / (gap.std() / np.sqrt(gap.size)))
        out[f"{name}_hot"], out[f"{name}_cold"] = schedule.betas[0], schedule.betas[-1]
        out[f"{name}_ms"], out[f"{name}_peer_ms"] = min(mine), min(theirs)
        out[f"{name}_ratio"] = min(theirs) / min(mine)
        out[f"{name}_gap_percent"] = float(100 * gap.mean() / abs(energies.mean()))
        out[f"{name}_gap_errors"] = errors
        assert abs(errors) < 5, f"{name}: mean energies are {errors:.1f} errors apart"
    one = problem.with_fields(problem.fields[:1].copy())
    request = SettleRequest(one, schedule=Annealing((1.0,)))
    backend.settle(request)
    calls = [timed(lambda: backend.settle(request))[0] for _ in range(300)]
    out["warm_call_ms"] = 1e3 * min(calls)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--density", type=float, default=0.1)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--sweeps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    out = measure(make(options.density, options.samples), options.sweeps, options.rounds)
    if options.json:
        print(json.dumps(out))
        return
    for key, value in out.items():
        print(f"{key:24}{value:12.3f}")


if __name__ == "__main__":
    main()
