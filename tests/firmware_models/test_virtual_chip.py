"""Virtual chips against enumeration: each imperfection does what the equations say, and nothing else does."""

import numpy as np
import pytest
from small_chips import (
    BETA,
    EVERY,
    chip,
    enumerated,
    layered,
    matrix,
    moments,
    problem,
    settle,
    truth,
    watched,
)

from calibration import Limits, mapped, reports
from firmware_models.chip_profile import Timing, Values
from firmware_models.wires import Topology
from isingeq.backend import Claim, SettleRequest
from isingeq.couplings import Edges
from isingeq.errors import BackendError, CapabilityError, ConfigError
from isingeq.problem import Problem
from isingeq.registry import open_backend
from isingeq.schedule import Annealing
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge
from isingeq.units import Layer, Spin

DRAWN = f"exact?beta={BETA}&draw=true"
ONE = Annealing.constant(BETA, 1)


def deviation(answer, due):
    """Largest distance of moments from due ones, in standard errors of the reads."""
    reads = answer.states.shape[1]
    spread = np.sqrt(np.maximum(1 - due**2, 1e-12) / reads)
    return (np.abs(moments(answer) - due) / spread).max()


EACH = [{}, *({k: v} for k, v in EVERY.items()), EVERY]


@pytest.mark.parametrize("wrong", EACH, ids=lambda wrong: "+".join(wrong) or "ideal")
@pytest.mark.parametrize("make", [problem, layered])
def test_moments_are_those_of_what_the_chip_has(wrong, make):
    c, p = chip(**wrong), make()
    J, h = truth(c, p)
    np.testing.assert_allclose(moments(settle(c, p)), enumerated(J, h), atol=1e-9)
    if wrong:
        assert np.abs(enumerated(J, h) - enumerated(matrix(p), p.fields)).max() > 0.01


@pytest.mark.parametrize("topology", [Topology("edges", edges=((0, 1),)), Topology("kings", 1, 3)])
def test_two_and_three_spins(topology):
    c = chip(topology, **EVERY)
    i, j, _ = c.wires.among(c.wires.n)
    fields = np.random.default_rng(1).uniform(-1, 1, (4, c.wires.n))
    p = Problem((Layer("a", c.wires.n, Spin()),), (Edges(c.wires.n, i, j, np.full(i.size, -0.9)),), fields)  # fmt: skip
    np.testing.assert_allclose(moments(settle(c, p)), enumerated(*truth(c, p)), atol=1e-9)


def test_a_coupler_adds_its_offset_though_nothing_is_on_it():
    c = chip(coupling_offset_sigma=1.0)
    p = Problem((Layer("a", 4, Spin()),), (), np.zeros((1, 4)))
    found = moments(settle(c, p))
    np.testing.assert_allclose(found, enumerated(*truth(c, p)), atol=1e-9)
    assert np.abs(found).max() > 0.2


def test_a_smaller_problem_is_on_the_first_spins():
    c, p = chip(**EVERY), problem()
    small = Problem((Layer("a", 2, Spin()),), (), p.fields[:, :2].copy())
    np.testing.assert_allclose(moments(settle(c, small)), enumerated(*truth(c, small)), atol=1e-9)


@pytest.mark.parametrize("wrong", EACH, ids=lambda wrong: "+".join(wrong) or "ideal")
def test_nudges_come_as_fields_and_stay_nudges(wrong):
    c, p = chip(**wrong), problem()
    pull = np.random.default_rng(5).uniform(-1, 1, p.fields.shape)
    pull[:, 1] = 0
    targets = np.array([[1.0, -1.0], [-1.0, -1.0], [1.0, 1.0]])
    spring = QuadraticNudge((2, 4), targets, np.array([0.5, -0.5, 0.8]))
    total = p.fields - pull
    total[:, 2:] -= spring.strength[:, None] * targets
    found = settle(c, p, (LinearNudge(pull), spring))
    np.testing.assert_allclose(moments(found), enumerated(*truth(c, p, total)), atol=1e-9)
    seen = watched(c)
    settle(c, p)
    settle(c, p, (LinearNudge(np.zeros_like(pull)),))
    assert [request.nudged for request in seen] == [False, True]
    assert np.array_equal(seen[0].problem.fields, seen[1].problem.fields)


def test_stuck_spins_stay_and_are_felt():
    c, p = chip(stuck_spins=(2,), seed=3, **EVERY), problem()
    held = c.mismatch.stuck
    assert abs(held[2]) == 1
    np.testing.assert_allclose(moments(settle(c, p)), enumerated(*truth(c, p), given=held), atol=1e-9)  # fmt: skip
    values = np.full(p.fields.shape, -held[2], float)
    clamp = Clamp(np.array([False, False, True, False]), values)
    assert (settle(c, p, (clamp,)).states[..., 2] == held[2]).all()


