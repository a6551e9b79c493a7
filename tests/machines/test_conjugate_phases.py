"""Position and momentum: friction over the free phase, friction and order of their own while nudged."""

import numpy as np
import pytest

from isingeq.backend import SettleRequest, residual_of
from isingeq.backends.simulator import Simulator
from isingeq.couplings import Dense
from isingeq.errors import ConfigError
from isingeq.machines.conjugate import Conjugate
from isingeq.machines.machine import Noise
from isingeq.problem import Problem
from isingeq.terms import LinearNudge
from isingeq.units import Amplitude, Layer

INF = np.inf


def network(batch=3, boxed=True):
    rng = np.random.default_rng(6)
    box = (0.0, 1.0) if boxed else (-INF, INF)
    layers = (Layer("a", 6, Amplitude(*box, 1.3)), Layer("b", 4, Amplitude(-INF, INF, 0.9)))
    J = rng.normal(size=(6, 4)) * 0.25
    return Problem(layers, (Dense((0, 6), (6, 10), J),), rng.normal(size=(batch, 10)))


def nudge(problem):
    return (LinearNudge(0.2 * np.random.default_rng(1).normal(size=problem.fields.shape)),)


def settle(machine, problem, **options):
    simulator = Simulator("conjugate", machine)
    try:
        return simulator.settle(
            SettleRequest(problem, **{"precision": "float64", "tolerance": 0.0} | options)
        )
    finally:
        simulator.close()


def by_hand(problem, terms, start, frictions, dt, order="synchronous"):
    """Step y ← e^(−γ dt) y + dt f / k, x ← clip(x + dt y), y ← 0 at a wall; layer by layer if asynchronous."""
    stiffness = np.repeat([1.3, 0.9], [6, 4])
    low, high = problem.bounds
    x, y = start.copy(), np.zeros_like(start)
    groups = [slice(0, 6), slice(6, 10)] if order == "asynchronous" else [slice(None)]
    for friction in frictions:
        for group in groups:
            slope = problem.gradient(x) + sum(term.gradient(x) for term in terms)
            pushed = np.exp(-friction * dt) * y - dt * slope / stiffness
            moved = x + dt * pushed
            stopped = np.clip(moved, low, high)
            y[..., group] = np.where(moved == stopped, pushed, 0.0)[..., group]
            x[..., group] = stopped[..., group]
    return x


@pytest.mark.parametrize("nudged", [False, True], ids=["free", "nudged"])
@pytest.mark.parametrize(
    ("options", "free", "held"),
    [
        ({}, (0.4, 0.4), (0.4, 0.4)),
        ({"final_damping": 2.5}, (0.4, 2.5), (0.4, 2.5)),
        ({"nudged_damping": 1.1}, (0.4, 0.4), (1.1, 1.1)),
        ({"final_damping": 2.5, "nudged_damping": 1.1}, (0.4, 2.5), (1.1, 1.1)),
        ({"nudged_damping": INF}, (0.4, 0.4), (INF, INF)),
    ],
)
def test_every_phase_has_its_friction(options, free, held, nudged):
    problem, steps, dt = network(), 14, 0.7
    start = np.clip(np.random.default_rng(0).normal(size=(3, 1, 10)), *problem.bounds)
    terms = nudge(problem) if nudged else ()
    first, last = held if nudged else free
    frictions = np.full(steps, INF) if first == INF else np.geomspace(first, last, steps)
    machine = Conjugate(damping=0.4, dt=dt, **options)
    found = settle(machine, problem, terms=terms, initial=start, max_steps=steps)
    np.testing.assert_allclose(
        found.states, by_hand(problem, terms, start, frictions, dt), atol=1e-12
    )


