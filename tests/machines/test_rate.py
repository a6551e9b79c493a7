"""Leaky rate dynamics against closed forms of linear and feedforward networks."""

import numpy as np
import pytest

from isingeq.backend import SettleRequest, residual_of
from isingeq.backends.rate import rate
from isingeq.corrections import Reciprocal
from isingeq.couplings import Dense, Directed, Edges, Matrix
from isingeq.errors import BackendError, CapabilityError, ConfigError, DivergenceError
from isingeq.machines.rate import Forces, relax
from isingeq.problem import Problem
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge
from isingeq.units import Amplitude, Layer

LINEAR = Amplitude(-np.inf, np.inf, 1.5)
EXACT = {"precision": "float64", "tolerance": 1e-12, "max_steps": 3000}


def chain(activation="tanh", *, batch=3):
    """Three layers of 4, 3 and 2 units, feedforward; the problem and its couplings forward."""
    rng = np.random.default_rng(0)
    layers = tuple(Layer(name, size, LINEAR) for name, size in zip("abc", (4, 3, 2), strict=True))
    couplings = (
        Directed((0, 4), (4, 7), Matrix(rng.normal(size=(4, 3))), activation),
        Directed((4, 7), (7, 9), Matrix(rng.normal(size=(3, 2))), activation),
    )
    return Problem(layers, couplings, rng.normal(size=(batch, 9)))


def turning(strength, *, batch=2):
    """Two linear units that push each other round: the rest is a focus, the iteration with dt = 1 a circle or worse."""
    J = np.array([[0.0, strength], [-strength, 0.0]])
    coupling = Directed((0, 2), (0, 2), Matrix(J), "identity")
    fields = np.random.default_rng(1).normal(size=(batch, 2))
    return Problem((Layer("all", 2, LINEAR),), (coupling,), fields)


def test_a_feedforward_network_settles_in_as_many_steps_as_layers():
    problem = chain()
    found = rate(order="synchronous").settle(SettleRequest(problem, **EXACT))
    assert (found.steps == 3).all()
    in_turn = rate(order="asynchronous").settle(SettleRequest(problem, **EXACT))
    assert (in_turn.steps == 1).all()
    np.testing.assert_allclose(in_turn.states, found.states, rtol=1e-13)
    assert rate().suggest_schedule(problem).order == "asynchronous"
    h, (first, second) = problem.fields, problem.couplings
    a = -h[:, :4] / 1.5
    b = -(h[:, 4:7] + np.tanh(a) @ first.path.J) / 1.5
    c = -(h[:, 7:] + np.tanh(b) @ second.path.J) / 1.5
    np.testing.assert_allclose(found.states[:, 0], np.concatenate([a, b, c], axis=1), rtol=1e-13)


def test_linear_forces_settle_where_their_equations_say():
    problem = turning(2.0)
    targets, strength = np.array([[0.3, -0.2]] * 2), np.array([0.7, -0.4])
    force = np.random.default_rng(2).normal(size=(2, 2))
    terms = (QuadraticNudge((0, 2), targets, strength), LinearNudge(force))
    found = rate(dt=0.2).settle(SettleRequest(problem, terms, **EXACT))
    for row in range(2):
        matrix = (1.5 + strength[row]) * np.eye(2) + problem.couplings[0].path.J.T
        pull = force[row] - problem.fields[row] + strength[row] * targets[row]
        np.testing.assert_allclose(found.states[row, 0], np.linalg.solve(matrix, pull), atol=1e-10)


def test_with_its_correction_the_response_is_that_of_the_transpose():
    problem = turning(1.2)
    request = SettleRequest(problem, **EXACT)
    free = rate(dt=0.3).settle(request).states
    push = np.random.default_rng(2).normal(size=(2, 2))
    terms = (LinearNudge(push), Reciprocal(problem.couplings, free))
    moved = rate(dt=0.3).settle(SettleRequest(problem, terms, **EXACT)).states - free
    matrix = 1.5 * np.eye(2) + problem.couplings[0].path.J  # (k + G)ᵀ, G = Jᵀ
    np.testing.assert_allclose(moved[:, 0], np.linalg.solve(matrix, push.T).T, atol=1e-10)


def test_directed_couplings_add_to_those_with_an_energy():
    rng = np.random.default_rng(3)
    way = Directed((0, 3), (3, 5), Matrix(rng.normal(size=(3, 2))))
    both = Dense((0, 3), (3, 5), 0.3 * rng.normal(size=(3, 2)))
    edge = Edges(5, np.array([0]), np.array([1]), np.array([0.4]))
    layers = (Layer("boxed", 3, Amplitude(-0.2, 0.3)), Layer("out", 2, LINEAR))
    problem = Problem(layers, (way, both, edge), rng.normal(size=(4, 5)))
    request = SettleRequest(problem, reads=2, **EXACT)
    found = rate().settle(request)
    assert found.residual.max() <= 1e-12
    np.testing.assert_allclose(residual_of(request, found.states), found.residual, atol=1e-15)
    boxed = found.states[..., :3]
    assert ((boxed == -0.2) | (boxed == 0.3)).any()
    np.testing.assert_array_equal(found.states[:, 0], found.states[:, 1])


