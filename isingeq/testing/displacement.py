"""Displacements from states at rest by their definition, in float64 numpy: the twin of `kernels.displaced`.

    f(δ) = −k δ − Σ (∂field/∂x at x₀) δ − ∂(terms)/∂x at x₀ + δ + r        low − x₀ ≤ δ ≤ high − x₀

Fields of pairwise couplings are linear; behind a pool that goes by its choice they are as well. The reaction r is the
force at x₀ without terms where it presses a unit against its wall, 0 elsewhere.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import SettleRequest
from isingeq.terms import total_gradient

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Displacement:
    """A request for displacements as arrays (b, r, n) in float64.

    Attributes:
        request: with initial states.
        start: x₀.
        reaction: r.
        low: lowest displacements.
        high: highest.
        stiffness: k of every unit (n,).
    """

    request: SettleRequest
    start: Floats
    reaction: Floats
    low: Floats
    high: Floats
    stiffness: Floats

    @classmethod
    def of(cls, request: SettleRequest) -> "Displacement":
        """Find the reactions at the initial states of a request."""
        problem = request.problem
        assert request.initial is not None
        start = request.initial.astype(np.float64)
        low, high = problem.bounds
        force = -total_gradient(problem, (), start)
        pressed = ((start <= low) & (force < 0)) | ((start >= high) & (force > 0))
        stiffness = [
            np.full(layer.size, getattr(layer.unit, "stiffness", 1.0)) for layer in problem.layers
        ]
        return cls(
            request, start, np.where(pressed, force, 0), low - start, high - start, np.concatenate(stiffness)
        )  # fmt: skip

    def force(self, moved: Floats) -> Floats:
        """Return f at displacements (b, r, n), same shape."""
        problem = self.request.problem
        force = self.reaction - self.stiffness * moved
        for coupling in problem.couplings:
            force = force - coupling.change(self.start, moved)
        for term in self.request.terms:
            force = force - term.gradient(self.start + moved)
        return np.asarray(force)

    def clip(self, moved: Floats) -> Floats:
        """Return displacements within the walls."""
        return np.clip(moved, self.low, self.high)

    def residual(self, moved: Floats) -> Floats:
        """Return |δ − clip(δ + f)|, the largest over units (b, r)."""
        gap = np.abs(moved - self.clip(moved + self.force(moved)))
        return np.asarray(gap.max(axis=-1))

    def settle(self, tolerance: float, steps: int) -> tuple[Floats, NDArray[np.int64]]:
        """Return displacements after δ ← clip(δ + f / 2k) to a residual within the tolerance, and steps (b, r)."""
        moved = np.zeros_like(self.start)
        taken = np.zeros(moved.shape[:2], np.int64)
        for _ in range(steps):
            moving = (self.residual(moved) > tolerance) | (tolerance == 0)
            if not moving.any():
                break
            following = self.clip(moved + self.force(moved) / (2 * self.stiffness))
            moved = np.where(moving[..., None], following, moved)
            taken += moving
        return moved, taken
