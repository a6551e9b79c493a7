"""Newton's method after a heavy ball, and adaptive gradient flow: both rest where the energy is lowest near by."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from isingeq.backend import SettleRequest, residual_of
from isingeq.backends.oscillator import xy, xy_flow
from isingeq.couplings import Cosine, Dense, Edges, Injection
from isingeq.errors import ConfigError
from isingeq.lattices import lattice
from isingeq.machines import polished
from isingeq.problem import Problem
from isingeq.terms import Clamp, CosineNudge, LogCosNudge, total_gradient
from isingeq.units import Layer, Phase

EXACT = {"precision": "float64", "tolerance": 1e-10, "max_steps": 20_000}


def problem(side=5, rows=3, seed=0, injection=0.0):
    graph, rng = lattice("square", side, side), np.random.default_rng(seed)
    pairs = Cosine(Edges(graph.n, graph.i, graph.j, -rng.normal(1.0, 0.5, graph.num_edges)))
    parts = (pairs, Injection(rng.normal(0, injection, graph.n))) if injection else (pairs,)
    return Problem(
        (Layer("p", graph.n, Phase()),), parts, 0.3 * rng.normal(size=(rows, graph.n, 2))
    )


def nudges(rows, *, down=True):
    """Return nudges towards targets, `down` for some samples away from them: to where the cost is a narrow pole."""
    rng = np.random.default_rng(5)
    strength = rng.normal(0, 0.2, rows)
    strength = strength if down else np.abs(strength)
    return (
        LogCosNudge((22, 25), rng.uniform(-1, 1, (rows, 3)), strength),
        CosineNudge((3, 5), rng.uniform(-1, 1, (rows, 2)), strength),
    )


def curvature(request, sample, state):
    """Second derivative of the total energy at a state (n,), by differences of its gradient."""
    out = np.empty((state.size, state.size))
    for k in range(state.size):
        ends = []
        for sign in (1, -1):
            states = np.repeat(state[None, None], request.problem.batch, axis=0)
            states[..., k] += sign * 1e-5
            ends.append(total_gradient(request.problem, request.terms, states)[sample, 0])
        out[k] = (ends[0] - ends[1]) / 2e-5
    return out


@pytest.mark.parametrize("injection", [0.0, 0.3])
@pytest.mark.parametrize("nudged", [False, True])
def test_a_polished_state_is_a_minimum(injection, nudged):
    request = SettleRequest(
        problem(injection=injection), terms=nudges(3) if nudged else (), reads=4, **EXACT
    )
    answer = xy(polish=True).settle(request)
    assert answer.settled.all()
    exact = residual_of(request, answer.states)
    np.testing.assert_allclose(answer.residual, exact, atol=1e-14)
    assert exact.max() < 1e-10
    for sample in range(3):
        assert np.linalg.eigvalsh(curvature(request, sample, answer.states[sample, 1])).min() > 0


def test_newton_takes_over_from_the_ball_and_ends_where_it_would():
    request = SettleRequest(problem(), reads=20, **EXACT)
    quick, slow = (xy(polish=polish).settle(request) for polish in (True, False))
    assert (quick.steps < slow.steps).all()
    same = np.abs(np.angle(np.exp(1j * (quick.states - slow.states)))).max(axis=2) < 1e-6
    assert same.mean() > 0.9


@pytest.mark.parametrize("steps", [45, 60, 90])
def test_samples_have_all_their_steps_whatever_the_others_take(steps):
    whole = problem(rows=12)
    start = np.random.default_rng(3).uniform(-np.pi, np.pi, (12, 1, whole.n))
    asked = {**EXACT, "max_steps": steps}
    answer = xy(polish=True).settle(SettleRequest(whole, initial=start, **asked))
    assert 0 < answer.settled.sum() <= 12
    for row in range(12):
        one = SettleRequest(
            whole.with_fields(whole.fields[row : row + 1]), initial=start[row : row + 1], **asked
        )
        alone = xy(polish=True).settle(one)
        np.testing.assert_array_equal(alone.states[0], answer.states[row])
        assert alone.steps[0, 0] == answer.steps[row, 0]
        assert alone.residual[0, 0] == answer.residual[row, 0]


def test_newton_converges_as_fast_as_it_should():
    """From near by, nudged and with injection: a wrong curvature would take many more than three iterations."""
    free = SettleRequest(problem(injection=0.3), **EXACT)
    start = xy(polish=True).settle(free).states
    moved = start + np.random.default_rng(1).normal(0, 1e-4, start.shape)
    near = {"terms": nudges(3, down=False), **EXACT}
    rest = xy(polish=True).settle(SettleRequest(free.problem, initial=start, **near)).states
    again = SettleRequest(free.problem, initial=rest + (moved - start), **near)
    for one in (SettleRequest(free.problem, initial=moved, **EXACT), again):
        found = xy(polish=True).settle(one)
        assert found.settled.all()
        assert found.steps.max() <= 3


def test_a_saddle_is_refused(monkeypatch):
    """Two phases that repel rest side by side as well, but not at the lowest energy."""
    pair = Problem(
        (Layer("p", 2, Phase()),),
        (Cosine(Dense((0, 1), (1, 2), np.ones((1, 1)))),),
        np.array([[[-0.1, 0.0], [-0.1, 0.0]]]),
    )
    start = np.full((1, 1, 2), [[[1e-3, -2e-3]]])
    monkeypatch.setattr(polished, "NEAR", 1e3)
    found = xy(polish=True).settle(SettleRequest(pair, initial=start, **EXACT))
    assert abs(np.diff(found.states[0, 0]))[0] > 2
    assert found.settled.all()


def test_a_long_step_is_refused_as_it_leads_into_another_basin(monkeypatch):
    """From 1.442 the first step of Newton's method, tan φ, ends next to −2π, a minimum as well."""
    alone = Problem((Layer("p", 1, Phase()),), (), np.array([[[-1.0, 0.0]]]))
    monkeypatch.setattr(polished, "NEAR", 1e9)
    request = SettleRequest(alone, initial=np.full((1, 1, 1), 1.442), **EXACT)
    assert abs(xy(polish=True).settle(request).states[0, 0, 0]) < 1e-9
    monkeypatch.setattr(polished, "LONGEST", 10.0)
    assert xy(polish=True).settle(request).states[0, 0, 0] == pytest.approx(-2 * np.pi, abs=1e-9)


