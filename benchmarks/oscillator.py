"""Oscillator Ising machine: share of the time that its matrix products take, cuts found, and phases that settle.

    python benchmarks/oscillator.py --instances DIR [--reads 128] [--sweeps 1000] [--rounds 5] [--json]

DIR holds WK2000_1_upper_bits.npy: bits of w > 0 over the upper triangle, row by row. E = Σ w s s,
cut = (Σ w − E) / 2, best known 33337. The bound is the time of the products alone, cosines and sines
of all reads as columns of one product per step, taken in turns with the whole; both are process CPU
time on one thread, least of the rounds. The layered network is 784-512-10 with its inputs as fields,
1000 samples.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
from complete_graph import unpacked

from isingeq.backend import SettleRequest
from isingeq.backends.oscillator import oscillator, xy
from isingeq.couplings import Cosine, Dense, Edges
from isingeq.problem import Problem
from isingeq.units import Layer, Phase, Spin

BEST_KNOWN = 33337


def seconds(work, rounds: int = 1) -> float:
    """Return the least CPU time of some rounds."""
    least = np.inf
    for _ in range(rounds):
        started = time.process_time()
        work()
        least = min(least, time.process_time() - started)
    return least


def bound(problem: Problem, reads: int, rounds: int) -> dict[str, float]:
    """Return seconds per step of the machine and of its products alone."""
    short, long = (oscillator(sweeps=sweeps) for sweeps in (2, 12))
    request = SettleRequest(problem, reads=reads)
    n = problem.n
    J = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), (n, n))
    width = min(128, reads)
    z, g = np.ones((n, 2 * width), np.float32), np.empty((n, 2 * width), np.float32)
    least = {"short": np.inf, "long": np.inf, "products": np.inf}
    work = {
        "short": lambda: short.settle(request),
        "long": lambda: long.settle(request),
        "products": lambda: [np.matmul(J, z, out=g) for _ in range(10 * reads // width)],
    }
    short.settle(request)
    for _ in range(rounds):
        least = {name: min(least[name], seconds(work[name])) for name in work}
    step, products = (least["long"] - least["short"]) / 10, least["products"] / 10
    return {
        "step_s": step,
        "products_s": products,
        "share_of_bound": products / step,
        "gflops_of_products": 4 * n * n * reads / products / 1e9,
    }


def cuts(problem: Problem, total: int, reads: int, sweeps: int, seed: int) -> dict[str, float]:
    """Return the cuts of one settle."""
    backend = oscillator(sweeps=sweeps)
    started = time.process_time()
    answer = backend.settle(SettleRequest(problem, reads=reads, seed=seed))
    cut = (total - answer.energies[0]) / 2
    return {
        "best_cut": float(cut.max()),
        "mean_cut": float(cut.mean()),
        "best_below_best_known": float(1 - cut.max() / BEST_KNOWN),
        "cpu_s": time.process_time() - started,
    }


def layered(rounds: int) -> list[dict[str, object]]:
    """Return microseconds per sample and step on 784-512-10, and steps to settle."""
    rng = np.random.default_rng(0)
    weights = rng.uniform(-0.11, 0.11, (512, 10)).astype(np.float32)
    fields = np.zeros((1000, 522, 2), np.float32)
    fields[:, :512] = rng.normal(0, 1, (1000, 512, 2))
    problem = Problem(
        (Layer("hidden", 512, Phase()), Layer("output", 10, Phase())),
        (Cosine(Dense((0, 512), (512, 522), weights)),),
        fields,
    )
    rows = []
    for backend in (oscillator(readout="phase"), xy()):

        def settle(steps: int, tolerance: float = 0.0, backend=backend):
            return backend.settle(SettleRequest(problem, max_steps=steps, tolerance=tolerance))

        settle(1)
        per_step = seconds(lambda: settle(41), rounds) - seconds(lambda: settle(1), rounds)
        steps = settle(3000, 1e-3).steps
        rows.append(
            {
                "backend": backend.name,
                "us_per_sample_and_step": per_step / 40 / 1000 * 1e6,
                "us_per_sample_of_20_steps": seconds(lambda: settle(20), rounds) / 1000 * 1e6,
                "median_steps_to_1e-3": float(np.median(steps)),
                "most_steps_to_1e-3": int(steps.max()),
            }
        )
    return rows


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=Path, required=True)
    parser.add_argument("--reads", type=int, default=128)
    parser.add_argument("--sweeps", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    n, i, j, w = unpacked(np.load(chosen.instances / "WK2000_1_upper_bits.npy"))
    edges = Edges(n, i, j, w.astype(np.float32))
    problem = Problem((Layer("spins", n, Spin()),), (edges,), np.zeros((1, n)))
    figures = {
        "load": os.getloadavg()[0],
        "reads": chosen.reads,
        "sweeps": chosen.sweeps,
        **bound(problem, chosen.reads, chosen.rounds),
        **cuts(problem, int(w.sum(dtype=int)), chosen.reads, chosen.sweeps, chosen.seed),
    }
    rows = layered(chosen.rounds)
    if chosen.json:
        print(json.dumps({"WK2000_1": figures, "784-512-10": rows}))
        return
    print("WK2000_1")
    for name, value in figures.items():
        print(f"  {name:24}{value:.4g}" if isinstance(value, float) else f"  {name:24}{value}")
    for row in rows:
        print(
            "784-512-10",
            *(f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()),
        )


if __name__ == "__main__":
    main()
