"""Oscillator machine: its equation by exact limits, and its spins by enumeration."""

from dataclasses import replace

import numpy as np
import pytest

from isingeq.backend import SettleRequest
from isingeq.backends.oscillator import PhaseSimulator, oscillator
from isingeq.backends.spin_simulator import SpinSimulator
from isingeq.couplings import Cosine, Edges, Injection
from isingeq.errors import ConfigError
from isingeq.kernels.streams import frequencies
from isingeq.machines.graph import Graph
from isingeq.machines.oscillator import Oscillator, OscillatorSolver
from isingeq.problem import Problem
from isingeq.schedule import Drive
from isingeq.testing.enumeration import energy_table
from isingeq.units import Layer, Phase, Spin


def phases(n, *couplings, fields=None, rows=1):
    return Problem(
        (Layer("p", n, Phase()),), couplings, np.zeros((rows, n, 2)) if fields is None else fields
    )


def ring(n, seed=0, rows=4):
    """A frustrated ring with chords, injections and fields that differ."""
    rng = np.random.default_rng(seed)
    i = np.r_[np.arange(n - 1), 0, 0, 1]
    j = np.r_[np.arange(1, n), n - 1, 2, n - 2]
    pairs = Cosine(Edges(n, i, j, rng.normal(size=i.size)))
    return phases(n, pairs, Injection(rng.normal(size=n) / 3), fields=rng.normal(size=(rows, n, 2)))


def settle(problem, machine, steps, **request):
    backend = PhaseSimulator("oscillator", machine)
    request = {"tolerance": 0.0, "precision": "float64", **request}
    return backend.settle(SettleRequest(problem, max_steps=steps, **request))


def test_the_energy_never_rises():
    problem = ring(9)
    trace = settle(problem, Oscillator(0.05), 200, trace=True).trace
    start = settle(problem, Oscillator(1e-12), 1)
    energies = np.vstack([start.energies.mean(axis=1), trace.energy])
    assert (np.diff(energies, axis=0) <= 1e-12).all()
    assert (energies[-1] < energies[0] - 1).all()


def test_steps_are_of_first_order():
    """One phase in a field: dφ/dt = h sin φ, so tan(φ/2) = tan(φ₀/2) e^{h t}."""
    h = 0.8
    problem = phases(1, fields=np.array([[[h, 0.0]]]))
    exact = 2 * np.arctan(np.tan(0.15) * np.exp(h * 2.0))
    errors = []
    for steps in (50, 100, 200):
        answer = settle(problem, Oscillator(2.0 / steps), steps, initial=np.full((1, 1, 1), 0.3))
        errors.append(abs(answer.states[0, 0, 0] - exact))
    order = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    np.testing.assert_allclose(order, 1.0, atol=0.05)


@pytest.mark.parametrize(("J", "apart"), [(-0.7, 0.0), (0.7, np.pi)])
def test_two_oscillators_come_together_or_opposite(J, apart):
    pair = Cosine(Edges(2, np.array([0]), np.array([1]), np.array([J])))
    answer = settle(phases(2, pair), Oscillator(0.1), 400, reads=8)
    gap = np.angle(np.exp(1j * (answer.states[0, :, 0] - answer.states[0, :, 1] - apart)))
    np.testing.assert_allclose(gap, 0, atol=1e-6)
    assert np.ptp(answer.states[0, :, 0]) > 0.5, "nothing holds the common phase"


def test_a_lone_phase_locks_where_adler_says():
    """With its own frequency ω it locks to a field h where |ω| < |h|, at sin φ = −ω / h."""
    n, h, spread, seed = 120, 1.0, 1.2, 4
    problem = phases(n, fields=np.tile([h, 0.0], (1, n, 1)))
    machine = Oscillator(0.05, spread=spread)
    first = settle(problem, machine, 3000, seed=seed)
    then = settle(problem, machine, 1000, seed=seed, initial=first.states)
    slip = (then.states - first.states)[0, 0]
    omega = spread * frequencies(seed, n)
    clear = np.abs(np.abs(omega) - h) > 0.05
    locked = np.abs(omega) < h
    assert 20 < (locked & clear).sum() < 100
    np.testing.assert_allclose(slip[locked & clear], 0, atol=1e-6)
    at = np.sin(then.states[0, 0])[locked & clear]
    np.testing.assert_allclose(at, -omega[locked & clear] / h, atol=1e-6)
    assert (np.sign(slip[~locked & clear]) == np.sign(omega[~locked & clear])).all()
    assert (np.abs(slip[~locked & clear]) > np.pi).all()


