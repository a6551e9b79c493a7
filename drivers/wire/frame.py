"""Frames: header, payload and check between two zeros, and a receiver that never loses its way.

::

    byte 0       version in the high four bits, flags in the low four
    byte 1       opcode
    bytes 2, 3   session id, little-endian as everything
    bytes 4, 5   sequence number
    bytes 6 …    payload
    last 2 or 4  CRC-16, or CRC-32 where flag CRC32 is set, over all before it
"""

import struct
from collections import Counter
from dataclasses import dataclass

from drivers.wire import cobs
from drivers.wire.constants import LONGEST_FRAME, SHORT_FRAME, VERSION, Event, Flag, Opcode
from drivers.wire.crc import crc16, crc32
from drivers.wire.faults import Fault, FrameError

HEADER = struct.Struct("<BBHH")
REPLY = 0x80
MOST_OVERHEAD = HEADER.size + 4


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        opcode: with bit 7 set in a reply.
        session: 1 to 65535; 0 where there is no session.
        sequence: 0 to 65535, wraps.
        payload: bytes of the message.
        flags: of `Flag`, CRC32 excepted.
        strong: checked by CRC-32, as `needs_crc32` frames always are.
    """

    opcode: int
    session: int
    sequence: int
    payload: bytes = b""
    flags: int = 0
    strong: bool = False


def needs_crc32(opcode: int, size: int) -> bool:
    """Tell whether CRC-16 is too weak for a frame of `size` bytes of header and payload.

    Long frames need more; so do those that open a conversation, which a strict receiver must not drop.
    """
    return size > SHORT_FRAME or opcode in (Opcode.HELLO, Opcode.HELLO | REPLY, Event.BOOTED)


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes for the line, the closing zero included.

    Raises:
        FrameError: a frame longer than any device takes.
    """
    size = HEADER.size + len(frame.payload)
    if size + 4 > LONGEST_FRAME:
        raise FrameError(Fault.LONG, f"{size + 4} bytes, {LONGEST_FRAME} are allowed")
    strong = frame.strong or needs_crc32(frame.opcode, size)
    first = VERSION << 4 | frame.flags | (Flag.CRC32 if strong else 0)
    body = HEADER.pack(first, frame.opcode, frame.session, frame.sequence) + frame.payload
    check = crc32(body).to_bytes(4, "little") if strong else crc16(body).to_bytes(2, "little")
    return cobs.stuff(body + check) + b"\0"


def decode_frame(stuffed: bytes) -> Frame:
    """Return the frame in the bytes between two zeros.

    Raises:
        FrameError: broken stuffing, wrong check, another version, or a long frame with CRC-16.
    """
    data = cobs.unstuff(stuffed)
    if len(data) < HEADER.size + 2:
        raise FrameError(Fault.SHORT, f"{len(data)} bytes, at least {HEADER.size + 2} are needed")
    strong = bool(data[0] & Flag.CRC32)
    body, check = (data[:-4], data[-4:]) if strong else (data[:-2], data[-2:])
    if len(body) < HEADER.size:
        raise FrameError(Fault.SHORT, f"{len(data)} bytes, CRC-32 takes 4 of them")
    if int.from_bytes(check, "little") != (crc32(body) if strong else crc16(body)):
        raise FrameError(Fault.CHECK, f"in a frame of {len(data)} bytes")
    first, opcode, session, sequence = HEADER.unpack_from(body)
    if first >> 4 != VERSION:
        raise FrameError(Fault.VERSION, f"{first >> 4} came, this side speaks {VERSION}")
    if needs_crc32(opcode, len(body)) and not strong:
        raise FrameError(Fault.WEAK, f"opcode 0x{opcode:02x} with {len(body)} bytes needs CRC-32")
    flags = first & 0x0F & ~Flag.CRC32
    return Frame(opcode, session, sequence, body[HEADER.size :], flags, strong)


class Receiver:
    """Turns bytes, cut anywhere, into frames; what is no frame is counted and dropped up to the next zero.

    It holds at most the longest frame it may accept, whatever arrives.

    Attributes:
        faults: how often each fault was met.
        frames: good frames so far.
        strong: drop frames without CRC-32.
    """

    def __init__(self, most: int = LONGEST_FRAME, *, strong: bool = False) -> None:
        self.faults: Counter[Fault] = Counter()
        self.frames = 0
        self.strong = strong
        self._limit = most
        self._most = cobs.longest(most)
        self._held = bytearray()
        self._skipping = False

    @property
    def held(self) -> int:
        """Bytes of an unfinished frame kept for later."""
        return len(self._held)

    def feed(self, data: bytes) -> list[Frame]:
        """Return the good frames that `data` completes, in order."""
        *ends, rest = data.split(b"\0")
        found = []
        for part in ends:
            self._hold(part)
            frame = self._finish()
            if frame is not None:
                found.append(frame)
        self._hold(rest)
        return found

    def _hold(self, part: bytes) -> None:
        if self._skipping:
            return
        if len(self._held) + len(part) > self._most:
            self._skipping = True
            self.faults[Fault.LONG] += 1
        else:
            self._held += part

    def _finish(self) -> Frame | None:
        stuffed, skipped = bytes(self._held), self._skipping
        self._held.clear()
        self._skipping = False
        if skipped or not stuffed:
            return None
        try:
            frame = decode_frame(stuffed)
        except FrameError as error:
            self.faults[error.fault] += 1
            return None
        # Stuffing adds no more bytes than `longest` says, and often fewer.
        if HEADER.size + len(frame.payload) + (4 if frame.strong else 2) > self._limit:
            self.faults[Fault.LONG] += 1
            return None
        if self.strong and not frame.strong:
            self.faults[Fault.WEAK] += 1
            return None
        self.frames += 1
        return frame
