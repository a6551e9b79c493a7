"""How a check fails, and how it is left out."""

from isingeq.errors import DeviceError


class CheckError(DeviceError):
    """The board does not do what it should."""


class NotTestedError(DeviceError):
    """The board does not claim to do this."""


def expect(fine: bool, message: str) -> None:
    """Fail with a message unless all is fine.

    Raises:
        CheckError: it is not.
    """
    if not fine:
        raise CheckError(message)
