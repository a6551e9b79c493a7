"""Boards behind a line, alone and in a pool, pass the suite for what they claim."""

import pytest

from isingeq.backend import Backend, Claim
from isingeq.registry import open_backend
from isingeq.testing import BackendConformance


class TestSampler(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return open_backend("model://ref-arm192?beta=0.7&sweeps=40")


@pytest.mark.slow
class TestAnnealer(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return open_backend("model://ref-arm192?baud=115200")


@pytest.mark.slow
class TestPoolOfSamplers(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return open_backend("pool:model://ref-arm192*2?beta=0.7&sweeps=40")


@pytest.mark.slow
class TestPoolOfAnnealers(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return open_backend("pool:model://ref-arm192*2?baud=115200")


def test_claims_are_those_of_gibbs_at_one_beta_and_of_annealing():
    for prefix in ("", "pool:"):
        assert (
            open_backend(f"{prefix}model://ref-arm192?beta=2").capabilities.claim is Claim.BOLTZMANN
        )
        assert open_backend(f"{prefix}model://ref-arm192").capabilities.claim is Claim.GROUND_STATE
