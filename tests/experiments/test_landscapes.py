import numpy as np
import pytest

from isingeq.backend import SettleRequest
from isingeq.couplings import Edges
from isingeq.experiments.claims.barriers import machines
from isingeq.experiments.claims.basins import distinct
from isingeq.experiments.claims.landscapes import (
    STIFFNESS,
    attraction,
    glass,
    glass_problem,
    planted,
    wells,
)
from isingeq.experiments.claims.starts import specs
from isingeq.registry import open_backend


def test_a_planted_state_is_the_lowest():
    where = planted(4, 3, seed=5)
    n, signs = 16, where.signs
    every = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    assert np.isclose(signs.energy(every).min(), where.best)
    assert len(signs.J) == 2 * n  # every edge of the torus in one loop
    assert np.unique(np.concatenate([signs.i, signs.j]), return_counts=True)[1].tolist() == [4] * n
    assert np.isclose(where.best, -8 * (3 - 0.9))


def test_attractions_are_scaled_to_one():
    for where in (planted(6, 3, seed=2), glass(30, 3, seed=2)):
        (coupling,) = where.problem.couplings
        assert np.isclose(attraction(coupling), 1)
        assert where.start.shape == (2, 3, where.problem.n)
        np.testing.assert_allclose(where.start[1], 0.1 * where.start[0])


def test_misses_are_gaps_in_percent():
    where = glass(30, 4, seed=1)
    signs = np.where(where.start >= 0, 1.0, -1.0)
    energies = where.signs.energy(signs)
    np.testing.assert_allclose(where.misses(where.start), 100 * (1 - energies / where.best))
    shallow, deep = np.array([[[-3.0, -1.0]]]), np.array([[[3.0, 1.0]]])
    two = wells((0.2,), 1, seed=0)
    assert (two.misses(shallow).item(), two.misses(deep).item()) == (100, 0)


def test_wells_are_where_they_are_said_to_be():
    two = wells((0.05, 0.4), 20, seed=0)
    backend = open_backend("hopfield?update=gradient&dt=0.05")
    asked = SettleRequest(
        two.problem, reads=20, initial=two.start, tolerance=1e-9, max_steps=2000,
        precision="float64",
    )  # fmt: skip
    x = backend.settle(asked).states[..., 0]
    backend.close()
    for tilt, row in zip((0.05, 0.4), x, strict=True):
        np.testing.assert_allclose(
            np.sort(np.unique(np.round(row, 5))), np.array([tilt - 1, tilt + 1]) / STIFFNESS
        )


@pytest.mark.parametrize("dt", [0.5, 0.8])
def test_machines_move_by_the_equations_of_the_docstring(dt):
    """Gradient x ← clip(x − dt F'), momentum y ← e^(−γ dt) y − dt F', x ← clip(x + dt y)."""
    where = glass(12, 5, seed=3)
    matrix = np.zeros((12, 12))
    (coupling,) = where.problem.couplings
    matrix[coupling.i, coupling.j] = coupling.J
    matrix += matrix.T
    steps, found = 7, machines((dt,))
    for name, spec in found.items():
        backend = open_backend(spec)
        asked = SettleRequest(
            where.problem, reads=5, initial=where.start, tolerance=0.0, max_steps=steps,
            precision="float64",
        )  # fmt: skip
        ends = backend.settle(asked).states
        backend.close()
        x, y = where.start.copy(), np.zeros_like(where.start)
        for t in range(steps):
            ramp = (1 - STIFFNESS) * (1 - t / steps) if "ramp" in name else 0.0
            slope = (STIFFNESS + ramp) * x + x @ matrix
            if name.startswith("gradient"):
                x = np.clip(x - dt * slope, -1, 1)
                continue
            y = np.exp(-0.05 * dt) * y - dt * slope
            aim = x + dt * y
            x = np.clip(aim, -1, 1)
            y[aim != x] = 0
        np.testing.assert_allclose(ends, x, atol=1e-7)


def test_distinct_states_are_counted_once():
    states = np.array([[0.0, 1.0], [0.001, 1.0], [0.5, 1.0], [0.0, 0.999]])
    assert distinct(states) == 2
    assert distinct(states[:0]) == 0


def test_ramped_steps_are_within_their_bounds():
    n, problem = 10, glass_problem(10, 3.0, 1)
    (coupling,) = problem.couplings
    assert isinstance(coupling, Edges)
    assert np.isclose(attraction(coupling), 3)
    eigenvalues = np.linalg.eigvalsh(coupling.field(np.eye(n)))
    for label, spec in specs(problem).items():
        options = dict(pair.split("=") for pair in spec.partition("?")[2].split("&"))
        dt, ramp = float(options["dt"]), float(options["ramp"])
        assert dt**2 * (1 + ramp + eigenvalues.max()) <= 1.5 + 1e-6
        if "ramp" in label:
            assert 1 + ramp + eigenvalues.min() >= -1e-9
