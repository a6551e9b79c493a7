import math

import numpy as np
import pytest
from spin_graphs import BETA, errors_off

import isingeq.machines.metropolis as module
from isingeq.backend import Claim
from isingeq.errors import ConfigError
from isingeq.kernels.pool import Pool
from isingeq.machines.graph import Graph
from isingeq.machines.metropolis import Metropolis
from isingeq.machines.spinning import Task
from isingeq.machines.whole_numbers import whole_numbers
from isingeq.schedule import Annealing

SCHEDULE = Annealing((0.1, 0.4, 0.9, 0.6, 2.0, 3.0))


@pytest.fixture
def pool():
    pool = Pool(1)
    yield pool
    pool.close()


def graph_of(n=30, *, whole=True, density=0.15, seed=0):
    rng = np.random.default_rng(seed)
    i, j = np.triu_indices(n, 1)
    kept = rng.random(i.size) < density
    J = rng.choice([-1.0, 1.0], kept.sum()) if whole else rng.normal(0, 1, kept.sum())
    return Graph.of(n, i[kept], j[kept], J)


def energies(graph, h, spins):
    """E (b, r) in float64."""
    s = spins.astype(np.float64)
    J = graph.dense.astype(np.float64)
    return 0.5 * np.einsum("brn,nm,brm->br", s, J, s) + np.einsum("bn,brn->br", h, s)


def run(machine, graph, h, pool, **options):
    task = {"reads": 3, "schedule": SCHEDULE, "seed": 4} | options
    return machine.run(Task(graph=graph, h=h, pool=pool, **task))


class TestWholeNumbers:
    def test_multiples_of_one_number_are_exact_in_the_smallest_type(self):
        graph = graph_of()
        for factor, h, dtype in (
            (1, 0, np.int8),
            (0.3, 2, np.int8),
            (7, 500, np.int16),
            (1, 1e5, np.int32),
        ):
            scaled = Graph(30, graph.starts, graph.neighbours, graph.values * np.float32(factor))
            fields = np.zeros((2, 30))
            fields[:, 3] = -h * factor
            (part,) = whole_numbers(scaled, fields)
            assert part.exact
            assert part.unit == pytest.approx(factor)
            assert part.values.dtype == part.h.dtype == dtype
            np.testing.assert_array_equal(part.values, np.sign(graph.values))
            assert part.h[0, 3] == -h

    def test_a_field_feels_no_more_than_its_type_holds(self):
        """127 fits int8, 128 does not; so for int16."""
        n = 101
        graph = Graph.of(n, np.zeros(100, np.intp), np.arange(1, n), np.ones(100))
        for h, dtype in ((27, np.int8), (28, np.int16), (32667, np.int16), (32668, np.int32)):
            fields = np.zeros((1, n))
            fields[0, 0] = h
            assert whole_numbers(graph, fields)[0].h.dtype == dtype

    def test_real_numbers_are_kept_to_float32(self):
        graph = graph_of(whole=False)
        h = np.random.default_rng(1).normal(0, 3, (4, 30))
        (part,) = whole_numbers(graph, h)
        assert not part.exact
        assert math.log2(part.unit).is_integer()
        assert np.abs(part.values * part.unit - graph.values).max() <= part.unit / 2
        assert np.abs(part.h * part.unit - h).max() <= part.unit / 2
        assert part.unit < 2**-24 * graph.reach.max()
        assert (graph.reach + np.abs(h)).max() / part.unit <= 2**30

    def test_the_unit_of_a_sample_is_its_own(self):
        """One sample is whole, one is not, one is far out: each as if it were alone."""
        graph = graph_of()
        h = np.zeros((4, 30))
        h[1, 2], h[2, 2], h[3, 2] = 0.37, 1e7, 1e12
        parts = whole_numbers(graph, h)
        found = {int(b): part for part in parts for b in part.samples}
        assert sorted(found) == [0, 1, 2, 3]
        for b in range(4):
            (alone,) = whole_numbers(graph, h[b : b + 1])
            assert (alone.unit, alone.exact) == (found[b].unit, found[b].exact)
        assert [found[b].exact for b in range(4)] == [True, False, True, False]

    def test_without_couplings_or_fields(self):
        empty = Graph.of(5, *np.zeros((2, 0), np.intp), np.zeros(0))
        for h in (np.zeros((1, 5)), np.full((1, 5), 0.3)):
            (part,) = whole_numbers(empty, h)
            np.testing.assert_allclose(part.h * part.unit, h, atol=1e-9)
        assert whole_numbers(Graph.of(0, *np.zeros((2, 0), np.intp), np.zeros(0)), np.zeros((2, 0)))


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("acceptance", ["metropolis", "heat-bath"])
def test_either_kernel_gives_the_same_spins(monkeypatch, pool, whole, acceptance):
    graph, machine = graph_of(whole=whole), Metropolis(acceptance=acceptance)
    h = np.random.default_rng(1).normal(0, 1, (9, 30))
    found = {}
    for name, least in (("lanes", 1), ("local fields", 1000)):
        for dense in (0.0, 1.0):
            monkeypatch.setattr(module, "_LEAST_LANES", {False: least, True: least})
            monkeypatch.setattr(module, "_DENSE", dense)
            out = run(machine, graph, h, pool)
            assert out.details["representation"] == f"{name}, int32 fixed point"
            found[name, dense] = out.spins
    for spins in found.values():
        np.testing.assert_array_equal(spins, found["lanes", 0.0])


