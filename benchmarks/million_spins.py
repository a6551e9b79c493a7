"""What a sparse problem costs from ten thousand to a million spins: to build, to hold, and per sweep.

python benchmarks/million_spins.py [--sweeps 20] [--json]

King's graphs with couplings ±1, one read on one thread. Bytes are those that numpy and the kernels ask for
(tracemalloc), the edge list as it is handed over included; times are process CPU time. `settle` is the peak of a whole
call of the backend, states, energies and all.
"""

import argparse
import json
import time
import tracemalloc

import numpy as np
from kings_graph import kings_graph, problem_of

from isingeq.backend import SettleRequest
from isingeq.backends.metropolis import metropolis
from isingeq.schedule import Annealing

SIDES = (100, 316, 1000)


def settle_s(backend, problem, sweeps: int) -> float:
    """Process CPU seconds of one read."""
    started = time.process_time()
    schedule = Annealing.geometric(0.2, 3.0, sweeps)
    backend.settle(SettleRequest(problem, schedule=schedule))
    return time.process_time() - started


def measure(side: int, sweeps: int) -> dict[str, float]:
    """Seconds and bytes per spin of one size."""
    lists = kings_graph(side)
    n, m = lists[0], lists[1].size
    started = time.process_time()
    problem, backend = problem_of(*lists), metropolis()
    backend.suggest_schedule(problem)
    build_s = time.process_time() - started
    times = [
        settle_s(backend, problem, 3 * sweeps) - settle_s(backend, problem, sweeps)
        for _ in range(3)
    ]
    sweep_s = min(times) / (2 * sweeps)
    started = time.process_time()
    problem.energy(np.ones((1, 1, n), np.float32))
    energy_s = time.process_time() - started
    del problem, backend, lists

    tracemalloc.start()
    problem, backend = problem_of(*kings_graph(side)), metropolis()
    tracemalloc.reset_peak()  # making the list is the benchmark's, not the problem's
    problem = problem_of(n, *problem.couplings[0].edges())
    backend.suggest_schedule(problem)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    result = backend.settle(SettleRequest(problem, schedule=Annealing.geometric(0.2, 3.0, 2)))
    _, settle_peak = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    result.energies  # noqa: B018
    _, energy_peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {
        "spins": n, "edges": m, "build_s": build_s, "sweep_s": sweep_s, "sweep_ns_per_edge": 1e9 * sweep_s / m,
        "energy_s": energy_s, "kept_bytes_per_spin": kept / n, "build_peak_bytes_per_spin": peak / n,
        "settle_peak_bytes_per_spin": settle_peak / n, "energy_peak_bytes_per_spin": energy_peak / n,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweeps", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    measure(10, 2)  # code is loaded now
    rows = [measure(side, chosen.sweeps) for side in SIDES]
    if chosen.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print("  ".join(f"{key} {value:.4g}" for key, value in row.items()))


if __name__ == "__main__":
    main()