def test_noise_has_its_stationary_variance():
    """In a well of curvature k: T / k, and 1 / (1 − k dt / 2) times that for steps of dt."""
    k, T, dt, n, rows = 2.0, 0.02, 0.1, 16, 500
    problem = phases(n, fields=np.tile([-k, 0.0], (rows, n, 1)))
    start = np.zeros((rows, 1, n))
    drawn = settle(problem, Oscillator(dt, noise=T), 100, initial=start, precision="float32").states
    expected = T / k / (1 - k * dt / 2) * (1 + T / (2 * k))
    standard = expected * np.sqrt(2 / drawn.size)
    assert abs(drawn.var() - expected) < 5 * standard
    assert abs(drawn.mean()) < 5 * np.sqrt(expected / drawn.size)


@pytest.mark.parametrize(("K", "axis"), [(-8.0, np.cos), (8.0, np.sin)])
def test_strong_injection_makes_two_phases_of_many(K, axis):
    problem = ring(8)
    problem = replace(problem, couplings=(problem.couplings[0], Injection(np.full(8, K))))
    states = settle(problem, Oscillator(0.02), 500, reads=5).states
    assert np.abs(axis(states)).min() > 0.97
    assert len(np.unique(np.sign(axis(states)))) == 2


def frustrated(n=10, rows=2, seed=3):
    rng = np.random.default_rng(seed)
    i, j = np.triu_indices(n, 1)
    edges = Edges(n, i, j, rng.normal(size=i.size))
    return Problem((Layer("s", n, Spin()),), (edges,), rng.normal(size=(rows, n)))


def test_ground_states_are_found():
    problem = frustrated()
    answer = oscillator(sweeps=400).settle(SettleRequest(problem, reads=32, seed=2))
    lowest = energy_table(SettleRequest(problem)).min(axis=1, keepdims=True)
    assert ((answer.energies < lowest + 1e-9).mean(axis=1) > 0.25).all()


def test_pump_and_feedback_of_the_schedule_are_followed():
    """Couplings decide without a pump; a strong pump from the start freezes the spins as they are drawn."""
    problem = frustrated()
    backend = oscillator(heat=0.0)
    field = 0.1
    free, frozen = (
        backend.settle(
            SettleRequest(problem, reads=64, schedule=Drive(300, 0.1, pump, (field, field)))
        )
        for pump in ((0.0, 1.0), (9.0, 9.0))
    )
    assert (free.energies.mean(axis=1) < frozen.energies.mean(axis=1) - 5).all()
    deaf = backend.settle(
        SettleRequest(problem, reads=64, schedule=Drive(300, 0.1, (0.0, 1.0), (0.0, 0.0)))
    )
    assert (np.abs(deaf.energies.mean(axis=1)) < 5 * deaf.energies.std(axis=1) / 8).all()


@pytest.mark.parametrize("density", ["complete", "sparse"])
def test_reads_are_the_same_for_any_number_of_threads_and_reads(density):
    problem = frustrated(24)
    if density == "sparse":
        i, j, J = problem.couplings[0].edges()
        near = j - i < 3
        problem = replace(problem, couplings=(Edges(24, i[near], j[near], J[near]),))
    request = SettleRequest(problem, reads=40, seed=6)
    one, two = (oscillator(sweeps=60, threads=threads).settle(request) for threads in (1, 2))
    np.testing.assert_array_equal(one.states, two.states)
    fewer = oscillator(sweeps=60).settle(replace(request, reads=7))
    np.testing.assert_array_equal(fewer.states, one.states[:, :7])
    assert one.provenance.details["kernel"] == ("rows" if density == "sparse" else "blocks")


def test_a_large_complete_graph_is_multiplied_as_a_matrix():
    n = 520
    rng = np.random.default_rng(0)
    i, j = np.triu_indices(n, 1)
    edges = Edges(n, i, j, rng.choice([-1.0, 1.0], i.size))
    problem = Problem((Layer("s", n, Spin()),), (edges,), np.zeros((1, n)))
    answer = oscillator(sweeps=150).settle(SettleRequest(problem, reads=4))
    assert answer.provenance.details["kernel"] == "matrix products"
    assert (answer.energies < -0.62 * n**1.5).all(), (
        "random spins have 0, the ground state −0.74 n^1.5"
    )