@pytest.mark.parametrize("numbers", ["exact", "pooled"])
def test_samples_do_not_depend_on_the_batch_nor_on_threads(pool, numbers):
    """Not even where some samples are counted in another unit, or another type."""
    graph, machine = graph_of(), Metropolis(numbers=numbers)
    h = np.zeros((7, 30))
    h[1, 4], h[2, 4], h[4, 4], h[5, 4] = 0.3, 200.0, 1e12, 2.0
    whole = run(machine, graph, h, pool, reads=40)
    assert whole.details["representation"].count(";") == 2
    np.testing.assert_array_equal(run(machine, graph, h[:3], pool, reads=40).spins, whole.spins[:3])
    alike = np.where(np.arange(7)[:, None] == 1, 0.0, h)
    others = np.arange(7) != 1
    found = run(machine, graph, alike, pool, reads=40).spins
    np.testing.assert_array_equal(found[others], whole.spins[others])
    threads = Pool(3)
    np.testing.assert_array_equal(run(machine, graph, h, threads, reads=40).spins, whole.spins)
    threads.close()
    np.testing.assert_array_equal(run(machine, graph, h, pool, reads=25).spins, whole.spins[:, :25])
    other = run(machine, graph, h, pool, reads=40, seed=5).spins
    assert (other != whole.spins).any(axis=2).mean() > 0.9


@pytest.mark.parametrize("numbers", ["exact", "pooled"])
@pytest.mark.parametrize("field", [0.0, 0.3])
def test_domain_walls_of_a_ring_meet(pool, numbers, field):
    """Two walls that always accept a tie walk in step; a field on a spin apart makes couplings fixed point."""
    n = 64
    i = np.arange(n)
    graph = Graph.of(
        n + 1, np.minimum(i, (i + 1) % n), np.maximum(i, (i + 1) % n), np.full(n, -1.0)
    )
    h = np.zeros((1, n + 1))
    h[0, n] = field
    machine = Metropolis(numbers=numbers)
    out = run(machine, graph, h, pool, reads=400, schedule=machine.suggest(graph, h[:, :n]))
    assert (
        out.details["representation"] == f"lanes, {'int32 fixed point' if field else 'int8 exact'}"
    )
    found = energies(graph, h, out.spins)
    assert (found < -n + field + 1e-3).mean() >= 0.95


@pytest.mark.parametrize("least", [1, 1000], ids=["lanes", "local fields"])
def test_metropolis_follows_boltzmann_where_flips_cost_nothing(monkeypatch, pool, least):
    """Five spins of an even ring feel no field: with ties always accepted they would swing for ever."""
    monkeypatch.setattr(module, "_LEAST_LANES", {False: least, True: least})
    graph = Graph.of(6, np.array([0, 1, 2, 3, 4, 0]), np.array([1, 2, 3, 4, 5, 5]), np.ones(6))
    h = np.array([[0.0, 0.0, 1.0, 0.0, 0.0, 0.0], [0.0] * 6])
    out = run(Metropolis(), graph, h, pool, reads=4000, schedule=Annealing.constant(BETA, 300))
    assert errors_off(out.spins, graph, h, BETA) < 5


def test_pooled_numbers_anneal_as_well(pool):
    graph, h = graph_of(200, density=0.03), np.zeros((1, 200))
    schedule = Annealing.geometric(0.3, 3, 100)
    exact, pooled = (
        energies(
            graph,
            h,
            run(Metropolis(numbers=n), graph, h, pool, reads=1000, schedule=schedule).spins,
        )
        for n in ("exact", "pooled")
    )
    error = math.hypot(exact.std(), pooled.std()) / math.sqrt(1000)
    assert abs(exact.mean() - pooled.mean()) < 5 * error
    assert exact.mean() < energies(graph, h, np.ones((1, 1, 200))).mean() - 100 * error


