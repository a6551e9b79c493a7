"""A conversation with one device over one transport: greeting, descriptor, requests and replies, by a deadline."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from drivers.descriptor import Descriptor, Latency, decode_descriptor
from drivers.errors import (
    BaudError,
    DeviceResetError,
    DeviceTimeoutError,
    LossyLineError,
    NotADeviceError,
    SessionTakenError,
    VersionError,
)
from drivers.link import BITS_PER_BYTE, Call, Counters, Link
from drivers.transport import Transport
from drivers.wire.constants import (
    BOOT_TIMEOUT_MS,
    HELLO_INTERVAL_MS,
    VERSION,
    HelloOption,
    Opcode,
    Parameter,
    Status,
)
from drivers.wire.crc import crc32
from drivers.wire.faults import RefusedError
from drivers.wire.replies import Booted, Welcome
from drivers.wire.requests import Describe, Hello, SetParameter
from isingeq.errors import DeviceError

Ask = tuple[Opcode, Any]
_UNKNOWN = Latency(boot_s=0.0, command_s=0.1, byte_s=0.0, commit_s=0.5, sweep_s=0.0)
_SLOW = (Opcode.COMMIT, Opcode.STATUS, Opcode.DIGEST, Opcode.POLL)


class Session:
    """An open conversation.

    Attributes:
        transport: the line.
        link: what is under way on it.
        welcome: who answered.
        descriptor: what it says of itself.
        timeout: seconds that a group of requests may take beyond what device and line are known to need.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        timeout: float = 10.0,
        boot_timeout: float = BOOT_TIMEOUT_MS / 1000,
        draw: Callable[[int], int] | None = None,
        counters: Counters | None = None,
    ) -> None:
        self.transport = transport
        self.timeout = timeout
        self.link = Link(session=1, baud=transport.baud, counters=counters or Counters())
        self.welcome: Welcome
        self.descriptor: Descriptor
        self._boot_timeout = boot_timeout
        # A line whose conversation is to be told again brings its own random numbers (`drivers.recording`).
        own: Callable[[int], int] = getattr(transport, "draw", secrets.randbelow)
        self._draw = own if draw is None else draw
        self._latency = _UNKNOWN
        self._digest = 0
        self._open()

    @property
    def name(self) -> str:
        """Who is at the other end, for messages."""
        return f"{self.descriptor.maker.model} at {self.transport.url}"

    def ask(self, opcode: Opcode, message: Any, *, reply_bytes: int = 24) -> Any:
        """Return the reply to one request; see `ask_all`."""
        return self.ask_all([(opcode, message)], reply_bytes=reply_bytes)[0]

    def ask_all(self, asked: Iterable[Ask], *, reply_bytes: int = 24) -> list[Any]:
        """Return the replies to requests that are sent without waiting for each other, executed in order.

        Args:
            asked: opcode and message of each.
            reply_bytes: payload expected back from each.

        Raises:
            DeviceTimeoutError: the deadline is over.
            LossyLineError: frames as long as these do not get through; now is known how long they may be.
            DeviceResetError: the device was reset.
            SessionTakenError: another host opened a session.
            LinkLostError: the line is gone.
            RefusedError: the device refused one; those after it may have been executed.
        """
        return [self._granted(call) for call in self._calls(asked, reply_bytes)]

    def wait(self, until: float) -> Sequence[Any]:
        """Return what the device says unasked, waiting for it until `until`; nothing if nothing comes.

        Raises:
            DeviceResetError: the device says that it has started anew.
            LinkLostError: the line is gone.
        """
        link, transport = self.link, self.transport
        while not link.events and (now := transport.now()) < until:
            link.feed(transport.read(until - now), transport.now())
        found = list(link.events)
        link.events.clear()
        if any(isinstance(event, Booted) for event in found):
            self.revive()
        return found

    def renew(self) -> None:
        """Open the session anew, after a reset, a timeout or an intruder.

        Raises:
            DeviceResetError: the device was reset since.
            SessionTakenError: it was not, so another host came between.
        """
        before = self.welcome
        self._open()
        self._expect(before.uid)
        if before.boot != self.welcome.boot:
            raise DeviceResetError(
                f"{self.name} was reset ({self.welcome.cause.name.lower()}): what it held is gone; "
                "if that goes on, look at its supply and cable"
            )
        raise SessionTakenError(
            f"another host opened a session on {self.name}: leave one of the two"
        )

    def revive(self) -> None:
        """Open the session anew after a timeout; the device forgets its runs, and all if it was reset.

        Raises:
            DeviceResetError: it was.
        """
        try:
            self.renew()
        except SessionTakenError:
            return

    def moved_to(self, transport: Transport) -> "Session":
        """Return a conversation with the same device over another line.

        Raises:
            NotADeviceError: another device, or none, answers there.
        """
        moved = Session(
            transport, timeout=self.timeout, boot_timeout=self._boot_timeout,
            draw=self._draw, counters=self.link.counters,
        )  # fmt: skip
        moved._expect(self.welcome.uid)
        return moved

    def close(self) -> None:
        """Let go of the line."""
        self.transport.close()

    def _expect(self, uid: int) -> None:
        if self.welcome.uid != uid:
            raise NotADeviceError(
                f"{self.transport.url}: device {self.welcome.uid:#x} answers, {uid:#x} was there: "
                "attach that one again"
            )

    def _open(self) -> None:
        """Greet the device and learn what it is; anew where it is reset in between, but not for ever."""
        url, deadline = self.transport.url, self.transport.now() + self._boot_timeout
        before: Welcome | None = None
        while True:
            self._greet()
            if before is not None and before.boot == self.welcome.boot:
                raise SessionTakenError(
                    f"another host opened a session at {url}: leave one of the two"
                )
            try:
                return self._describe()
            except RefusedError as error:
                if error.status is not Status.STALE_SESSION:
                    raise
            before = self.welcome
            # However fast it boots: clocks of models may stand still.
            deadline -= HELLO_INTERVAL_MS / 1000
            if self.transport.now() >= deadline:
                raise DeviceResetError(
                    f"{url} is reset again and again ({before.cause.name.lower()}): is its supply strong enough?"
                )

    def _calls(self, asked: Iterable[Ask], reply_bytes: int) -> list[Call]:
        calls = [
            self.link.submit(Call(opcode, message, self._latency_of(opcode, message), reply_bytes))
            for opcode, message in asked
        ]
        self._pump(calls, self._deadline(calls))
        return calls

    def _told(self, opcode: Opcode, message: Any, *, reply_bytes: int = 24) -> Any:
        """Return the reply to one request while the session is being opened: a refusal is not looked into."""
        (call,) = self._calls([(opcode, message)], reply_bytes)
        if call.error is not None:
            raise call.error
        return call.reply

    def _latency_of(self, opcode: Opcode, message: Any) -> float:
        size = len(getattr(message, "values", b""))
        slow = self._latency.commit_s if opcode in _SLOW else 0.0
        return self._latency.command_s + size * self._latency.byte_s + slow

    def _deadline(self, calls: Sequence[Call]) -> float:
        patience, size = 0.0, 0
        for call in calls:
            patience += call.patience
            size += len(call.payload) + call.reply_bytes + 40
        line = BITS_PER_BYTE * size / self.transport.baud if self.transport.baud else 0.0
        return self.transport.now() + self.timeout + 4 * line + patience

    def _pump(self, calls: Sequence[Call], deadline: float) -> None:
        link, transport = self.link, self.transport
        # Replies come in order but for refusals, so the last one tells nearly always.
        while calls and not (calls[-1].done and all(call.done for call in calls)):
            now = transport.now()
            if now >= deadline:
                link.drop()
                late = next(call for call in calls if not call.done)
                raise DeviceTimeoutError(
                    f"no answer to {late.opcode.name} from {transport.url} within {self.timeout:g} s"
                    f" ({late.sent} tries): is the device stuck or the line cut?"
                )
            hopeless = link.hopeless(now)
            if hopeless is not None:
                link.drop()
                raise LossyLineError(
                    f"{hopeless.opcode.name} does not get through to {transport.url} in {hopeless.sent} tries: "
                    "the line loses too much for frames of its length"
                )
            out = link.output(now)
            if out:
                transport.write(out)
            link.feed(transport.read(max(0.0, min(link.due, deadline) - now)), transport.now())

    def _granted(self, call: Call) -> Any:
        if call.error is None:
            return call.reply
        if isinstance(call.error, RefusedError) and call.error.status is Status.STALE_SESSION:
            self.link.drop()
            self.renew()
        raise call.error

    def _greet(self) -> None:
        """HELLO until it is answered: a device does not hear what comes before its receiver is on."""
        session, nonce = 1 + self._draw(65535), self._draw(1 << 32)
        old = self.link
        link = self.link = Link(
            session, self._draw(1 << 16), self.transport.baud,
            counters=old.counters, loss=old.loss, receiver=old.receiver,
        )  # fmt: skip
        hello = Hello(lowest=VERSION, highest=VERSION, options=HelloOption.STRONG, nonce=nonce)
        call = Call(Opcode.HELLO, hello, interval=HELLO_INTERVAL_MS / 1000)
        link.submit(call)
        heard = _Heard(self.transport, link)
        deadline = self.transport.now() + self._boot_timeout
        while not call.done:
            now = self.transport.now()
            if now >= deadline:
                raise heard.verdict()
            out = link.output(now)
            if out:
                heard.said(out)
            heard.listen(min(link.due, deadline) - now)
        if isinstance(call.error, RefusedError) and call.error.status is Status.BAD_VERSION:
            lowest, highest = call.error.detail & 0xFF, call.error.detail >> 8
            raise VersionError(
                f"{self.transport.url} speaks versions {lowest} to {highest} of the protocol, this host "
                f"{VERSION}: update the firmware or isingeq"
            )
        self.welcome = self._granted(call)
        if self.welcome.nonce != nonce:
            raise NotADeviceError(f"{self.transport.url} does not repeat the nonce of HELLO")
        link.longest, link.window = self.welcome.longest_frame, self.welcome.window_bytes
        link.events.clear()

    def _describe(self) -> None:
        """Fetch the descriptor, unless it is the one that is known."""
        size, digest = self.welcome.descriptor_bytes, self.welcome.descriptor_digest
        if digest != self._digest:
            data = b""
            while len(data) < size:
                try:
                    data += self._part(len(data), size)
                except LossyLineError:
                    self._greet()
            if crc32(data) != digest:
                raise DeviceError(
                    f"{self.transport.url}: the descriptor is not what HELLO announced"
                )
            self.descriptor = decode_descriptor(data)
            self._digest, self._latency = digest, self.descriptor.latency
        self._told(Opcode.SET_PARAMETER, SetParameter(Parameter.EVENTS, 1))

    def _part(self, at: int, size: int) -> bytes:
        """Return the next part of the descriptor."""
        most = self.link.best_payload - 3
        part = self._told(Opcode.DESCRIBE, Describe(at, min(most, size - at)), reply_bytes=most + 3)
        if part.offset != at or not part.data:
            raise NotADeviceError(
                f"{self.transport.url} does not give its descriptor from byte {at} on"
            )
        return bytes(part.data)


