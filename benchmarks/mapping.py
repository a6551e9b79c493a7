"""What the layers between a network and a chip cost, as a share of a settle.

A King's graph of 40 × 50 spins, couplings of 8 bits and fields of 12, gains and offsets known: 1,000 samples, 1 read,
100 sweeps of Metropolis. All layers stand over it. Settles alternate between free and nudged, as in training, and
couplings change with each free one; time is process CPU time, that of the chip taken off inside of the same settle.

python benchmarks/mapping.py [--sweeps 100] [--gauges 1] [--layers]
"""

import argparse
import json
import time
from collections import defaultdict
from dataclasses import replace

import numpy as np

from calibration import Corrections, Limits, MappingOptions, mapped
from isingeq.backend import Backend, SettleRequest
from isingeq.backends.metropolis import metropolis
from isingeq.connectivity import Connectivity
from isingeq.couplings import Edges
from isingeq.problem import Problem
from isingeq.schedule import Annealing
from isingeq.terms import LinearNudge
from isingeq.units import Layer, Spin

ROWS, COLUMNS, SAMPLES, OUTPUTS = 40, 50, 1000, 10


def kings() -> Connectivity:
    """Return the King's graph of 2,000 spins."""
    at = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    ends = [
        (at[:, :-1], at[:, 1:]),
        (at[:-1], at[1:]),
        (at[:-1, :-1], at[1:, 1:]),
        (at[:-1, 1:], at[1:, :-1]),
    ]
    pairs = np.concatenate([np.stack([a.ravel(), b.ravel()], axis=1) for a, b in ends])
    i, j = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].T
    return Connectivity(at.size, i, j, "kings", (ROWS, COLUMNS))


class Chip:
    """A backend with a graph, ranges and steps; it counts its own seconds."""

    def __init__(self, inner: Backend, graph: Connectivity) -> None:
        """Start at 0 seconds."""
        self.inner, self.name, self.cpu_s = inner, inner.name, 0.0
        self.capabilities = replace(
            inner.capabilities,
            connectivity=graph,
            max_units=graph.n,
            coupling_range=(-127.0, 127.0),
            field_range=(-2047.0, 2047.0),
            coupling_step=1.0,
            field_step=1.0,
        )

    def suggest_schedule(self, problem):
        """Return what the machine suggests."""
        return self.inner.suggest_schedule(problem)

    def settle(self, request):
        """Settle, and add to the seconds."""
        started = time.process_time()
        try:
            return self.inner.settle(request)
        finally:
            self.cpu_s += time.process_time() - started

    def close(self):
        """Close the machine."""
        self.inner.close()


def corrections(graph: Connectivity) -> Corrections:
    """Return gains and offsets of 5 %, and a dead coupler."""
    rng = np.random.default_rng(1)
    none = Corrections.none(graph.n, graph.num_edges)
    return replace(
        none,
        coupling_gain=0.05 * rng.uniform(-1, 1, graph.num_edges),
        coupling_offset=2 * rng.uniform(-1, 1, graph.num_edges),
        field_gain=0.05 * rng.uniform(-1, 1, graph.n),
        field_offset=20 * rng.uniform(-1, 1, graph.n),
        dead_edges=np.arange(graph.num_edges) == 0,
    )


def requests(graph: Connectivity, sweeps: int):
    """Yield free and nudged settles, couplings new at every free one."""
    rng = np.random.default_rng(2)
    layers = (Layer("hidden", graph.n - OUTPUTS, Spin()), Layer("output", OUTPUTS, Spin()))
    fields = rng.uniform(-1, 1, (SAMPLES, graph.n)).astype(np.float32)
    force = np.zeros_like(fields)
    force[:, -OUTPUTS:] = 0.5
    schedule = Annealing.geometric(0.1, 2.0, sweeps)
    used = slice(1, None)  # all but the dead coupler
    seed = 0
    while True:
        J = rng.uniform(-1, 1, graph.num_edges - 1).astype(np.float32)
        problem = Problem(layers, (Edges(graph.n, graph.i[used], graph.j[used], J),), fields)
        free = SettleRequest(problem, schedule=schedule, seed=seed)
        answer = yield free
        yield replace(free, terms=(LinearNudge(force),), initial=answer.states, seed=seed + 1)
        seed += 2


def timed(backend: Backend, spent: dict[str, float]) -> None:
    """Count the seconds of every layer, and of what is below it."""
    while hasattr(backend, "inner"):
        name, settle = type(backend).__name__, backend.settle

        def counted(request, settle=settle, name=name):
            started = time.process_time()
            found = settle(request)
            spent[name] += time.process_time() - started
            return found

        object.__setattr__(backend, "settle", counted)
        backend = backend.inner


def main() -> None:
    """Print shares of a settle."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sweeps", type=int, default=100)
    parser.add_argument("--gauges", type=int, default=1)
    parser.add_argument("--rounding", default="nearest")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--layers", action="store_true")
    arguments = parser.parse_args()
    graph = kings()
    chip = Chip(metropolis(sweeps=arguments.sweeps), graph)
    options = MappingOptions(gauges=arguments.gauges, rounding=arguments.rounding, check_every=1000)
    stack = mapped(chip, Limits(1.0, 2.0), options, corrections=corrections(graph))
    spent: dict[str, float] = defaultdict(float)
    if arguments.layers:
        timed(stack, spent)
    source = requests(graph, arguments.sweeps)
    answer = stack.settle(next(source))
    answer = stack.settle(source.send(answer))  # both kinds warm
    rows = []
    for _ in range(arguments.repeats):
        spent.clear()
        chip.cpu_s, started = 0.0, time.process_time()
        free = stack.settle(next(source))
        middle, first = time.process_time(), chip.cpu_s
        stack.settle(source.send(free))
        done, below = time.process_time(), chip.cpu_s
        rows.append((middle - started - first, first, done - middle - below + first, below - first))
    own_free, chip_free, own_nudged, chip_nudged = np.min(rows, axis=0)
    print(
        json.dumps(
            {
                "free_ms": round(1e3 * chip_free, 1),
                "layers_free_ms": round(1e3 * own_free, 1),
                "nudged_ms": round(1e3 * chip_nudged, 1),
                "layers_nudged_ms": round(1e3 * own_nudged, 1),
                "share": round((own_free + own_nudged) / (chip_free + chip_nudged), 4),
            }
        )
    )
    if arguments.layers:
        names = list(spent)[::-1]
        for outer, inner in zip(names, [*names[1:], None], strict=True):
            print(
                f"{outer:12} {1e3 * (spent[outer] - (spent[inner] if inner else 0)):8.1f} ms in all"
            )


if __name__ == "__main__":
    main()
