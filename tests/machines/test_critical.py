"""The automatic choice of step and damping, against the spectrum of the very map that the kernel applies."""

import numpy as np
import pytest

from isingeq.backend import SettleRequest
from isingeq.backends.layout import Layout
from isingeq.backends.simulator import conjugate
from isingeq.couplings import Dense
from isingeq.kernels.panels import fixed
from isingeq.kernels.relax import Batch, Found, Motion, relax_tiles
from isingeq.machines.conjugate import Conjugate, critical
from isingeq.machines.curvature import smallest_curvature
from isingeq.problem import Problem
from isingeq.schedule import Relaxation
from isingeq.units import Amplitude, Layer

INF = np.inf
P, Q = 5, 4


def two_layers(largest, stiffness=1.0):
    """A linear net of two layers whose largest coupling is `largest`, in units of the stiffness."""
    J = np.random.default_rng(0).normal(size=(P, Q))
    J *= stiffness * largest / np.linalg.norm(J, 2)
    layers = tuple(
        Layer(name, size, Amplitude(-INF, INF, stiffness)) for name, size in (("a", P), ("b", Q))
    )
    return Problem(layers, (Dense((0, P), (P, P + Q), J),), np.zeros((1, P + Q)))


def phase_space_map(problem, relaxation):
    """The linear map (x, y) → (x, y) of one step, column by column: each basis vector is one sample."""
    n = problem.n
    basis = np.eye(2 * n)
    grid = Conjugate().grid(relaxation, 1, free=False)
    layout = Layout.of(problem, relaxation.order)
    x, y = np.ascontiguousarray(basis[:, :n]), np.ascontiguousarray(basis[:, n:])
    b = 2 * n
    still = fixed(np.zeros((b, n)))
    batch = Batch(still, np.zeros((0, n)), np.zeros(b), np.ones(b), np.zeros((0, 1)), fixed(x), y)
    found = Found(np.empty((b, n)), np.zeros(b, np.int64), np.zeros(b), np.zeros(b, bool))
    synchronous = int(relaxation.order == "synchronous")
    how = Motion(grid.keep, grid.ramp, grid.kick, grid.drift, 0.0, synchronous, 0.0, 0.0, 0)
    relax_tiles(0, -(-b // 16), layout.loaded(problem, np.float64), how, batch, found, ())
    if relaxation.damping[0] == INF:  # momenta are not carried: only positions count
        return found.states[:n].T
    return np.concatenate([found.states, batch.momentum], axis=1).T


def radius(problem, relaxation):
    return np.abs(np.linalg.eigvals(phase_space_map(problem, relaxation))).max()


@pytest.mark.parametrize("largest", [0.5, 0.8, 0.97])
@pytest.mark.parametrize("stiffness", [1.0, 2.5])
def test_asynchronous_overrelaxation_is_the_best_there_is(largest, stiffness):
    problem = two_layers(largest, stiffness)
    chosen = critical(1 - largest, "asynchronous")
    omega = chosen.dt**2
    best = radius(problem, chosen)
    # the slowest pair of modes meets here, so rounding enters as its square root
    assert best == pytest.approx(omega - 1, abs=1e-6)
    plain = radius(problem, Relaxation("asynchronous", 1.0, (INF, INF)))
    assert plain == pytest.approx(largest**2, rel=1e-9)
    assert best < 0.9 * plain
    for other in (omega - 0.03, omega + 0.03):
        assert (
            radius(problem, Relaxation("asynchronous", float(np.sqrt(other)), (INF, INF)))
            > best + 1e-3
        )


@pytest.mark.parametrize("largest", [0.5, 0.8, 0.97])
@pytest.mark.parametrize("stiffness", [1.0, 2.5])
def test_synchronous_damping_is_critical(largest, stiffness):
    problem, mu = two_layers(largest, stiffness), 1 - largest
    chosen = critical(mu, "synchronous")
    best = radius(problem, chosen)
    assert best == pytest.approx(1 - np.sqrt(mu), abs=1e-6)
    assert best < radius(problem, Relaxation("synchronous", 1.0, (INF, INF))) - 0.05
    for factor in (0.9, 1.1):
        damping = factor * chosen.damping[0]
        assert radius(problem, Relaxation("synchronous", 1.0, (damping, damping))) > best + 1e-3


@pytest.mark.parametrize("order", ["asynchronous", "synchronous"])
@pytest.mark.parametrize("damping", [0.3, 1.4])
def test_phase_space_contracts_by_the_damping_alone(order, damping):
    problem = two_layers(0.9, 2.0)
    volume = np.linalg.det(phase_space_map(problem, Relaxation(order, 0.7, (damping, damping))))
    assert -np.log(volume) / problem.n == pytest.approx(damping * 0.7, rel=1e-10)


def boxed(seed=0, batch=4):
    rng = np.random.default_rng(seed)
    layers = (
        Layer("a", 12, Amplitude(0, 1, 1.5)),
        Layer("b", 9, Amplitude(0, 1, 0.8)),
        Layer("c", 4, Amplitude(-INF, INF, 1.2)),
    )
    couplings = (
        Dense((0, 12), (12, 21), rng.normal(size=(12, 9)) * 0.15),
        Dense((12, 21), (21, 25), rng.normal(size=(9, 4)) * 0.15),
    )
    return Problem(layers, couplings, rng.normal(size=(batch, 25)) * 0.8)


def exact_curvature(problem, state):
    low, high = problem.bounds
    free = (state > low) & (state < high)
    k = np.repeat(
        [layer.unit.stiffness for layer in problem.layers], [layer.size for layer in problem.layers]
    )
    H = np.diag(k)
    for coupling in problem.couplings:
        H = H + coupling.field(np.eye(problem.n))
    scaled = H / np.sqrt(np.outer(k, k))
    return np.linalg.eigvalsh(scaled[np.ix_(free, free)])[0]


def test_smallest_curvature_is_that_of_the_units_off_their_walls():
    problem, rng = boxed(), np.random.default_rng(1)
    states = np.clip(rng.uniform(-0.7, 1.7, (4, 25)), *problem.bounds)
    assert 0.2 < np.mean((states[:, :21] == 0) | (states[:, :21] == 1)) < 0.9
    each = [exact_curvature(problem, state) for state in states]
    for state, exact in zip(states, each, strict=True):
        assert smallest_curvature(problem, state[None]) == pytest.approx(exact, abs=0.01)
    assert np.ptp(each) > 0.03
    assert smallest_curvature(problem, states) == pytest.approx(np.quantile(each, 0.25), abs=0.01)
    assert smallest_curvature(problem, states, quantile=0) == pytest.approx(min(each), abs=0.01)


def test_smallest_curvature_of_units_that_all_sit_at_walls_is_one():
    problem = boxed()
    problem = Problem(problem.layers[:2], problem.couplings[:1], problem.fields[:, :21])
    assert smallest_curvature(problem, np.zeros((2, 21))) == 1.0


@pytest.mark.parametrize("order", ["auto", "synchronous", "asynchronous"])
def test_the_simulator_finds_the_curvature_at_the_free_state(order):
    problem = boxed()
    backend = conjugate(order=order)
    try:
        found = backend.suggest_schedule(problem)
        settled = backend.settle(
            SettleRequest(problem, tolerance=1e-8, max_steps=1000, precision="float64")
        )
    finally:
        backend.close()
    exact = np.quantile([exact_curvature(problem, state) for state in settled.states[:16, 0]], 0.25)
    assert found.curvature == pytest.approx(exact, abs=0.02)
    assert found == critical(found.curvature, "asynchronous" if order == "auto" else order)
