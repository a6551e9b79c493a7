"""The simulator around the machines: traces, threads, reads, springs, clamps and noise of couplings."""

from dataclasses import replace

import numpy as np
import pytest

from isingeq.backend import SettleRequest, residual_of
from isingeq.backends.simulator import Simulator, conjugate, hopfield
from isingeq.couplings import Dense, Edges
from isingeq.errors import BackendError, CapabilityError, DivergenceError
from isingeq.machines.conjugate import Conjugate
from isingeq.machines.hopfield import Hopfield
from isingeq.machines.machine import Noise
from isingeq.problem import Problem
from isingeq.schedule import Relaxation
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge
from isingeq.units import Amplitude, Layer

INF = np.inf
N = 16


def problem(batch=5, seed=0, strength=0.35, output=1.3):
    rng = np.random.default_rng(seed)
    layers = (
        Layer("a", 8, Amplitude(0, 1, 1.4)),
        Layer("b", 5, Amplitude(-0.5, 1.5, 0.9)),
        Layer("c", 3, Amplitude(-INF, INF, output)),
    )
    couplings = (
        Dense((0, 8), (8, 13), rng.normal(size=(8, 5)) * strength),
        Dense((8, 13), (13, 16), rng.normal(size=(5, 3)) * strength),
    )
    return Problem(layers, couplings, rng.normal(size=(batch, N)) * 0.7)


def spring(batch=5, strength=0.4):
    rng = np.random.default_rng(5)
    signs = np.where(np.arange(batch) % 2, -1.0, 1.0)
    return QuadraticNudge((13, 16), rng.normal(size=(batch, 3)), strength * signs)


def settle(machine, asked, threads=1):
    simulator = Simulator("machine", machine, threads)
    try:
        return simulator.settle(asked)
    finally:
        simulator.close()


MACHINES = pytest.mark.parametrize(
    "machine",
    [
        Hopfield("asynchronous"), Hopfield("gradient", 0.4), Conjugate(damping=0.8, dt=0.7),
        Conjugate(damping=0.5, dt=0.7, ramp=1.0, momentum=0.3),
    ],
    ids=["asynchronous", "gradient", "conjugate", "ramp"],
)  # fmt: skip


@MACHINES
@pytest.mark.parametrize("terms", [(), (spring(),)], ids=["free", "nudged"])
def test_a_trace_tells_of_the_states_after_every_step(machine, terms):
    asked = SettleRequest(
        problem(), terms=terms, precision="float64", tolerance=0.0, max_steps=6, seed=3
    )
    traced = settle(machine, replace(asked, trace=True))
    assert traced.trace.energy.shape == (6, 5)
    previous = np.broadcast_to(0.0, (5, N))
    for k in range(6):
        # a ramp is a share of the whole way, so a shorter run must be cut out of the same one
        if getattr(machine, "ramp", 0) and not terms:
            break
        found = settle(machine, replace(asked, max_steps=k + 1))
        np.testing.assert_allclose(traced.trace.energy[k], found.energies[:, 0], rtol=1e-12)
        np.testing.assert_allclose(
            traced.trace.residual[k], residual_of(asked, found.states)[:, 0], atol=1e-12
        )
        if isinstance(machine, Conjugate) and not (terms or machine.momentum):
            moved = (found.states[:, 0] - previous) / machine.dt
            low, high = problem().bounds
            inside = (found.states[:, 0] > low) & (
                found.states[:, 0] < high
            )  # at a wall the momentum is 0
            np.testing.assert_allclose(
                traced.trace.kinetic[k], 0.5 * (inside * moved**2).sum(axis=1), rtol=1e-9
            )
        previous = found.states[:, 0]
    whole = settle(machine, asked)
    np.testing.assert_array_equal(traced.states, whole.states)
    np.testing.assert_array_equal(traced.steps, whole.steps)
    np.testing.assert_allclose(traced.trace.energy[-1], whole.energies[:, 0], rtol=1e-12)


