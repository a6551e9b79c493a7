"""Pairs: inputs and the units that each acts on, where that is not all of them.

force on unit j = Σ_(i, j) W_ij x_i               x: a component of the input, one weight per pair
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Floats
from isingeq.kernels.pairs import correlate, drive
from isingeq.kernels.pool import Pool

Indices = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Inputs and the units that each acts on, a weight per pair.

    Attributes:
        source: input of every pair (m,).
        target: unit (m,), counted from the first that inputs act on.
        units: number of units that inputs act on.
    """

    source: Indices
    target: Indices
    units: int

    @property
    def reach(self) -> float:
        """Weights that a unit sums over, and units that an input acts on, on average, added."""
        ends = (np.unique(end).size for end in (self.source, self.target))
        return sum(self.source.size / max(1, number) for number in ends)


class PairedInputs:
    """Inputs (b, inputs) that act along pairs; like `Inputs`, with one weight per pair."""

    def __init__(self, x: Floats, pairs: Pairs) -> None:
        self.x, self.pairs = x, pairs
        self._rows = np.ascontiguousarray(x.T)

    def rows(self, part: Indices) -> "PairedInputs":
        """Return some of the samples."""
        return PairedInputs(self.x[part], self.pairs)

    def times(self, weights: Floats, pool: Pool) -> Floats:
        """Return Σ_pairs w x (b, units)."""
        p, out = self.pairs, np.zeros((self.pairs.units, len(self.x)), weights.dtype)
        rows = self._rows.astype(weights.dtype, copy=False)
        pool.split(
            len(self.x),
            lambda first, last: drive(first, last, rows, p.source, p.target, weights, out),
            least=64,
        )
        return out.T

    def correlate(self, forces: Floats, out: Floats, pool: Pool) -> None:
        """Write Σ_b x f of every pair, forces f (b, units), into out (m,)."""
        p, turned = self.pairs, np.ascontiguousarray(forces.T, out.dtype)
        rows = self._rows.astype(out.dtype, copy=False)
        pool.split(
            len(out),
            lambda first, last: correlate(first, last, rows, turned, p.source, p.target, out),
            least=1024,
        )
