"""What a peer can do wrong on the wire: typed, one line each."""

from enum import StrEnum

from drivers.wire.constants import Opcode, Status
from isingeq.errors import DeviceError


class Fault(StrEnum):
    """Why a frame was dropped."""

    LONG = "longer than the limit"
    STUFFING = "byte stuffing is broken"
    SHORT = "shorter than a header and its check"
    CHECK = "check does not match"
    VERSION = "another protocol version"
    WEAK = "check is too weak for this frame"
    REPLY = "a reply where requests are taken"


class FrameError(DeviceError):
    """Bytes between two zeros that are no frame.

    Attributes:
        fault: why not.
    """

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(f"bad frame, {fault.value}: {message}")
        self.fault = fault


class MessageError(DeviceError):
    """A frame arrived whole, and its payload is not what its opcode says."""


class RefusedError(DeviceError):
    """The device understood a request and refused it.

    Attributes:
        opcode: of the request.
        status: why.
        detail: a number whose meaning `status` gives.
    """

    def __init__(self, opcode: int, status: Status, detail: int) -> None:
        name = Opcode(opcode).name if opcode in set(Opcode) else f"opcode 0x{opcode:02x}"
        super().__init__(f"device refused {name}: {status.name} (detail {detail})")
        self.opcode = opcode
        self.status = status
        self.detail = detail
