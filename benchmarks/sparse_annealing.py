"""Annealing of ±1 couplings on sparse graphs: our replicas against dwave-samplers, at equal sweeps and betas.

    python benchmarks/sparse_annealing.py --instances DIR [--reads 256] [--sweeps 1000] [--rounds 3] [--json]

DIR holds G22.txt.gz and G81.txt.gz (G-set format) and a chimera16_*.npz with n, i, j, w. Process CPU time on one
thread, the sides taking turns, the least of all rounds counts. `exact` draws a random number for every replica, sweep
and spin, `pooled` shares thresholds between reads, `single` is one read. Rates are in millions of proposed flips per
second of CPU; the peer anneals fewer reads where 256 would take minutes. Mean energies must agree within 0.05 % or
three errors.
"""

import argparse
import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from dwave.samplers.sa.simulated_annealing import simulated_annealing

from isingeq.backend import SettleRequest
from isingeq.backends.metropolis import metropolis
from isingeq.couplings import Edges
from isingeq.problem import Problem
from isingeq.schedule import Annealing
from isingeq.units import Layer, Spin

HOT, COLD = 0.2, 3.0
PEER_UPDATES = 1.3e9
"""Most proposed flips of the peer per round."""


def read_instances(folder: Path) -> dict[str, Problem]:
    """Return the instances by name."""
    found = {}
    for name in ("G22", "G81"):
        with gzip.open(folder / f"{name}.txt.gz", "rt") as lines:
            n = int(lines.readline().split()[0])
            i, j, J = np.loadtxt(lines, dtype=np.int64).T
        found[name] = problem_of(n, i - 1, j - 1, J)
    (path,) = folder.glob("chimera16_*.npz")
    with np.load(path) as data:
        found["Chimera 16"] = problem_of(int(data["n"]), data["i"], data["j"], data["w"])
    return found


def problem_of(n: int, i: np.ndarray, j: np.ndarray, J: np.ndarray) -> Problem:
    i, j = np.minimum(i, j).astype(np.intp), np.maximum(i, j).astype(np.intp)
    edges = Edges(n, i, j, J.astype(np.float64))
    return Problem((Layer("spins", n, Spin()),), (edges,), np.zeros((1, n)))


def timed(work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Return seconds of process CPU, and the energies found."""
    started = time.process_time()
    energies = work()
    return time.process_time() - started, energies


def anneal_peer(problem: Problem, schedule: Annealing, reads: int, seed: int) -> np.ndarray:
    """Return the peer's energies (reads,)."""
    (edges,) = problem.couplings
    i, j, J = (part.tolist() for part in edges.edges())
    start = np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), (reads, problem.n))
    betas, h = list(schedule.betas), [0.0] * problem.n
    return np.array(simulated_annealing(reads, h, i, j, J, 1, betas, seed, start)[1])


def measure(problem: Problem, reads: int, sweeps: int, rounds: int) -> dict[str, float]:
    """Return rates, ratios and differences of mean energies for one instance."""
    schedule = Annealing.geometric(HOT, COLD, sweeps)
    peer_reads = max(1, min(reads, int(PEER_UPDATES / (sweeps * problem.n))))
    backends = {numbers: metropolis(numbers=numbers) for numbers in ("exact", "pooled")}
    counts = {"peer": peer_reads, "exact": reads, "pooled": reads, "single": 1, "peer single": 1}
    seconds, energies = {key: [] for key in counts}, {key: [] for key in counts}

    def ours(numbers: str, count: int, seed: int) -> np.ndarray:
        request = SettleRequest(problem, reads=count, schedule=schedule, seed=seed)
        return backends[numbers].settle(request).energies[0]

    for numbers in backends:
        ours(numbers, 5, 0)  # compiles, and prepares the graph
    ours("exact", 1, 0)
    for turn in range(rounds):
        for key, count in counts.items():
            if key.startswith("peer"):
                used, found = timed(
                    lambda c=count, t=turn: anneal_peer(problem, schedule, c, 7 + t)
                )
            else:
                numbers = "pooled" if key == "pooled" else "exact"
                used, found = timed(lambda m=numbers, c=count, t=turn: ours(m, c, t))
            seconds[key].append(used)
            energies[key].append(found)
    out: dict[str, float] = {}
    for key, count in counts.items():
        name = key.replace(" ", "_")
        out[f"{name}_rate"] = count * problem.n * sweeps / min(seconds[key]) / 1e6
    theirs = np.concatenate(energies["peer"])
    for key in ("exact", "pooled"):
        mine = np.concatenate(energies[key])
        error = 100 * np.hypot(mine.std() / mine.size**0.5, theirs.std() / theirs.size**0.5)
        gap = 100 * (mine.mean() - theirs.mean()) / abs(theirs.mean())
        error /= abs(theirs.mean())
        out[f"{key}_ratio"] = out[f"{key}_rate"] / out["peer_rate"]
        out[f"{key}_gap_percent"], out[f"{key}_error_percent"] = float(gap), float(error)
        assert abs(gap) < max(0.05, 3 * error), f"{key}: mean energies differ by {gap:.3f} %"
    out["single_ratio"] = out["single_rate"] / out["peer_single_rate"]
    out["mean_energy"], out["best_energy"] = (
        float(theirs.mean()),
        float(min(map(np.min, energies["exact"]))),
    )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--instances", type=Path, required=True)
    parser.add_argument("--reads", type=int, default=256)
    parser.add_argument("--sweeps", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = {
        name: measure(problem, options.reads, options.sweeps, options.rounds)
        for name, problem in read_instances(options.instances).items()
    }
    if options.json:
        print(json.dumps(results))
        return
    for name, row in results.items():
        print(name)
        for key, value in row.items():
            print(f"  {key:24}{value:14.3f}")


if __name__ == "__main__":
    main()
