"""Block Gibbs as a backend: the conformance suite, and what the suite does not ask."""

import numpy as np
import pytest

from isingeq.backend import Backend, Claim, SettleRequest
from isingeq.backends.exact import exact
from isingeq.backends.gibbs import gibbs
from isingeq.errors import ConfigError
from isingeq.schedule import Annealing
from isingeq.terms import Clamp, LinearNudge
from isingeq.testing import BackendConformance

BETA = 0.7


class TestSampler(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return gibbs(beta=BETA)


class TestAnnealer(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return gibbs(threads=2)


@pytest.mark.slow
class TestMetropolis(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return gibbs(acceptance="metropolis")


def test_samples_of_a_nudged_and_clamped_problem(frustrated, counted, chi_square):
    mask = np.array([False, True, False, False, True])
    force = np.random.default_rng(3).normal(0, 0.4, (3, 5))
    terms = (LinearNudge(force), Clamp(mask, np.array([[1.0], [-1.0], [1.0]]).repeat(5, 1)))
    wanted = exact(beta=BETA).settle(SettleRequest(frustrated, terms)).weights
    sampler = gibbs(beta=BETA, sweeps=30)
    assert sampler.capabilities.claim is Claim.BOLTZMANN
    out = sampler.settle(SettleRequest(frustrated, terms, reads=20_000, seed=11))
    for states, row in zip(out.states, wanted, strict=True):
        assert abs(chi_square(counted(states), row)) < 5


def test_all_spins_clamped(frustrated):
    values = np.random.default_rng(2).choice([-1.0, 1.0], (3, 5))
    request = SettleRequest(frustrated, (Clamp(np.ones(5, bool), values),), reads=2, trace=True)
    out = gibbs().settle(request)
    np.testing.assert_array_equal(out.states, values[:, None].repeat(2, 1))


def test_provenance_says_what_was_run(frustrated):
    request = SettleRequest(frustrated, seed=2**70, schedule=Annealing((0.1, 0.2, 3.0)))
    details = gibbs(acceptance="metropolis").settle(request).provenance.as_dict()
    assert details["representation"] in ("rows", "tables")
    assert details["acceptance"] == "metropolis"
    assert (details["sweeps"], details["betas"]) == (3, [0.1, 3.0])
    assert details["backend"] == "gibbs"


def test_an_argument_is_refused():
    with pytest.raises(ConfigError, match="no argument"):
        gibbs("x")
