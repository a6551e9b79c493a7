"""Every unit of one layer coupled to every unit of another: E = Σ_pq J_pq a_p b_q."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from isingeq.couplings.kind import EdgeList, Floats, is_finite, next_version
from isingeq.errors import ProblemError


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """J (p, q) between the units `a` (p of them) and `b` (q of them), two disjoint runs of units.

    Args:
        a: first unit of the one side and one past its last.
        b: the same for the other side.
        J: couplings (p, q) in the problem's sign; made read-only.
    """

    a: tuple[int, int]
    b: tuple[int, int]
    J: NDArray[np.floating]
    pairwise: ClassVar[bool] = True
    version: int = field(default_factory=next_version)
    kind: str = "dense"

    def __post_init__(self) -> None:
        p, q = self.a[1] - self.a[0], self.b[1] - self.b[0]
        if self.J.shape != (p, q):
            raise ProblemError(
                f"dense coupling has shape {self.J.shape}, its units need ({p}, {q})"
            )
        if max(self.a[0], self.b[0]) < min(self.a[1], self.b[1]):
            raise ProblemError(
                f"dense coupling joins units {self.a} with {self.b}: the two overlap"
            )
        if not is_finite(self.J):
            raise ProblemError("a coupling is NaN or infinite: check weights and learning rate")
        self.J.flags.writeable = False

    @property
    def structure(self) -> tuple[object, ...]:
        """Kind and both runs of units."""
        return (self.kind, self.a, self.b)

    def field(self, states: Floats) -> Floats:
        """Return Σ_j J_ij s_j for states (..., n), same shape."""
        out = np.zeros_like(states)
        out[..., slice(*self.a)] = states[..., slice(*self.b)] @ self.J.T
        out[..., slice(*self.b)] = states[..., slice(*self.a)] @ self.J
        return out

    def change(self, states: Floats, direction: Floats) -> Floats:
        """Return the derivative of `field` along a direction (..., n), the same at all states."""
        return self.field(direction)

    def energy(self, states: Floats) -> Floats:
        """Return Σ J_pq a_p b_q for states (..., n), shape (...)."""
        a, b = states[..., slice(*self.a)], states[..., slice(*self.b)]
        return np.einsum("...p,...p->...", a, b @ self.J.T)

    def moments(self, states: Floats, weights: Floats) -> Floats:
        """Return Σ_b weights_b a_bp b_bq, states (b, n), weights (b,), shape (p, q)."""
        a, b = states[:, slice(*self.a)], states[:, slice(*self.b)]
        w = weights[:, None]
        return (a * w).T @ b if a.shape[1] < b.shape[1] else a.T @ (b * w)

    def moments_along(self, states: Floats, direction: Floats, weights: Floats) -> Floats:
        """Return Σ_b weights_b (v_bp b_bq + a_bp v_bq), states and direction v (b, n), shape (p, q)."""
        (a, b), (along_a, along_b) = (
            (s[:, slice(*self.a)], s[:, slice(*self.b)]) for s in (states, direction)
        )
        w = weights[:, None]
        return np.concatenate([along_a, a]).T @ np.concatenate([b * w, along_b * w])

    def edges(self) -> EdgeList:
        """Return (i, j, J), each (m = p·q,), with i < j."""
        p, q = np.meshgrid(np.arange(*self.a), np.arange(*self.b), indexing="ij")
        i, j = p.ravel(), q.ravel()
        return np.minimum(i, j), np.maximum(i, j), self.J.ravel()

    def gather(self, edge_moments: Floats) -> Floats:
        """Return moments per edge (m,) as moments per parameter (p, q)."""
        return edge_moments.reshape(self.J.shape)
