"""What a line does to bytes between host and device, on whatever clock: it is told the time and never waits.

Each direction carries bytes one after the other, ten bit times each, and knows nothing of the other. What a receiver
at another rate makes of them is worked out from the wave on the wire. Chances are a function of (seed, direction,
number of the byte or frame): however a stream is cut into pieces, the same bytes suffer.
"""

import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from drivers.wire.constants import LONGEST_FRAME, Opcode, Status
from drivers.wire.faults import FrameError, MessageError
from drivers.wire.frame import REPLY, Frame, decode_frame, encode_frame
from drivers.wire.layout import pack, unpack
from drivers.wire.replies import Rows
from firmware_models.faults import ON_THE_DEVICE, FaultPlan, Incident, Way
from isingeq.errors import ConfigError

BITS_PER_BYTE = 10
"""Start, eight bits, stop."""
_MOST_HELD = 2 * LONGEST_FRAME
_FLAWLESS = FaultPlan()


@dataclass(frozen=True, slots=True)
class Passage:
    """Bytes that arrive, or an incident that befalls the device.

    Attributes:
        at: time on the clock of the caller.
        way: where to.
        data: none where there is an incident.
        incident: of a kind in `ON_THE_DEVICE`.
    """

    at: float
    way: Way
    data: bytes
    incident: Incident | None = None


class Line:
    """A line with its faults.

    Attributes:
        baud: of the line; None where bytes take no time.
        host_baud: at which the host's port is set; whoever sees that port keeps it up to date.
        device_baud: at which the device sends and listens.
        plain: does nothing to bytes, so that they may go past it.
        struck: how often each kind of fault came.
    """

    def __init__(
        self, plan: FaultPlan = _FLAWLESS, *, baud: int | None = None, grain: int = LONGEST_FRAME
    ) -> None:
        """Describe a line.

        Args:
            plan: what goes wrong.
            baud: bits per second, ten to a byte.
            grain: bytes after which a long frame on a paced line is cut, to arrive bit by bit.

        Raises:
            ConfigError: no rate, or one for the device and none for the line.
        """
        if baud is not None and baud < 1:
            raise ConfigError(
                f"baud={baud} is no rate: give bits per second from 1 on, or leave it away"
            )
        if plan.device_baud is not None and baud is None:
            raise ConfigError("a plan with device_baud needs a line with a rate: give baud too")
        self.baud = self.host_baud = baud
        self.device_baud = plan.device_baud or baud
        self.plain = baud is None and plan == FaultPlan(seed=plan.seed)
        self.struck: Counter[str] = Counter()
        self._courses = {way: _Course(plan, way, grain, self.struck) for way in Way}

    def to_device(self, data: bytes, now: float) -> list[Passage]:
        """Return what becomes of bytes that the host sends now, in no particular order of time."""
        return self._courses[Way.TO_DEVICE].carry(data, now, self.host_baud, self.device_baud)

    def to_host(self, data: bytes, now: float) -> list[Passage]:
        """Return what becomes of bytes that the device sends now."""
        return self._courses[Way.TO_HOST].carry(data, now, self.device_baud, self.host_baud)


