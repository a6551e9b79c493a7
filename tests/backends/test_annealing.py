import math

import numpy as np
import pytest

from isingeq.backend import Claim, SettleRequest
from isingeq.backends.annealing import neal
from isingeq.backends.exact import exact
from isingeq.couplings import Dense, Edges
from isingeq.errors import BackendError, CapabilityError, ConfigError, ProblemError
from isingeq.problem import Problem
from isingeq.schedule import Annealing
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge
from isingeq.units import Layer, Spin

BETA = 0.7


def spins(n, couplings=(), fields=None):
    return Problem(
        (Layer("s", n, Spin()),), couplings, np.zeros((1, n)) if fields is None else fields
    )


def nudges(problem):
    rng = np.random.default_rng(3)
    b = problem.batch
    return (
        LinearNudge(rng.normal(0, 0.4, (b, problem.n))),
        QuadraticNudge((2, 5), rng.normal(0, 1, (b, 3)), np.array([0.5, -0.3, 0.8])),
    )


@pytest.mark.parametrize("case", ["free", "nudged", "clamped"])
def test_samples_follow_the_boltzmann_distribution(frustrated, counted, chi_square, case):
    terms = {"free": (), "nudged": nudges(frustrated)}.get(case)
    if terms is None:
        mask = np.array([False, True, False, False, True])
        terms = (*nudges(frustrated), Clamp(mask, np.array([[1.0], [-1.0], [1.0]]).repeat(5, 1)))
    wanted = exact(beta=BETA).settle(SettleRequest(frustrated, terms)).weights
    sampler = neal(beta=BETA, sweeps=30)
    assert sampler.capabilities.claim is Claim.BOLTZMANN
    out = sampler.settle(SettleRequest(frustrated, terms, reads=40_000, seed=11))
    for states, row in zip(out.states, wanted, strict=True):
        assert abs(chi_square(counted(states), row)) < 5


def test_sampling_forgets_where_an_unbiased_spin_started():
    """Metropolis in a fixed order would flip it at every sweep, and give the start back."""
    reads = 4000
    request = SettleRequest(spins(2), reads=reads, initial=np.ones((1, reads, 2)))
    mean = neal(beta=BETA, sweeps=10).settle(request).mean()
    assert (np.abs(mean) < 5 / math.sqrt(reads)).all()


def test_annealing_finds_ground_states(frustrated):
    rng = np.random.default_rng(0)
    dense = Dense((0, 6), (6, 12), rng.normal(0, 1, (6, 6)))
    problem = spins(12, (dense,), rng.normal(0, 0.3, (4, 12)))
    annealer = neal()
    assert annealer.capabilities.claim is Claim.GROUND_STATE
    found = annealer.settle(SettleRequest(problem, reads=20, seed=2)).energies.min(axis=1)
    everything = exact().settle(SettleRequest(problem))
    np.testing.assert_allclose(found, everything.energies.min(axis=1), rtol=1e-6)


def test_every_sample_feels_its_own_field():
    fields = np.random.default_rng(1).choice([-2.0, 2.0], (6, 9))
    out = neal().settle(SettleRequest(spins(9, (), fields), reads=3))
    np.testing.assert_array_equal(out.states, np.broadcast_to(-np.sign(fields)[:, None], (6, 3, 9)))
    assert out.states.dtype == np.float32


def test_suggested_schedule_is_the_published_rule():
    J = Dense((0, 1), (1, 3), np.array([[0.5, -1.5]]))
    problem = spins(3, (J,), np.array([[0.0, 0.2, -1.0], [-3.0, 0.0, 0.25]]))
    betas = neal(sweeps=5).suggest_schedule(problem).betas
    first, last = math.log(2) / (3.0 + 0.5 + 1.5), math.log(100) / 0.2
    np.testing.assert_allclose(betas, np.geomspace(first, last, 5))


def test_suggested_schedule_at_a_stated_beta_and_without_energies():
    assert neal(beta=0.4, sweeps=3).suggest_schedule(spins(2)).betas == (0.4, 0.4, 0.4)
    assert neal(sweeps=2).suggest_schedule(spins(2)).betas == (1.0, 1.0)


def test_schedule_run_is_in_the_provenance(frustrated):
    details = neal().settle(SettleRequest(frustrated)).provenance.details
    suggested = neal().suggest_schedule(frustrated).betas
    assert details["betas"] == [suggested[0], suggested[-1]]
    assert details["sweeps"] == 100
    assert str(details["library"]).startswith("dwave-samplers ")
    out = neal().settle(SettleRequest(frustrated, reads=2, schedule=Annealing((0.1, 0.2, 3.0))))
    assert out.provenance.details["betas"] == [0.1, 3.0]
    assert (out.steps == 3).all()
    assert out.provenance.details["turn_beta"] is None


