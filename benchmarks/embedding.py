"""Embeddings against plain minorminer: process CPU time, units of the chip for every unit, longest chain.

python benchmarks/embedding.py --rounds 3

A hidden and an output layer of 48 and 10 units, a deeper stack and a small convolutional net, on Chimera, Pegasus,
Zephyr and King's graphs. The two sides alternate, each round with another seed for both; times are the least, units the
median. In the end the share of a settle that the layer takes, for 1,000 samples on 2,048 spins.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from dwave import graphs
from minorminer import find_embedding

from calibration.embed import Embed
from calibration.embedding import Pairs, embed
from isingeq.backend import Backend, Capabilities, Equilibrium, SettleRequest
from isingeq.backends.metropolis import metropolis
from isingeq.connectivity import Connectivity
from isingeq.couplings import Dense
from isingeq.problem import Problem
from isingeq.terms import QuadraticNudge
from isingeq.units import Layer, Spin

LABELS = {
    "chimera": lambda m, n, t: 2 * m * n * t,
    "pegasus": lambda m: 24 * m * (m - 1),
    "zephyr": lambda m, t: 4 * t * m * (2 * m + 1),
}
CHIPS = (("chimera", 16, 16, 4), ("pegasus", 16), ("zephyr", 15, 4), ("kings", 60, 60))


def chip(kind: str, *shape: int) -> Connectivity:
    """Return a whole chip."""
    if kind != "kings":
        graph = getattr(graphs, f"{kind}_graph")(*shape)
        return connected(LABELS[kind](*shape), graph.edges, kind, shape)
    rows, columns = shape
    at = np.arange(rows * columns).reshape(rows, columns)
    sides = (
        (at[:, :-1], at[:, 1:]),
        (at[:-1], at[1:]),
        (at[:-1, :-1], at[1:, 1:]),
        (at[:-1, 1:], at[1:, :-1]),
    )
    edges = np.concatenate([np.stack([a.ravel(), b.ravel()], axis=1) for a, b in sides])
    return connected(rows * columns, edges, kind, shape)


def connected(n: int, edges, kind: str, shape: tuple[int, ...]) -> Connectivity:
    """Return edges in canonical order."""
    pairs = np.sort(np.array(list(edges), np.intp).reshape(-1, 2), axis=1)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return Connectivity(n, pairs[:, 0].copy(), pairs[:, 1].copy(), kind, shape)


def stack(*sizes: int) -> Pairs:
    """Return layers, each complete to the next."""
    ends = list(itertools.accumulate(sizes, initial=0))
    spans = [range(*span) for span in itertools.pairwise(ends)]
    edges = [(a, b) for p, q in itertools.pairwise(spans) for a in p for b in q]
    found = connected(ends[-1], edges, "edges", ())
    return Pairs(found.n, found.i, found.j)


def convolution() -> Pairs:
    """Return four 2 x 2 filters on 3 x 3 images, which are fields, average pool and 4 outputs: 24 units."""
    edges = [(4 * f + k, 16 + f) for f in range(4) for k in range(4)]
    edges += [(16 + f, 20 + out) for f in range(4) for out in range(4)]
    found = connected(24, edges, "edges", ())
    return Pairs(found.n, found.i, found.j)


PROBLEMS = {"48-10": stack(48, 10), "30-20-10": stack(30, 20, 10), "convolution": convolution()}


@dataclass
class Side:
    """What one side came to, round after round."""

    seconds: list[float] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    longest: list[int] = field(default_factory=list)

    def run(self, way: Callable[[], list[list[int]]]) -> None:
        """Time one embedding and keep its figures."""
        started = time.process_time()
        chains = way()
        self.seconds.append(time.process_time() - started)
        if chains:
            lengths = [len(chain) for chain in chains]
            self.means.append(sum(lengths) / len(lengths))
            self.longest.append(max(lengths))

    def __str__(self) -> str:
        if not self.means:
            return f"{1e3 * min(self.seconds):8.0f} ms, none found"
        return (
            f"{1e3 * min(self.seconds):8.0f} ms, {statistics.median(self.means):5.2f} units, "
            f"longest {statistics.median(self.longest):4.0f}"
        )


def plain(pairs: Pairs, graph: Connectivity, seed: int) -> list[list[int]]:
    """Return what minorminer finds on its own; the graphs are lists beforehand, as its users have them."""
    found = find_embedding(
        np.stack([pairs.i, pairs.j], axis=1).tolist(),
        np.stack([graph.i, graph.j], axis=1).tolist(),
        random_seed=seed,
        threads=1,
    )
    return list(found.values())


@dataclass
class Local:
    """An annealer with the couplers of a chip, which keeps the seconds that it took."""

    chip: Connectivity
    inner: Backend = field(default_factory=lambda: metropolis(sweeps=100))
    seconds: float = 0.0

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    @property
    def capabilities(self) -> Capabilities:
        return replace(self.inner.capabilities, connectivity=self.chip, max_units=self.chip.n)

    def settle(self, request: SettleRequest) -> Equilibrium:
        started = time.process_time()
        found = self.inner.settle(request)
        self.seconds = time.process_time() - started
        return found


def overhead(rounds: int) -> None:
    """Print what the layer takes of a free and a nudged settle, new couplings each time: 64-64 on all of Chimera."""
    rng, below = np.random.default_rng(0), Local(chip("chimera", 16, 16, 4))
    layer, layers = Embed(below), (Layer("hidden", 64, Spin()), Layer("output", 64, Spin()))
    fields = rng.normal(size=(1000, 128)).astype(np.float32)
    spring = QuadraticNudge((64, 128), np.ones((1000, 64)), np.ones(1000))
    own: dict[str, list[tuple[float, float]]] = {"free": [], "nudged": []}
    for _ in range(rounds + 1):
        J = rng.normal(0, 0.1, (64, 64)).astype(np.float32)
        problem = Problem(layers, (Dense((0, 64), (64, 128), J),), fields)
        start = None
        for phase, terms in (("free", ()), ("nudged", (spring,))):
            request = SettleRequest(problem, terms, initial=start)
            started = time.process_time()
            start = layer.settle(request).states
            taken = time.process_time() - started
            own[phase].append((taken - below.seconds, below.seconds))
    for phase, times in own.items():
        layers_own, inner = (1e3 * min(column) for column in zip(*times[1:], strict=True))
        print(
            f"layer, {phase:6} {layers_own:5.1f} ms on {inner:6.1f} ms of 100 sweeps: {100 * layers_own / inner:.1f} %"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--problem", choices=PROBLEMS, action="append")
    parser.add_argument("--chip", choices=[made[0] for made in CHIPS], action="append")
    chosen = parser.parse_args()
    for name in chosen.problem or PROBLEMS:
        for made in CHIPS:
            if chosen.chip and made[0] not in chosen.chip:
                continue
            pairs, graph, ours, theirs = PROBLEMS[name], chip(*made), Side(), Side()
            embed(pairs, graph, 0)  # imports
            for seed in range(1, chosen.rounds + 1):
                ours.run(lambda: embed(pairs, graph, seed).chains)  # noqa: B023
                theirs.run(lambda: plain(pairs, graph, seed))  # noqa: B023
            ratio = min(theirs.seconds) / min(ours.seconds)
            print(
                f"{name:12} {made[0]:8} ours {ours}   minorminer {theirs}   {ratio:6.1f} times as fast",
                flush=True,
            )
    overhead(max(5, chosen.rounds))


if __name__ == "__main__":
    main()
