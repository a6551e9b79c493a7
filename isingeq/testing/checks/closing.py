"""Closing."""

from isingeq.backend import Backend, SettleRequest
from isingeq.errors import BackendError
from isingeq.testing import instances
from isingeq.testing.outcome import expect


def check_a_closed_backend_refuses(backend: Backend) -> None:
    """After `close` settling raises BackendError; closing twice does no harm."""
    c = backend.capabilities
    request = SettleRequest(instances.make(c, instances.kinds(c)[0]))
    backend.settle(request)
    backend.close()
    backend.close()
    try:
        backend.settle(request)
    except BackendError as error:
        expect("\n" not in str(error), f"the message {str(error)!r} is not one line")
    except Exception as error:
        raise AssertionError(
            f"closed, it raised {type(error).__name__} ({error}), need BackendError"
        ) from error
    else:
        raise AssertionError("closed, it still settles: raise BackendError")
