"""How a check ends: it returns, or raises AssertionError, or says that it does not apply."""

from dataclasses import dataclass
from typing import Literal
from unittest import SkipTest

Outcome = Literal["passed", "failed", "not applicable"]


class NotApplicable(SkipTest):
    """The backend does not claim what a check is about; pytest shows it as skipped."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check on one backend: its name, how it ended and why."""

    name: str
    outcome: Outcome
    message: str = ""


def expect(condition: object, message: str) -> None:
    """Raise AssertionError with `message` unless `condition` holds, under `python -O` too."""
    if not condition:
        raise AssertionError(message)
