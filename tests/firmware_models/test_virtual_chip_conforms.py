"""Virtual chips pass the conformance suite for what they claim, ideal ones and imperfect ones."""

import pytest
from small_chips import chip

from firmware_models.chip_profile import Timing, Values
from firmware_models.wires import Topology
from isingeq.backend import Backend, Claim
from isingeq.registry import open_backend
from isingeq.testing import BackendConformance, run_conformance

ALL = Topology("edges", edges=tuple((i, j) for i in range(9) for j in range(i + 1, 9)))
RANGES = {"coupling": Values(-2, 2, step=0.25), "field": Values(-4, 4, step=0.25)}
TYPICAL = {
    "gain_sigma": 0.05, "coupling_offset_sigma": 0.01, "field_gain_sigma": 0.05, "offset_sigma": 0.02,
    "noise_sigma": 0.02, "crosstalk": 0.01, "readout_error": 0.001, "dead_couplers": ((0, 5),),
}  # fmt: skip


class TestIdealAndExact(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return chip(ALL, physics="exact", **RANGES)


@pytest.mark.slow
class TestImperfect(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return chip(ALL, physics="gibbs?sweeps=20", **RANGES, **TYPICAL)


IDEAL = {
    "profile:ideal?physics=exact": Claim.BOLTZMANN,
    "profile:ideal?beta=0.7": Claim.BOLTZMANN,
    "profile:ideal": Claim.GROUND_STATE,
    "profile:ideal?physics=metropolis&sweeps=60": Claim.GROUND_STATE,
}


@pytest.mark.parametrize("spec", IDEAL)
def test_an_ideal_chip_keeps_the_claim_of_its_physics(spec):
    backend = open_backend(spec)
    assert backend.capabilities.claim is IDEAL[spec]
    assert failed(backend) == {}


@pytest.mark.parametrize(
    "wrong",
    [{"stuck_spins": (8,)}, {"dead_spins": (4,), "noise_sigma": 0.3}, {"readout_error": 0.2}],
    ids=lambda wrong: "+".join(wrong),
)
def test_an_imperfect_one_claims_nothing(wrong):
    backend = chip(ALL, physics="gibbs?sweeps=5", timing=Timing(settle_s=1e-6), **wrong)
    assert backend.capabilities.claim is Claim.NONE
    assert failed(backend) == {}


@pytest.mark.parametrize("spec", ["profile:umn-a2a-48?seed=1", "profile:ref-avr64?seed=2"])
def test_shipped_ones_conform(spec):
    assert failed(open_backend(spec)) == {}


def failed(backend):
    return {r.name: r.message for r in run_conformance(backend) if r.outcome == "failed"}