class _Course:
    """One direction."""

    def __init__(self, plan: FaultPlan, way: Way, grain: int, struck: Counter[str]) -> None:
        self.free_at = -math.inf
        self._way, self._grain, self._struck, self._plan = way, grain, struck, plan
        self._incidents = [
            (number, incident)
            for number, incident in enumerate(plan.incidents)
            if incident.course == way
        ]
        self._met: Counter[int] = Counter()
        self._held = b""
        self._silent_until = -math.inf
        self._num_bytes = self._num_frames = 0
        self._key = plan.seed * 2 + (way == Way.TO_HOST)

    def carry(
        self, data: bytes, now: float, sender: int | None, receiver: int | None
    ) -> list[Passage]:
        """Return what becomes of `data`, sent at one rate and received at another."""
        if not self._incidents:
            passages = self._pass(data, now, sender, receiver)
            self._num_bytes += len(data)
            return passages
        passages = []
        for piece in self._pieces(data):
            passages += self._strike(piece, now, sender, receiver)
            self._num_bytes += len(piece)
        return passages

    def _pieces(self, data: bytes) -> list[bytes]:
        """Cut into frames, each with its zero; hold back what is not whole yet."""
        *whole, self._held = (self._held + data).split(b"\0")
        pieces = [part + b"\0" for part in whole]
        if len(self._held) > _MOST_HELD:
            pieces.append(self._held)
            self._held = b""
        return pieces

    def _strike(
        self, piece: bytes, now: float, sender: int | None, receiver: int | None
    ) -> list[Passage]:
        """Pass a frame on, with all incidents that strike it."""
        if len(piece) == 1:
            return self._pass(piece, now, sender, receiver)
        struck = [
            (number, incident) for number, incident in self._incidents if self._hit(number, incident, piece)
        ]  # fmt: skip
        self._num_frames += 1
        way, late_s, copies, ahead = self._way, 0.0, 1, b""
        for number, incident in struck:
            self._struck[incident.kind] += 1
            match incident.kind:
                case "garbage":
                    ahead += self._garbage(number, incident.size)
                case "lose":
                    copies = 0
                case "double":
                    copies = 2
                case "delay":
                    late_s += incident.lasts_s
                case "short" | "version":
                    piece = _rewritten(piece, incident.kind)
                case "echo":
                    way = Way.TO_HOST
                case "cut" | "overrun":
                    middle = len(piece) // 2
                    rest = piece[middle + incident.size :] if incident.kind == "overrun" else b""
                    piece = piece[:middle] + rest
        passages = self._pass(ahead + piece * copies, now, sender, receiver)
        end = max([now, *(passage.at for passage in passages)])
        passages = [replace(passage, at=passage.at + late_s, way=way) for passage in passages]
        for _, incident in struck:
            if incident.kind == "cut":
                self._silent_until = end + incident.lasts_s
            elif incident.kind in ON_THE_DEVICE:
                passages.append(Passage(end + incident.wait_s, Way.TO_DEVICE, b"", incident))
        return passages

    def _hit(self, number: int, incident: Incident, piece: bytes) -> bool:
        """Tell whether an incident strikes this frame; counts the frames in question."""
        # the first two bytes of a header are never 0
        opcode = piece[2] if piece[0] > 2 and len(piece) > 3 else -1
        reply = opcode & ~REPLY if opcode >= 0 else -1
        if incident.code not in (None, opcode, reply) or self._num_bytes < incident.after_bytes:
            return False
        self._met[number] += 1
        since = self._met[number] - incident.nth
        if since < 0 or (incident.times and since >= incident.times):
            return False
        if incident.rate >= 1:
            return True
        chance = _words(self._key, 1 + number, self._num_frames, 1)[0]
        return bool(chance < incident.rate * 2.0**64)

    def _garbage(self, number: int, size: int) -> bytes:
        words = _words(self._key, (1 + number) << 20, self._num_frames << 16, size)
        return (words >> np.uint64(56)).astype(np.uint8).tobytes()

    def _pass(
        self, data: bytes, now: float, sender: int | None, receiver: int | None
    ) -> list[Passage]:
        """Pace bytes, and let them suffer from noise and from a receiver at another rate."""
        if now < self._silent_until:
            return []
        start = max(now, self.free_at)
        if self._plan.flip or self._plan.drop or self._plan.insert:
            data = self._noise(data)
        if sender is None:
            return [Passage(now, self._way, data)] if data else []
        self.free_at = start + len(data) * BITS_PER_BYTE / sender
        if receiver != sender and receiver is not None:
            read = misread(data, sender, receiver)
            self._struck["misread"] += read != data
            data = read
            return [Passage(self.free_at, self._way, data)] if data else []
        passages, sent = [], 0
        for size in _cuts(data, self._grain):
            at = start + (sent + size) * BITS_PER_BYTE / sender
            passages.append(Passage(at, self._way, data[sent : sent + size]))
            sent += size
        return passages

    def _noise(self, data: bytes) -> bytes:
        """Flip, drop and insert; a byte suffers by its number alone."""
        plan = self._plan
        words = _words(self._key, 0, self._num_bytes, len(data))
        bounds = np.cumsum([plan.flip, plan.drop, plan.insert])
        (hurt,) = np.nonzero(words < bounds[-1] * 2.0**64)
        if not hurt.size:
            return data
        out, last = bytearray(), 0
        for at in hurt.tolist():
            out += data[last:at]
            last = at + 1
            word, byte = int(words[at]), data[at]
            kind = int(np.searchsorted(bounds * 2.0**64, float(word), side="right"))
            detail = word & 0xFF  # the low bits say nothing of the comparison above
            self._struck[("flip", "drop", "insert")[kind]] += 1
            if kind == 0:
                out.append(byte ^ 1 << (detail & 7))
            elif kind == 2:
                out += bytes((detail, byte))
        return bytes(out + data[last:])


