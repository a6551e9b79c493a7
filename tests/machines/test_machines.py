"""Machines: their parameters, their grids, and the dynamics that they claim to integrate."""

import numpy as np
import pytest
from scipy.linalg import expm

from isingeq.backend import SettleRequest
from isingeq.backends.simulator import Simulator
from isingeq.couplings import Dense
from isingeq.errors import ConfigError
from isingeq.machines.conjugate import Conjugate, critical
from isingeq.machines.hopfield import Hopfield
from isingeq.machines.machine import Noise, damping_grid
from isingeq.problem import Problem
from isingeq.schedule import Relaxation
from isingeq.terms import LinearNudge
from isingeq.units import Amplitude, Layer

INF = np.inf
SIZES = (4, 3, 2)
STIFFNESS = (1.0, 2.5, 0.8)


def linear(seed=0, batch=2, stiffness=STIFFNESS):
    """A cycle of three layers without walls, its curvature well above 0."""
    rng = np.random.default_rng(seed)
    layers = tuple(
        Layer(f"l{k}", s, Amplitude(-INF, INF, u))
        for k, (s, u) in enumerate(zip(SIZES, stiffness, strict=True))
    )
    spans = ((0, 4), (4, 7), (7, 9))
    couplings = tuple(
        Dense(spans[a], spans[b], rng.uniform(-0.25, 0.25, (SIZES[a], SIZES[b])))
        for a, b in ((0, 1), (1, 2), (0, 2))
    )
    return Problem(layers, couplings, rng.normal(size=(batch, 9)))


def hessian(problem):
    return problem.gradient(np.eye(problem.n)[None].repeat(problem.batch, 0))[0] - problem.fields[0]


def stiffnesses(problem):
    return np.repeat(
        [layer.unit.stiffness for layer in problem.layers], [layer.size for layer in problem.layers]
    )


def settle(machine, problem, **options):
    simulator = Simulator("machine", machine)
    try:
        return simulator.settle(
            SettleRequest(problem, **{"precision": "float64", "tolerance": 0.0} | options)
        )
    finally:
        simulator.close()


def orders(error, steps):
    """Order of convergence from errors at halved steps."""
    errors = [error(dt) for dt in steps]
    return np.log2(np.array(errors[:-1]) / errors[1:])


def test_gradient_converges_to_the_flow_in_first_order():
    problem, time = linear(), 1.6
    start = np.random.default_rng(1).normal(size=(2, 1, 9))
    rate = hessian(problem) / stiffnesses(problem)[:, None]  # time runs in units of 1 / stiffness
    rest = -np.linalg.solve(hessian(problem), problem.fields.T).T
    exact = rest + (start[:, 0] - rest) @ expm(-rate * time).T

    def error(dt):
        found = settle(Hopfield("gradient", dt), problem, initial=start, max_steps=round(time / dt))
        return np.abs(found.states[:, 0] - exact).max()

    np.testing.assert_allclose(orders(error, [0.1, 0.05, 0.025, 0.0125]), 1, atol=0.08)


@pytest.mark.parametrize("damping", [0.4, 1.7])
def test_conjugate_converges_to_the_damped_oscillator_in_first_order(damping):
    problem, time = linear(), 1.6
    start = np.random.default_rng(1).normal(size=(2, 1, 9))
    force = -hessian(problem) / stiffnesses(problem)[:, None]
    flow = np.block([[np.zeros((9, 9)), np.eye(9)], [force, -damping * np.eye(9)]])
    rest = -np.linalg.solve(hessian(problem), problem.fields.T).T
    away = np.concatenate([start[:, 0] - rest, np.zeros((2, 9))], axis=1)
    exact = rest + (away @ expm(flow * time).T)[:, :9]

    def error(dt):
        machine = Conjugate(damping=damping, dt=dt)
        found = settle(machine, problem, initial=start, max_steps=round(time / dt))
        return np.abs(found.states[:, 0] - exact).max()

    np.testing.assert_allclose(orders(error, [0.1, 0.05, 0.025, 0.0125]), 1, atol=0.1)


