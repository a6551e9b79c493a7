"""The checks: functions of a backend that return, raise AssertionError or raise NotApplicable.

`CHECKS` is every `check_…` function of the modules here, in order; closing ends the backend, so it
comes last.
"""

from types import ModuleType
from typing import Protocol

from isingeq.backend import Backend
from isingeq.testing.checks import (
    answers,
    batches,
    claims,
    closing,
    memory,
    nudges,
    refusals,
    seeds,
    starts,
)


class Check(Protocol):
    """A named function of a backend."""

    __name__: str

    def __call__(self, backend: Backend) -> None:
        """Return where the backend is sound."""
        ...


def _checks_of(module: ModuleType) -> list[Check]:
    return [value for name, value in vars(module).items() if name.startswith("check_")]


CHECKS: tuple[Check, ...] = tuple(
    check
    for module in (answers, refusals, claims, batches, seeds, memory, starts, nudges, closing)
    for check in _checks_of(module)
)


def name_of(check: Check) -> str:
    """Return the name of a check as reports show it: underscores for words, without `check_`."""
    return check.__name__.removeprefix("check_")
