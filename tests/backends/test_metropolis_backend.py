import math

import numpy as np
import pytest

from isingeq.backend import Claim, SettleRequest
from isingeq.backends.exact import exact
from isingeq.backends.metropolis import metropolis
from isingeq.couplings import Dense, Edges
from isingeq.errors import ConfigError
from isingeq.problem import Problem
from isingeq.schedule import Annealing
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge
from isingeq.testing import BackendConformance
from isingeq.units import Layer, Spin

BETA = 0.7


class TestAnnealer(BackendConformance):
    @pytest.fixture
    def backend(self):
        return metropolis(sweeps=100)


class TestSampler(BackendConformance):
    @pytest.fixture
    def backend(self):
        return metropolis(beta=0.9, sweeps=60)


@pytest.mark.slow
class TestPooled(BackendConformance):
    @pytest.fixture
    def backend(self):
        return metropolis(sweeps=100, numbers="pooled", keep="best", threads=2)


def spins(n, couplings=(), fields=None):
    layers = (Layer("s", n, Spin()),)
    return Problem(layers, couplings, np.zeros((1, n)) if fields is None else fields)


@pytest.mark.parametrize("case", ["free", "nudged", "clamped"])
def test_samples_follow_the_boltzmann_distribution(frustrated, counted, chi_square, case):
    rng = np.random.default_rng(3)
    terms = () if case == "free" else (
        LinearNudge(rng.normal(0, 0.4, (3, 5))),
        QuadraticNudge((2, 5), rng.normal(0, 1, (3, 3)), np.array([0.5, -0.3, 0.8])),
    )  # fmt: skip
    if case == "clamped":
        mask = np.array([False, True, False, False, True])
        terms = (*terms, Clamp(mask, np.array([[1.0], [-1.0], [1.0]]).repeat(5, 1)))
    wanted = exact(beta=BETA).settle(SettleRequest(frustrated, terms)).weights
    sampler = metropolis(beta=BETA, sweeps=30)
    assert sampler.capabilities.claim is Claim.BOLTZMANN
    out = sampler.settle(SettleRequest(frustrated, terms, reads=40_000, seed=11))
    for states, row in zip(out.states, wanted, strict=True):
        assert abs(chi_square(counted(states), row)) < 5


def test_whole_couplings_and_single_reads_follow_it_too(counted, chi_square):
    """int8 lanes with a field, and the other kernel: a batch of one read each, chained over seeds."""
    i, j = np.array([0, 0, 1, 2]), np.array([1, 2, 2, 3])
    ring = Edges(4, i, j, np.array([1.0, 1.0, 1.0, -2.0]))
    problem = spins(4, (ring,), np.array([[1.0, 0.0, -1.0, 2.0]]))
    wanted = exact(beta=0.4).settle(SettleRequest(problem)).weights[0]
    many = metropolis(beta=0.4, sweeps=30).settle(SettleRequest(problem, reads=40_000, seed=3))
    assert many.provenance.details["representation"] == "lanes, int8 exact"
    assert abs(chi_square(counted(many.states[0]), wanted)) < 5
    single = metropolis(beta=0.4, sweeps=30)
    few = [single.settle(SettleRequest(problem, reads=4, seed=seed)) for seed in range(1500)]
    assert few[0].provenance.details["representation"] == "local fields, int8 exact"
    assert abs(chi_square(counted(np.concatenate([a.states[0] for a in few])), wanted)) < 5


def test_sampling_forgets_where_an_unbiased_spin_started():
    reads = 4000
    request = SettleRequest(spins(2), reads=reads, initial=np.ones((1, reads, 2)))
    mean = metropolis(beta=BETA, sweeps=10).settle(request).mean()
    assert (np.abs(mean) < 5 / math.sqrt(reads)).all()


@pytest.mark.parametrize("acceptance", ["metropolis", "heat-bath"])
def test_annealing_finds_ground_states(acceptance):
    rng = np.random.default_rng(0)
    dense = Dense((0, 6), (6, 12), rng.normal(0, 1, (6, 6)))
    problem = spins(12, (dense,), rng.normal(0, 0.3, (4, 12)))
    annealer = metropolis(sweeps=200, acceptance=acceptance)
    assert annealer.capabilities.claim is Claim.GROUND_STATE
    found = annealer.settle(SettleRequest(problem, reads=20, seed=2)).energies.min(axis=1)
    everything = exact().settle(SettleRequest(problem))
    np.testing.assert_allclose(found, everything.energies.min(axis=1), rtol=1e-6)


def ferromagnet(field):
    i, j = np.triu_indices(6, 1)
    return spins(6, (Edges(6, i, j, np.full(i.size, -1.0)),), np.full((1, 6), field))


def test_nudged_phase_turns_round_where_told():
    """From the wrong minimum: staying cold keeps it, going back to the hot end leaves it."""
    nudge, start = LinearNudge(np.full((1, 6), -0.2)), np.ones((1, 50, 6))
    schedule = Annealing.geometric(0.01, 50.0, 80)
    request = SettleRequest(ferromagnet(0.1), (nudge,), reads=50, schedule=schedule, initial=start)
    stays = metropolis(reverse=1.0).settle(request)
    np.testing.assert_array_equal(stays.states, start)
    leaves = metropolis(reverse=0.0).settle(request)
    assert (leaves.states == -1).all(axis=2).mean() > 0.5
    details = leaves.provenance.details
    assert details["betas"] == pytest.approx([50.0, 50.0])
    assert details["turn_beta"] == pytest.approx(0.01)
    assert details["sweeps"] == 159


def test_free_phase_starts_from_the_initial_states():
    start, cold = np.ones((1, 50, 6)), Annealing((50.0, 50.0, 50.0))
    out = metropolis().settle(
        SettleRequest(ferromagnet(0.1), reads=50, schedule=cold, initial=start)
    )
    np.testing.assert_array_equal(out.states, start)
    assert out.provenance.details["turn_beta"] is None


def test_acceptance_follows_the_beta_where_it_is_left_open():
    assert metropolis().machine.acceptance == "metropolis"
    assert metropolis(beta=1.0).machine.acceptance == "heat-bath"
    assert metropolis(acceptance="heat-bath").machine.acceptance == "heat-bath"


def test_argument_is_refused():
    with pytest.raises(ConfigError, match="no argument"):
        metropolis("x")
