"""Phases coupled by the cosine of their difference: E = Σ J_ij cos(φ_i − φ_j).

A phase is a point on the circle and cos(φ_i − φ_j) the product of two such points, so the arithmetic is that of the
coupling inside, on cosines and on sines. Papers write −Σ W_ij cos(φ_i − φ_j): J = −W.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from isingeq.couplings.kind import Coupling, EdgeList, Floats
from isingeq.errors import ProblemError


@dataclass(frozen=True, slots=True, eq=False)
class Cosine:
    """Σ J_ij cos(φ_i − φ_j) over the pairs of the coupling `of`."""

    of: Coupling
    pairwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.of.pairwise or isinstance(self.of, Cosine):
            raise ProblemError(
                f"a cosine coupling is made of a plain pairwise one, not of {self.of.kind!r}"
            )

    @property
    def kind(self) -> str:
        """Kind of the coupling inside, after the word cosine."""
        return f"cosine {self.of.kind}"

    @property
    def version(self) -> int:
        """Version of the coupling inside."""
        return self.of.version

    @property
    def structure(self) -> tuple[object, ...]:
        """Structure of the coupling inside, marked as a cosine."""
        return ("cosine", self.of.structure)

    def field(self, states: Floats) -> Floats:
        """Return ∂E/∂φ_i = −Σ_j J_ij sin(φ_i − φ_j) for states (..., n), same shape."""
        c, s = np.cos(states), np.sin(states)
        return c * self.of.field(s) - s * self.of.field(c)

    def change(self, states: Floats, direction: Floats) -> Floats:
        """Return Σ_j J_ij cos(φ_i − φ_j) (v_j − v_i) for states and direction v (..., n), same shape."""
        c, s = np.cos(states), np.sin(states)
        pulled = c * self.of.field(c * direction) + s * self.of.field(s * direction)
        return pulled - direction * (c * self.of.field(c) + s * self.of.field(s))

    def energy(self, states: Floats) -> Floats:
        """Return Σ J_ij cos(φ_i − φ_j) for states (..., n), shape (...)."""
        return self.of.energy(np.cos(states)) + self.of.energy(np.sin(states))

    def moments(self, states: Floats, weights: Floats) -> Floats:
        """Return Σ_b weights_b cos(φ_bi − φ_bj), states (b, n), weights (b,), shape of the parameters."""
        return self.of.moments(np.cos(states), weights) + self.of.moments(np.sin(states), weights)

    def moments_along(self, states: Floats, direction: Floats, weights: Floats) -> Floats:
        """Return Σ_b weights_b sin(φ_bi − φ_bj) (v_bj − v_bi), states φ and direction v (b, n), as `moments`."""
        c, s = np.cos(states), np.sin(states)
        cosines = self.of.moments_along(c, -s * direction, weights)
        return cosines + self.of.moments_along(s, c * direction, weights)

    def edges(self) -> EdgeList:
        """Return (i, j, J) of the coupling inside, each (m,)."""
        return self.of.edges()

    def gather(self, edge_moments: Floats) -> Floats:
        """Return moments per edge (m,) as moments per parameter."""
        return self.of.gather(edge_moments)
