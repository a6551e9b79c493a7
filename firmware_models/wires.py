"""Which spins a chip couples, every pair included, and the one order in which couplers are counted.

Canonical order: edges (i, j), i < j, sorted by i and then by j. D-Wave's graphs count spins by their linear labels;
labels that a fabric leaves out are spins without couplers.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from drivers.topology import Topology as Lattice
from isingeq.connectivity import Connectivity
from isingeq.errors import ConfigError
from isingeq.problem import Problem

Ints = NDArray[np.integer]

LATTICES = ("kings", "square")
ANNEALERS = {"chimera": 3, "pegasus": 1, "zephyr": 2}
"""D-Wave's graphs, and the numbers that give their shape: rows, columns and shore; m; m and tile."""
KINDS = ("all", *LATTICES, *ANNEALERS, "edges")


@dataclass(frozen=True, slots=True)
class Topology:
    """The graph of a chip.

    Attributes:
        kind: `all` couples every pair; `kings` and `square` are lattices with open ends; chimera, pegasus and zephyr
            are D-Wave's; `edges` lists them.
        rows: of a lattice.
        columns: of a lattice.
        shape: of D-Wave's graphs: (rows, columns, shore), (m,), (m, tile).
        edges: (i, j) in canonical order, for `edges`.
    """

    kind: str
    rows: int | None = None
    columns: int | None = None
    shape: tuple[int, ...] | None = None
    edges: tuple[tuple[int, int], ...] | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"topology {self.kind!r} is not known; there are {', '.join(KINDS)}")
        lattice = self.kind in LATTICES
        for name, wanted in (
            ("rows", lattice),
            ("columns", lattice),
            ("shape", self.kind in ANNEALERS),
            ("edges", self.kind == "edges"),
        ):
            if (getattr(self, name) is not None) != wanted:
                raise ConfigError(
                    f"topology.{name} {'is missing' if wanted else 'is of no use'} for {self.kind}"
                )
        if lattice:
            Lattice(self.kind, self.rows, self.columns)
        if self.shape is not None and (
            len(self.shape) != ANNEALERS[self.kind] or min(self.shape) < 1
        ):
            raise ConfigError(
                f"topology.shape of {self.kind} has {ANNEALERS[self.kind]} numbers from 1, got {list(self.shape)}"
            )


@dataclass(frozen=True, eq=False)
class Wires:
    """The couplers of a chip.

    Attributes:
        n: spins; 0 for as many as come, all coupled.
        connectivity: None where every pair is coupled.
    """

    n: int
    connectivity: Connectivity | None
    _adjacency: dict[int, sparse.csr_array] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, topology: Topology, most: int | None) -> "Wires":
        """Return the couplers of a chip.

        Args:
            topology: its graph.
            most: spins; None where the graph says how many.

        Raises:
            ConfigError: a number of spins that the graph does not have.
        """
        if topology.kind == "all":
            return cls(most or 0, None)
        if topology.kind in ANNEALERS:
            n, pairs = _annealer(topology)
        elif topology.edges is not None:
            n = most if most is not None else 1 + max((j for _, j in topology.edges), default=0)
            Lattice("edges", edges=topology.edges).check(n)
            pairs = np.array(topology.edges, np.int64).reshape(-1, 2)
        else:
            n = (topology.rows or 0) * (topology.columns or 0)
            pairs = Lattice(topology.kind, topology.rows, topology.columns).pairs(n)
        if most not in (None, n):
            raise ConfigError(f"units.most is {most}, and the {topology.kind} graph has {n} spins")
        shape = topology.shape or tuple(k for k in (topology.rows, topology.columns) if k)
        i, j = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
        return cls(n, Connectivity(n, i, j, topology.kind, shape))

    @property
    def num_edges(self) -> int:
        """Couplers, m."""
        if self.connectivity is None:
            return self.n * (self.n - 1) // 2
        return self.connectivity.num_edges

    def find(self, i: Ints, j: Ints) -> NDArray[np.int64]:
        """Return where the pairs i < j (k,) stand among all couplers, −1 for one that is not coupled."""
        if self.connectivity is not None:
            return self.connectivity.find(i, j)
        first, second = i.astype(np.int64), j.astype(np.int64)
        return first * (2 * self.n - first - 1) // 2 + second - first - 1

    def places(self, name: str, problem: Problem) -> NDArray[np.int64]:
        """Return where every edge of a lowered problem stands among all couplers; see `Connectivity.places`."""
        if self.connectivity is not None:
            return self.connectivity.places(name, problem)
        ends = [coupling.edges()[:2] for coupling in problem.couplings]
        i, j = (np.concatenate([np.zeros(0, np.intp), *(e[at] for e in ends)]) for at in (0, 1))
        return self.find(i, j)

    def among(self, n: int) -> tuple[Ints, Ints, NDArray[np.int64]]:
        """Return (i, j, place) of all couplers among the first n spins, each (k,)."""
        if self.connectivity is None:
            i, j = np.triu_indices(n, 1)
            return i, j, self.find(i, j)
        c = self.connectivity
        inside = np.flatnonzero(c.j < n)
        return c.i[inside], c.j[inside], inside

    def neighbours_sum(self, h: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return Σ_j h_j over the neighbours of every spin, for fields (b, n) of the first n spins."""
        if self.connectivity is None:
            return h.sum(axis=1, dtype=np.float64, keepdims=True) - h
        n = h.shape[1]
        if n not in self._adjacency:
            i, j, _ = self.among(n)
            ones = np.ones(2 * i.size)
            ends = np.concatenate([i, j]), np.concatenate([j, i])
            self._adjacency.clear()
            self._adjacency[n] = sparse.coo_array((ones, ends), shape=(n, n)).tocsr()
        return np.asarray((self._adjacency[n] @ h.T).T, np.float64)


def _annealer(topology: Topology) -> tuple[int, NDArray[np.int64]]:
    """Return the number of labels and the edges (m, 2) of one of D-Wave's graphs."""
    from dwave import graphs

    assert topology.shape is not None
    if topology.kind == "pegasus" and topology.shape[0] < 2:
        raise ConfigError("a pegasus graph has a shape from 2: that of 1 has no spins")
    graph = getattr(graphs, f"{topology.kind}_graph")(*topology.shape)
    m = topology.shape[0]
    labels = {
        "chimera": 2 * math.prod(topology.shape),
        "pegasus": 24 * m * (m - 1),
        "zephyr": 4 * m * (2 * m + 1) * topology.shape[-1],
    }[topology.kind]
    pairs = np.array(list(graph.edges), np.int64).reshape(-1, 2)
    pairs.sort(axis=1)
    return labels, pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
