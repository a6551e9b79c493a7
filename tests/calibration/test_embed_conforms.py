"""Embed and Mask pass the suite: over exact enumeration, over an annealer, over a chip that is imperfect."""

import numpy as np
import pytest
from chips import Local, connected, ring
from imperfect import Imperfect, wrong
from test_layers_conform import Claiming

from calibration.embed import Embed
from calibration.mask import Mask
from isingeq.backend import Backend
from isingeq.backends.exact import exact
from isingeq.backends.metropolis import metropolis
from isingeq.testing import BackendConformance, run_conformance

RING, WIDER = ring(13, 4), ring(13, 5)
COUPLED = connected(9, [(a, b) for a in range(9) for b in range(a + 1, 9) if (a, b) != (7, 8)])
"""All that the suite couples, and all but one pair besides."""


def masked(inner: Backend, where=WIDER) -> Mask:
    """Two units and two couplers do not work."""
    units = np.isin(np.arange(where.n), (1, 6))
    return Mask(inner, units, np.isin(np.arange(where.num_edges), (20, 30)))


class TestEmbed(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return Embed(Local(exact(), RING))


@pytest.mark.slow
class TestEmbedOverAnImperfectChip(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        chip = Imperfect(wrong(WIDER.n, WIDER.num_edges), WIDER, coupling_end=None, field_end=None)
        return Embed(masked(chip))


@pytest.mark.slow
class TestEmbedOverAnAnnealer(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return Embed(Local(metropolis(sweeps=20), ring(20, 6)))


STRONG = {
    "ring": lambda: Embed(Local(exact(), RING), chain_strength=60.0),
    "masked": lambda: Embed(masked(Local(exact(), WIDER)), chain_strength=60.0),
    "as numbered": lambda: Embed(Local(exact(), COUPLED)),
}


@pytest.mark.parametrize("which", STRONG)
def test_with_strong_chains_what_was_asked_is_sampled(which):
    outcomes = {result.name: result for result in run_conformance(Claiming(STRONG[which]()))}
    assert {name: r.message for name, r in outcomes.items() if r.outcome == "failed"} == {}
    for name in ("moments_are_those_of_boltzmann", "terms_add_up", "new_couplings_take_effect"):
        assert outcomes[name].outcome == "passed"


def test_weak_chains_fail_the_suite():
    """So it is right that nothing is claimed: the check above can fail."""
    weak = Claiming(Embed(Local(exact(), RING), chain_strength=0.1))
    outcomes = {r.name: r.outcome for r in run_conformance(weak)}
    assert outcomes["moments_are_those_of_boltzmann"] == "failed"
