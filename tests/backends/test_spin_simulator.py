"""Any spin machine as a backend: traces are of the problem asked for, held spins and offset included."""

import numpy as np
import pytest

from isingeq.backend import SettleRequest
from isingeq.couplings import Dense
from isingeq.problem import Problem
from isingeq.registry import open_backend
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge
from isingeq.units import Layer, Spin

SPECS = [
    "metropolis?sweeps=30",
    "gibbs?sweeps=30",
    "p-bit?sweeps=30",
    "bifurcation?keep=final&sweeps=30",
]


@pytest.mark.parametrize("spec", [*SPECS, "coherent?keep=final&sweeps=30"])
def test_a_trace_ends_at_the_energy_of_the_answer(spec):
    rng = np.random.default_rng(3)
    layers = tuple(Layer(name, size, Spin()) for name, size in (("a", 4), ("b", 3)))
    problem = Problem(
        layers,
        (Dense((0, 4), (4, 7), rng.normal(size=(4, 3))),),
        rng.normal(size=(2, 7)),
        offset=1.7,
    )
    mask = np.arange(7) == 2
    terms = (
        LinearNudge(rng.normal(size=(2, 7))),
        QuadraticNudge((4, 7), np.ones((2, 3)), np.array([0.4, -0.3])),
        Clamp(mask, np.where(mask, -1.0, 0.0) * np.ones((2, 1))),
    )
    backend = open_backend(spec)
    schedule = backend.suggest_schedule(problem)
    found = backend.settle(SettleRequest(problem, terms, schedule=schedule, seed=4, trace=True))
    np.testing.assert_allclose(found.trace.energy[-1], found.energies[:, 0], rtol=1e-5)
    best = found.trace.details["best_energy"]
    assert (np.diff(best, axis=0) <= 1e-5).all()
    assert (best[-1] >= found.trace.energy.min(axis=0) - 1e-4).all()
    assert (best[-1] <= found.trace.energy[0] + 1e-4).all()
    backend.close()
