"""Couplings on a list of edges: E = Σ_e J_e s_i(e) s_j(e)."""

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from isingeq.couplings.kind import EdgeList, Floats, is_finite, next_version
from isingeq.errors import ProblemError

_MOST_NARROW = 2**31 - 1
_DENSE_SHARE = 1 / 8
"""Share of all n² entries from which on a product with the full matrix is faster than one with sparse rows."""


@dataclass(frozen=True, eq=False)
class Edges:
    """J (m,) on the edges (i, j), each (m,) with i < j, no edge twice; n units in all.

    What is kept is the list alone, indices in 32 bits wherever they fit: 12 bytes an edge with J in single
    precision. Products are made ready when the first is asked for; edges in ascending order share the list.
    """

    n: int
    i: NDArray[np.integer]
    j: NDArray[np.integer]
    J: NDArray[np.floating]
    pairwise: ClassVar[bool] = True
    version: int = field(default_factory=next_version)
    kind: str = "edges"

    def __post_init__(self) -> None:
        i, j = self.i, self.j
        if not i.shape == j.shape == self.J.shape or self.J.ndim != 1:
            raise ProblemError(
                f"edges need i, j and J of one length, got {i.shape}, {j.shape}, {self.J.shape}"
            )
        if i.dtype.kind not in "iu" or j.dtype.kind not in "iu":
            raise ProblemError(f"edges join whole numbers, got {i.dtype} and {j.dtype}")
        if self.J.size and (i.min() < 0 or j.max() >= self.n or bool((i >= j).any())):
            raise ProblemError(
                f"every edge needs 0 <= i < j < {self.n}; self-loops and reversed edges are refused"
            )
        if _repeats(self.n, i, j):
            raise ProblemError(
                "an edge is listed twice: add its couplings up before they come here"
            )
        if not is_finite(self.J):
            raise ProblemError("a coupling is NaN or infinite: check weights and learning rate")
        width = np.int32 if self.n <= _MOST_NARROW else np.int64
        object.__setattr__(self, "i", i.astype(width, copy=False))
        object.__setattr__(self, "j", j.astype(width, copy=False))
        for kept in (self.i, self.j, self.J):
            kept.flags.writeable = False

    @cached_property
    def structure(self) -> tuple[object, ...]:
        """Kind, units and edges, without values."""
        digest = blake2b(np.ascontiguousarray(self.i).data)
        digest.update(np.ascontiguousarray(self.j).data)
        return (self.kind, self.n, self.J.size, digest.digest())

    @cached_property
    def _upper(self) -> Floats | sparse.csr_array:
        """J above the diagonal (n, n): a full matrix where many pairs are coupled, else sparse rows."""
        shape = (self.n, self.n)
        if self.J.size >= _DENSE_SHARE * self.n**2:
            matrix = np.zeros(shape, self.J.dtype)
            matrix[self.i, self.j] = self.J
            return matrix
        if bool((self.i[1:] < self.i[:-1]).any()):
            return sparse.coo_array((self.J, (self.i, self.j)), shape=shape).tocsr()
        starts = np.searchsorted(self.i, np.arange(self.n + 1, dtype=self.i.dtype))
        return sparse.csr_array((self.J, self.j, starts.astype(self.i.dtype)), shape=shape)

    def field(self, states: Floats) -> Floats:
        """Return Σ_j J_ij s_j for states (..., n), same shape."""
        columns = states.reshape(-1, self.n).T
        product = self._upper @ columns
        product += self._upper.T @ columns
        return np.asarray(product.T, dtype=states.dtype).reshape(states.shape)

    def change(self, states: Floats, direction: Floats) -> Floats:
        """Return the derivative of `field` along a direction (..., n), the same at all states."""
        return self.field(direction)

    def energy(self, states: Floats) -> Floats:
        """Return Σ_e J_e s_i s_j for states (..., n), shape (...)."""
        product = (self._upper @ states.reshape(-1, self.n).T).T
        return np.einsum("...n,...n->...", states, product.reshape(states.shape))

    def moments(self, states: Floats, weights: Floats) -> Floats:
        """Return Σ_b weights_b s_bi s_bj per edge, states (b, n), weights (b,), shape (m,)."""
        return np.einsum("b,bm,bm->m", weights, states[:, self.i], states[:, self.j])

    def moments_along(self, states: Floats, direction: Floats, weights: Floats) -> Floats:
        """Return Σ_b weights_b (v_bi s_bj + s_bi v_bj) per edge, states and direction v (b, n), shape (m,)."""
        one = np.einsum("b,bm,bm->m", weights, direction[:, self.i], states[:, self.j])
        return one + np.einsum("b,bm,bm->m", weights, states[:, self.i], direction[:, self.j])

    def edges(self) -> EdgeList:
        """Return (i, j, J), each (m,)."""
        return self.i, self.j, self.J

    def gather(self, edge_moments: Floats) -> Floats:
        """Return moments per edge (m,) unchanged: each edge is its own parameter."""
        return edge_moments


def _repeats(n: int, i: NDArray[np.integer], j: NDArray[np.integer]) -> bool:
    """Return whether an edge is listed twice; edges in ascending order are not even sorted for it."""
    keys = i.astype(np.int64)
    keys *= n
    keys += j
    if bool((keys[1:] > keys[:-1]).all()):
        return False
    keys.sort()
    return bool((keys[1:] == keys[:-1]).any())
