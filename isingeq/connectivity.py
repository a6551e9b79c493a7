"""Connectivity: which pairs of units a chip couples.

    E(s) = Σ_i h_i s_i + Σ_(i<j on an edge) J_ij s_i s_j        there is no J_ij elsewhere

Edges are in canonical order: i < j, sorted by i and then by j. A backend without one couples every pair.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isingeq.errors import CapabilityError, ConfigError
from isingeq.problem import Problem

_KEPT = 8
"""Structures whose places are remembered: a trainer alternates between very few."""


@dataclass(frozen=True, eq=False)
class Connectivity:
    """The graph of a chip; whoever knows its regular shape says so, and structured layouts can use it.

    Attributes:
        n: units, working or not; a problem of fewer uses the first ones.
        i: first unit of every edge (m,), made read-only.
        j: second unit (m,), i < j, made read-only.
        kind: edges, or the name of a regular graph: kings, square, chimera, pegasus, zephyr.
        shape: of the regular graph: rows and columns of kings and square; (m, n, t), (m,), (m, t) of the other three.
    """

    n: int
    i: NDArray[np.integer]
    j: NDArray[np.integer]
    kind: str = "edges"
    shape: tuple[int, ...] = ()
    _places: dict[object, NDArray[np.intp]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        keys = self.i.astype(np.int64) * self.n + self.j
        if self.i.shape != self.j.shape or self.i.ndim != 1:
            raise ConfigError(f"edges need as many i as j, got {self.i.shape} and {self.j.shape}")
        if keys.size and (
            self.i.min() < 0
            or self.j.max() >= self.n
            or bool((self.i >= self.j).any())
            or bool((keys[1:] <= keys[:-1]).any())
        ):
            raise ConfigError(
                f"edges need 0 <= i < j < {self.n}, sorted by i, then by j, each once"
            )
        for kept in (self.i, self.j):
            kept.flags.writeable = False

    @property
    def num_edges(self) -> int:
        """Number of pairs coupled, m."""
        return int(self.i.size)

    @property
    def degrees(self) -> NDArray[np.intp]:
        """Neighbours of every unit (n,)."""
        ends = np.concatenate([self.i, self.j])
        return np.bincount(ends, minlength=self.n)

    def find(self, i: NDArray[np.integer], j: NDArray[np.integer]) -> NDArray[np.intp]:
        """Return where the pairs i < j, each (m,), stand among the edges, −1 for one that is not coupled."""
        known = self.i.astype(np.int64) * self.n + self.j
        wanted = i.astype(np.int64) * self.n + j
        places = np.minimum(np.searchsorted(known, wanted), max(0, known.size - 1))
        if not known.size:
            return np.full(wanted.shape, -1)
        return np.where(known[places] == wanted, places, -1)

    def places(self, name: str, problem: Problem) -> NDArray[np.intp]:
        """Return where every edge of a lowered problem stands among these; looked up once per structure.

        Args:
            name: of the backend, for the message.
            problem: whose couplings are pairwise.

        Raises:
            CapabilityError: a pair that is not coupled.
        """
        key = problem.structure
        if (found := self._places.get(key)) is not None:
            return found
        ends = [coupling.edges()[:2] for coupling in problem.couplings]
        i, j = (np.concatenate([np.zeros(0, np.intp), *(e[at] for e in ends)]) for at in (0, 1))
        found = self.find(i, j)
        if (found < 0).any():
            wrong = int(np.argmax(found < 0))
            raise CapabilityError(
                f"{name} does not couple units {i[wrong]} and {j[wrong]} ({self.kind}; {(found < 0).sum()} of "
                f"{found.size} pairs of the problem are missing): embed it, or let mapping=auto do so"
            )
        if len(self._places) == _KEPT:
            self._places.clear()
        self._places[key] = found
        return found

    def without(self, units: NDArray[np.bool_], edges: NDArray[np.bool_]) -> "Connectivity":
        """Return the same units with fewer edges.

        Args:
            units: True where a unit does not work (n,): it loses all its edges.
            edges: True where an edge does not work (m,).
        """
        kept = ~(edges | units[self.i] | units[self.j])
        return Connectivity(self.n, self.i[kept], self.j[kept], self.kind, self.shape)
