"""Conformance suite for backends, with the plain twins it compares them to."""

from isingeq.testing.conformance import BackendConformance, run_conformance
from isingeq.testing.outcome import CheckResult, NotApplicable
from isingeq.testing.reference import PlainAnnealer, PlainRelaxation, PlainSampler

__all__ = [
    "BackendConformance",
    "CheckResult",
    "NotApplicable",
    "PlainAnnealer",
    "PlainRelaxation",
    "PlainSampler",
    "run_conformance",
]