def ferromagnet(field):
    i, j = np.triu_indices(6, 1)
    return spins(6, (Edges(6, i, j, np.full(i.size, -1.0)),), np.full((1, 6), field))


COLD_TO_HOT = Annealing.geometric(0.01, 50.0, 80)


def test_free_phase_starts_from_the_initial_states():
    """Cold sweeps do not leave the upper of two minima; random starts often end in the lower."""
    start = np.ones((1, 50, 6))
    cold = Annealing((50.0, 50.0, 50.0))
    out = neal().settle(SettleRequest(ferromagnet(0.1), reads=50, schedule=cold, initial=start))
    np.testing.assert_array_equal(out.states, start)
    assert (out.steps == 3).all()
    assert (start == 1).all()


def test_nudged_phase_turns_round_where_told():
    """From the wrong minimum: staying cold keeps it, going back to the hot end leaves it."""
    nudge = LinearNudge(np.full((1, 6), -0.2))
    start = np.ones((1, 50, 6))
    request = SettleRequest(
        ferromagnet(0.1), (nudge,), reads=50, schedule=COLD_TO_HOT, initial=start
    )
    stays = neal(reverse=1.0).settle(request)
    np.testing.assert_array_equal(stays.states, start)
    assert (stays.steps == 1).all()
    leaves = neal(reverse=0.0).settle(request)
    assert (leaves.states == -1).all(axis=2).mean() > 0.5
    details = leaves.provenance.details
    assert details["betas"] == pytest.approx([50.0, 50.0])
    assert details["turn_beta"] == pytest.approx(0.01)
    assert details["sweeps"] == 159


def test_published_reverse_anneal_is_the_default(frustrated):
    request = SettleRequest(
        frustrated, nudges(frustrated), schedule=COLD_TO_HOT, initial=np.ones((3, 1, 5))
    )
    details = neal().settle(request).provenance.details
    assert details["turn_beta"] == COLD_TO_HOT.betas[20]
    assert details["sweeps"] == len(COLD_TO_HOT.reverse(0.25).betas) == 119


def test_same_numbers_for_any_split_and_thread_count(frustrated):
    assert neal().capabilities.split_invariant
    hot = Annealing((0.1, 0.5))
    whole = neal().settle(SettleRequest(frustrated, reads=40, seed=6, schedule=hot)).states
    part = frustrated.with_fields(frustrated.fields[:2].copy())
    np.testing.assert_array_equal(
        neal().settle(SettleRequest(part, reads=40, seed=6, schedule=hot)).states, whole[:2]
    )
    threaded = neal(threads=3).settle(SettleRequest(frustrated, reads=40, seed=6, schedule=hot))
    np.testing.assert_array_equal(threaded.states, whole)


@pytest.mark.parametrize("given", [True, False])
def test_samples_reads_and_seeds_have_their_own_numbers(given):
    """Given a start, Gibbs shows the numbers of the sweeps; Metropolis at beta 0, of starts."""
    problem = spins(64, (), np.zeros((2, 64)))
    backend, initial = (neal(beta=BETA), np.ones((2, 2, 64))) if given else (neal(), None)
    schedule = Annealing((BETA,) if given else (0.0,))
    requests = [
        SettleRequest(problem, reads=2, seed=seed, schedule=schedule, initial=initial)
        for seed in (1, 2)
    ]
    rows = np.concatenate([backend.settle(q).states.reshape(-1, 64) for q in requests])
    overlaps = (rows @ rows.T - 64 * np.eye(len(rows))) / math.sqrt(64)
    assert (np.abs(overlaps) < 5).all()


def test_all_spins_clamped(frustrated):
    values = np.random.default_rng(2).choice([-1.0, 1.0], (3, 5))
    clamp = Clamp(np.ones(5, bool), values)
    out = neal().settle(SettleRequest(frustrated, (clamp,), reads=2))
    np.testing.assert_array_equal(out.states, values[:, None].repeat(2, 1))


def test_what_is_no_spin_is_refused(frustrated, amplitudes):
    with pytest.raises(CapabilityError, match="amplitude units"):
        neal().settle(SettleRequest(amplitudes))
    with pytest.raises(ProblemError, match=r"-1 or \+1"):
        neal().settle(SettleRequest(frustrated, initial=np.full((3, 1, 5), 0.5)))


@pytest.mark.parametrize(
    "options", [{"sweeps": 0}, {"threads": 0}, {"beta": -1.0}, {"beta": math.nan}, {"reverse": 1.5}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ConfigError, match="neal needs sweeps >= 1"):
        neal(**options)


def test_closed_or_misnamed(frustrated):
    backend = neal(threads=2)
    backend.close()
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.settle(SettleRequest(frustrated))
    with pytest.raises(ConfigError, match="no argument"):
        neal("x")
