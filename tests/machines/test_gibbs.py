"""Block Gibbs against enumeration, on graphs of several colours in both representations."""

import math

import numpy as np
import pytest
from spin_graphs import BETA, energies, errors_off, fields_of, graph_of, states

from isingeq.backend import Claim
from isingeq.errors import ConfigError
from isingeq.kernels.blocks import CAN_LOOK_UP
from isingeq.kernels.pool import Pool
from isingeq.machines.block_sweeps import suggest_betas
from isingeq.machines.gibbs import Gibbs
from isingeq.machines.graph import Graph
from isingeq.machines.spinning import Task
from isingeq.schedule import Annealing


@pytest.fixture
def pool():
    pool = Pool(1)
    yield pool
    pool.close()


@pytest.mark.parametrize(
    ("kind", "colours", "form"),
    [
        ("ring", 3, "rows"),
        ("complete", 6, "rows"),
        ("groups", 3, "tables" if CAN_LOOK_UP else "rows"),
    ],
)
def test_moments_are_those_of_the_boltzmann_distribution(pool, kind, colours, form):
    graph = graph_of(kind)
    h = fields_of(graph)
    task = Task(graph, h, 6000, Annealing.constant(BETA, 40), 4, pool)
    outcome = Gibbs(beta=BETA).run(task)
    assert outcome.details["representation"] == form
    assert outcome.details["colours"] == colours
    assert errors_off(outcome.spins, graph, h, BETA) < 5
    assert errors_off(outcome.spins, graph, h, 1.15 * BETA) > 5


def test_a_nudged_sampler_goes_on_from_its_start(pool):
    graph = graph_of("ring")
    h = fields_of(graph)
    start = np.ones((3, 6000, 7), np.int8)
    schedule = Annealing.constant(BETA, 40)
    outcome = Gibbs(beta=BETA).run(
        Task(graph, h, 6000, schedule, 4, pool, start=start, nudged=True)
    )
    assert outcome.details["sweeps"] == 40
    assert outcome.details["turn_beta"] is None
    assert errors_off(outcome.spins, graph, h, BETA) < 5
    assert (start == 1).all()


