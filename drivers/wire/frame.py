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
from typing import NamedTuple

from drivers.wire import cobs
from drivers.wire.constants import LONGEST_FRAME, SHORT_FRAME, VERSION, Event, Flag, Opcode
from drivers.wire.crc import crc16, crc32
from drivers.wire.faults import Fault, FrameError

HEADER = struct.Struct("<BBHH")
REPLY = 0x80
MOST_OVERHEAD = HEADER.size + 4
_OPENING = frozenset((Opcode.HELLO, Opcode.HELLO | REPLY, Event.BOOTED))
_VERSION, _CRC32 = VERSION << 4, int(Flag.CRC32)


class Frame(NamedTuple):
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
    return size > SHORT_FRAME or opcode in _OPENING


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes for the line, the closing zero included.

    Raises:
        FrameError: a frame longer than any device takes.
    """
    opcode, session, sequence, payload, flags, strong = frame
    size = HEADER.size + len(payload)
    if size + 4 > LONGEST_FRAME:
        raise FrameError(Fault.LONG, f"{size + 4} bytes, {LONGEST_FRAME} are allowed")
    if strong or needs_crc32(opcode, size):
        body = HEADER.pack(_VERSION | flags | _CRC32, opcode, session, sequence) + payload
        return cobs.stuff(body + crc32(body).to_bytes(4, "little")) + b"\0"
    body = HEADER.pack(_VERSION | flags, opcode, session, sequence) + payload
    return cobs.stuff(body + crc16(body).to_bytes(2, "little")) + b"\0"


def decode_frame(stuffed: bytes) -> Frame:
    """Return the frame in the bytes between two zeros.

    Raises:
        FrameError: broken stuffing, wrong check, another version, or a long frame with CRC-16.
    """
    data = cobs.unstuff(stuffed)
    if len(data) < HEADER.size + 2:
        raise FrameError(Fault.SHORT, f"{len(data)} bytes, at least {HEADER.size + 2} are needed")
    first, opcode, session, sequence = HEADER.unpack_from(data)
    strong = bool(first & _CRC32)
    body, check = (data[:-4], data[-4:]) if strong else (data[:-2], data[-2:])
    if len(body) < HEADER.size:
        raise FrameError(Fault.SHORT, f"{len(data)} bytes, CRC-32 takes 4 of them")
    if int.from_bytes(check, "little") != (crc32(body) if strong else crc16(body)):
        raise FrameError(Fault.CHECK, f"in a frame of {len(data)} bytes")
    if first >> 4 != VERSION:
        raise FrameError(Fault.VERSION, f"{first >> 4} came, this side speaks {VERSION}")
    if not strong and needs_crc32(opcode, len(body)):
        raise FrameError(Fault.WEAK, f"opcode 0x{opcode:02x} with {len(body)} bytes needs CRC-32")
    flags = first & 0x0F & ~_CRC32
    return Frame(opcode, session, sequence, body[HEADER.size :], flags, strong)


class Receiver:
    """Turns bytes, cut anywhere, into frames; what is no frame is counted and dropped up to the next zero.

    It holds at most the longest frame it may accept, whatever arrives.

    Attributes:
        faults: how often each fault was met.
        frames: good frames so far.
        strong: drop frames without CRC-32.
    """

    def __init__(
        self, most: int = LONGEST_FRAME, *, strong: bool = False, requests: bool = False
    ) -> None:
        """Begin amid nothing.

        Args:
            most: bytes of header, payload and check that it accepts.
            strong: drop frames without CRC-32.
            requests: drop replies, which only an echo on the line can bring.
        """
        self.faults: Counter[Fault] = Counter()
        self.frames = 0
        self.strong = strong
        self._requests = requests
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
            if self._held or self._skipping:
                self._hold(part)
                part, skipped = bytes(self._held), self._skipping
                self._held.clear()
                self._skipping = False
                if skipped:
                    continue
            if part and (frame := self._finish(part)) is not None:
                found.append(frame)
        if rest:
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

    def _finish(self, stuffed: bytes) -> Frame | None:
        """Return the frame in whole bytes between two zeros, if it is a good one."""
        fault = None
        if len(stuffed) > self._most:
            fault = Fault.LONG
        else:
            try:
                frame = decode_frame(stuffed)
            except FrameError as error:
                fault = error.fault
            else:
                # Stuffing adds no more bytes than `longest` says, and often fewer.
                if HEADER.size + len(frame.payload) + (4 if frame.strong else 2) > self._limit:
                    fault = Fault.LONG
                elif self.strong and not frame.strong:
                    fault = Fault.WEAK
                elif self._requests and frame.opcode & REPLY:
                    fault = Fault.REPLY
        if fault is not None:
            self.faults[fault] += 1
            return None
        self.frames += 1
        return frame