@MACHINES
def test_a_traced_settle_stops_where_the_plain_one_does(machine):
    asked = SettleRequest(problem(), precision="float64", tolerance=1e-3, max_steps=300, seed=3)
    plain, traced = settle(machine, asked), settle(machine, replace(asked, trace=True))
    np.testing.assert_array_equal(plain.steps, traced.steps)
    np.testing.assert_array_equal(plain.states, traced.states)
    np.testing.assert_allclose(plain.residual, traced.residual, atol=1e-14)
    assert plain.steps.max() < 300
    assert np.unique(plain.steps).size > 1


@pytest.mark.parametrize(
    "machine",
    [Hopfield("asynchronous"), Hopfield("synchronous"), Hopfield("gradient", 0.4)],
    ids=repr,
)
def test_without_momentum_nothing_is_kinetic(machine):
    asked = SettleRequest(problem(), precision="float64", tolerance=0.0, max_steps=3, trace=True)
    np.testing.assert_array_equal(settle(machine, asked).trace.kinetic, 0)


def test_with_momentum_phase_space_contracts_by_the_damping():
    asked = SettleRequest(problem(), precision="float64", tolerance=0.0, max_steps=3, trace=True)
    constant = settle(Conjugate(damping=0.8, dt=0.7), asked).trace.contraction
    np.testing.assert_allclose(constant, 0.8 * 0.7, rtol=1e-12)
    rising = settle(Conjugate(damping=0.4, final_damping=1.6, dt=0.5), asked).trace.contraction
    np.testing.assert_allclose(rising, np.broadcast_to([[0.2], [0.4], [0.8]], (3, 5)), rtol=1e-12)