def test_one_sweep_of_one_block_is_drawn_independently(pool):
    """Without couplings a single sweep samples exactly; a field of 0 gives fair coins, whatever the start."""
    graph = Graph.of(3, np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    h = np.array([[0.0, 0.7, -1.9]])
    start = np.ones((1, 20_000, 3), np.int8)
    outcome = Gibbs(beta=BETA).run(
        Task(graph, h, 20_000, Annealing.constant(BETA, 1), 1, pool, start=start)
    )
    assert errors_off(outcome.spins, graph, h, BETA) < 5


@pytest.mark.parametrize("acceptance", ["heat-bath", "metropolis"])
def test_annealing_finds_ground_states(pool, acceptance):
    graph = graph_of("groups")
    h = fields_of(graph, 5)
    machine = Gibbs(acceptance=acceptance)
    assert machine.claim is Claim.GROUND_STATE
    outcome = machine.run(Task(graph, h, 30, machine.suggest(graph, h), 2, pool))
    lowest = energies(graph, h[:, None], states(12)[None]).min(axis=1)
    np.testing.assert_allclose(
        energies(graph, h[:, None], outcome.spins).min(axis=1), lowest, atol=1e-9
    )


def test_metropolis_obeys_detailed_balance(pool):
    """With fields everywhere its moments are Boltzmann's too, though only the heat bath claims so."""
    graph = graph_of("groups")
    h = fields_of(graph)
    task = Task(graph, h, 6000, Annealing.constant(BETA, 60), 4, pool)
    assert errors_off(Gibbs(acceptance="metropolis").run(task).spins, graph, h, BETA) < 5


def test_a_nudged_anneal_turns_round(pool):
    graph = graph_of("ring")
    start = np.ones((1, 2, 7), np.int8)
    schedule = Annealing.geometric(0.1, 10.0, 20)
    task = Task(graph, np.zeros((1, 7)), 2, schedule, 0, pool, start=start, nudged=True)
    details = Gibbs(reverse=0.5).run(task).details
    assert details["sweeps"] == len(schedule.reverse(0.5).betas)
    assert details["turn_beta"] == schedule.betas[10]
    assert details["betas"] == [schedule.betas[-1], schedule.betas[-1]]


def test_seeds_samples_reads_and_sweeps_have_their_own_numbers(pool):
    graph = Graph.of(64, np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    rows = [
        Gibbs().run(Task(graph, np.zeros((2, 64)), 2, Annealing.constant(0.0, sweeps), seed, pool)).spins
        for seed in (1, 2) for sweeps in (1, 2)
    ]  # fmt: skip
    flat = np.concatenate(rows).reshape(-1, 64).astype(float)
    assert (np.abs(flat @ flat.T - 64 * np.eye(len(flat))) < 5 * 8).all()


@pytest.mark.parametrize("kind", ["ring", "groups"])
def test_same_numbers_for_any_batch_split_and_thread_count(pool, kind):
    graph = graph_of(kind)
    h, schedule = fields_of(graph, 60), Annealing((0.2, 0.9))
    whole = Gibbs().run(Task(graph, h, 5, schedule, 3, pool)).spins
    np.testing.assert_array_equal(
        Gibbs().run(Task(graph, h[:7], 5, schedule, 3, pool)).spins, whole[:7]
    )
    threads = Pool(3)
    np.testing.assert_array_equal(Gibbs().run(Task(graph, h, 5, schedule, 3, threads)).spins, whole)
    threads.close()


def test_a_trace_shows_the_sweeps_of_the_same_run(pool):
    graph = graph_of("groups")
    h = fields_of(graph)
    schedule = Annealing.geometric(0.1, 3.0, 9)
    plain = Gibbs().run(Task(graph, h, 4, schedule, 6, pool))
    traced = Gibbs().run(Task(graph, h, 4, schedule, 6, pool, trace=True))
    np.testing.assert_array_equal(traced.spins, plain.spins)
    assert traced.details == plain.details
    trace = traced.trace
    assert trace.energy.shape == (9, 3)
    np.testing.assert_allclose(
        trace.energy[-1], energies(graph, h[:, None], plain.spins).mean(axis=1), rtol=1e-12
    )
    short = Gibbs().run(Task(graph, h, 4, Annealing(schedule.betas[:3]), 6, pool, trace=True))
    before = Gibbs().run(Task(graph, h, 4, Annealing(schedule.betas[:2]), 6, pool))
    np.testing.assert_array_equal(short.trace.energy, trace.energy[:3])
    np.testing.assert_allclose(
        trace.details["flips"][2], (short.spins != before.spins).mean(axis=(1, 2))
    )
    np.testing.assert_allclose(trace.details["magnetisation"][2], short.spins.mean(axis=(1, 2)))
    best = trace.details["best_energy"]
    assert (np.diff(best, axis=0) <= 0).all()
    assert (best[-1] <= energies(graph, h[:, None], plain.spins).min(axis=1)).all()


def test_suggested_betas_follow_the_scale_of_the_energies():
    graph = graph_of("ring")
    h = fields_of(graph)
    larger = Graph(graph.n, graph.starts, graph.neighbours, 4 * graph.values)
    np.testing.assert_allclose(
        suggest_betas(larger, 4 * h, 30).array, suggest_betas(graph, h, 30).array / 4, rtol=1e-6
    )
    sigma = np.sqrt((h**2).max(axis=0) + (graph.dense.astype(np.float64) ** 2).sum(axis=1))
    betas = suggest_betas(graph, h, 30).betas
    assert betas[0] == pytest.approx(0.2 / sigma.max())
    assert betas[-1] == pytest.approx(min(6 / sigma.min(), 30 / sigma.max()))
    assert Gibbs(beta=0.4, sweeps=3).suggest(graph, h).betas == (0.4, 0.4, 0.4)
    assert Gibbs(sweeps=2).suggest(Graph.of(2, *np.zeros((3, 0), int)), np.zeros((1, 2))).betas == (
        1,
        1,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sweeps": 0}, "sweeps >= 1"),
        ({"beta": -1.0}, "beta >= 0"),
        ({"beta": math.nan}, "beta >= 0"),
        ({"reverse": 1.5}, "reverse <= 1"),
        ({"acceptance": "glauber"}, "heat-bath or metropolis"),
        ({"acceptance": "metropolis", "beta": 1.0}, "needs acceptance=heat-bath"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Gibbs(**options)
