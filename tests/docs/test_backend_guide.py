"""The guide to writing a backend is true: its blocks run, and what it names exists."""

import re
import tomllib
from pathlib import Path

import pytest

from isingeq.backend import Backend, Claim
from isingeq.testing import BackendConformance

GUIDE = Path(__file__).parents[2] / "docs" / "backends.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text("utf-8"), re.S | re.M)


@pytest.fixture(scope="module")
def names() -> dict[str, object]:
    """What the guide's Python blocks define, run in order; they hold the guide's own assertions."""
    space: dict[str, object] = {"__name__": "guide"}
    for block in blocks("python"):
        exec(compile(block, str(GUIDE), "exec"), space)
    return space


def test_the_example_is_a_backend_and_its_claim_was_checked(names):
    assert isinstance(names["heatbath"](sweeps=7), Backend)
    outcomes = {result.name: result.outcome for result in names["results"]}
    assert outcomes["moments_are_those_of_boltzmann"] == "passed"
    assert outcomes["linear_nudge_acts_as_a_field"] == "passed"


def test_the_test_class_holds_the_suite(names):
    assert issubclass(names["TestHeatBath"], BackendConformance)


def test_the_entry_point_names_the_factory_of_the_example(names):
    (block,) = blocks("toml")
    points = tomllib.loads(block)["project"]["entry-points"]["isingeq.backends"]
    for name, target in points.items():
        assert target.endswith(f":{names[name].__name__}")


def test_the_claims_listed_are_all_there_are():
    listed = re.findall(r"^\| `([A-Z_]+)` \|", GUIDE.read_text("utf-8"), re.M)
    assert listed == [claim.name for claim in Claim]
