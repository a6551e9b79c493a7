"""A board and its firmware in Python: frames in, frames out, over the integer core or a chip with faults.

Of a session it does what docs/protocol.md says. Where that page leaves a choice:

- HELLO with session 0 or an unknown option is refused with OUT_OF_RANGE.
- A reply ends in CRC-32 where its request did, so that a strong host hears STALE_SESSION after a reset.
- `replays` counts what was replied from memory; `bad_frames` all that was dropped but for a wrong check.
- Events are sent right after the reply or the slice that made them due; with EVENTS 0 the rows of a stream wait, an
  end is not told. Their numbers go on over sessions; BOOTED has the first, 0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from drivers.descriptor import Descriptor, Imperfections, encode_descriptor
from drivers.wire.constants import (
    PURE,
    REPLAY_DEPTH,
    RESET_MAGIC,
    SHUTDOWN_MAGIC,
    VERSION,
    Event,
    Flag,
    HelloOption,
    Memory,
    Opcode,
    Parameter,
    ResetCause,
    Status,
)
from drivers.wire.crc import crc32
from drivers.wire.faults import Fault
from drivers.wire.frame import HEADER, REPLY, Frame, Receiver, encode_frame
from drivers.wire.layout import layout_of, pack
from drivers.wire.messages import encode_refusal
from drivers.wire.replies import Accepted, Booted, Counts, Description, ParameterValue, Welcome
from drivers.wire.sequence import Turn, following, turn
from firmware_models import loading, running
from firmware_models.board import Board
from firmware_models.core import WORD
from firmware_models.device import Kind
from firmware_models.intake import Request, out_of_range, take_in
from firmware_models.memory import RefusalError
from firmware_models.runs import Notice
from firmware_models.spin_array import spin_array_of

GRANTED = bytes([Status.OK])
MOST_I32 = 2**31 - 1
HIGHEST = {Parameter.EVENTS: 1, Parameter.SILENCE_MS: MOST_I32}
ORDERS = {**loading.ORDERS, **running.ORDERS}
ESTIMATE = dict(layout_of(Accepted).offsets)["estimate_us"]


@dataclass(slots=True)
class Session:
    """What lasts as long as a session.

    Attributes:
        id: that the host chose.
        nonce: of its HELLO.
        strong: frames without CRC-32 are dropped, and none is sent.
        expected: sequence number of the next request.
        remembered: sequence number, status and detail of the last requests.
        parameters: by number.
    """

    id: int
    nonce: int
    strong: bool
    expected: int
    remembered: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    parameters: dict[int, int] = field(default_factory=lambda: dict.fromkeys(HIGHEST, 0))


class Server:
    """A served board.

    Attributes:
        descriptor: what it says of itself.
        kind: simulated.
        off: it was shut down, and is silent until a reset.
    """

    kind: Kind = "simulated"

    def __init__(
        self, descriptor: Descriptor, *, uid: int, boot: int, ideal: bool = False, seed: int = 0
    ) -> None:
        """Switch a board on.

        Args:
            descriptor: what it says of itself.
            uid: number of the board; its imperfections are its own.
            boot: id of the first boot.
            ideal: leave its imperfections out, of the descriptor too.
            seed: of the imperfections, with the uid.
        """
        if ideal:
            descriptor = replace(descriptor, imperfections=Imperfections())
        self.descriptor = descriptor
        self.off = False
        self._uid = uid
        self._text = encode_descriptor(descriptor)
        self._array = spin_array_of(descriptor, uid=uid, seed=seed)
        self._resets = -1
        self._boot = boot - 1
        self.reset(ResetCause.POWER)

    @property
    def busy(self) -> bool:
        """A run is under way."""
        return self._board.run is not None and self._board.run.under_way

    def feed(self, data: bytes, now: float) -> bytes:
        """Take bytes from the line; return replies and events."""
        out = b""
        for frame in () if self.off else self._receiver.feed(data):
            self._heard = now
            out += self._answer(frame) + self._events()
        return out

    def work(self, now: float) -> tuple[bytes, float]:
        """End one part of the run under way and begin the next; return events and the seconds until it is done."""
        seconds = self._board.work(now)
        return self._events(), seconds

    def tick(self, now: float) -> bytes:
        """Abort the run under way if the host has been silent for too long; return events."""
        limit_ms = self._session.parameters[Parameter.SILENCE_MS] if self._session else 0
        if limit_ms and now - self._heard >= limit_ms / 1000:
            self._board.abort()
        return self._events()

    def reset(self, cause: ResetCause) -> bytes:
        """Start anew; return the BOOTED event."""
        self._cause = cause
        self._resets += 1
        self._boot = (self._boot + 1) & WORD
        self._board = Board(self.descriptor, self._array, boot=self._boot)
        self._receiver = Receiver(self.descriptor.limits.frame, requests=True)
        self._session: Session | None = None
        self._counts = {"replays": 0, "out_of_order": 0}
        self._event_number = 0
        self._heard = 0.0
        self.off = False
        return self._event(Notice(Event.BOOTED, pack(Booted(cause))))

    def corrupt(self, memory: Memory, offset: int, flips: int) -> None:
        """Flip bits of a byte of memory."""
        self._board.memory.corrupt(memory, offset, flips)

    def fail(self, faults: int) -> bytes:
        """Let a fault arise; return the events that tell of it."""
        self._board.fail(faults)
        told = self._events()
        return told + self._event(self._board.fault_notice()) if self._tells else told

    def _answer(self, frame: Frame) -> bytes:
        """Return the reply to a frame, and what else comes at once."""
        if frame.opcode == Opcode.HELLO:
            return self._reply(frame, self._attempt(self._hello, frame)[0])
        session = self._session
        if session is None or session.id != frame.session:
            return self._reply(frame, encode_refusal(Status.STALE_SESSION))
        place = turn(frame.sequence, session.expected)
        if place is Turn.AHEAD:
            self._counts["out_of_order"] += 1
            return self._reply(frame, encode_refusal(Status.OUT_OF_ORDER, session.expected))
        if place is Turn.OLD:
            return b""
        if place is Turn.AGAIN and frame.opcode not in PURE:
            return self._replay(frame, session)
        payload, status, detail = self._attempt(self._execute, frame)
        if place is Turn.NEW:
            session.expected = following(frame.sequence)
            session.remembered[frame.sequence % REPLAY_DEPTH] = frame.sequence, status, detail
        reply = self._reply(frame, payload)
        if status == Status.OK and frame.opcode == Opcode.RESET:
            return reply + self.reset(ResetCause.COMMAND)
        if status == Status.OK and frame.opcode == Opcode.SHUTDOWN:
            self._board.forget()
            self.off = True
        return reply

    def _replay(self, frame: Frame, session: Session) -> bytes:
        """Reply from memory; what came before the session is not in it."""
        sequence, status, detail = session.remembered.get(
            frame.sequence % REPLAY_DEPTH, (None, 0, 0)
        )
        if sequence != frame.sequence:
            return b""
        self._counts["replays"] += 1
        if status != Status.OK:
            payload = encode_refusal(Status(status), detail)
        elif frame.opcode == Opcode.RUN:
            number = int.from_bytes(frame.payload[:4], "little")
            payload = GRANTED + pack(Accepted(self._boot, number, detail))
        else:
            payload = GRANTED
        return self._reply(frame, payload, flags=Flag.RETRANSMISSION)

    def _attempt(self, order: Callable[[Frame], bytes], frame: Frame) -> tuple[bytes, int, int]:
        """Return the payload of the reply, its status, and the detail to be remembered."""
        try:
            message = order(frame)
            if HEADER.size + 1 + len(message) + 4 > self.descriptor.limits.frame:
                raise RefusalError(Status.TOO_LONG, self.descriptor.limits.frame)
        except RefusalError as refusal:
            status, detail = refusal.status, refusal.detail
            return encode_refusal(status, detail), status, detail
        estimate = message[ESTIMATE:] if frame.opcode == Opcode.RUN else b""
        return GRANTED + message, Status.OK, int.from_bytes(estimate, "little")

    def _execute(self, frame: Frame) -> bytes:
        board = self._board
        request = take_in(frame.opcode, frame.payload, board.memory.coupling_bytes)
        board.admit(request)
        order = ORDERS.get(frame.opcode)
        return order(board, request) if order else LINK[frame.opcode](self, request)

    def _hello(self, frame: Frame) -> bytes:
        request = take_in(frame.opcode, frame.payload, 1)
        lowest, highest, options, nonce = request.numbers
        if not lowest <= VERSION <= highest:
            raise RefusalError(Status.BAD_VERSION, VERSION | VERSION << 8)
        if options & ~HelloOption.STRONG:
            raise out_of_range(frame.opcode, "options")
        if not frame.session:
            raise RefusalError(Status.OUT_OF_RANGE)
        session = self._session
        if session is None or (session.id, session.nonce) != (frame.session, nonce):
            strong = bool(options & HelloOption.STRONG)
            self._board.forget()
            self._session = Session(frame.session, nonce, strong, following(frame.sequence))
            self._receiver.strong = strong
        limits = self.descriptor.limits
        return pack(
            Welcome(
                version=VERSION,
                cause=self._cause,
                nonce=nonce,
                boot=self._boot,
                uid=self._uid,
                descriptor_bytes=len(self._text),
                descriptor_digest=crc32(self._text),
                longest_frame=limits.frame,
                window_bytes=limits.window,
            )
        )

    def _describe(self, request: Request) -> bytes:
        offset, count = request.numbers
        if offset > len(self._text):
            raise out_of_range(request.opcode, "offset")
        return pack(Description(offset, self._text[offset : offset + count]))

    def _echo(self, request: Request) -> bytes:
        return request.tail

    def _set_parameter(self, request: Request) -> bytes:
        assert self._session is not None
        parameter, value = request.numbers
        if parameter not in HIGHEST:
            raise out_of_range(request.opcode, "parameter")
        if not 0 <= value <= HIGHEST[Parameter(parameter)]:
            raise out_of_range(request.opcode, "value")
        self._session.parameters[parameter] = value
        return b""

    def _get_parameter(self, request: Request) -> bytes:
        assert self._session is not None
        (parameter,) = request.numbers
        if parameter not in HIGHEST:
            raise out_of_range(request.opcode, "parameter")
        return pack(ParameterValue(parameter, self._session.parameters[parameter]))

    def _counters(self, _: Request) -> bytes:
        faults = self._receiver.faults
        bad_checks = faults[Fault.CHECK]
        counts = {
            "frames": self._receiver.frames,
            "bad_checks": bad_checks,
            "bad_frames": faults.total() - bad_checks,
            "overruns": 0,
            **self._counts,
            "resets": self._resets,
        }
        return pack(Counts(self._boot, **{name: min(n, WORD) for name, n in counts.items()}))

    def _guarded(self, request: Request) -> bytes:
        magic = RESET_MAGIC if request.opcode == Opcode.RESET else SHUTDOWN_MAGIC
        if request.numbers[0] != magic:
            raise out_of_range(request.opcode, "magic")
        return b""

    @property
    def _tells(self) -> bool:
        """Events are wanted."""
        return self._session is not None and bool(self._session.parameters[Parameter.EVENTS])

    def _events(self) -> bytes:
        if not self._tells:
            self._board.hush()
            return b""
        most = self.descriptor.limits.frame - HEADER.size - 4
        return b"".join(map(self._event, self._board.notices(most)))

    def _event(self, notice: Notice) -> bytes:
        session, strong = (self._session.id, self._session.strong) if self._session else (0, True)
        flags = Flag.EVENT | (Flag.MORE if notice.more else 0)
        number, self._event_number = self._event_number, following(self._event_number)
        return encode_frame(Frame(notice.event, session, number, notice.payload, flags, strong))

    def _reply(self, frame: Frame, payload: bytes, *, flags: int = 0) -> bytes:
        strong = frame.strong or (self._session is not None and self._session.strong)
        opcode = frame.opcode | REPLY
        return encode_frame(Frame(opcode, frame.session, frame.sequence, payload, flags, strong))


LINK: Mapping[int, Callable[[Server, Request], bytes]] = {
    Opcode.DESCRIBE: Server._describe,
    Opcode.ECHO: Server._echo,
    Opcode.SET_PARAMETER: Server._set_parameter,
    Opcode.GET_PARAMETER: Server._get_parameter,
    Opcode.COUNTERS: Server._counters,
    Opcode.RESET: Server._guarded,
    Opcode.SHUTDOWN: Server._guarded,
}