def test_a_time_step_is_found_at_which_it_settles():
    problem = turning(2.0, batch=5)
    request = SettleRequest(problem, tolerance=1e-6, max_steps=100)
    assert rate().suggest_schedule(problem).dt < 0.5
    assert rate().suggest_schedule(chain()).dt == 1.0
    assert rate().settle(request).residual.max() <= 1e-6
    found = rate(dt=0.9).settle(SettleRequest(problem, max_steps=20))
    assert not found.settled.any()
    assert (found.steps == 20).all()
    assert found.provenance.details["schedule"]["dt"] == 0.9


@pytest.mark.parametrize("order", ["synchronous", "asynchronous"])
@pytest.mark.parametrize("reads", [1, 3])
def test_rows_stop_one_by_one_under_nudges_and_corrections(order, reads):
    rng = np.random.default_rng(5)
    problem, at = turning(1.5, batch=9), rng.normal(size=(9, reads, 2))
    strength, targets = rng.uniform(-0.3, 0.5, 9), rng.normal(size=(9, 2))
    start = at + np.logspace(-9, 3, 9)[:, None, None]
    for terms in (
        (),
        (QuadraticNudge((0, 2), targets, strength), Reciprocal(problem.couplings, at)),
    ):
        request = SettleRequest(problem, terms, reads=reads, initial=start, **EXACT)
        found = rate(dt=0.3, order=order).settle(request)
        assert found.residual.max() <= 1e-12
        assert len(np.unique(found.steps)) > 3
        np.testing.assert_allclose(residual_of(request, found.states), found.residual, atol=1e-14)


def test_a_stiff_nudge_needs_no_smaller_step():
    problem = turning(0.5)
    nudge = QuadraticNudge((0, 2), np.ones((2, 2)), np.full(2, 40.0))
    found = rate(dt=1.0).settle(SettleRequest(problem, (nudge,), **EXACT))
    assert found.residual.max() <= 1e-12
    assert np.abs(found.states - 1).max() < 0.1


def test_clamped_units_stay_and_the_others_follow():
    problem = chain()
    mask, values = np.arange(9) < 4, np.full((3, 9), 0.4)
    for order in ("synchronous", "asynchronous"):
        request = SettleRequest(problem, (Clamp(mask, values),), **EXACT)
        found = rate(order=order).settle(request).states[:, 0]
        assert (found[:, :4] == 0.4).all()
        h, first = problem.fields, problem.couplings[0]
        b = -(h[:, 4:7] + np.tanh(found[:, :4]) @ first.path.J) / 1.5
        np.testing.assert_allclose(found[:, 4:7], b, rtol=1e-13)


def test_a_sample_stops_on_its_own():
    problem = turning(1.0, batch=3)
    start = np.zeros((3, 1, 2))
    exact = rate(dt=0.4).settle(SettleRequest(problem, **EXACT)).states
    start[1] = exact[1]
    request = SettleRequest(problem, initial=start, tolerance=1e-6, precision="float64")
    found = rate(dt=0.4).settle(request)
    assert found.steps[1] == 0
    np.testing.assert_array_equal(found.states[1], exact[1])
    assert found.steps[0] > 3
    alone = rate(dt=0.4).settle(
        SettleRequest(problem.with_fields(problem.fields[:1]), tolerance=1e-6, precision="float64")
    )
    np.testing.assert_allclose(found.states[0], alone.states[0], atol=1e-15)


def test_what_runs_away_is_said_in_one_line():
    J = np.array([[0.0, -9.0], [-9.0, 0.0]])
    coupling = Directed((0, 2), (0, 2), Matrix(J), "identity")
    problem = Problem((Layer("all", 2, LINEAR),), (coupling,), np.ones((1, 2)))
    with pytest.raises(DivergenceError, match=r"rate ran away within 200 steps \(dt 1\)"):
        rate(dt=1.0).settle(SettleRequest(problem, max_steps=200))
    relaxed = relax(
        Forces.of(problem, (), np.float64), np.full((1, 2), np.nan), dt=1, steps=9, tolerance=1e-3
    )
    assert np.isnan(relaxed.residual).all()


def test_refusals():
    for dt in (0.0, 1.5):
        with pytest.raises(ConfigError, match="above 0 and at most 1"):
            rate(dt=dt)
    with pytest.raises(ConfigError, match="must be auto, synchronous or asynchronous"):
        rate(order="backwards")
    with pytest.raises(ConfigError, match="takes no argument"):
        rate("fast")
    backend = rate()
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.settle(SettleRequest(chain()))


@pytest.mark.parametrize("other", ["conjugate", "hopfield", "neal", "exact"])
def test_backends_for_energies_refuse_directed_couplings(other):
    from isingeq.registry import open_backend

    backend = open_backend(other)
    problem = chain()
    if other in ("neal", "exact"):
        from isingeq.units import Spin

        layers = tuple(Layer(layer.name, layer.size, Spin()) for layer in problem.layers)
        problem = Problem(layers, problem.couplings, problem.fields)
    with pytest.raises(CapabilityError, match="directed couplings"):
        backend.settle(SettleRequest(problem))
    backend.close()