def test_dead_spins_are_coupled_to_nothing_and_read_coins():
    c, p = chip(dead_spins=(2,), dead_couplers=((0, 1),), **EVERY), problem()
    J, h = truth(c, p)
    assert not J[2].any()
    assert not J[0, 1]
    np.testing.assert_allclose(moments(settle(c, p)), enumerated(J, h), atol=1e-9)
    drawn = settle(chip(physics=DRAWN, dead_spins=(2,), **EVERY), p, reads=20_000)
    assert np.abs(drawn.states[..., 2].mean(axis=1)).max() < 5 / np.sqrt(20_000)


def test_clamped_spins_are_held_and_felt():
    c, p = chip(**EVERY), problem()
    mask, values = np.array([True, False, False, True]), np.ones(p.fields.shape)
    values[:, 3] = -1
    given = np.array([1, 0, 0, -1])
    found = settle(c, p, (Clamp(mask, values),))
    np.testing.assert_allclose(moments(found), enumerated(*truth(c, p), given=given), atol=1e-9)


def test_noise_is_a_field_of_its_own_for_each_read():
    """One spin alone: the mean of −tanh β(h + ν) over ν ~ N(0, σ²), and no read like the other."""
    sigma, reads = 1.5, 40_000
    c = chip(physics=DRAWN, noise_sigma=sigma)
    p = Problem((Layer("a", 4, Spin()),), (), np.tile([0.9, -0.4, 0.0, 0.2], (2, 1)))
    points, weights = np.polynomial.hermite_e.hermegauss(60)
    due = -(weights / weights.sum()) @ np.tanh(BETA * (p.fields[0] + sigma * points[:, None]))
    found = settle(c, p, reads=reads).states.mean(axis=1)
    assert np.abs(found - due).max() < 5 / np.sqrt(reads)
    assert np.abs(due + np.tanh(BETA * p.fields[0])).max() > 20 / np.sqrt(reads)
    weighed = settle(chip(noise_sigma=sigma), p, reads=500)
    assert np.allclose(weighed.weights.sum(axis=1), 1)
    assert np.abs(moments(weighed)[:, :4] - due).max() < 5 * 0.6 / np.sqrt(500)


def test_noise_of_one_read_moves_all_spins_of_it_at_once():
    """Two spins that feel nothing else and are cold follow their noise; in other reads there is other noise."""
    c = chip(physics="exact?beta=1000&draw=true", noise_sigma=1.0)
    p = Problem((Layer("a", 4, Spin()),), (), np.zeros((1, 4)))
    first, again = (settle(c, p, reads=2000, seed=3).states for _ in range(2))
    assert np.array_equal(first, again)
    found = first[0].astype(float)
    assert np.abs(found.mean(axis=0)).max() < 5 / np.sqrt(2000)
    assert np.abs((found[1:] * found[:-1]).mean(axis=0)).max() < 5 / np.sqrt(2000)
    assert np.abs(found[:, 0] @ found[:, 1]) / 2000 < 5 / np.sqrt(2000)


def test_spins_are_read_wrongly_at_the_rate_save_those_held():
    rate, reads = 0.07, 20_000
    c, p = chip(physics=DRAWN, readout_error=rate), problem()
    due = enumerated(matrix(p), p.fields)
    due[:, :4] *= 1 - 2 * rate
    due[:, 4:] *= (1 - 2 * rate) ** 2
    assert deviation(settle(c, p, reads=reads), due) < 5
    clamp = Clamp(np.array([True, False, False, False]), np.ones(p.fields.shape))
    assert (settle(c, p, (clamp,), reads=500).states[..., 0] == 1).all()


def test_warm_starts_pass_through():
    spin_glass = problem(J=(-40, -40, -40, -40))
    for wrong in ({}, {"noise_sigma": 0.1}, {"dead_spins": (3,)}):
        c = chip(physics="metropolis?sweeps=3", **wrong)
        start = np.ones((3, 5, 4))
        start[:, 2] = -1
        found = settle(c, spin_glass, reads=5, initial=start, schedule=Annealing.constant(10, 3))
        assert np.array_equal(found.states[..., :3], start[..., :3])


