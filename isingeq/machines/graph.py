"""Pairwise couplings as the arrays that spin machines work on."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isingeq.kernels.adjacency import adjacency, row_reach, whole_multiples
from isingeq.kernels.colours import (
    SIXTEEN,
    Rows,
    Tables,
    blocks_of,
    colours,
    rows_of,
    tables_of,
)

Floats = NDArray[np.floating]

WORTH = 0.33
"""Share of a block's sixteen couplings above which its tables are faster than rows (measured: they meet there)."""


@dataclass(frozen=True, eq=False)
class Graph:
    """Symmetric couplings of n spins, in the problem's sign, every edge once per direction.

    Attributes:
        n: spins.
        starts: first entry of every row, and one past the last (n + 1,).
        neighbours: of the rows, ascending (2m,).
        values: J, float32 (2m,).
    """

    n: int
    starts: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    values: NDArray[np.float32]

    @classmethod
    def of(
        cls, n: int, i: NDArray[np.integer], j: NDArray[np.integer], J: NDArray[np.floating]
    ) -> "Graph":
        """Return the graph of edges (m,); edges listed more than once add up, zeros fall out."""
        parts = ((i, np.int32), (j, np.int32), (J, np.float32))
        starts, neighbours, values, kept = adjacency(n, *(_fixed(*part) for part in parts))
        if kept < values.size:
            neighbours, values = neighbours[:kept].copy(), values[:kept].copy()
        return cls(n, starts, neighbours, values)

    @property
    def num_edges(self) -> int:
        """Number of edges m, each counted once."""
        return self.values.size // 2

    @property
    def density(self) -> float:
        """Share of all pairs of spins that are coupled."""
        return self.values.size / max(1, self.n * (self.n - 1))

    @cached_property
    def reach(self) -> NDArray[np.float64]:
        """Σ_j |J_ij| per spin (n,)."""
        return row_reach(self.starts, self.values)

    @cached_property
    def rms(self) -> float:
        """Root mean square of J over all n² ordered pairs, zeros included: the scale of presets."""
        square = np.einsum("m,m->", self.values, self.values, dtype=np.float64)
        return float(np.sqrt(square) / max(1, self.n))

    @cached_property
    def dense(self) -> NDArray[np.float32]:
        """J as a matrix (n, n), diagonal 0."""
        matrix = np.zeros((self.n, self.n), np.float32)
        rows = np.repeat(np.arange(self.n), np.diff(self.starts))
        matrix[rows, self.neighbours] = self.values
        return matrix

    @cached_property
    def colour(self) -> NDArray[np.int32]:
        """A colour per spin (n,), none shared by coupled spins."""
        return colours(self.starts, self.neighbours)

    @cached_property
    def rows(self) -> Rows:
        """Neighbours of the spins, in the spins' own order."""
        order = np.arange(self.n, dtype=np.int32)
        return rows_of(self.starts, self.neighbours, self.values, order)

    @cached_property
    def order(self) -> NDArray[np.int32]:
        """Spins (n,) colour by colour, within a colour by the number of their neighbours: branches are foreseen so."""
        return np.lexsort((np.diff(self.starts), self.colour)).astype(np.int32)

    @cached_property
    def coloured_rows(self) -> Rows:
        """Neighbours of the spins, colour by colour."""
        return rows_of(self.starts, self.neighbours, self.values, self.order)

    @cached_property
    def tables(self) -> Tables | None:
        """What patterns of neighbours add up to, colour by colour; None where rows are faster."""
        first, columns = blocks_of(self.starts, self.neighbours, self.order)
        if self.values.size <= WORTH * SIXTEEN * columns.size:
            return None
        return tables_of(self.starts, self.neighbours, self.values, self.order, first, columns)

    @cached_property
    def integers(self) -> tuple[float, NDArray[np.int8]] | None:
        """A unit and whole numbers (2m,), values = unit · whole, |whole| ≤ 127; None where there is none.

        The unit is the smallest |J|, or half or a third of it.
        """
        if not self.values.size:
            return 1.0, np.zeros(0, np.int8)
        least = float(np.abs(self.values).min())
        for unit in (least, least / 2, least / 3):
            fits, whole = whole_multiples(self.values, unit)
            if fits:
                return unit, whole
        return None


def _fixed(values: NDArray[Any], kind: type) -> NDArray[Any]:
    """Return values as a row that cannot be written: the kernel is compiled for those alone."""
    view: NDArray[Any] = np.ascontiguousarray(values, kind).view()
    view.flags.writeable = False
    return view