@pytest.mark.parametrize(
    "machine",
    [
        Hopfield("asynchronous"),
        Hopfield("synchronous"),
        Hopfield("gradient", 0.6),
        Conjugate(),
        Conjugate(order="synchronous"),
        Conjugate(damping=0.9, dt=0.8),
        Conjugate(damping=0.3, final_damping=3.0, dt=0.6, ramp=1.0, momentum=0.5),
        Conjugate(damping=1.0, order="asynchronous", dt=0.9),
    ],
    ids=repr,
)
def test_every_machine_rests_where_the_energy_is_stationary(machine):
    problem = linear()
    rest = -np.linalg.solve(hessian(problem), problem.fields.T).T
    found = settle(machine, problem, tolerance=1e-12, max_steps=2000)
    np.testing.assert_allclose(found.states[:, 0], rest, atol=1e-10)
    assert (found.steps < 2000).all()
    assert found.settled.all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "machine",
    [Hopfield("asynchronous"), Conjugate(order="asynchronous")],
    ids=["hopfield", "conjugate"],
)
def test_asynchronous_steps_never_raise_the_energy(machine, seed):
    rng = np.random.default_rng(seed)
    units = (Amplitude(0, 1), Amplitude(-0.5, 1.5, 2.0), Amplitude(0, 1, 0.7))
    layers = tuple(Layer(f"l{k}", 8, unit) for k, unit in enumerate(units))
    spans = ((0, 8), (8, 16), (16, 24))
    # strong enough for many valleys: synchronous steps would flip here
    couplings = tuple(
        Dense(spans[a], spans[b], rng.normal(size=(8, 8))) for a, b in ((0, 1), (1, 2), (0, 2))
    )
    problem = Problem(layers, couplings, rng.normal(size=(5, 24)))
    start = rng.uniform(0.1, 0.9, (5, 1, 24))
    trace = settle(machine, problem, initial=start, trace=True, max_steps=25).trace
    energy = np.concatenate([problem.energy(start).T, trace.energy])
    assert np.diff(energy, axis=0).max() < 1e-12
    assert (energy[0] - energy[-1]).min() > 0.1


def test_synchronous_steps_do_raise_it_there():
    """Otherwise the test above would say nothing."""
    layers = (Layer("a", 1, Amplitude()), Layer("b", 1, Amplitude()))
    problem = Problem(layers, (Dense((0, 1), (1, 2), np.array([[3.0]])),), -np.ones((1, 2)))
    start = np.full((1, 1, 2), 0.1)
    found = settle(Hopfield("synchronous"), problem, initial=start, trace=True, max_steps=1)
    assert found.trace.energy[0, 0] > problem.energy(start)[0, 0] + 0.1


class TestRamp:
    machine = Conjugate(damping=0.5, dt=0.8, ramp=2.0, ramp_share=0.5)

    def test_falls_to_zero_over_its_share_of_the_free_phase(self):
        grid = self.machine.grid(self.machine.relaxation, 10, free=True)
        np.testing.assert_allclose(grid.ramp, [2, 1.6, 1.2, 0.8, 0.4, 0, 0, 0, 0, 0], atol=1e-12)
        assert (grid.kick, grid.drift) == (0.8, 0.8)

    def test_is_off_while_nudged(self):
        np.testing.assert_array_equal(
            self.machine.grid(self.machine.relaxation, 10, free=False).ramp, 0
        )

    @pytest.mark.parametrize("extra", [{"ramp": 2.0}, {"momentum": 1.0}])
    def test_and_random_momentum_act_in_the_free_phase_alone(self, extra):
        problem = linear()
        nothing = (LinearNudge(np.zeros_like(problem.fields)),)
        plain, special = Conjugate(damping=0.5, dt=0.8), Conjugate(damping=0.5, dt=0.8, **extra)
        for terms, same in (((), False), (nothing, True)):
            a, b = (
                settle(machine, problem, terms=terms, max_steps=4).states
                for machine in (plain, special)
            )
            assert np.array_equal(a, b) is same


