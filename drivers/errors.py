"""What can go wrong between host and device, as types: each says what happened and what to do.

::

    DeviceError
    ├── LinkLostError        the line itself is gone: unplugged, closed, process dead
    ├── DeviceTimeoutError   the line is there, and no answer came before the deadline
    │   └── LossyLineError   nor will it: frames are too long for what the line loses
    ├── NotADeviceError      something else sits at the other end, or nothing at all
    ├── BaudError            bytes arrive, frames do not
    ├── VersionError         no common version of the protocol
    ├── DeviceResetError     the device was reset: what it held is gone
    ├── SessionTakenError    another host opened a session
    ├── CorruptError         what the device holds is not what it was told
    ├── InUseError           another process holds the device
    └── DifferenceError      a conversation that is played back goes another way
"""

from typing import TYPE_CHECKING

from isingeq.errors import DeviceError

if TYPE_CHECKING:
    from drivers.lock import Owner


class LinkLostError(DeviceError):
    """The line is gone; it has to be opened again."""


class DeviceTimeoutError(DeviceError):
    """No answer before the deadline, whatever was tried."""


class LossyLineError(DeviceTimeoutError):
    """Frames of this length do not get through; shorter ones may."""


class NotADeviceError(DeviceError):
    """What answers speaks another language, or nothing answers."""


class BaudError(NotADeviceError):
    """Bytes arrive, but none of them make a frame."""


class VersionError(NotADeviceError):
    """Host and device have no version of the protocol in common."""


class DeviceResetError(DeviceError):
    """The device was reset since it was last spoken to."""


class SessionTakenError(DeviceError):
    """Another host opened a session on this device."""


class CorruptError(DeviceError):
    """Couplings or rows are not what their digest says."""


class InUseError(DeviceError):
    """Another process holds the device, or this one a second time.

    Attributes:
        owner: who; None where that cannot be told.
    """

    def __init__(self, message: str, owner: "Owner | None" = None) -> None:
        super().__init__(message)
        self.owner = owner


class DifferenceError(DeviceError):
    """What the host sends is not what it sent when the conversation was recorded."""