@pytest.mark.parametrize("free", ["asynchronous", "synchronous"])
@pytest.mark.parametrize("held", ["asynchronous", "synchronous", None])
def test_every_phase_has_its_order(free, held):
    problem, steps, dt = network(), 9, 0.7
    start = np.clip(np.random.default_rng(0).normal(size=(3, 1, 10)), *problem.bounds)
    machine = Conjugate(damping=0.4, dt=dt, order=free, nudged_order=held)
    for terms, order in (((), free), (nudge(problem), held or free)):
        found = settle(machine, problem, terms=terms, initial=start, max_steps=steps)
        expected = by_hand(problem, terms, start, [0.4] * steps, dt, order)
        np.testing.assert_allclose(found.states, expected, atol=1e-12)
        assert found.provenance.details["schedule"]["order"] == order


def test_each_order_keeps_its_layout_and_couplings():
    problem = network()
    simulator = Simulator("conjugate", Conjugate(order="synchronous", nudged_order="asynchronous"))
    try:
        kept = []
        for terms in ((), nudge(problem), (), nudge(problem)):
            simulator.settle(SettleRequest(problem, terms=terms, max_steps=3))
            order = "asynchronous" if terms else "synchronous"
            kept.append(simulator.loaded(problem, order, np.float32).w)
        assert kept[0] is kept[2]
        assert kept[1] is kept[3]
        assert kept[0] is not kept[1]
    finally:
        simulator.close()


def test_a_friction_of_its_own_goes_with_the_automatic_one():
    problem = network()
    plain, own = Conjugate(), Conjugate(nudged_damping=1.5)
    asked = {"tolerance": 1e-10, "max_steps": 2000}
    np.testing.assert_array_equal(
        settle(plain, problem, **asked).states, settle(own, problem, **asked).states
    )
    start = settle(plain, problem, **asked).states
    a, b = (
        settle(machine, problem, terms=nudge(problem), initial=start, **asked)
        for machine in (plain, own)
    )
    assert residual_of(b.request, b.states).max() <= 1e-10
    np.testing.assert_allclose(a.states, b.states, atol=1e-8)
    assert not np.array_equal(a.steps, b.steps)


def test_low_early_and_high_late_keeps_noise_out():
    """Noise on every force shakes a state by σ² dt / 2γ or so: what counts is the friction at the end."""
    problem = network(batch=400, boxed=False)
    problem = problem.with_fields(np.tile(problem.fields[:1], (400, 1)))
    rest = settle(Conjugate(), problem, tolerance=1e-12, max_steps=2000).states
    noise = Noise(force=0.3)
    spread = {}
    for name, machine in {
        "low": Conjugate(damping=0.2, dt=0.7, noise=noise),
        "high": Conjugate(damping=2.0, dt=0.7, noise=noise),
        "rising": Conjugate(damping=0.2, final_damping=2.0, dt=0.7, noise=noise),
    }.items():
        found = settle(machine, problem, max_steps=200)
        spread[name] = np.sqrt(((found.states - rest) ** 2).mean())
    error = spread["high"] / np.sqrt(2 * 4000)
    assert spread["low"] > spread["high"] + 20 * error
    assert spread["rising"] < 0.5 * (spread["low"] + spread["high"])


def test_rising_friction_settles_where_a_low_one_still_rings():
    problem = network(boxed=False)
    low, rising = (
        settle(Conjugate(damping=0.2, final_damping=final, dt=0.7), problem, max_steps=40)
        for final in (None, 1.5)
    )
    assert rising.residual.max() < 0.2 * low.residual.max()


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan])
def test_a_nudged_phase_needs_friction(wrong):
    with pytest.raises(ConfigError, match="without friction"):
        Conjugate(nudged_damping=wrong)


def test_an_order_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="nudged_order 'auto' is not asynchronous or sync"):
        Conjugate(nudged_order="auto")


@pytest.mark.parametrize("name", ["ramp", "momentum"])
def test_infinite_stiffness_and_momenta_are_refused(name):
    with pytest.raises(ConfigError, match="finite"):
        Conjugate(**{name: INF})
    with pytest.raises(ConfigError, match="finite"):
        Noise(state=INF)


def test_a_last_friction_needs_a_first():
    with pytest.raises(ConfigError, match="needs a damping to start from"):
        Conjugate(final_damping=2.0)