def test_idle_spins_are_drawn_as_the_physics_would():
    """Alone under their offsets: what gibbs makes of them as simulated spins, and a coin where there is none."""
    lattice, reads = Topology("kings", 4, 4), 4000
    for wrong in ({}, {"offset_sigma": 1.0}):
        c = chip(lattice, physics="gibbs?sweeps=3", **wrong)
        p = Problem((Layer("a", 16, Spin()),), (), np.zeros((2, 16)))
        found = settle(c, p, reads=reads, schedule=ONE).states.mean(axis=1)
        due = -np.tanh(BETA * c.mismatch.field_offset)
        assert np.abs(found - due).max() < 5 / np.sqrt(reads)
    seen = watched(c)
    settle(c, p, schedule=ONE)
    assert seen[0].problem.n == 1
    told = Problem(p.layers, (), np.eye(2, 16))
    settle(c, told, (LinearNudge(np.eye(2, 16, 5)),), schedule=ONE)
    assert seen[1].problem.n == 4


def test_without_betas_an_idle_spin_follows_its_field():
    c = chip(Topology("kings", 4, 4), physics="bifurcation?sweeps=20", offset_sigma=1.0)
    p = Problem((Layer("a", 16, Spin()),), (), np.zeros((1, 16)))
    found = settle(c, p, reads=7).states[0, :, 1:]
    assert (found == -np.sign(c.mismatch.field_offset[1:])).all()


def test_answers_are_functions_of_chip_seed_and_row():
    options = {"noise_sigma": 0.4, "readout_error": 0.1, "dead_spins": (3,), **EVERY}
    for physics in (DRAWN, "gibbs?beta=0.6&sweeps=4"):
        one, same = (chip(physics=physics, seed=5, **options) for _ in range(2))
        p = problem(rows=6)
        whole = settle(one, p, reads=9, seed=2).states
        assert np.array_equal(whole, settle(same, p, reads=9, seed=2).states)
        part = p.with_fields(p.fields[:4].copy())
        assert np.array_equal(whole[:4], settle(one, part, reads=9, seed=2).states)
        assert not np.array_equal(whole, settle(one, p, reads=9, seed=3).states)
        other = chip(physics=physics, seed=6, **options)
        assert not np.array_equal(whole, settle(other, p, reads=9, seed=2).states)


def test_chips_differ():
    p = problem()
    found = [moments(settle(chip(seed=seed, **EVERY), p)) for seed in range(4)]
    assert min(np.abs(a - b).max() for k, a in enumerate(found) for b in found[:k]) > 0.01


def test_couplings_keep_their_version_while_they_do_not_change():
    c, p = chip(**EVERY), problem()
    seen = watched(c)
    other = p.with_fields(p.fields + 1)
    for asked in (p, other, problem(J=(1, 1, 1, 1))):
        settle(c, asked)
    assert seen[0].problem.version == seen[1].problem.version != seen[2].problem.version


def test_the_schedule_is_that_of_what_was_told():
    """A controller knows what it was told: small offsets must not cool the anneal without end."""
    p = problem()
    ideal, real = chip(physics="gibbs"), chip(physics="gibbs", **EVERY)
    assert real.suggest_schedule(p) == open_backend("gibbs").suggest_schedule(p)
    assert real.suggest_schedule(p) == ideal.suggest_schedule(p)
    found = settle(real, p, reads=2)
    asked = tuple(found.provenance.details["schedule"]["betas"])
    assert asked == real.suggest_schedule(p).betas


def test_device_time_is_counted_and_drift_follows_it():
    timing = Timing(programming_s=3.0, settle_s=0.25, readout_s=0.5)
    c, p = chip(timing=timing, drift_s=10.0, offset_sigma=2.0), problem()
    first, second = settle(c, p), settle(c, p, reads=2)
    assert first.timing.device_s == 3 * 0.75 + 3
    assert second.timing.device_s == 6 * 0.75
    assert not np.allclose(moments(first), moments(second))
    again = chip(timing=timing, drift_s=10.0, offset_sigma=2.0)
    for answer, reads in ((first, 1), (second, 2)):
        assert np.array_equal(moments(answer), moments(settle(again, p, reads=reads)))
    assert not c.capabilities.split_invariant
    still = chip(timing=timing, offset_sigma=2.0)
    assert np.array_equal(moments(settle(still, p)), moments(settle(still, p)))
    assert settle(chip(), p).timing.device_s == 0


