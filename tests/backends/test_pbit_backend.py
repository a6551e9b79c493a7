"""P-bits as a backend: the conformance suite on every claim, and the options of the SPEC."""

import pytest

from isingeq.backend import Backend, SettleRequest
from isingeq.backends.pbit import p_bit
from isingeq.errors import ConfigError
from isingeq.testing import BackendConformance


class TestSequentialSampler(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return p_bit(beta=0.7, order="sequential")


@pytest.mark.slow
class TestFiniteAnnealer(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return p_bit(tanh_bits=10, random_bits=8)


@pytest.mark.slow
class TestCoarse(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return p_bit(tanh_bits=8, random_bits=8)


class TestSynchronous(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return p_bit(order="synchronous", threads=2)


def test_options_are_in_the_provenance(frustrated):
    backend = p_bit(order="sequential", tanh_bits=12, tanh_range=3.0, random_bits=10, beta=0.5)
    details = backend.settle(SettleRequest(frustrated)).provenance.as_dict()
    assert details["backend"] == "p-bit"
    assert (details["tanh_bits"], details["tanh_range"], details["random_bits"]) == (12, 3.0, 10)
    assert (details["order"], details["colours"], details["beta"]) == ("sequential", 5, 0.5)


def test_an_argument_is_refused():
    with pytest.raises(ConfigError, match="no argument"):
        p_bit("x")