def test_a_start_makes_a_difference():
    strong = Edges(6, np.arange(5), np.arange(1, 6), np.full(5, -1.0))
    problem = Problem((Layer("s", 6, Spin()),), (strong,), np.full((1, 6), 0.01))
    up = np.ones((1, 8, 6))
    answer = oscillator(heat=0.0, sweeps=100).settle(SettleRequest(problem, reads=8, initial=up))
    np.testing.assert_array_equal(answer.states, up)


def test_steps_too_long_for_the_couplings_are_made_in_pieces():
    """Couplings nine times those that a schedule was suggested for, as a chip's and a trainer's may be."""
    problem = frustrated()
    backend = oscillator(sweeps=50, heat=0.0)
    drive = backend.suggest_schedule(problem)
    i, j, J = problem.couplings[0].edges()
    strong = replace(problem, couplings=(Edges(problem.n, i, j, 9 * J),))
    request = SettleRequest(strong, reads=20, seed=1, trace=True)
    found = backend.settle(replace(request, schedule=drive))
    pieces = found.provenance.details["sub_steps"]
    assert pieces > 1
    assert found.trace.energy.shape == (50, problem.batch)
    fine = replace(drive, sweeps=50 * pieces, dt=drive.dt / pieces)
    same = backend.settle(replace(request, schedule=fine))
    assert same.provenance.details["sub_steps"] == 1
    np.testing.assert_array_equal(found.states, same.states)
    np.testing.assert_array_equal(found.trace.energy, same.trace.energy[pieces - 1 :: pieces])


def test_a_step_beyond_stability_even_in_pieces_is_refused():
    problem = frustrated()
    backend = oscillator()
    drive = backend.suggest_schedule(problem)
    with pytest.raises(ConfigError, match="unstable even in 16 pieces"):
        backend.settle(SettleRequest(problem, schedule=replace(drive, dt=30.0)))


def test_a_trace_shows_energy_order_and_how_binary_phases_are():
    problem = frustrated()
    request = SettleRequest(problem, reads=8, seed=1)
    backend = oscillator(sweeps=200)
    answer = backend.settle(replace(request, trace=True))
    np.testing.assert_array_equal(answer.states, backend.settle(request).states)
    trace = answer.trace
    np.testing.assert_allclose(trace.energy[-1], answer.energies.mean(axis=1), rtol=1e-5)
    assert trace.energy.shape == (200, 2)
    binary, order = trace.details["mean |cos|"], trace.details["order"]
    assert (binary[0] < 0.8).all()
    assert (binary[-1] > 0.9).all()
    assert ((order >= 0) & (order <= 1)).all()


def test_a_typical_field_is_scaled_to_one():
    problem = frustrated(40)
    i, j, J = problem.couplings[0].edges()
    for factor in (1.0, 7.0):
        graph = Graph.of(40, i, j, factor * J)
        drive = OscillatorSolver().suggest(graph, np.zeros((1, 40)))
        spins = np.random.default_rng(0).choice([-1.0, 1.0], (200, 40))
        assert drive.feedback[1] * np.std(spins @ graph.dense) == pytest.approx(1, rel=0.05)
    empty = Graph.of(3, i[:0], j[:0], J[:0])
    assert OscillatorSolver().suggest(empty, np.zeros((1, 3))).feedback == (1.0, 1.0)


@pytest.mark.parametrize(
    "bad", [{"dt": 0.0}, {"dt": np.inf}, {"spread": -1.0}, {"noise": -0.1}, {"noise": np.nan}]
)
def test_oscillators_that_make_no_sense_are_refused(bad):
    with pytest.raises(ConfigError, match="oscillators need"):
        Oscillator(**bad)


@pytest.mark.parametrize("bad", [{"sweeps": 0}, {"injection": np.nan}, {"heat": -1.0}])
def test_solvers_that_make_no_sense_are_refused(bad):
    with pytest.raises(ConfigError, match="an oscillator machine needs"):
        OscillatorSolver(**bad)


def test_a_solver_is_a_spin_simulator():
    assert isinstance(oscillator(), SpinSimulator)