def test_capabilities_are_those_of_the_profile():
    c = chip(
        Topology("kings", 3, 4), physics="gibbs?beta=1", coupling=Values(-7, 7, bits=4),
        field=Values(levels=(-2, -1, 0, 1)),
    ).capabilities  # fmt: skip
    assert (c.max_units, c.connectivity.num_edges) == (12, 29)
    assert (c.coupling_range, c.coupling_step, c.coupling_levels) == ((-7, 7), 1, None)
    assert (c.field_range, c.field_step) == ((-2, 1), 1)
    assert c.claim is Claim.BOLTZMANN
    uneven = chip(coupling=Values(levels=(-4, -1, 0, 1, 4)), gain_sigma=0.1).capabilities
    assert (uneven.coupling_step, uneven.coupling_levels) == (None, (-4, -1, 0, 1, 4))
    assert uneven.coupling_range == (-4, 4)
    assert uneven.claim is Claim.NONE


def test_nudged_fields_keep_to_range_and_steps():
    c, p = chip(field=Values(-4, 4, step=0.5)), problem()
    p = p.with_fields(np.round(p.fields * 2) / 2)
    settle(c, p, (LinearNudge(np.full(p.fields.shape, 0.5)),))
    for force, message in ((6.0, r"in \[-4, 4\], with nudges"), (0.2, "of 0.5, with nudges")):
        with pytest.raises(CapabilityError, match=message):
            settle(c, p, (LinearNudge(np.full(p.fields.shape, force)),))


def test_mapped_it_takes_what_a_network_asks():
    """Scale and Quantise above, the chip below: what comes of it is the chip's own answer to the rounded problem."""
    c, p = chip(coupling=Values(-7, 7, bits=4), field=Values(-15, 15, bits=5), **EVERY), problem()
    found = settle(mapped(c, Limits(1.0, 1.5)), p, schedule=ONE)
    layers = {report["layer"]: report for report in reports(found)}
    assert {"scale", "quantise"} <= set(layers)
    k = layers["scale"]["factor"]
    (edges,) = p.couplings
    told = Problem(p.layers, (Edges(4, edges.i, edges.j, np.rint(k * edges.J)),), np.rint(k * p.fields))  # fmt: skip
    J, h = truth(c, told)
    np.testing.assert_allclose(moments(found), enumerated(J, h, beta=BETA / k), atol=1e-6)


def test_provenance_tells_the_chip_from_others_and_what_was_assumed():
    found = open_backend("profile:umn-rosc-1968?seed=7&sweeps=5&noise_sigma=0.5")
    p = Problem((Layer("a", 2, Spin()),), (), np.zeros((1, 2)))
    told = found.settle(SettleRequest(p)).provenance
    assert told.kind == "simulated"
    assert told.backend == "profile:umn-rosc-1968?seed=7&noise_sigma=0.5&sweeps=5"
    details = told.details
    assert (details["profile"], details["chip"]) == ("umn-rosc-1968", 7)
    assert details["energy_per_settle_j"] == pytest.approx(2.1e-9)
    assert details["imperfections"]["noise_sigma"] == 0.5
    assert {"imperfections.gain_sigma", "physics", "field"} <= set(details["assumed"])
    assert "imperfections.noise_sigma" not in details["assumed"]
    uids = set()
    for spec in ("seed=7", "seed=8", "seed=7&gain_sigma=0.1", "seed=7&ideal"):
        settled = open_backend(f"profile:umn-a2a-48?{spec}&sweeps=2").settle(SettleRequest(p))
        uids.add(settled.provenance.details["uid"])
    assert len(uids) == 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: chip(seed=-1), "chips are counted from 0, got seed=-1"),
        (lambda: chip(physics="hopfield"), "physics of a chip settles spins, hopfield has amplitude"),
        (lambda: chip(physics="gibs"), "did you mean 'gibbs'"),
        (lambda: chip(readout_error=0.1), "add draw=true"),
        (lambda: chip(drift_s=1.0), "its timing is not known: add settle_s"),
        (lambda: chip(Topology("all"), gain_sigma=0.1), "has no number of spins.*add units="),
        (lambda: chip(dead_spin_rate=1.0), "every spin is dead or stuck"),
    ],
)  # fmt: skip
def test_chips_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ConfigError, match=message) as raised:
        make()
    assert "\n" not in str(raised.value)


def test_a_pair_that_is_not_coupled_is_refused():
    edges = Edges(4, np.array([0]), np.array([3]), np.ones(1))
    with pytest.raises(CapabilityError, match="small does not couple units 0 and 3"):
        settle(chip(), Problem((Layer("a", 4, Spin()),), (edges,), np.zeros((1, 4))))


def test_a_closed_chip_says_so():
    c = chip()
    c.close()
    with pytest.raises(BackendError, match="profile:small is closed: open it again"):
        settle(c, problem())
