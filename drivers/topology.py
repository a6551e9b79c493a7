"""Which spins a device couples, and the one order in which couplings travel.

Canonical order: edges (i, j), i < j, sorted by i and then by j. All-to-all this is the upper triangle row by row.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isingeq.connectivity import Connectivity
from isingeq.errors import ConfigError
from isingeq.lattices import lattice

KINDS = ("all", "kings", "square", "edges")


@dataclass(frozen=True, slots=True)
class Topology:
    """The graph of a device.

    Attributes:
        kind: `all` couples every pair; `kings` and `square` are lattices with open ends, 8 and 4 neighbours, spin =
            row × columns + column; `edges` lists them.
        rows: of a lattice.
        columns: of a lattice.
        edges: (i, j) in canonical order, for `edges`.
    """

    kind: str
    rows: int | None = None
    columns: int | None = None
    edges: tuple[tuple[int, int], ...] | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"topology {self.kind!r} is not known; there are {', '.join(KINDS)}")
        lattice = self.kind in ("kings", "square")
        if lattice != (self.rows is not None) or lattice != (self.columns is not None):
            raise ConfigError(f"topology {self.kind}: rows and columns belong to kings and square")
        if lattice and min(self.rows or 0, self.columns or 0) < 1:
            raise ConfigError(f"topology {self.kind} of {self.rows} × {self.columns} is empty")
        if (self.kind == "edges") != (self.edges is not None):
            raise ConfigError(f"topology {self.kind}: a list of edges belongs to edges")
        if any(not 0 <= i < j for i, j in self.edges or ()):
            raise ConfigError("an edge needs 0 <= i < j")
        if list(self.edges or ()) != sorted(set(self.edges or ())):
            raise ConfigError("edges must be sorted by i, then by j, and each stand once")

    def check(self, num_spins: int) -> None:
        """Refuse a number of spins that the graph does not have.

        Raises:
            ConfigError: a lattice of another size, or an edge beyond the last spin.
        """
        if self.rows and self.columns and self.rows * self.columns != num_spins:
            raise ConfigError(f"{self.rows} × {self.columns} spins are not {num_spins}")
        if self.edges and max(j for _, j in self.edges) >= num_spins:
            raise ConfigError(f"an edge ends beyond the last of {num_spins} spins")

    def num_pairs(self, num_spins: int) -> int:
        """Return how many edges there are among the first `num_spins` spins, without listing them."""
        if self.kind == "all":
            return num_spins * (num_spins - 1) // 2
        if self.edges is not None:
            return sum(j < num_spins for _, j in self.edges)
        # Every spin is joined to those before it: beside it, above it, and for kings aslant on both sides.
        columns = self.columns or 0
        first_row, below = min(num_spins, columns), max(0, num_spins - columns)
        not_leftmost = below - -(-below // columns)
        not_rightmost = below - below // columns
        slanted = not_leftmost + not_rightmost if self.kind == "kings" else 0
        return max(0, first_row - 1) + not_leftmost + below + slanted

    def connectivity(self, num_spins: int) -> Connectivity | None:
        """Return the graph as backends declare it; None where every pair is coupled."""
        if self.kind == "all":
            return None
        i, j = np.ascontiguousarray(self.pairs(num_spins).T)
        shape = (self.rows, self.columns) if self.rows and self.columns else ()
        return Connectivity(num_spins, i, j, self.kind, shape)

    def pairs(self, num_spins: int) -> NDArray[np.int64]:
        """Return the edges (m, 2) among the first `num_spins` spins, in canonical order."""
        if self.kind == "all":
            return np.stack(np.triu_indices(num_spins, 1), axis=1)
        if self.edges is not None:
            listed = np.array(self.edges, dtype=np.int64).reshape(-1, 2)
            return listed[listed[:, 1] < num_spins]
        graph = lattice(self.kind, self.rows or 0, self.columns or 0)
        edges = np.stack([graph.i, graph.j], axis=1).astype(np.int64)
        return edges[edges[:, 1] < num_spins]
