"""XY machine: it rests where gradient flow rests, and stays stable at the pace it gives itself."""

import numpy as np
import pytest

from isingeq.backend import SettleRequest, residual_of
from isingeq.backends.oscillator import PhaseSimulator, xy
from isingeq.couplings import Cosine, Dense, Edges
from isingeq.errors import ConfigError
from isingeq.machines.oscillator import Oscillator
from isingeq.machines.wiring import Wiring
from isingeq.machines.xy import XY
from isingeq.problem import Problem
from isingeq.units import Layer, Phase


def lattice(side=5, rows=3, scale=1.0):
    at = np.arange(side * side).reshape(side, side)
    i = np.r_[at[:, :-1].ravel(), at[:-1].ravel()]
    j = np.r_[at[:, 1:].ravel(), at[1:].ravel()]
    rng = np.random.default_rng(0)
    pairs = Cosine(Edges(side * side, i, j, scale * rng.normal(size=i.size)))
    fields = rng.normal(size=(rows, side * side, 2))
    return Problem((Layer("p", side * side, Phase()),), (pairs,), fields)


def layered(rows=3, scale=0.3):
    rng = np.random.default_rng(1)
    layers = (Layer("a", 20, Phase()), Layer("b", 6, Phase()))
    block = Cosine(Dense((0, 20), (20, 26), scale * rng.normal(size=(20, 6))))
    return Problem(layers, (block,), rng.normal(size=(rows, 26, 2)))


@pytest.mark.parametrize("make", [lattice, layered])
def test_it_settles_where_gradient_flow_stays(make):
    problem = make()
    request = SettleRequest(problem, reads=6, max_steps=5000, tolerance=1e-8, precision="float64")
    answer = xy().settle(request)
    assert answer.settled.all()
    np.testing.assert_allclose(answer.residual, residual_of(request, answer.states), atol=1e-12)
    flow = PhaseSimulator("flow", Oscillator(0.02))
    after = flow.settle(
        SettleRequest(problem, reads=6, initial=answer.states, max_steps=500, precision="float64")
    )
    gap = np.angle(np.exp(1j * (after.states - answer.states)))
    assert np.abs(gap).max() < 1e-5


def test_it_takes_far_fewer_steps_than_gradient_flow():
    request = SettleRequest(lattice(), reads=8, max_steps=20_000, tolerance=1e-4)
    heavy = xy().settle(request).steps
    flow = PhaseSimulator("flow", Oscillator(0.1)).settle(request).steps
    assert np.median(heavy) < 0.5 * np.median(flow)


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_it_settles_at_every_scale_of_couplings(scale):
    answer = xy(momentum=0.9).settle(
        SettleRequest(
            lattice(scale=scale),
            max_steps=4000,
            tolerance=1e-3 * max(1, scale),
            precision="float64",
        )
    )
    assert answer.settled.all()


def test_without_momentum_the_energy_never_rises():
    trace = (
        xy(momentum=0.0, dt=1.0)
        .settle(
            SettleRequest(
                lattice(scale=3.0), max_steps=100, tolerance=0.0, precision="float64", trace=True
            )
        )
        .trace
    )
    assert (np.diff(trace.energy, axis=0) <= 1e-10).all()


def test_the_pace_bounds_the_curvature():
    rng = np.random.default_rng(2)
    for problem in (lattice(), layered(), layered(scale=3.0)):
        J = np.zeros((problem.n, problem.n))
        i, j, values = problem.couplings[0].edges()
        J[i, j] = J[j, i] = values
        norm = Wiring.of(problem, np.float32).norm
        largest = np.abs(np.linalg.eigvalsh(J)).max()
        assert largest <= norm * (1 + 1e-9)
        assert norm < 2.5 * largest
        phi = rng.uniform(-4, 4, problem.n)
        turn = np.exp(1j * phi)
        local = np.abs(J @ turn + problem.fields[0] @ np.array([1, 1j]))
        bare = J * np.cos(phi[:, None] - phi)
        pull = np.real(np.conj(turn) * (J @ turn + problem.fields[0] @ np.array([1, 1j])))
        curvature = np.linalg.eigvalsh(
            (bare - np.diag(pull)) / np.sqrt(np.outer(local + norm, local + norm))
        )
        assert curvature.max() <= 1 + 1e-9


def test_phases_without_field_and_couplings_stay():
    nothing = Problem((Layer("p", 3, Phase()),), (), np.zeros((2, 3, 2)))
    answer = xy().settle(SettleRequest(nothing, seed=4))
    assert np.isfinite(answer.states).all()
    assert (answer.steps == 0).all()
    assert (answer.residual == 0).all()


@pytest.mark.parametrize("bad", [{"momentum": 1.0}, {"momentum": -0.1}, {"dt": 0.0}, {"dt": 3.7}])
def test_steps_beyond_stability_are_refused(bad):
    with pytest.raises(ConfigError, match="XY machine needs"):
        XY(**bad)
