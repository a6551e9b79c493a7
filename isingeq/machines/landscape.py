"""What a search sees of an energy: a dynamics that looks for a low valley before a relaxation settles in it.

    f = −∂E/∂x / stiffness          low ≤ x ≤ high

A search walks: it yields the states after each of its steps, and takes the product with every coupling once a step.
It need not rest where the energy is stationary, so it promises nothing and belongs to the free phase alone.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isingeq.problem import Problem

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Landscape:
    """An energy of amplitudes as a search sees it; time runs in units of 1 / stiffness.

    Attributes:
        problem: couplings of any kind, in the type of the arithmetic.
        precision: of the arithmetic.
    """

    problem: Problem
    precision: str = "float64"

    @cached_property
    def walls(self) -> tuple[Floats, Floats]:
        """Lowest and highest value of every unit, each (n,)."""
        low, high = self.problem.bounds
        return low.astype(self.precision), high.astype(self.precision)

    @cached_property
    def stiffness(self) -> Floats:
        """Stiffness of every unit (n,)."""
        layers = self.problem.layers
        each = [np.full(k.size, getattr(k.unit, "stiffness", 1.0)) for k in layers]
        return np.concatenate(each).astype(self.precision)

    def pull(self, x: Floats) -> Floats:
        """Return −∂E/∂x / stiffness for states (b, r, n), same shape: the products of one step."""
        return -self.problem.gradient(x) / self.stiffness

    def confine(self, x: Floats) -> Floats:
        """Return states brought back between their walls."""
        return np.clip(x, *self.walls)

    def normal(self, seed: int, shape: tuple[int, ...]) -> Floats:
        """Return standard normal numbers; the first rows of a batch draw the same without the rest."""
        return np.random.default_rng(seed).standard_normal(shape).astype(self.precision)
