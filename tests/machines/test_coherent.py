"""Coherent Ising machines: closed forms, order, symmetries, solutions and refusals."""

from dataclasses import replace

import numpy as np
import pytest
from spin_graphs import energies, fields_of, graph_of, states

from isingeq.backend import Claim
from isingeq.errors import ConfigError
from isingeq.kernels.pool import Pool
from isingeq.machines.amplitude_control import PRESETS
from isingeq.machines.coherent import Coherent
from isingeq.machines.graph import Graph
from isingeq.machines.spinning import Task
from isingeq.schedule import Drive


@pytest.fixture(scope="module")
def pool():
    opened = Pool(1)
    yield opened
    opened.close()


def run(machine, graph, h, pool, *, schedule=None, reads=1, seed=2, **options):
    schedule = schedule or machine.suggest(graph, h)
    return machine.run(Task(graph, h, reads, schedule, seed, pool, **options))


def last(outcome, name):
    return outcome.trace.details[name][-1, 0]


def pair(J):
    return Graph.of(2, np.array([0]), np.array([1]), np.array([J]))


def glass(density, n=60):
    rng = np.random.default_rng(4)
    i, j = np.triu_indices(n, 1)
    kept = rng.random(i.size) < density
    return Graph.of(n, i[kept], j[kept], rng.normal(size=kept.sum()))


