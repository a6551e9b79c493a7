"""How long a step may be: Euler on coupled oscillators damps what departs from the amplitudes aimed at.

A small departure decays at most at the rate 3 x² − gain + ε e λ, with λ the largest eigenvalue of J and
gain = p − 1 − j; an Euler step longer than 2 / rate turns decay into growth.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.linalg import ArpackNoConvergence, eigsh

from isingeq.machines.graph import Graph
from isingeq.machines.tiles import CROWDED


@dataclass(frozen=True, slots=True)
class Pulse:
    """A machine at one moment.

    Attributes:
        gain: pump less all losses.
        feedback: ε.
        field: largest |h|.
        target: squared amplitude that error variables hold; None where amplitudes find themselves.
        follows: feedback is added to the target.
    """

    gain: float
    feedback: float
    field: float
    target: float | None
    follows: bool

    def rate(self, lowest: float, highest: float, typical: float) -> float:
        """Return the largest rate for the extreme eigenvalues of J and a field typical of low energies.

        Error variables settle where ε e times the typical field balances −gain + a. Free amplitudes are at most
        x² = gain + ε |λ| + (ε h)^⅔.
        """
        strength = abs(self.feedback)
        push = max(self.feedback * lowest, self.feedback * highest, 0.0)
        if self.target is None:
            most = strength * max(-lowest, highest, 0.0)
            square = max(0.0, self.gain + most) + (strength * self.field) ** (2 / 3)
        else:
            square = self.target + strength * typical * self.follows
            if strength * typical > 0:
                push *= max(1.0, (square - self.gain) / (strength * typical))
        return 3 * square - self.gain + push


def longest_step(graph: Graph, moments: list[Pulse], wanted: float) -> float:
    """Return a bound on stable time steps; one that only holds from below where it already allows `wanted`."""
    typical = 1.5 * graph.rms * float(np.sqrt(graph.n))
    reach = float(graph.reach.max(initial=0.0))

    def bound(lowest: float, highest: float) -> float:
        rate = max(moment.rate(lowest, highest, typical) for moment in moments)
        return 2 / rate if rate > 0 else np.inf

    safe = bound(-reach, reach)
    return safe if wanted <= safe else bound(*_extremes(graph, reach))


@lru_cache(maxsize=1)
def _extremes(graph: Graph, reach: float) -> tuple[float, float]:
    """Return the lowest and the highest eigenvalue of J, to a few per cent; kept for the next call on this graph."""
    if graph.n <= 32:
        values: NDArray[np.float64] = np.linalg.eigvalsh(graph.dense.astype(np.float64))
        return float(values.min(initial=0.0)), float(values.max(initial=0.0))
    matrix: object = graph.dense
    if graph.density < CROWDED:
        matrix = csr_array((graph.values, graph.neighbours, graph.starts), shape=(graph.n, graph.n))
    first = np.cos(np.arange(graph.n) + 1.0).astype(np.float32)
    try:
        ends = eigsh(matrix, k=2, which="BE", tol=0.05, v0=first, return_eigenvectors=False)
    except ArpackNoConvergence:
        return -reach, reach
    return float(min(ends)), float(max(ends))
