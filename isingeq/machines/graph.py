"""Pairwise couplings as the arrays that spin machines work on."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.floating]


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
    def of(cls, n: int, i: NDArray[np.intp], j: NDArray[np.intp], J: Floats) -> "Graph":
        """Return the graph of edges (m,); edges listed more than once add up, zeros fall out."""
        kept = J != 0
        i, j, J = i[kept].astype(np.int32), j[kept].astype(np.int32), J[kept].astype(np.float32)
        half = sparse.csr_array((J, (i, j)), shape=(n, n))
        whole = (half + half.T).tocsr()
        whole.sort_indices()
        return cls(n, whole.indptr.astype(np.int64), whole.indices.astype(np.int32), whole.data)

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
        sums = np.concatenate([[0.0], np.cumsum(np.abs(self.values), dtype=np.float64)])
        return sums[self.starts[1:]] - sums[self.starts[:-1]]

    @cached_property
    def rms(self) -> float:
        """Root mean square of J over all n² ordered pairs, zeros included: the scale of presets."""
        return float(np.sqrt((self.values.astype(np.float64) ** 2).sum()) / max(1, self.n))

    @cached_property
    def dense(self) -> NDArray[np.float32]:
        """J as a matrix (n, n), diagonal 0."""
        matrix = np.zeros((self.n, self.n), np.float32)
        rows = np.repeat(np.arange(self.n), np.diff(self.starts))
        matrix[rows, self.neighbours] = self.values
        return matrix

    @cached_property
    def integers(self) -> tuple[float, NDArray[np.int8]] | None:
        """A unit and whole numbers (2m,), values = unit · whole, |whole| ≤ 127; None where there is none.

        The unit is the smallest |J|, or half or a third of it.
        """
        if not self.values.size:
            return 1.0, np.zeros(0, np.int8)
        least = float(np.abs(self.values).min())
        for unit in (least, least / 2, least / 3):
            scaled = self.values.astype(np.float64) / unit
            whole = np.rint(scaled)
            if np.abs(whole).max() <= 127 and np.abs(scaled - whole).max() < 1e-6:
                return unit, whole.astype(np.int8)
        return None
