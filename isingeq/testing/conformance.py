"""The suite in two forms: a class for pytest and a function for everything else."""

from collections.abc import Callable

from isingeq.backend import Backend
from isingeq.testing.checks import CHECKS, Check, name_of
from isingeq.testing.outcome import CheckResult, NotApplicable


class BackendConformance:
    """Tests of everything that a backend claims.

    Subclass it in a test module and give a `backend` fixture::

        class TestMine(BackendConformance):
            @pytest.fixture
            def backend(self):
                return Mine()

    Each check is a method `test_…`; what the backend does not claim is skipped and says why.
    The last one closes the backend.
    """


def _as_test(check: Check) -> Callable[[BackendConformance, Backend], None]:
    def test(self: BackendConformance, backend: Backend) -> None:
        check(backend)

    test.__name__ = f"test_{name_of(check)}"
    test.__qualname__ = f"{BackendConformance.__name__}.{test.__name__}"
    test.__doc__ = check.__doc__
    return test


for _check in CHECKS:
    setattr(BackendConformance, f"test_{name_of(_check)}", _as_test(_check))


def run_conformance(backend: Backend) -> list[CheckResult]:
    """Run every check on a backend, without pytest; the last one closes it.

    An error that a check did not expect counts as a failure and is named in the message.
    """
    return [_run(check, backend) for check in CHECKS]


def _run(check: Check, backend: Backend) -> CheckResult:
    try:
        check(backend)
    except NotApplicable as reason:
        return CheckResult(name_of(check), "not applicable", str(reason))
    except AssertionError as failure:
        return CheckResult(name_of(check), "failed", str(failure))
    except Exception as error:
        return CheckResult(name_of(check), "failed", f"{type(error).__name__}: {error}")
    return CheckResult(name_of(check), "passed")