def test_units_that_are_held_stay():
    mask = np.zeros(25, np.bool_)
    mask[[4, 9]] = True
    values = np.tile(np.linspace(-1, 1, 25), (3, 1))
    for machine in (xy(polish=True), xy_flow()):
        answer = machine.settle(SettleRequest(problem(), terms=(Clamp(mask, values),), **EXACT))
        np.testing.assert_array_equal(answer.states[..., mask], values[:, None, mask])
        assert answer.settled.all()


@pytest.mark.parametrize("dense", [False, True])
def test_flow_rests_where_the_minimiser_does(dense):
    """From the same starts near a minimum, and where basins are shared from anywhere."""
    one = problem()
    if dense:
        rng = np.random.default_rng(1)
        layers = (Layer("a", 20, Phase()), Layer("b", 6, Phase()))
        block = Cosine(Dense((0, 20), (20, 26), 0.3 * rng.normal(size=(20, 6))))
        one = Problem(layers, (block,), rng.normal(size=(3, 26, 2)))
    free = xy(polish=True).settle(SettleRequest(one, reads=8, seed=2, **EXACT))
    flow = xy_flow(rtol=1e-6)
    again = flow.settle(SettleRequest(one, reads=8, seed=2, **EXACT))
    assert again.settled.all()
    gap = np.abs(np.angle(np.exp(1j * (again.states - free.states)))).max(axis=2)
    assert ((gap < 1e-7) | (gap > 0.05)).all()
    assert (gap < 1e-7).mean() > 0.3
    moved = free.states + np.random.default_rng(3).normal(0, 0.02, free.states.shape)
    back = [
        m.settle(SettleRequest(one, reads=8, initial=moved, **EXACT))
        for m in (flow, xy(polish=True))
    ]
    np.testing.assert_allclose(back[0].states, back[1].states, atol=1e-8)


def test_flow_is_that_of_the_equation():
    """After a few steps it is where an integrator of scipy is at some time on the way."""
    one = problem(rows=1)
    start = np.random.default_rng(0).uniform(-3, 3, (1, 1, 25))
    request = SettleRequest(one, initial=start, precision="float64", tolerance=1e-12, max_steps=12)
    found = xy_flow(rtol=1e-8).settle(request).states[0, 0]

    def slope(_, phi):
        return -one.field(phi[None, None])[0, 0]

    path = solve_ivp(slope, (0, 3), start[0, 0], rtol=1e-10, atol=1e-12, dense_output=True)
    times = np.linspace(0, 3, 30_001)
    assert np.abs(path.sol(times) - found[:, None]).max(axis=0).min() < 2e-4
    assert np.abs(start[0, 0] - found).max() > 0.1


def test_the_error_of_the_flow_follows_rtol():
    one = problem(rows=1)
    start = np.random.default_rng(0).uniform(-3, 3, (1, 1, 25))
    steps = [
        xy_flow(rtol=rtol).settle(SettleRequest(one, initial=start, **EXACT)).steps[0, 0]
        for rtol in (1e-3, 1e-8)
    ]
    assert 2 < steps[1] / steps[0] < 11  # 10^(5/5) at the most, where only error sets the pace


def test_flow_has_no_steps_to_trace_and_a_range_of_errors():
    assert not xy_flow().capabilities.traces
    assert not xy(polish=True).capabilities.traces
    assert xy().capabilities.traces
    with pytest.raises(ConfigError, match="rtol"):
        xy_flow(rtol=0)
