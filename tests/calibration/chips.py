"""Chips of local connectivity for tests, and any backend made to hold no more than one of them couples."""

from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise

import numpy as np
from dwave import graphs

from calibration.embedding import Pairs
from isingeq.backend import Backend, Capabilities, Equilibrium, SettleRequest, check_request
from isingeq.connectivity import Connectivity

LABELS = {
    "chimera": lambda m, n, t: 2 * m * n * t,
    "pegasus": lambda m: 24 * m * (m - 1),
    "zephyr": lambda m, t: 4 * t * m * (2 * m + 1),
}


def connected(n, edges, kind="edges", shape=()):
    pairs = np.array(sorted(tuple(sorted(edge)) for edge in edges), np.intp).reshape(-1, 2)
    return Connectivity(n, pairs[:, 0].copy(), pairs[:, 1].copy(), kind, shape)


def lattice(rows, columns, kind="kings"):
    steps = ((0, 1), (1, 0), (1, 1), (1, -1)) if kind == "kings" else ((0, 1), (1, 0))
    edges = [
        (r * columns + c, (r + down) * columns + c + right)
        for r in range(rows)
        for c in range(columns)
        for down, right in steps
        if r + down < rows and 0 <= c + right < columns
    ]
    return connected(rows * columns, edges, kind, (rows, columns))


@cache
def chip(kind, *shape):
    if kind in ("kings", "square"):
        return lattice(*shape, kind)
    graph = getattr(graphs, f"{kind}_graph")(*shape)
    return connected(LABELS[kind](*shape), graph.edges, kind, shape)


def ring(n=14, reach=4):
    """Units on a ring, each coupled to the next few: small enough to be enumerated."""
    return connected(n, {(k, (k + step) % n) for k in range(n) for step in range(1, reach + 1)})


def pairs_of(n, edges):
    found = connected(n, edges)
    return Pairs(n, found.i, found.j)


def stack(*sizes):
    """Layers, each complete to the next."""
    ends = np.cumsum([0, *sizes]).tolist()
    spans = [range(*span) for span in pairwise(ends)]
    edges = [(a, b) for p, q in pairwise(spans) for a in p for b in q]
    return pairs_of(ends[-1], edges)


def complete(n):
    i, j = np.triu_indices(n, 1)
    return Pairs(n, i, j)


@dataclass(eq=False)
class Local:
    """A backend that couples what a chip does, and keeps every request."""

    inner: Backend
    chip: Connectivity
    seen: list[SettleRequest] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        return replace(self.inner.capabilities, connectivity=self.chip, max_units=self.chip.n)

    def suggest_schedule(self, problem):
        return self.inner.suggest_schedule(problem)

    def settle(self, request: SettleRequest) -> Equilibrium:
        check_request(self.name, self.capabilities, request)
        self.seen.append(request)
        return self.inner.settle(request)

    def close(self) -> None:
        self.inner.close()
