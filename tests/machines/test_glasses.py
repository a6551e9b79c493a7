"""Couplings on edges, inside one layer and across layers, on the relaxing simulators."""

from dataclasses import replace

import numpy as np
import pytest

from isingeq.backend import SettleRequest, residual_of
from isingeq.backends.simulator import conjugate, hopfield
from isingeq.couplings import Dense, Edges
from isingeq.errors import CapabilityError
from isingeq.problem import Problem
from isingeq.terms import QuadraticNudge
from isingeq.units import Amplitude, Layer

INF = np.inf
N, BATCH = 37, 19
BOX = Amplitude(-1.0, 1.0, 1.3)


def glass(seed=0, strength=0.6):
    rng = np.random.default_rng(seed)
    i, j = np.triu_indices(N, 1)
    kept = rng.random(i.size) < 0.4
    J = rng.normal(size=kept.sum()) * strength / np.sqrt(0.4 * N)
    return Problem(
        (Layer("glass", N, BOX),),
        (Edges(N, i[kept], j[kept], J),),
        0.2 * rng.normal(size=(BATCH, N)),
    )


def matrix(problem):
    J = np.zeros((problem.n, problem.n))
    for coupling in problem.couplings:
        i, j, values = coupling.edges()
        J[i, j] += values
    return J + J.T


def settled(backend, asked):
    try:
        return backend.settle(asked)
    finally:
        backend.close()


@pytest.mark.parametrize("strength", [0.6, 3.0])
def test_a_glass_moves_by_the_equations(strength):
    """y ← e^(−γ dt) y + dt (f − r x) / k, x ← clip(x + dt y), with r falling over half of the steps."""
    problem, steps, dt, gamma = glass(strength=strength), 20, 0.6, 0.5
    rng = np.random.default_rng(3)
    start = rng.uniform(-0.5, 0.5, (BATCH, 1, N))
    asked = SettleRequest(
        problem, initial=start, precision="float64", tolerance=0.0, max_steps=steps
    )
    found = settled(conjugate(damping="0.5", dt=dt, ramp=2.0, ramp_share=0.5), asked)
    J, x, y = matrix(problem), start[:, 0].copy(), np.zeros((BATCH, N))
    for t in range(steps):
        ramp = max(0.0, 2.0 * (1 - t / (0.5 * steps)))
        force = -(problem.fields + x @ J) - BOX.stiffness * x - ramp * x
        y = np.exp(-gamma * dt) * y + dt * force / BOX.stiffness
        aim = x + dt * y
        x = np.clip(aim, -1, 1)
        y[aim != x] = 0
    np.testing.assert_allclose(found.states[:, 0], x, atol=1e-12)
    np.testing.assert_allclose(found.residual, residual_of(asked, found.states), atol=1e-12)
    assert (np.abs(x) == 1).any() == (strength > 1)


@pytest.mark.parametrize("strength", [0.6, 3.0])
@pytest.mark.parametrize("spec", [conjugate, lambda: hopfield(update="gradient", dt=0.25)])
def test_a_glass_comes_to_rest(spec, strength):
    """A strong one has curvatures far above 2: whole steps would throw it from wall to wall."""
    asked = SettleRequest(
        glass(strength=strength), precision="float64", tolerance=1e-9, max_steps=3000
    )
    found = settled(spec(), asked)
    assert residual_of(asked, found.states).max() < 1e-8
    assert np.abs(found.states).max() > 0.1


def test_the_automatic_order_of_a_glass_is_synchronous():
    backend = conjugate()
    assert backend.suggest_schedule(glass()).order == "synchronous"
    for refused in (conjugate(order="asynchronous"), hopfield()):
        with pytest.raises(CapabilityError, match=r"'glass'.*order=synchronous.*update=gradient"):
            refused.settle(SettleRequest(glass()))
        refused.close()
    backend.close()


def layered(kind):
    """Three layers; the first and the last are joined by edges between some of their units only."""
    rng = np.random.default_rng(4)
    layers = (
        Layer("a", 7, Amplitude(0, 1, 1.4)), Layer("b", 5, BOX), Layer("c", 3, Amplitude(-INF, INF)),
    )  # fmt: skip
    J = 0.3 * rng.normal(size=(7, 5))
    across = np.array([0, 1, 3, 6, 9]), np.array([12, 14, 12, 13, 14]), 0.4 * rng.normal(size=5)
    first = Dense((0, 7), (7, 12), J)
    couplings = {
        "dense": (first, Edges(15, *across)),
        "parts": (Dense((0, 4), (7, 12), J[:4]), Dense((4, 7), (7, 12), J[4:]), Edges(15, *across)),
        "edges": (Edges(15, *first.edges()), Edges(15, *across)),
    }
    return Problem(layers, couplings[kind], rng.normal(size=(BATCH, 15)))


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["dense", "parts", "edges"])
def test_edges_between_layers_are_what_dense_couplings_are(kind, precision):
    nudge = QuadraticNudge((12, 15), np.ones((BATCH, 3)), np.linspace(-0.3, 0.4, BATCH))
    asked = SettleRequest(
        layered(kind), (nudge,), precision=precision, tolerance=1e-6, max_steps=500
    )
    found, other = (
        settled(hopfield(), replace(asked, problem=layered(k))) for k in (kind, "dense")
    )
    np.testing.assert_allclose(found.states, other.states, atol=1e-5)
    assert residual_of(asked, found.states.astype(float)).max() < 3e-6


def test_noise_of_edges_is_drawn_once_for_both_directions():
    """Two linear units: x_a = −h_a − J x_b and x_b = −h_b − J x_a tell of the J that was drawn."""
    layers = (Layer("pair", 2, Amplitude(-INF, INF)),)
    pair = Edges(2, np.array([0]), np.array([1]), np.array([0.5]))
    problem = Problem(layers, (pair,), np.array([[-1.0, 0.0], [0.0, -1.0]]))
    backend, drawn = hopfield(update="gradient", weight_noise=0.2), []
    for seed in range(100):
        asked = SettleRequest(
            problem, seed=seed, precision="float64", tolerance=1e-12, max_steps=9999
        )
        found = backend.settle(asked).states[:, 0]
        drawn.append((-found[0, 1] / found[0, 0], -found[1, 0] / found[1, 1]))
    backend.close()
    there, back = np.array(drawn).T
    np.testing.assert_allclose(there, back, rtol=1e-9)
    assert abs(there.mean() / 0.5 - 1) < 5 * 0.2 / np.sqrt(100)
    assert abs(there.std() / 0.1 - 1) < 5 / np.sqrt(200)