@pytest.mark.parametrize(
    "machine",
    [
        Hopfield("gradient", 0.4),
        Conjugate(damping=INF, dt=0.8),
        Conjugate(damping=INF, dt=1.2, order="asynchronous"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("terms", [(), (spring(),)], ids=["free", "nudged"])
def test_without_momentum_the_contraction_is_that_of_the_map(machine, terms):
    """Against the determinant of finite differences of one step, over the units off their walls."""
    roomy = tuple(
        replace(layer, unit=replace(layer.unit, low=-4.0, high=4.0)) for layer in problem().layers
    )
    fields = problem().fields.copy()
    fields[0, 2], fields[3, 9] = 30.0, -30.0  # two units stay at walls
    asked = SettleRequest(
        replace(problem(strength=0.15), layers=roomy, fields=fields),
        terms=terms,
        precision="float64",
        tolerance=0.0,
        max_steps=1,
    )
    start = np.random.default_rng(2).uniform(0.3, 0.7, (5, 1, N))
    start[0, 0, 2], start[3, 0, 9] = -4.0, 4.0
    asked = replace(asked, initial=start)
    contraction = settle(machine, replace(asked, trace=True)).trace.contraction[0]
    low, high = asked.problem.bounds
    jacobian = np.empty((5, N, N))
    for unit in range(N):
        ends = []
        for sign in (1, -1):
            moved = start.copy()
            moved[..., unit] = np.clip(moved[..., unit] + sign * 1e-6, low[unit], high[unit])
            ends.append(settle(machine, replace(asked, initial=moved)).states[:, 0])
        jacobian[:, :, unit] = (ends[0] - ends[1]) / 2e-6
    for sample in range(5):
        free = (start[sample, 0] > low) & (start[sample, 0] < high)
        volume = np.linalg.slogdet(jacobian[sample][np.ix_(free, free)])[1]
        assert contraction[sample] == pytest.approx(-volume / free.sum(), rel=1e-5)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize(
    "machine",
    [Hopfield("asynchronous"), Conjugate(damping=0.7, dt=0.8, momentum=0.2)],
    ids=["hopfield", "conjugate"],
)
def test_threads_change_nothing(machine, precision):
    # 12 tiles: enough for each thread to get some
    asked = SettleRequest(
        problem(batch=177), precision=precision, terms=(spring(177),), tolerance=1e-4
    )
    one, two = settle(machine, asked), settle(machine, asked, threads=2)
    for part in ("states", "residual", "steps", "two_cycle"):
        np.testing.assert_array_equal(getattr(one, part), getattr(two, part))


@MACHINES
def test_residuals_are_exact(machine):
    asked = SettleRequest(
        problem(), precision="float64", terms=(spring(),), tolerance=1e-3, max_steps=500
    )
    found = settle(machine, asked)
    np.testing.assert_allclose(found.residual, residual_of(asked, found.states), atol=1e-13)
    short = replace(asked, max_steps=2)
    unsettled = settle(machine, short)
    np.testing.assert_allclose(unsettled.residual, residual_of(short, unsettled.states), atol=1e-13)
    assert not unsettled.settled.any()


def test_reads_follow_one_another_sample_by_sample():
    machine = Conjugate(damping=0.8, dt=0.7, momentum=0.5)
    asked = SettleRequest(
        problem(strength=0.1), reads=3, precision="float64", max_steps=2, tolerance=0.0
    )
    found = settle(machine, asked)
    assert found.states.shape == (5, 3, N)
    assert len(np.unique(found.states[..., 13:].reshape(15, 3), axis=0)) == 15
    settled = settle(machine, replace(asked, tolerance=1e-10, max_steps=2000))
    np.testing.assert_allclose(
        settled.states, np.broadcast_to(settled.states[:, :1], settled.states.shape), atol=1e-8
    )
    np.testing.assert_allclose(settled.residual, residual_of(asked, settled.states), atol=1e-12)


def test_terms_act_together():
    linear = LinearNudge(np.random.default_rng(1).normal(size=(5, N)))
    held = np.random.default_rng(2).uniform(0, 1, (5, N))
    clamp = Clamp(np.arange(N) < 8, held)
    asked = SettleRequest(
        problem(),
        terms=(linear, linear, spring(), clamp),
        precision="float64",
        tolerance=1e-11,
        max_steps=500,
    )
    found = settle(Hopfield("asynchronous"), asked)
    np.testing.assert_array_equal(found.states[:, 0, :8], held[:, :8])
    assert residual_of(asked, found.states).max() < 1e-10
    once = settle(Hopfield("asynchronous"), replace(asked, terms=(linear, spring(), clamp)))
    assert np.abs(once.states - found.states).max() > 0.1


def test_a_stiff_spring_on_a_soft_layer_keeps_within_the_stability_bound():
    soft = problem(output=0.1, strength=0.05)
    stiff = QuadraticNudge((13, 16), np.ones((5, 3)), np.full(5, 2.0))
    asked = SettleRequest(soft, terms=(stiff,), precision="float64", tolerance=1e-9, max_steps=2000)
    assert settle(Conjugate(damping=1.0, dt=1.0), asked).settled.all()


def test_what_the_kernel_cannot_hold_is_refused():
    backend = hopfield()
    try:
        half = Clamp(np.arange(N) < 3, np.zeros((5, N)))
        with pytest.raises(CapabilityError, match="whole layers"):
            backend.settle(SettleRequest(problem(), terms=(half,)))
        with pytest.raises(CapabilityError, match="whole layer"):
            backend.settle(
                SettleRequest(
                    problem(), terms=(QuadraticNudge((13, 15), np.zeros((5, 2)), np.ones(5)),)
                )
            )
        with pytest.raises(CapabilityError, match="whole layer"):
            backend.settle(SettleRequest(problem(), terms=(spring(), spring())))
    finally:
        backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.settle(SettleRequest(problem()))


def test_divergence_is_an_error_with_a_remedy():
    wild = replace(problem(), couplings=(Dense((8, 13), (13, 16), np.full((5, 3), -50.0)),))
    unbounded = replace(
        wild, layers=tuple(replace(k, unit=Amplitude(-INF, INF)) for k in wild.layers)
    )
    for precision in ("float32", "float64"):
        with pytest.raises(DivergenceError, match="lower dt, the nudging or the learning rate"):
            settle(
                Hopfield("synchronous"),
                SettleRequest(unbounded, precision=precision, max_steps=1000),
            )


def test_new_couplings_are_used_and_the_layout_is_kept():
    backend = hopfield()
    asked = [
        SettleRequest(problem(seed=seed), precision="float64", tolerance=1e-10, max_steps=500)
        for seed in (0, 1, 0)
    ]
    first, second, third = (backend.settle(a).states for a in asked)
    assert backend.layout(asked[0].problem, "asynchronous") is backend.layout(
        asked[1].problem, "asynchronous"
    )
    assert backend.layout(asked[0].problem, "asynchronous") is not backend.layout(
        asked[0].problem, "synchronous"
    )
    backend.close()
    np.testing.assert_array_equal(first, third)
    assert residual_of(asked[1], second).max() < 1e-9


def test_noise_of_couplings_is_symmetric_relative_and_drawn_once_per_settle():
    """Two linear units: each rest state is a function of the one coupling between them."""
    layers = tuple(Layer(name, 1, Amplitude(-INF, INF)) for name in "ab")
    pair = Problem(
        layers, (Dense((0, 1), (1, 2), np.array([[0.5]])),), np.array([[-1.0, 0.0], [0.0, -1.0]])
    )
    machine = Hopfield("asynchronous", noise=Noise(weight=0.2))
    drawn = []
    for seed in range(100):
        found = settle(
            machine, SettleRequest(pair, seed=seed, precision="float64", tolerance=1e-12)
        ).states[:, 0]
        # x_a = 1 − J x_b and x_b = −J x_a in the first sample, the other way round in the second
        drawn.append((-found[0, 1] / found[0, 0], -found[1, 0] / found[1, 1]))
    there, back = np.array(drawn).T
    np.testing.assert_allclose(there, back, rtol=1e-9)
    assert abs(there.mean() / 0.5 - 1) < 5 * 0.2 / np.sqrt(100)
    assert abs(there.std() / 0.1 - 1) < 5 / np.sqrt(200)


@pytest.mark.parametrize("option", ["force_noise", "state_noise", "weight_noise"])
def test_noise_costs_the_claim(option):
    noisy, clean = hopfield(**{option: 0.1}), conjugate()
    assert noisy.capabilities.claim == "none"
    assert not noisy.capabilities.split_invariant
    assert clean.capabilities.claim == "fixed point"
    assert clean.capabilities.split_invariant
    noisy.close()
    clean.close()


def test_provenance_names_machine_and_schedule():
    asked = SettleRequest(problem(), schedule=Relaxation("synchronous", 0.5, (1.0, 2.0)), seed=9)
    provenance = settle(Conjugate(), asked).provenance
    assert (provenance.kind, provenance.seed, provenance.details["machine"]) == (
        "simulated",
        9,
        "Conjugate",
    )
    assert provenance.details["schedule"]["damping"] == (1.0, 2.0)


def test_edges_that_would_fill_memory_as_full_matrices_are_refused():
    layers = (Layer("a", 20_000, Amplitude()), Layer("b", 20_000, Amplitude()))
    apart = Edges(40_000, np.array([0]), np.array([20_000]), np.array([0.1]))
    near = (
        Layer("a", 20_000, Amplitude()),
        Layer("b", 1, Amplitude()),
        Layer("c", 19_999, Amplitude()),
    )
    backend = hopfield()
    with pytest.raises(CapabilityError, match="fill 3051 MiB as full matrices"):
        backend.settle(SettleRequest(Problem(layers, (apart,), np.zeros((1, 40_000)))))
    request = SettleRequest(Problem(near, (apart,), np.full((1, 40_000), -0.5)), tolerance=1e-6)
    states = backend.settle(request).states[0, 0]
    backend.close()
    assert states[20_000] == pytest.approx(0.5 - 0.1 * states[0], abs=1e-6)
    assert states[0] == pytest.approx(0.5 - 0.1 * states[20_000], abs=1e-6)
