"""The plain twins pass the whole suite, in its pytest form."""

from dataclasses import replace

import pytest

from isingeq.backend import Backend, Claim
from isingeq.terms import LinearNudge
from isingeq.testing import (
    BackendConformance,
    PlainAnnealer,
    PlainRelaxation,
    PlainSampler,
    run_conformance,
)
from isingeq.testing.broken import CHIP
from isingeq.testing.reference import RELAXES, TURNS


class TestPlainRelaxation(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return PlainRelaxation()


@pytest.mark.slow
class TestPlainRelaxationOfPhases(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return PlainRelaxation(capabilities=TURNS)


class TestPlainSampler(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return PlainSampler()


class TestPlainAnnealer(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return PlainAnnealer()


MODEST = {
    "relaxation": PlainRelaxation(
        capabilities=replace(
            RELAXES,
            units=frozenset({"logistic"}),
            couplings=frozenset({"dense"}),
            coupling_range=(-2.0, 2.0),
            field_range=(-9.0, 9.0),
            max_units=4,
            traces=False,
            warm_start=False,
            split_invariant=False,
        )
    ),
    "phases": PlainRelaxation(
        capabilities=replace(
            TURNS,
            couplings=frozenset({"cosine dense"}),
            terms=frozenset({LinearNudge}),
            coupling_step=0.25,
            max_units=4,
            warm_start=False,
        )
    ),
    "sampler": PlainSampler(capabilities=CHIP),
    "annealer": PlainAnnealer(
        capabilities=replace(CHIP, claim=Claim.GROUND_STATE, terms=frozenset())
    ),
}


@pytest.mark.parametrize(
    "which",
    [pytest.param(w, marks=[pytest.mark.slow] if w == "relaxation" else []) for w in MODEST],
)
def test_a_backend_that_takes_little_passes_too(which):
    """The suite keeps to units, ranges and steps, and skips what is not claimed."""
    results = run_conformance(MODEST[which])
    assert {r.name: r.message for r in results if r.outcome == "failed"} == {}
    assert sum(r.outcome == "passed" for r in results) >= 25
