"""How time and memory of our own machines grow with spins, edges and replicas: a table, and a plot for the docs.

python benchmarks/scaling.py [--out docs/plots/scaling.png] [--json]

One thread, ±1 couplings, the schedules suggested at 100 to 1000 sweeps, process CPU time per sweep of the whole way
from hot to cold, least of three, less that of a settle of one sweep; memory is the peak of one settle (tracemalloc),
the problem itself left out. Replicas are reads of one sample.
"""

import argparse
import json
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from kings_graph import kings_graph, problem_of

from isingeq.backend import Backend, SettleRequest
from isingeq.backends.bifurcation import bifurcation
from isingeq.backends.metropolis import metropolis
from isingeq.problem import Problem
from isingeq.schedule import Annealing, Schedule

MACHINES: dict[str, Callable[[], Backend]] = {
    "metropolis": metropolis,
    "bifurcation": bifurcation,
}
WORK = 10_000_000
"""Couplings that a settle passes, sweeps and replicas together; 100 to 1000 sweeps."""

Row = dict[str, object]


def random_graph(n: int, degree: int) -> Problem:
    """Return n spins with about n · degree / 2 couplings ±1 at random places."""
    rng = np.random.default_rng(degree)
    ends = np.sort(rng.integers(0, n, (n * degree // 2, 2)), axis=1)
    keys = np.unique(ends[ends[:, 0] != ends[:, 1]] @ [n, 1])
    i, j = (keys // n).astype(np.int32), (keys % n).astype(np.int32)
    return problem_of(n, i, j, rng.choice([-1, 1], i.size).astype(np.float32))


def lengthened(schedule: Schedule | None, sweeps: int) -> Schedule:
    """Return the same way in that many sweeps."""
    if isinstance(schedule, Annealing):
        return Annealing.geometric(schedule.betas[0], schedule.betas[-1], sweeps)
    return replace(schedule, sweeps=sweeps)


def measure(backend: Backend, problem: Problem, reads: int) -> dict[str, float]:
    """Return seconds per sweep of all reads, and the megabytes of a settle."""
    suggested = backend.suggest_schedule(problem)

    def settle_s(sweeps: int) -> float:
        request = SettleRequest(problem, reads=reads, schedule=lengthened(suggested, sweeps))
        started = time.process_time()
        backend.settle(request)
        return time.process_time() - started

    settle_s(1)
    edges = problem.couplings[0].edges()[2].size
    sweeps = min(max(WORK // (edges * reads), 100), 1000)
    differences = [settle_s(sweeps) - settle_s(1) for _ in range(3)]
    tracemalloc.start()
    settle_s(1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"sweep_ms": 1e3 * min(differences) / (sweeps - 1), "megabytes": peak / 2**20}


def rows() -> list[Row]:
    """Measure all machines along all three axes."""
    out: list[Row] = []
    for name, opened in MACHINES.items():
        plan = [
            *(("spins", s * s, problem_of(*kings_graph(s)), 1) for s in (32, 100, 316, 1000)),
            *(("edges", None, random_graph(4000, d), 1) for d in (4, 16, 64, 256)),
            *(("replicas", r, problem_of(*kings_graph(64)), r) for r in (1, 4, 16, 64, 256)),
        ]
        for axis, value, problem, reads in plan:
            edges = problem.couplings[0].edges()[2].size
            found = measure(opened(), problem, reads)
            size = {"spins": problem.n, "edges": edges, "replicas": reads}
            out.append({"machine": name, "axis": axis, "value": value or edges, **size, **found})
    return out


def plot(found: list[Row], path: Path) -> None:
    """Draw time above memory, against each axis."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(2, 3, figsize=(9, 5), sharex="col", constrained_layout=True)
    titles = {
        "spins": "King's graph",
        "edges": "4000 spins",
        "replicas": "King's graph, 4096 spins",
    }
    for column, (axis, title) in enumerate(titles.items()):
        for name in MACHINES:
            mine = [row for row in found if (row["machine"], row["axis"]) == (name, axis)]
            for panel, key in zip(panels[:, column], ("sweep_ms", "megabytes"), strict=True):
                panel.loglog([r["value"] for r in mine], [r[key] for r in mine], "o-", label=name)
                panel.grid(alpha=0.3)
        panels[0, column].set_title(title)
        panels[1, column].set_xlabel(axis)
    panels[0, 0].set_ylabel("ms per sweep")
    panels[1, 0].set_ylabel("peak of a settle, MB")
    panels[0, 0].legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = rows()
    if chosen.out:
        plot(found, chosen.out)
    if chosen.json:
        print(json.dumps(found))
        return
    print(
        f"{'machine':12} {'axis':9} {'spins':>8} {'edges':>8} {'reads':>5} {'ms/sweep':>9} {'MB':>8}"
    )
    for r in found:
        print(
            f"{r['machine']:12} {r['axis']:9} {r['spins']:8} {r['edges']:8} {r['replicas']:5} "
            f"{r['sweep_ms']:9.4f} {r['megabytes']:8.2f}"
        )


if __name__ == "__main__":
    main()
