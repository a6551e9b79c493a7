"""What a second thread gives: the same settle on one thread and on two, alternated, wall time.

    python benchmarks/two_threads.py --instances DIR

Each row is a whole call, with its checks, random numbers and energies; states must agree bit for bit
where the backend is split invariant. Wall time means something on a quiet machine only: the load is printed.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
from complete_graph import unpacked

from isingeq.backend import SettleRequest
from isingeq.couplings import Edges
from isingeq.problem import Problem
from isingeq.registry import open_backend
from isingeq.solving import read_problem
from isingeq.units import Layer, Spin

ROWS = (
    ("WK2000_1", "bifurcation?sweeps=1000", 64),
    ("WK2000_1", "bifurcation?variant=ballistic&sweeps=200", 64),
    ("WK2000_1", "coherent?sweeps=100", 64),
    ("WK2000_1", "oscillator?sweeps=30", 512),
    ("G22", "metropolis?sweeps=500", 256),
    ("G22", "metropolis?sweeps=1000&numbers=pooled", 512),
    ("G22", "coherent?sweeps=500", 64),
    ("G22", "gibbs?sweeps=300", 256),
    ("G22", "bifurcation?sweeps=1000", 64),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    n, i, j, w = unpacked(np.load(options.instances / "WK2000_1_upper_bits.npy"))
    edges = Edges(n, i, j, w.astype(np.float32))
    problems = {
        "WK2000_1": Problem((Layer("spins", n, Spin()),), (edges,), np.zeros((1, n))),
        "G22": read_problem(options.instances / "G22.txt.gz"),
    }
    rows = []
    for name, spec, reads in ROWS:
        problem, times, states = problems[name], {1: [], 2: []}, {}
        opened = {t: open_backend(f"{spec}&threads={t}") for t in (1, 2)}
        schedule = opened[1].suggest_schedule(problem)
        for _ in range(options.rounds + 1):
            for t, backend in opened.items():
                request = SettleRequest(problem, reads=reads, schedule=schedule, seed=1)
                started = time.perf_counter()
                states[t] = backend.settle(request).states
                times[t].append(time.perf_counter() - started)
        same = bool(np.array_equal(states[1], states[2]))
        assert same or not opened[1].capabilities.split_invariant, (name, spec)
        one, two = (float(np.median(times[t][1:])) for t in (1, 2))
        least = min(times[1][1:]) / min(times[2][1:])
        rows.append({"instance": name, "backend": spec, "reads": reads, "one_s": one, "two_s": two,
                     "ratio": one / two, "ratio_of_least": least, "same_states": same})  # fmt: skip
        if not options.json:
            print(f"{name:9s} {spec:45s} {reads:4d} reads  {one:.3f} s  {two:.3f} s  "
                  f"{one / two:.2f}x (least {least:.2f}x)", flush=True)  # fmt: skip
        for backend in opened.values():
            backend.close()
    load = os.getloadavg()[0]
    print(json.dumps({"load": load, "rows": rows}) if options.json else f"load {load:.1f}")


if __name__ == "__main__":
    main()
