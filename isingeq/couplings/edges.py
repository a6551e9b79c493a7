"""Couplings on a list of edges: E = Σ_e J_e s_i(e) s_j(e)."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from isingeq.couplings.kind import EdgeList, Floats, is_finite, next_version
from isingeq.errors import ProblemError


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """J (m,) on the edges (i, j), each (m,) with i < j, no edge twice; n units in all."""

    n: int
    i: NDArray[np.intp]
    j: NDArray[np.intp]
    J: NDArray[np.floating]
    pairwise: ClassVar[bool] = True
    version: int = field(default_factory=next_version)
    kind: str = "edges"
    matrix: sparse.csr_array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.i.shape == self.j.shape == self.J.shape or self.J.ndim != 1:
            raise ProblemError(
                f"edges need i, j and J of one length, got {self.i.shape}, {self.j.shape}, {self.J.shape}"
            )
        if self.J.size and (
            self.i.min() < 0 or self.j.max() >= self.n or bool((self.i >= self.j).any())
        ):
            raise ProblemError(
                f"every edge needs 0 <= i < j < {self.n}; self-loops and reversed edges are refused"
            )
        if len(np.unique(self.i * self.n + self.j)) != self.J.size:
            raise ProblemError(
                "an edge is listed twice: add its couplings up before they come here"
            )
        if not is_finite(self.J):
            raise ProblemError("a coupling is NaN or infinite: check weights and learning rate")
        for part in (self.i, self.j, self.J):
            part.flags.writeable = False
        rows, columns = np.concatenate([self.i, self.j]), np.concatenate([self.j, self.i])
        matrix = sparse.csr_array(
            (np.concatenate([self.J, self.J]), (rows, columns)), shape=(self.n, self.n)
        )
        object.__setattr__(self, "matrix", matrix)

    @property
    def structure(self) -> tuple[object, ...]:
        """Kind, units and edges, without values."""
        return (self.kind, self.n, self.i.tobytes(), self.j.tobytes())

    def field(self, states: Floats) -> Floats:
        """Return Σ_j J_ij s_j for states (..., n), same shape."""
        flat = states.reshape(-1, self.n)
        product: Floats = np.asarray((self.matrix @ flat.T).T, dtype=states.dtype)
        return product.reshape(states.shape)

    def energy(self, states: Floats) -> Floats:
        """Return Σ_e J_e s_i s_j for states (..., n), shape (...)."""
        return 0.5 * np.einsum("...n,...n->...", states, self.field(states))

    def moments(self, states: Floats, weights: Floats) -> Floats:
        """Return Σ_b weights_b s_bi s_bj per edge, states (b, n), weights (b,), shape (m,)."""
        return np.einsum("b,bm,bm->m", weights, states[:, self.i], states[:, self.j])

    def edges(self) -> EdgeList:
        """Return (i, j, J), each (m,)."""
        return self.i, self.j, self.J

    def gather(self, edge_moments: Floats) -> Floats:
        """Return moments per edge (m,) unchanged: each edge is its own parameter."""
        return edge_moments