def misread(data: bytes, sender: int, receiver: int) -> bytes:
    """Return what a receiver at one rate makes of bytes sent back to back at another.

    Bytes are a start bit 0, eight bits from the lowest on and a stop bit 1. The receiver waits for a falling edge,
    looks at the middle of each of its own bits, and is ready for the next edge at the middle of its stop bit.
    """
    wave = [1]
    for byte in data:
        wave += [0, *(byte >> place & 1 for place in range(8)), 1]
    edges = [at for at in range(1, len(wave)) if wave[at - 1] and not wave[at]]
    length = sender / receiver
    out, ready = bytearray(), 0.0
    for edge in edges:
        if edge < ready:
            continue
        looks = [int(edge + length * (place + 0.5)) for place in range(1, 9)]
        levels = [wave[at] if at < len(wave) else 1 for at in looks]
        out.append(sum(level << place for place, level in enumerate(levels)))
        ready = edge + length * 9.5
    return bytes(out)


def _cuts(data: bytes, grain: int) -> list[int]:
    """Return sizes of pieces: each ends with a frame, or after `grain` bytes of it."""
    sizes: list[int] = []
    for part in data.split(b"\0"):
        size = len(part) + 1
        sizes += [grain] * (size // grain) + ([size % grain] if size % grain else [])
    sizes[-1] -= 1  # no zero after the last part
    return [size for size in sizes if size]


def _rewritten(piece: bytes, kind: str) -> bytes:
    """Return a reply to READ without its last row, or one to HELLO that refuses; others as they are."""
    try:
        frame = decode_frame(piece[:-1])
        if kind == "version" and frame.opcode == Opcode.HELLO | REPLY:
            refusal = bytes([Status.BAD_VERSION]) + (2 | 2 << 8).to_bytes(4, "little")
            return _sealed(frame, refusal)
        if (
            kind == "short"
            and frame.opcode == Opcode.READ | REPLY
            and frame.payload[0] == Status.OK
        ):
            rows = unpack(Rows, frame.payload[1:])
            keep = len(rows.packed) // max(rows.num_rows, 1) * (rows.num_rows - 1)
            fewer = replace(rows, num_rows=max(rows.num_rows - 1, 0), packed=rows.packed[:keep])
            return _sealed(frame, bytes([Status.OK]) + pack(fewer))
    except (FrameError, MessageError):
        pass
    return piece


def _sealed(frame: Frame, payload: bytes) -> bytes:
    return encode_frame(frame._replace(payload=payload))


def _words(key: int, stream: int, first: int, count: int) -> NDArray[np.uint64]:
    """Return random words number `first` … of a stream: SplitMix64 (Steele et al. 2014) of their numbers."""
    golden, mask = 0x9E3779B97F4A7C15, (1 << 64) - 1
    start = _mixed(np.array([(key * golden + stream * 0xD1B54A32D192ED03) & mask], np.uint64))
    numbers = np.arange(first + 1, first + 1 + count, dtype=np.uint64)
    return _mixed(start + numbers * np.uint64(golden))


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    words = (words ^ words >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ words >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return words ^ words >> np.uint64(31)
