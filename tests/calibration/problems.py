"""Small problems of spins in which nothing is symmetric."""

import numpy as np

from isingeq.couplings import Dense, Edges
from isingeq.problem import Problem
from isingeq.terms import LinearNudge, QuadraticNudge
from isingeq.units import Layer, Spin

LAYERS = (Layer("a", 4, Spin()), Layer("b", 3, Spin()))


def couplings(seed=1, reach=0.8, kind=np.float64):
    """Between the layers, and an odd cycle inside the second one."""
    rng = np.random.default_rng(seed)
    across = rng.uniform(-reach, reach, (4, 3)).astype(kind)
    inside = rng.uniform(-reach, reach, 3).astype(kind)
    pairs = np.array([[4, 4, 5], [5, 6, 6]])
    return Dense((0, 4), (4, 7), across), Edges(7, pairs[0], pairs[1], inside)


def problem(seed=1, rows=3, reach=0.8, kind=np.float64, shared=None):
    rng = np.random.default_rng([seed, 7])
    fields = rng.uniform(-1.3, 1.3, (rows, 7)).astype(kind)
    return Problem(LAYERS, shared or couplings(seed, reach, kind), fields, offset=0.3)


def nudges(rows=3, seed=2, force=0.9):
    """A force on one unit and a spring on the second layer, rows of both signs."""
    rng = np.random.default_rng(seed)
    pull = np.zeros((rows, 7))
    pull[:, 2] = rng.uniform(-force, force, rows)
    targets = np.where(rng.random((rows, 3)) < 0.5, -1.0, 1.0)
    strength = np.where(np.arange(rows) % 2, -0.7, 0.6)
    return LinearNudge(pull), QuadraticNudge((4, 7), targets, strength)
