"""The conversation without a line or a clock of its own: several requests under way, each executed once.

Bytes go in by `feed` and come out by `output`; the caller tells the time. A request is sent again

- when the device says that an earlier one is missing (OUT_OF_ORDER): it and all that follow,
- when a later one was answered first: replies come in order, so its own was lost,
- when its time is over: declared latency, slack, and both frames on the line, twice as long after each
  try, up to a second.

There is no limit but the deadline, which is the caller's. `docs/protocol.md`, "Executed once".
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drivers.wire.constants import (
    LONGEST_FRAME,
    REPLAY_DEPTH,
    REPLY_SLACK_MS,
    SHORT_FRAME,
    Flag,
    Opcode,
    Status,
)
from drivers.wire.faults import MessageError, RefusedError
from drivers.wire.frame import HEADER, MOST_OVERHEAD, REPLY, Frame, Receiver, encode_frame
from drivers.wire.layout import pack
from drivers.wire.messages import decode_event, decode_reply
from drivers.wire.sequence import WRAP, following
from isingeq.errors import DeviceError

BITS_PER_BYTE = 10
"""On the line: eight, a start and a stop."""
_SLACK = REPLY_SLACK_MS / 1000
_MOST_SLACK = 0.5
_REMEMBERED = 64
"""Requests for which a reply that comes once more is known as such."""
_TRIES = 3
"""After which a long frame is given up on a line that only carries short ones."""
_HOPE_S = 1.0
"""And not before: a busy device may be slow for all frames."""
_LONGEST_WAIT = 1.0
"""Seconds to which waits grow."""
_MEMORY = 1 << 17
"""Bytes after which a fault counts half in the estimate of the error rate."""


@dataclass(slots=True, eq=False)
class Call:
    """A request on its way to its reply.

    Attributes:
        opcode: what is asked.
        message: its content.
        patience: seconds that the device may take.
        reply_bytes: payload expected back, for the time it takes on the line.
        interval: seconds between tries where they are fixed (HELLO); None for the growing ones.
        reply: once it is there.
        error: a refusal, or a reply that makes no sense.
    """

    opcode: Opcode
    message: Any
    patience: float = 0.0
    reply_bytes: int = 1
    interval: float | None = None
    reply: Any = None
    error: DeviceError | None = None
    sequence: int = -1
    payload: bytes = b""
    size: int = 0
    sent: int = 0
    first: float = 0.0
    refused: int = 0
    serial: int = 0
    due: float = math.inf

    @property
    def done(self) -> bool:
        """Answered, one way or the other."""
        return self.reply is not None or self.error is not None


@dataclass(slots=True)
class Counters:
    """What a link went through.

    Attributes:
        requests: answered.
        sent: bytes to the device.
        received: bytes from the device.
        retries: frames sent again.
        strays: frames that matched no open request.
        events: unasked messages.
    """

    requests: int = 0
    sent: int = 0
    received: int = 0
    retries: int = 0
    strays: int = 0
    events: int = 0


@dataclass(slots=True)
class Loss:
    """Estimate of how many faults a byte on the line meets, the recent past weighing most.

    Attributes:
        faults: met.
        carried: bytes.
        slack: seconds that a reply may be late before it counts as lost; more where replies were only late.
    """

    faults: float = 0.0
    carried: float = 4096.0
    slack: float = _SLACK

    def in_vain(self) -> None:
        """A reply came twice: nothing was lost, the host was only too early to ask again."""
        self.faults = max(0.0, self.faults - 1)
        self.slack = min(2 * self.slack, _MOST_SLACK)

    def note(self, size: int, faults: int) -> None:
        """Count bytes carried and faults met."""
        kept = 0.5 ** (size / _MEMORY)
        self.faults = self.faults * kept + faults
        self.carried = self.carried * kept + size
        self.slack = _SLACK + (self.slack - _SLACK) * kept

    def best_frame(self, most: int) -> int:
        """Return the size of frame at which a line carries most payload: √(overhead / faults per byte)."""
        if self.faults < 0.5:
            return most
        best = math.sqrt(2 * MOST_OVERHEAD * self.carried / self.faults)
        return int(min(most, max(SHORT_FRAME, best)))


@dataclass(slots=True, eq=False)
class Link:
    """One session's requests, replies and events.

    Attributes:
        session: id in every header.
        sequence: of the next request.
        baud: of the line, None where bytes take no time.
        longest: bytes of header, payload and check that the device takes.
        window: stuffed bytes that may be under way to it.
        counters: since the session began.
        events: what the device said unasked, oldest first, until somebody takes it.
    """

    session: int
    sequence: int = 0
    baud: int | None = None
    longest: int = SHORT_FRAME + 4
    window: int = SHORT_FRAME + 8
    counters: Counters = field(default_factory=Counters)
    loss: Loss = field(default_factory=Loss)
    events: deque[Any] = field(default_factory=deque)
    receiver: Receiver = field(default_factory=lambda: Receiver(LONGEST_FRAME, strong=True))
    _waiting: deque[Call] = field(default_factory=deque)
    _open: dict[int, Call] = field(default_factory=dict)
    _spare: dict[int, int] = field(default_factory=dict)
    _under_way: int = 0
    _serial: int = 0
    _line_free: float = -math.inf
    _device_free: float = -math.inf
    _clean: bool = False

    @property
    def faults(self) -> Mapping[str, int]:
        """Why frames were dropped, and how often."""
        return {fault.name.lower(): count for fault, count in self.receiver.faults.items()}

    @property
    def best_payload(self) -> int:
        """Bytes of payload that a frame should carry: two to the window, less on a line that loses many."""
        most = min(self.longest, self.window // 2 - self.window // 2 // 254 - 3)
        return max(SHORT_FRAME, self.loss.best_frame(most)) - MOST_OVERHEAD

    def hopeless(self, now: float) -> Call | None:
        """Return a request that was sent again and again, and is far longer than what gets through now."""
        for call in self._open.values():
            if call.sent > _TRIES and now - call.first > _HOPE_S:
                fits = 1.5 * (self.best_payload + MOST_OVERHEAD)
                if max(call.size, call.reply_bytes) > fits:
                    return call
        return None

    @property
    def due(self) -> float:
        """When `output` has something to send again; infinity when nothing is under way."""
        return min((call.due for call in self._open.values()), default=math.inf)

    def submit(self, call: Call) -> Call:
        """Queue a request.

        Raises:
            MessageError: it does not fit its layout, or a frame of this device.
        """
        call.payload = pack(call.message)
        size = HEADER.size + len(call.payload) + 4
        if size > self.longest:
            raise MessageError(
                f"{call.opcode.name} of {size} bytes, the device takes {self.longest}"
            )
        self._waiting.append(call)
        return call

    def drop(self) -> None:
        """Forget all requests, answered or not; late replies will be strays."""
        self._waiting.clear()
        self._open.clear()
        self._under_way = 0

    def output(self, now: float) -> bytes:
        """Return the bytes to send now: what is due again, and new requests as the window allows."""
        out = []
        late = [call for call in self._open.values() if call.due <= now]
        if late:
            # A zero first: the device may hold half a frame.
            out.append(b"\0")
            self._device_free = now
            out += [self._transmit(call, now) for call in late]
        elif not self._clean:
            out.append(b"\0")
        self._clean = True
        while self._waiting and self._span < REPLAY_DEPTH:
            call = self._waiting[0]
            size = HEADER.size + len(call.payload) + 4
            if self._open and self._under_way + size + size // 254 + 2 > self.window:
                break
            self._waiting.popleft()
            call.sequence, self.sequence = self.sequence, following(self.sequence)
            self._open[call.sequence] = call
            out.append(self._transmit(call, now))
        data = b"".join(out)
        self.counters.sent += len(data)
        return data

    @property
    def _span(self) -> int:
        """Numbers from the oldest open request on: a device forgets what lies further back than it remembers."""
        oldest = next(iter(self._open), self.sequence)
        return (self.sequence - oldest) % WRAP

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes from the device."""
        self.counters.received += len(data)
        for frame in self.receiver.feed(data):
            if frame.flags & Flag.EVENT:
                self._event(frame)
            else:
                self._reply(frame, now)

    def _event(self, frame: Frame) -> None:
        if frame.session not in (0, self.session):
            self.counters.strays += 1
            return
        try:
            self.events.append(decode_event(frame))
            self.counters.events += 1
        except MessageError:
            self.counters.strays += 1

    def _reply(self, frame: Frame, now: float) -> None:
        call = self._open.get(frame.sequence) if frame.session == self.session else None
        if call is None or frame.opcode != call.opcode | REPLY:
            self.counters.strays += 1
            if frame.session == self.session and self._spare.get(frame.sequence, 0) > 0:
                self._spare[frame.sequence] -= 1
                self.loss.in_vain()
            return
        try:
            call.reply = decode_reply(frame)
        except RefusedError as error:
            if error.status is Status.OUT_OF_ORDER:
                self._missing(call, now)
                return
            call.error = error
        except MessageError as error:
            call.error = error
        del self._open[frame.sequence]
        if call.sent > 1:
            self._spare[frame.sequence] = call.sent - 1
        self._spare.pop((frame.sequence - _REMEMBERED) % WRAP, None)
        self._under_way -= call.size
        self.counters.requests += 1
        self.loss.note(call.size + HEADER.size + len(frame.payload) + 5, 0)
        for other in self._open.values():
            if other.serial < call.serial and other.due > now:
                other.due = now

    def _missing(self, call: Call, now: float) -> None:
        """An earlier request did not arrive: send all again, once for each time that they were sent in vain."""
        call.refused += 1
        # Later on they wait for their time: what never gets through must not be sent without a pause.
        if call.refused == call.sent <= _TRIES:
            for other in self._open.values():
                other.due = now

    def _transmit(self, call: Call, now: float) -> bytes:
        again = Flag.RETRANSMISSION if call.sent else 0
        frame = Frame(call.opcode, self.session, call.sequence, call.payload, again, strong=True)
        data = encode_frame(frame)
        if call.sent:
            self.counters.retries += 1
            self.loss.note(0, 1)
        else:
            self._under_way += len(data)
            call.first = now
        call.size = len(data)
        call.sent += 1
        self._serial += 1
        call.serial = self._serial
        back = HEADER.size + call.reply_bytes + 6
        self._line_free = max(now, self._line_free) + self._seconds(len(data))
        self._device_free = (
            max(self._line_free, self._device_free) + call.patience + self._seconds(back)
        )
        if call.interval is not None:
            call.due = now + call.interval
        else:
            wait = self._device_free - now + self.loss.slack + self._seconds(len(data) + back)
            call.due = now + max(wait, min(_LONGEST_WAIT, wait * 2.0 ** min(call.sent - 1, 16)))
        return data

    def _seconds(self, size: int) -> float:
        return BITS_PER_BYTE * size / self.baud if self.baud else 0.0