ALONE = Graph(1, np.zeros(2, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
DEEP = {"precision": "float64", "trace": True}


class TestClosedForms:
    @pytest.mark.parametrize("variant", PRESETS)
    def test_a_lone_pulse_above_threshold_saturates(self, pool, variant):
        drive = Drive(6000, 0.02, (1.3, 1.3), (1.0, 1.0))
        found = run(Coherent(variant), ALONE, np.zeros((1, 1)), pool, schedule=drive, **DEEP)
        assert last(found, "amplitude") == pytest.approx(np.sqrt(0.3), abs=1e-9)

    @pytest.mark.parametrize("variant", PRESETS)
    def test_below_threshold_nothing_is_left(self, pool, variant):
        drive = Drive(2000, 0.02, (0.2, 0.2), (1.0, 1.0))
        found = run(Coherent(variant), ALONE, np.zeros((1, 1)), pool, schedule=drive, **DEEP)
        assert last(found, "amplitude") < 1e-9

    def test_a_field_pushes_against_its_sign(self, pool):
        drive = Drive(4000, 0.02, (0.5, 0.5), (0.3, 0.3))
        h = np.array([[2.0]])
        found = run(Coherent("mean-field"), ALONE, h, pool, schedule=drive, **DEEP)
        x = -last(found, "amplitude")
        assert -0.5 * x - x**3 - 0.3 * 2.0 == pytest.approx(0, abs=1e-9)
        assert found.spins[0, 0, 0] == -1

    @pytest.mark.parametrize("J", [1.5, -1.5])
    def test_two_pulses_gain_what_they_feed_each_other(self, pool, J):
        drive = Drive(6000, 0.02, (0.9, 0.9), (0.4, 0.4))
        found = run(Coherent("mean-field"), pair(J), np.zeros((1, 2)), pool, schedule=drive, **DEEP)
        assert last(found, "amplitude") == pytest.approx(np.sqrt(-0.1 + 0.6), abs=1e-9)
        assert found.spins[0, 0].prod() == -np.sign(J)

    def test_error_variables_hold_the_target(self, pool):
        drive = Drive(20_000, 0.02, (0.4, 0.4), (0.4, 0.4))
        found = run(Coherent("cac"), pair(1.5), np.zeros((1, 2)), pool, schedule=drive, **DEEP)
        target = PRESETS["cac"].control.target[1]
        assert last(found, "amplitude") ** 2 == pytest.approx(target, abs=1e-6)
        assert last(found, "error") == pytest.approx((1 - 0.4 + target) / 0.6, abs=1e-6)

    def test_the_target_follows_the_energy(self, pool):
        drive = Drive(20_000, 0.02, (0.4, 0.4), (0.4, 0.4))
        found = run(Coherent("ahc"), pair(1.5), np.zeros((1, 2)), pool, schedule=drive, **DEEP)
        assert last(found, "amplitude") ** 2 == pytest.approx(0.2 + 0.4 * 1.5, abs=1e-6)

    @pytest.mark.parametrize("pump", [0.5, -1.0])
    def test_amplitudes_below_threshold_wander_as_their_variance_tells(self, pool, pump):
        # 2 κ V + 2 j (V − ½)² = 1 + j, and an Ornstein–Uhlenbeck process of strength g √j (V − ½).
        j, g, dt, n = 0.8, 1e-3, 0.02, 2000
        loose = Graph.of(n, np.zeros(0, int), np.zeros(0, int), np.zeros(0))
        machine = Coherent("mean-field", noise=g, outcoupling=j, look=1000)
        drive = Drive(400, dt, (pump, pump), (1.0, 1.0))
        found = run(machine, loose, np.zeros((1, n)), pool, schedule=drive, reads=16, **DEEP)
        kappa = 1 + j - pump
        V = 0.5 + (-kappa + np.sqrt(kappa**2 + 2 * j * (1 + j - kappa))) / (2 * j)
        assert 2 * kappa * V + 2 * j * (V - 0.5) ** 2 == pytest.approx(1 + j)
        expected = g**2 * j * (V - 0.5) ** 2 * dt / (1 - (1 - kappa * dt) ** 2)
        variance = last(found, "amplitude") ** 2 + last(found, "heterogeneity") ** 2
        assert abs(variance / expected - 1) < 5 * np.sqrt(2 / (16 * n))

    def test_pulses_hear_the_noise_of_what_is_measured_of_others(self, pool):
        # Sum and difference of a pair relax at κ ± ε J, each driven by its own noise and by that fed back to it.
        j, g, dt, n, J, feedback = 0.8, 1e-3, 0.02, 2000, 1.3, 0.5
        pairs = Graph.of(n, np.arange(0, n, 2), np.arange(1, n, 2), np.full(n // 2, J))
        machine = Coherent("mean-field", noise=g, outcoupling=j, look=1000)
        drive = Drive(500, dt, (-0.2, -0.2), (feedback, feedback))
        found = run(machine, pairs, np.zeros((1, n)), pool, schedule=drive, reads=16, **DEEP)
        kappa = 1 + j + 0.2
        V = 0.5 + (-kappa + np.sqrt(kappa**2 + 2 * j * (1 + j - kappa))) / (2 * j)
        expected = 0.0
        for fed in (feedback * J, -feedback * J):
            kick = g * np.sqrt(j) * (V - 0.5) - fed * g / (2 * np.sqrt(j))
            expected += 0.5 * kick**2 * dt / (1 - (1 - (kappa + fed) * dt) ** 2)
        variance = last(found, "amplitude") ** 2 + last(found, "heterogeneity") ** 2
        assert abs(variance / expected - 1) < 5 * np.sqrt(2 / (16 * n)) * np.sqrt(2)


@pytest.mark.parametrize("variant", PRESETS)
def test_steps_are_of_first_order(pool, variant):
    graph = graph_of("ring")
    h = fields_of(graph, 1)

    def amplitude(sweeps):
        drive = Drive(sweeps, 4.0 / sweeps, (0.5, 0.5), (0.5, 0.5))
        machine = Coherent(variant, look=sweeps // 50)
        return last(run(machine, graph, h, pool, schedule=drive, **DEEP), "amplitude")

    exact = 2 * amplitude(25_600) - amplitude(12_800)
    errors = np.array([abs(amplitude(sweeps) - exact) for sweeps in (400, 800, 1600)])
    assert errors[0] > 1e-5
    assert np.log2(errors[:-1] / errors[1:]) == pytest.approx([1, 1], abs=0.15)


class TestSolutions:
    @pytest.mark.parametrize("kind", ["ring", "complete", "groups"])
    def test_chaotic_control_finds_ground_states(self, pool, kind):
        graph = graph_of(kind)
        h = fields_of(graph)
        found = run(Coherent(), graph, h, pool, reads=40)
        lowest = energies(graph, h[:, None], states(graph.n)).min(axis=1)
        energy = energies(graph, h[:, None], found.spins.astype(float))
        assert (energy > lowest[:, None] - 1e-5).all()
        assert ((energy < lowest[:, None] + 1e-5).mean(axis=1) > 0.3).all()

    def test_control_makes_amplitudes_alike(self, pool):
        graph, spread = glass(1.0), {}
        for variant in PRESETS:
            found = run(Coherent(variant), graph, np.zeros((1, 60)), pool, trace=True, reads=20)
            spread[variant] = last(found, "heterogeneity") / last(found, "amplitude")
        assert spread["ahc"] < 0.5 * spread["mean-field"]
        assert spread["cac"] < 0.7 * spread["mean-field"]

    def test_the_best_seen_is_kept(self, pool):
        graph = glass(0.1)
        h = fields_of(graph)
        best, final = (
            run(Coherent(keep=keep, look=1), graph, h, pool, reads=30) for keep in ("best", "final")
        )
        gain = energies(graph, h[:, None], final.spins.astype(float)) - energies(
            graph, h[:, None], best.spins.astype(float)
        )
        assert gain.min() > -1e-4
        assert gain.max() > 0.1

    def test_only_chaotic_control_without_noise_claims_anything(self):
        assert Coherent().claim is Claim.GROUND_STATE
        for machine in (Coherent("ahc"), Coherent("mean-field"), Coherent(noise=0.1)):
            assert machine.claim is Claim.NONE

    def test_a_lone_spin_and_no_couplings(self, pool):
        found = run(Coherent(), ALONE, np.array([[0.3], [-0.1]]), pool, reads=5)
        assert (found.spins == np.array([-1, 1])[:, None, None]).all()
        assert run(Coherent(), ALONE, np.zeros((1, 1)), pool, reads=3).spins.shape == (1, 3, 1)


class TestSymmetries:
    @pytest.mark.parametrize("variant", PRESETS)
    def test_the_unit_of_energy_does_not_matter(self, pool, variant):
        graph = graph_of("groups")
        h = fields_of(graph)
        large = replace(graph, values=4 * graph.values)
        one = run(Coherent(variant), graph, h, pool, reads=4)
        four = run(Coherent(variant), large, 4 * h, pool, reads=4)
        assert np.array_equal(one.spins, four.spins)

    def test_a_gauge_turns_the_answer_with_it(self, pool):
        graph = graph_of("ring")
        h, rng = fields_of(graph), np.random.default_rng(1)
        turn = rng.choice([-1, 1], graph.n)
        rows = np.repeat(np.arange(graph.n), np.diff(graph.starts))
        flips = (turn[rows] * turn[graph.neighbours]).astype(np.float32)
        turned = replace(graph, values=graph.values * flips)
        start = rng.choice([-1, 1], (3, 5, graph.n)).astype(np.int8)
        one = run(Coherent(keep="final", sweeps=50), graph, h, pool, reads=5, start=start)
        two = run(
            Coherent(keep="final", sweeps=50), turned, h * turn, pool, reads=5,
            start=(start * turn).astype(np.int8),
        )  # fmt: skip
        assert np.array_equal(one.spins * turn, two.spins)
        assert not np.array_equal(one.spins, start)

    @pytest.mark.parametrize("noise", [0.0, 0.1])
    @pytest.mark.parametrize("density", [0.1, 0.6])
    def test_threads_reads_and_batch_do_not_matter(self, pool, density, noise):
        graph, machine = glass(density), Coherent(sweeps=100, noise=noise, keep="final")
        h = fields_of(graph)
        whole = run(machine, graph, h, pool, reads=70)
        two = Pool(2)
        assert np.array_equal(whole.spins, run(machine, graph, h, two, reads=70).spins)
        two.close()
        schedule = machine.suggest(graph, h)
        part = run(machine, graph, h[:2], pool, reads=3, schedule=schedule)
        assert np.array_equal(whole.spins[:2, :3], part.spins)
        assert not np.array_equal(whole.spins, run(machine, graph, h, pool, reads=70, seed=3).spins)
        assert whole.details["representation"] == ("dense" if density > 0.5 else "sparse")

    @pytest.mark.slow
    def test_double_precision_agrees_while_chaos_is_young(self, pool):
        graph = graph_of("groups")
        h, machine = fields_of(graph), Coherent(sweeps=30, keep="final")
        single, double = (
            run(machine, graph, h, pool, reads=20, precision=p) for p in ("float32", "float64")
        )
        assert (single.spins == double.spins).mean() > 0.99


class TestStarts:
    def test_a_start_is_looked_at(self, pool):
        graph = graph_of("complete")
        h = fields_of(graph)
        every = energies(graph, h[:, None], states(graph.n))
        ground = states(graph.n)[every.argmin(axis=1)][:, None].astype(np.int8)
        found = run(Coherent(sweeps=5), graph, h, pool, start=ground)
        assert np.array_equal(found.spins, ground)

    def test_settled_amplitudes_stay_in_their_well(self, pool):
        i, j = np.triu_indices(6, 1)
        graph, h = Graph.of(6, i, j, np.full(i.size, -0.5)), np.full((1, 6), 0.1)
        machine = Coherent("mean-field", sweeps=300, keep="final")
        steady = replace(machine.suggest(graph, h), pump=(1.0, 1.0), dt=0.05)
        well = np.ones((1, 8, 6), np.int8)
        found = run(machine, graph, h, pool, reads=8, start=well, schedule=steady)
        assert np.array_equal(found.spins, well)
        cold = run(machine, graph, h, pool, reads=8, schedule=steady)
        assert (cold.spins == -1).any()


class TestTrace:
    @pytest.mark.parametrize("keep", ["best", "final"])
    def test_it_ends_at_the_energy_of_the_answer(self, pool, keep):
        graph = graph_of("groups")
        h = fields_of(graph)
        found = run(Coherent(keep=keep, sweeps=50), graph, h, pool, reads=6, trace=True)
        trace = found.trace
        energy = energies(graph, h[:, None], found.spins.astype(float)).mean(axis=1)
        assert trace.energy.shape == (50, 3)
        assert trace.energy[-1] == pytest.approx(energy, abs=1e-4)
        assert (np.diff(trace.details["best_energy"], axis=0) <= 0).all()
        assert (trace.details["present_energy"] >= trace.details["best_energy"] - 1e-9).any()
        assert set(trace.details) == {
            "present_energy", "best_energy", "amplitude", "heterogeneity", "error",
        }  # fmt: skip
        again = run(Coherent(keep=keep, sweeps=50), graph, h, pool, reads=6)
        assert again.trace is None
        assert np.array_equal(again.spins, found.spins)


class TestSubSteps:
    @pytest.mark.parametrize("variant", PRESETS)
    @pytest.mark.parametrize("noise", [0.0, 0.1])
    def test_a_frozen_schedule_of_larger_couplings_is_that_of_shorter_steps(
        self, pool, variant, noise
    ):
        graph = graph_of("complete")
        h = 0.1 * fields_of(graph)
        machine = Coherent(variant, sweeps=40, noise=noise, look=3)
        frozen = machine.suggest(graph, h)
        grown = replace(graph, values=5 * graph.values)
        found = run(machine, grown, h, pool, schedule=frozen, reads=4, trace=True)
        k = found.details["sub_steps"]
        assert 2 <= k <= 16
        assert run(machine, graph, h, pool, schedule=frozen).details["sub_steps"] == 1
        shorter = replace(frozen, sweeps=40 * k, dt=frozen.dt / k)
        fine = run(
            replace(machine, look=3 * k), grown, h, pool, schedule=shorter, reads=4, trace=True
        )
        assert fine.details["sub_steps"] == 1
        assert np.array_equal(found.spins, fine.spins)
        assert found.trace.energy.shape == (40, 3)
        assert np.array_equal(found.trace.energy, fine.trace.energy[k - 1 :: k])
        for name, rows in found.trace.details.items():
            assert np.array_equal(rows, fine.trace.details[name][k - 1 :: k])
        blind = run(machine, grown, h, pool, schedule=frozen, reads=4)
        assert np.array_equal(blind.spins, found.spins)

    @pytest.mark.parametrize("variant", PRESETS)
    def test_couplings_decide_for_samples_with_small_fields_alike(self, pool, variant):
        graph, machine = graph_of("ring"), Coherent(variant, sweeps=30)
        h = fields_of(graph)
        frozen = replace(machine.suggest(graph, h), dt=1.0)
        whole = run(machine, graph, h, pool, schedule=frozen, reads=3)
        for fields in (h[:1], 0 * h[:1]):
            part = run(machine, graph, fields, pool, schedule=frozen, reads=3)
            assert part.details["sub_steps"] == whole.details["sub_steps"] > 1
            if fields.any():
                assert np.array_equal(part.spins, whole.spins[:1])

    def test_a_sample_with_large_fields_has_its_own_number(self, pool):
        graph, machine = graph_of("ring"), Coherent("mean-field", sweeps=30)
        h = fields_of(graph) * np.array([[1.0], [100.0], [0.0]])
        frozen = machine.suggest(graph, 0 * h)
        whole = run(machine, graph, h, pool, schedule=frozen, reads=40, trace=True)
        assert whole.details["sub_steps"] > 1
        counts = []
        for k in range(len(h)):
            part = run(machine, graph, h[k : k + 1], pool, schedule=frozen, reads=40, trace=True)
            counts.append(part.details["sub_steps"])
            # The first sample's random numbers are those of the whole batch.
            if not k:
                assert np.array_equal(part.spins[0], whole.spins[0])
                np.testing.assert_allclose(
                    part.trace.energy[:, 0], whole.trace.energy[:, 0], rtol=1e-12
                )
        assert counts[0] < counts[1] == whole.details["sub_steps"]
        assert counts[2] == 1

    def test_they_begin_where_steps_begin_to_grow(self, pool):
        # J = +1 on a long even ring: eigenvalues from −2 to 2, rate (1 − p) + 2 ε = 3. With fields of ±2, amplitudes of
        # 1 are allowed for: rate 3 + 1 − p + 2 ε = 6.
        n = 64
        ring = Graph.of(n, np.arange(n), (np.arange(n) + 1) % n, np.full(n, 1.0))
        machine, h = Coherent("mean-field"), np.zeros((1, n))
        for dt, pieces in ((0.66, 1), (0.67, 3), (1.3, 4), (0.33 * 16, 16)):
            drive = Drive(5, dt, (-1.0, -1.0), (0.5, 0.5))
            assert run(machine, ring, h, pool, schedule=drive).details["sub_steps"] == pieces

    def test_without_couplings_no_step_is_too_long(self, pool):
        drive = Drive(5, 50.0, (1.0, 1.0), (1.0, 1.0))
        found = run(Coherent("mean-field"), ALONE, np.zeros((1, 1)), pool, schedule=drive)
        assert found.details["sub_steps"] == 1


class TestRefusals:
    @pytest.mark.parametrize("variant", PRESETS)
    @pytest.mark.parametrize("kind", ["ring", "complete"])
    def test_a_step_beyond_stability(self, pool, variant, kind):
        graph, machine = graph_of(kind), Coherent(variant, sweeps=50)
        h = fields_of(graph)
        good = machine.suggest(graph, h)
        run(machine, graph, h, pool, schedule=good)
        with pytest.raises(ConfigError, match=r"dt 100 .* at most \d+\.?\d* .* 16 pieces"):
            run(machine, graph, h, pool, schedule=replace(good, dt=100.0))

    def test_fields_that_no_sub_step_bears(self, pool):
        machine, h = Coherent("mean-field"), np.array([[0.0], [1e4]])
        with pytest.raises(ConfigError, match=r"at most 0\.0\d+ .* in 16 pieces"):
            run(machine, ALONE, h, pool, schedule=Drive(5, 0.3, (1.0, 1.0), (1.0, 1.0)))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"variant": "loud"}, "variant 'loud'"),
            ({"keep": "all"}, "keep 'all'"),
            ({"sweeps": 0}, "sweeps 0"),
            ({"dt": -1.0}, "dt -1.0"),
            ({"noise": -0.1}, "noise -0.1"),
            ({"look": 0}, "look 0"),
            ({"noise": 0.1, "outcoupling": 0.0}, "outcoupling 0.0"),
        ],
    )
    def test_options_out_of_range(self, options, message):
        with pytest.raises(ConfigError, match=message):
            Coherent(**options)
