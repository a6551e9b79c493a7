"""Energies with barriers: tilted wells, planted instances and spin glasses, each over amplitudes in walls.

    F(x) = ½ κ Σ x² + Σ h x + Σ J x x          J scaled so that its strongest attraction is 1

The strongest attraction is the largest eigenvalue of −J. A machine of amplitudes has a stiffness, which an Ising
machine has not: κ = 0.1 keeps it small beside the couplings, so that nearly all amplitudes end at a wall, and what
counts is the energy of their signs. A ramp of 1 − κ makes the energy convex at the start and ends at F.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import SettleRequest
from isingeq.couplings import Dense, Edges
from isingeq.problem import Problem
from isingeq.registry import open_backend
from isingeq.units import Amplitude, Layer, Spin

Floats = NDArray[np.floating]

STIFFNESS = 0.1
NEAR = 0.1
"""How far from 0 the near starts are, where a ramp begins."""
_WRONG = 0.9
_WIDEST = 2.5
"""Farthest start of the tilted wells, in distances from the barrier to a minimum."""


@dataclass(frozen=True, eq=False)
class Landscape:
    """A problem and how good a state of it is.

    Attributes:
        problem: over amplitudes.
        start: states (b, r, n), the same for all machines.
        signs: the couplings between signs, before they were scaled; None for wells.
        best: lowest energy of signs that is known.
    """

    problem: Problem
    start: Floats
    signs: Edges | None = None
    best: float = 0.0

    def misses(self, states: Floats) -> Floats:
        """Return how far each state (b, r, n) is off, (b, r).

        That is 100 in the shallow well and 0 in the deep one; elsewhere, how many percent of the best energy the
        signs lie above it.
        """
        if self.signs is None:
            return 100.0 * (states[..., 0] < 0)
        signs = np.where(states >= 0, 1.0, -1.0)
        return 100.0 * (1.0 - self.signs.energy(signs) / self.best)


def wells(tilts: tuple[float, ...], starts: int, seed: int) -> Landscape:
    """Return two wells for each tilt: one unit without walls, coupled to one between walls.

    The second follows the sign of the first at once where that is large, so the first moves in ½ κ x² − |x| − tilt x:
    minima at (tilt ± 1) / κ, a barrier of 1 / 2κ between them, and starts so far up both slopes that a state which
    loses nothing on its way down could cross.
    """
    layers = (
        Layer("well", 1, Amplitude(-np.inf, np.inf, STIFFNESS)),
        Layer("side", 1, Amplitude(-1.0, 1.0, STIFFNESS)),
    )
    fields = np.zeros((len(tilts), 2))
    fields[:, 0] = -np.array(tilts)
    x = np.random.default_rng([seed, 1]).uniform(-1, 1, (starts, 2))
    x[:, 0] *= _WIDEST / STIFFNESS
    x[:, 1] = np.sign(x[:, 0])
    problem = Problem(layers, (Dense((0, 1), (1, 2), -np.ones((1, 1))),), fields)
    return Landscape(problem, np.repeat(x[None], len(tilts), axis=0))


def glass(n: int, starts: int, seed: int) -> Landscape:
    """Return a spin glass: every pair coupled, by Gaussian numbers; its best energy is searched for at length.

    Like `planted` it has two rows: starts all over the box, and starts near 0.
    """
    i, j = np.triu_indices(n, 1)
    rng = np.random.default_rng([seed, 2])
    signs = Edges(n, i, j, rng.standard_normal(i.size))
    return _landscape(signs, rng, starts, searched(signs, seed))


def glass_problem(n: int, coupling: float, seed: int) -> Problem:
    """Return a glass of amplitudes in [−1, 1] of stiffness 1, whose strongest attraction is `coupling`."""
    i, j = np.triu_indices(n, 1)
    rng = np.random.default_rng([seed, 2])
    edges = Edges(n, i, j, rng.standard_normal(i.size))
    scaled = Edges(n, i, j, coupling * edges.J / attraction(edges))
    return Problem((Layer("spins", n, Amplitude(-1.0, 1.0)),), (scaled,), np.zeros((1, n)))


def attraction(couplings: Edges) -> float:
    """Return the largest eigenvalue of −J."""
    matrix = np.zeros((couplings.n, couplings.n))
    matrix[couplings.i, couplings.j] = couplings.J
    return float(np.linalg.eigvalsh(-(matrix + matrix.T))[-1])


def planted(side: int, starts: int, seed: int) -> Landscape:
    """Return loops of four spins on a torus, each with one weak wrong coupling; all are lowest in one common state.

    Every other square of the lattice is a loop, as on a chessboard, so that every edge is in one of them. A loop is
    frustrated: three couplings of 1 want what was planted, one of 0.9 the opposite, and gives way. Hamze et al. 2018.
    """
    rng = np.random.default_rng([seed, 3])
    target = rng.choice([-1.0, 1.0], side * side)
    pairs, J = [], []
    for row in range(side):
        for column in range(row % 2, side, 2):
            below, right = (row + 1) % side, (column + 1) % side
            corners = [(row, column), (row, right), (below, right), (below, column)]
            loop = [y * side + x for y, x in corners]
            wrong = rng.integers(4)
            for k in range(4):
                a, b = sorted((loop[k], loop[(k + 1) % 4]))
                pairs.append((a, b))
                J.append((_WRONG if k == wrong else -1.0) * target[a] * target[b])
    i, j = np.array(sorted(pairs)).T
    signs = Edges(side * side, i, j, np.array(J)[np.lexsort(np.array(pairs).T[::-1])])
    return _landscape(signs, rng, starts, float(signs.energy(target)))


def searched(signs: Edges, seed: int) -> float:
    """Return the lowest energy that two long searches find."""
    spins = Problem((Layer("spins", signs.n, Spin()),), (signs,), np.zeros((1, signs.n)))
    best = np.inf
    for spec, reads in (("bifurcation?sweeps=2000", 256), ("metropolis?sweeps=1000", 64)):
        backend = open_backend(spec)
        try:
            request = SettleRequest(
                spins, reads=reads, schedule=backend.suggest_schedule(spins), seed=seed
            )
            best = min(best, float(backend.settle(request).energies.min()))
        finally:
            backend.close()
    return best


def _landscape(signs: Edges, rng: np.random.Generator, starts: int, best: float) -> Landscape:
    layer = Layer("spins", signs.n, Amplitude(-1.0, 1.0, STIFFNESS))
    scaled = Edges(signs.n, signs.i, signs.j, signs.J / attraction(signs))
    problem = Problem((layer,), (scaled,), np.zeros((2, signs.n)))
    wide = rng.uniform(-1, 1, (starts, signs.n))
    return Landscape(problem, np.stack([wide, NEAR * wide]), signs, best)
