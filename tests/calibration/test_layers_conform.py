"""Every layer passes the suite for what it claims; what Quantise does not claim, on steps too fine to tell."""

from dataclasses import dataclass, field, replace

import pytest
from board import Board

from calibration import Limits, Quantise, Scale, mapped
from isingeq.backend import Backend, Capabilities, Claim
from isingeq.backends.exact import exact
from isingeq.backends.metropolis import metropolis
from isingeq.testing import BackendConformance, run_conformance

CENTRAL = "moments_are_those_of_boltzmann"
FINE = 2.0**-30


@dataclass(frozen=True)
class Claiming:
    """A layer that claims, against its own word, to sample what was asked."""

    layer: Backend
    capabilities: Capabilities = field(init=False)

    def __post_init__(self) -> None:
        sampling = replace(self.layer.capabilities, claim=Claim.BOLTZMANN)
        object.__setattr__(self, "capabilities", sampling)

    def __getattr__(self, name: str) -> object:
        return getattr(self.layer, name)


class TestScale(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return Scale(Board(exact(), step=None))


class TestQuantise(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return Quantise(Board(exact()))


@pytest.mark.slow
class TestBoth(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return mapped(Board(exact()))


LAYERED = {
    "scale, fixed": lambda: Scale(Board(exact(), step=None), Limits(2.0, 8.0)),
    "scale a narrow range": lambda: Scale(Board(exact(), 0.01, 0.02, step=None)),
    "quantise finely": lambda: Claiming(Quantise(Board(exact(), None, None, FINE))),
    "quantise finely by chance": lambda: Claiming(
        Quantise(Board(exact(), None, None, FINE), "stochastic")
    ),
    "both, finely": lambda: Claiming(mapped(Board(exact(), step=FINE))),
    "both, fixed": lambda: Claiming(mapped(Board(exact(), step=FINE), Limits(1.7, 9.0))),
}


@pytest.mark.parametrize("which", LAYERED)
def test_what_was_asked_is_sampled(which):
    outcomes = {result.name: result for result in run_conformance(LAYERED[which]())}
    assert {name: r.message for name, r in outcomes.items() if r.outcome == "failed"} == {}
    for name in (CENTRAL, "terms_add_up", "a_nudge_leaves_no_trace", "new_couplings_take_effect"):
        assert outcomes[name].outcome == "passed"


def test_an_annealer_under_scale_keeps_its_claim():
    backend = Scale(Board(metropolis(sweeps=60), step=None))
    outcomes = {result.name: result for result in run_conformance(backend)}
    assert {name: r.message for name, r in outcomes.items() if r.outcome == "failed"} == {}
    assert outcomes["ground_states_are_found"].outcome == "passed"


def test_whole_numbers_are_not_fine_enough_to_claim_anything():
    """Coarse rounding fails the suite, so it is right not to claim: the check above can fail."""
    outcomes = {r.name: r.outcome for r in run_conformance(Claiming(Quantise(Board(exact()))))}
    assert outcomes[CENTRAL] == "failed"
