"""The checks: functions of a backend that return, raise AssertionError or raise NotApplicable.

`CHECKS` is every `check_…` function of the modules here, in order; closing comes last because it ends the backend.
"""

from collections.abc import Callable
from types import ModuleType

from isingeq.backend import Backend
from isingeq.testing.checks import answers, batches, claims, closing, memory, nudges, refusals, seeds, starts

Check = Callable[[Backend], None]


def _checks_of(module: ModuleType) -> list[Check]:
    return [value for name, value in vars(module).items() if name.startswith("check_")]


CHECKS: tuple[Check, ...] = tuple(
    check
    for module in (answers, refusals, claims, batches, seeds, memory, starts, nudges, closing)
    for check in _checks_of(module)
)


def name_of(check: Check) -> str:
    """Return the name of a check as reports show it: underscores for words, without `check_`."""
    return str(getattr(check, "__name__")).removeprefix("check_")