@pytest.mark.parametrize("reads", [2, 20])
def test_trace_follows_energy_acceptance_and_the_best_so_far(pool, reads):
    graph = graph_of(whole=False)
    h = np.random.default_rng(1).normal(0, 1, (3, 30))
    h[1, 0] = 1e4  # a unit of its own
    out = run(Metropolis(), graph, h, pool, reads=reads, trace=True)
    np.testing.assert_array_equal(out.spins, run(Metropolis(), graph, h, pool, reads=reads).spins)
    trace = out.trace
    assert trace.energy.shape == trace.details["best_energy"].shape == (6, 3)
    before, lowest = None, np.inf
    for t in range(6):
        part = Annealing(SCHEDULE.betas[: t + 1])
        spins = run(Metropolis(), graph, h, pool, reads=reads, schedule=part).spins
        now = energies(graph, h, spins)
        lowest = np.minimum(lowest, now.min(axis=1))
        np.testing.assert_allclose(trace.energy[t], now.mean(axis=1), rtol=1e-5)
        np.testing.assert_allclose(trace.details["best_energy"][t], lowest, rtol=1e-5)
        if before is not None:
            flips = (spins != before).mean(axis=(1, 2))
            np.testing.assert_allclose(trace.details["acceptance"][t], flips)
        before = spins


@pytest.mark.parametrize("reads", [3, 20])
def test_best_is_the_lowest_that_any_sweep_ended_in(pool, reads):
    """Annealed the wrong way round, the best lies at the start and the end is hot."""
    graph, h = graph_of(), np.random.default_rng(1).normal(0, 1, (2, 30))
    warming = Annealing((3.0, 2.0, 0.5, 0.01))
    best = energies(
        graph, h, run(Metropolis(keep="best"), graph, h, pool, reads=reads, schedule=warming).spins
    )
    ends = [
        energies(
            graph,
            h,
            run(
                Metropolis(), graph, h, pool, reads=reads, schedule=Annealing(warming.betas[:k])
            ).spins,
        )
        for k in range(1, 5)
    ]
    np.testing.assert_allclose(best, np.min(ends, axis=0))
    assert (best < ends[-1]).all()


def test_start_and_reverse(pool):
    graph, h = graph_of(), np.zeros((1, 30))
    start = np.random.default_rng(2).choice(np.array([-1, 1], np.int8), (1, 6, 30))
    frozen = Annealing((0.01, 1e6))
    free = run(
        Metropolis(acceptance="heat-bath"), graph, h, pool, reads=6, schedule=frozen, start=start
    )
    assert free.details["turn_beta"] is None
    assert free.details["sweeps"] == 2
    back = run(
        Metropolis(reverse=0.0), graph, h, pool, reads=6, schedule=frozen, start=start, nudged=True
    )
    assert back.details["betas"] == [1e6, 1e6]
    assert back.details["turn_beta"] == 0.01
    assert back.details["sweeps"] == 3
    assert run(Metropolis(), graph, h, pool, schedule=frozen, nudged=True).details["sweeps"] == 2


def test_suggested_schedule():
    graph, sparse = graph_of(100, density=1.0), graph_of(100, density=0.05)
    h = np.zeros((2, 100))
    betas = Metropolis(sweeps=7).suggest(graph, h).betas
    np.testing.assert_allclose(betas, np.geomspace(1 / math.sqrt(99), 10 / math.sqrt(99), 7))
    assert Metropolis(sweeps=7).suggest(sparse, h).betas[-1] == pytest.approx(3.0)
    strong = Metropolis(sweeps=2).suggest(sparse, h + 1e3).betas
    np.testing.assert_allclose(strong, [1e-3, 1e-2], rtol=1e-4)
    empty = Graph.of(3, *np.zeros((2, 0), np.intp), np.zeros(0))
    assert Metropolis(sweeps=2).suggest(empty, np.zeros((1, 3))).betas == (1.0, 1.0)
    assert Metropolis(sweeps=2).suggest(empty, np.full((1, 3), 2.0)).betas == pytest.approx(
        (0.5, 5.0)
    )
    sampler = Metropolis(beta=0.3, sweeps=2, acceptance="heat-bath")
    assert sampler.suggest(graph, h).betas == (0.3, 0.3)


def test_claims():
    assert Metropolis().claim is Claim.GROUND_STATE
    assert Metropolis(beta=0.0, acceptance="heat-bath").claim is Claim.BOLTZMANN
    assert Metropolis().schedule_kind is Annealing
    assert Metropolis().warm_start


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sweeps": 0}, "sweeps >= 1"),
        ({"beta": math.nan}, "beta >= 0"),
        ({"beta": -1.0}, "beta >= 0"),
        ({"reverse": 1.5}, "reverse <= 1"),
        ({"acceptance": "glauber"}, "metropolis or heat-bath"),
        ({"keep": "all"}, "final or best"),
        ({"numbers": "few"}, "exact or pooled"),
        ({"beta": 0.7}, "needs acceptance=heat-bath"),
        ({"beta": 0.7, "acceptance": "heat-bath", "numbers": "pooled"}, "numbers=exact"),
        ({"beta": 0.7, "acceptance": "heat-bath", "keep": "best"}, "keep=final"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Metropolis(**options)
