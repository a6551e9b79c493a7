"""Every registered backend that needs no device passes the suite for what it claims."""

import pytest

from isingeq.backend import Claim
from isingeq.registry import open_backend
from isingeq.testing import run_conformance

OWN = {
    "exact": Claim.BOLTZMANN,
    "exact?beta=0.7&draw=true": Claim.BOLTZMANN,
    "null": Claim.NONE,
    "neal": Claim.GROUND_STATE,
    "neal?beta=0.7": Claim.BOLTZMANN,
    "hopfield": Claim.FIXED_POINT,
    "hopfield?update=synchronous": Claim.FIXED_POINT,
    "hopfield?update=gradient": Claim.FIXED_POINT,
    "conjugate": Claim.FIXED_POINT,
    "conjugate?damping=0.5&ramp=1&momentum=0.1": Claim.FIXED_POINT,
    "rate": Claim.FIXED_POINT,
    "partner": Claim.FIXED_POINT,
    "amplitude-error": Claim.FIXED_POINT,
    "state-adam": Claim.FIXED_POINT,
    "xy": Claim.FIXED_POINT,
    "xy?polish": Claim.FIXED_POINT,
    "xy-flow": Claim.FIXED_POINT,
}

VARIANTS = {spec for spec in OWN if "?" in spec} | {"partner", "state-adam"}
"""More of what is there already under the name alone, or over the same relaxation."""

CENTRAL = {
    Claim.FIXED_POINT: "fixed_points_are_stationary",
    Claim.BOLTZMANN: "moments_are_those_of_boltzmann",
    Claim.GROUND_STATE: "ground_states_are_found",
}


@pytest.mark.parametrize(
    "spec",
    [pytest.param(s, marks=[pytest.mark.slow] if s in VARIANTS else []) for s in OWN],
)
def test_own_backend_conforms(spec):
    backend = open_backend(spec)
    assert backend.capabilities.claim is OWN[spec]
    results = {result.name: result for result in run_conformance(backend)}
    assert {n: r.message for n, r in results.items() if r.outcome == "failed"} == {}
    if OWN[spec] in CENTRAL:
        assert results[CENTRAL[OWN[spec]]].outcome == "passed"