class _Heard:
    """What came while nobody answered HELLO, and what that means."""

    def __init__(self, transport: Transport, link: Link) -> None:
        self._transport = transport
        self._link = link
        self._sent = bytearray()
        self._bytes = bytearray()
        self._frames = link.receiver.frames

    def said(self, data: bytes) -> None:
        self._sent += data
        self._transport.write(data)

    def listen(self, timeout: float) -> None:
        data = self._transport.read(max(0.0, timeout))
        if len(self._bytes) < 4096:
            self._bytes += data
        self._link.feed(data, self._transport.now())

    def verdict(self) -> DeviceError:
        """Return the error that fits what was heard."""
        url, heard = self._transport.url, bytes(self._bytes)
        if not heard:
            return DeviceTimeoutError(
                f"nothing answers at {url}: is the device powered, is this its port"
                + (f" and {self._transport.baud} its baud rate?" if self._transport.baud else "?")
            )
        frames = set(filter(None, bytes(self._sent).split(b"\0")))
        if frames & set(heard.split(b"\0")):
            return NotADeviceError(f"{url} sends back what it gets: a loopback, not a device")
        if self._link.receiver.frames > self._frames:
            return NotADeviceError(
                f"{url} sends frames but does not answer HELLO: not this protocol's"
            )
        text = heard.decode("ascii", "ignore")
        if sum(c.isprintable() or c.isspace() for c in text) > 0.9 * len(heard):
            line = next((part.strip() for part in text.splitlines() if part.strip()), "")
            return NotADeviceError(
                f"{url} sends text ({line[:40]!r}): not a device of this protocol"
            )
        baud = self._transport.baud
        return BaudError(
            f"{len(heard)} bytes arrive from {url} but no frame decodes: check the baud rate"
            + (f" (now {baud}, ?baud=N)" if baud else "")
        )
