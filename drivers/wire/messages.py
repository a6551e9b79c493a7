"""Which message belongs to which opcode, and what a peer's frame says."""

from collections.abc import Mapping
from typing import Any

from drivers.wire import replies, requests
from drivers.wire.constants import Event, Opcode, Status
from drivers.wire.faults import MessageError, RefusedError
from drivers.wire.frame import REPLY, Frame
from drivers.wire.layout import pack, unpack

EXCHANGES: Mapping[Opcode, tuple[type[Any], type[Any]]] = {
    Opcode.HELLO: (requests.Hello, replies.Welcome),
    Opcode.DESCRIBE: (requests.Describe, replies.Description),
    Opcode.ECHO: (requests.Echo, requests.Echo),
    Opcode.STATUS: (requests.Nothing, replies.Condition),
    Opcode.SET_PARAMETER: (requests.SetParameter, requests.Nothing),
    Opcode.GET_PARAMETER: (requests.GetParameter, replies.ParameterValue),
    Opcode.COUNTERS: (requests.Nothing, replies.Counts),
    Opcode.BEGIN: (requests.Begin, requests.Nothing),
    Opcode.LOAD_COUPLINGS: (requests.LoadCouplings, requests.Nothing),
    Opcode.LOAD_FIELDS: (requests.LoadFields, requests.Nothing),
    Opcode.COMMIT: (requests.Commit, requests.Nothing),
    Opcode.READBACK: (requests.Stretch, replies.Content),
    Opcode.LOAD_STATES: (requests.LoadStates, requests.Nothing),
    Opcode.LOAD_CLAMPS: (requests.LoadClamps, requests.Nothing),
    Opcode.LOAD_LEGS: (requests.LoadLegs, requests.Nothing),
    Opcode.PATCH_FIELDS: (requests.PatchFields, requests.Nothing),
    Opcode.COPY_SLOTS: (requests.CopySlots, requests.Nothing),
    Opcode.DIGEST: (requests.Stretch, replies.Digest),
    Opcode.RUN: (requests.Run, replies.Accepted),
    Opcode.POLL: (requests.RunId, replies.Progress),
    Opcode.READ: (requests.Read, replies.Rows),
    Opcode.STREAM: (requests.Stream, requests.Nothing),
    Opcode.ABORT: (requests.RunId, requests.Nothing),
    Opcode.CORRELATE: (requests.Correlate, replies.Sums),
    Opcode.RESET: (requests.Guarded, requests.Nothing),
    Opcode.SHUTDOWN: (requests.Guarded, requests.Nothing),
}
"""Request and reply of every opcode."""

EVENTS: Mapping[int, type[Any]] = {
    Event.BOOTED: replies.Booted,
    Event.ROWS: replies.Rows,
    Event.ENDED: replies.Ended,
    Event.FAULT: replies.Faulted,
}
REQUESTS: Mapping[int, type[Any]] = {code: asked for code, (asked, _) in EXCHANGES.items()}
REPLIES: Mapping[int, type[Any]] = {code: answer for code, (_, answer) in EXCHANGES.items()}


def decode_request(frame: Frame) -> Any:
    """Return the request in a frame (what a device does first).

    Raises:
        MessageError: an unknown opcode, or a payload that does not fit it.
    """
    kind = REQUESTS.get(frame.opcode)
    if kind is None:
        raise MessageError(f"opcode 0x{frame.opcode:02x} is no request")
    return unpack(kind, frame.payload)


def encode_reply(message: Any) -> bytes:
    """Return the payload of a reply that grants a request."""
    return bytes([Status.OK]) + pack(message)


def encode_refusal(status: Status, detail: int = 0) -> bytes:
    """Return the payload of a reply that refuses a request."""
    return bytes([status]) + detail.to_bytes(4, "little")


def decode_reply(frame: Frame) -> Any:
    """Return the reply in a frame.

    Raises:
        RefusedError: the device refused.
        MessageError: no reply, an unknown status, or a payload that does not fit its opcode.
    """
    opcode = frame.opcode & ~REPLY
    kind = REPLIES.get(opcode)
    if not frame.opcode & REPLY or kind is None or not frame.payload:
        raise MessageError(
            f"opcode 0x{frame.opcode:02x} with {len(frame.payload)} bytes is no reply"
        )
    try:
        status = Status(frame.payload[0])
    except ValueError:
        raise MessageError(f"status {frame.payload[0]} has no meaning") from None
    if status is Status.OK:
        return unpack(kind, frame.payload[1:])
    if len(frame.payload) != 5:
        raise MessageError(f"refusal of {len(frame.payload)} bytes, 5 are due")
    raise RefusedError(opcode, status, int.from_bytes(frame.payload[1:], "little"))


def decode_event(frame: Frame) -> Any:
    """Return the event in a frame.

    Raises:
        MessageError: an unknown event, or a payload that does not fit it.
    """
    kind = EVENTS.get(frame.opcode)
    if kind is None:
        raise MessageError(f"opcode 0x{frame.opcode:02x} is no event")
    return unpack(kind, frame.payload)