def test_random_momentum_has_its_standard_deviation_and_its_seed():
    problem = linear(batch=400)
    problem = problem.with_fields(np.zeros_like(problem.fields))
    machine = Conjugate(damping=1e-9, dt=1e-3, momentum=0.7)
    found = settle(
        machine, problem, max_steps=1, seed=3
    )  # from rest at 0: x after one step is dt y
    values = found.states.ravel() / 1e-3
    assert abs(values.std() / 0.7 - 1) < 5 / np.sqrt(2 * values.size)
    assert np.array_equal(settle(machine, problem, max_steps=1, seed=3).states, found.states)
    assert not np.array_equal(settle(machine, problem, max_steps=1, seed=4).states, found.states)


def test_damping_is_kept_exactly_and_runs_geometrically():
    keep = damping_grid(Relaxation("synchronous", 0.5, (0.4, 1.6)), 3)
    np.testing.assert_allclose(keep, np.exp([-0.2, -0.4, -0.8]))
    np.testing.assert_array_equal(damping_grid(Relaxation("synchronous", 0.5, (INF, INF)), 3), 0)


@pytest.mark.parametrize("damping", [(0.0, 1.0), (1.0, 0.0), (-1.0, 1.0), (np.nan, 1.0)])
def test_damping_grid_refuses_what_never_settles(damping):
    with pytest.raises(ConfigError, match="without friction"):
        damping_grid(Relaxation("synchronous", 0.5, damping), 3)


@pytest.mark.parametrize(
    "bad",
    [
        {"order": "sideways"}, {"damping": 0.0}, {"damping": -1.0}, {"damping": np.nan}, {"dt": 0.0}, {"dt": 2.0},
        {"dt": np.nan}, {"ramp": -1.0}, {"ramp": np.nan}, {"ramp_share": 0.0}, {"ramp_share": 1.1}, {"momentum": -1.0},
        {"final_damping": -1.0},
    ],
    ids=str,
)  # fmt: skip
def test_conjugate_refuses(bad):
    with pytest.raises(ConfigError):
        Conjugate(**bad)


@pytest.mark.parametrize(
    "bad", [{"update": "sideways"}, {"dt": 0.0}, {"dt": 2.0}, {"dt": np.nan}], ids=str
)
def test_hopfield_refuses(bad):
    with pytest.raises(ConfigError):
        Hopfield(**bad)


@pytest.mark.parametrize("kind", ["force", "state", "weight"])
@pytest.mark.parametrize("bad", [-0.1, np.nan])
def test_noise_refuses(kind, bad):
    with pytest.raises(ConfigError, match="noise"):
        Noise(**{kind: bad})


def test_ease_keeps_a_stiffened_layer_within_its_bound():
    spring = np.array([-0.5, 0.0, 3.0])
    np.testing.assert_allclose(Conjugate().ease(spring), [1, 1, 0.25])
    np.testing.assert_allclose(Hopfield().ease(spring), 1)
    assert Conjugate().ease(spring.astype(np.float32)).dtype == np.float32


def test_hopfield_steps_are_those_of_its_name():
    assert Hopfield("gradient", 0.3).relaxation == Relaxation("synchronous", 0.3, (INF, INF))
    assert Hopfield("synchronous", 0.3).relaxation == Relaxation("synchronous", 1.0, (INF, INF))
    assert Hopfield("asynchronous", 0.3).relaxation == Relaxation("asynchronous", 1.0, (INF, INF))


def test_conjugate_knows_its_relaxation_unless_it_is_automatic():
    assert Conjugate().relaxation is None
    assert Conjugate(damping=0.5, dt=0.7).relaxation == Relaxation("synchronous", 0.7, (0.5, 0.5))
    wanted = Relaxation("asynchronous", 1.0, (0.5, 2.0))
    assert Conjugate(damping=0.5, final_damping=2.0, order="asynchronous").relaxation == wanted


@pytest.mark.parametrize("order", ["asynchronous", "synchronous"])
def test_critical_knows_no_curvature_beyond_its_bounds(order):
    for curvature, used in ((-0.3, 1e-4), (0.0, 1e-4), (1.0, 1.0), (1.5, 1.0)):
        a, b = critical(curvature, order), critical(used, order)
        assert (a.dt, a.damping, a.curvature) == (b.dt, b.damping, curvature)
    assert critical(1.0, order).damping == (INF, INF)
    assert critical(1.0, order).dt == pytest.approx(
        np.sqrt(2 / (1 + 1)) if order == "asynchronous" else 1.0
    )
