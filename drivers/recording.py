"""A conversation as a file: written while it goes on, and played back without the device.

::

    isingeq recording 1
    url /dev/ttyACM0
    kind real
    baud 115200
    draws 8f0c4c1d5a3be977
    note selftest

    0.000113 > 000617…   HELLO #41             from the host
    0.002291 < 0618…     reply to HELLO #41    from the device, cut as it came
    0.104015 <                                 nothing came
    0.250771 .                                 the host computed
    4.100003 ! /dev/ttyACM0 is gone            the line was lost

What comes after two spaces is for people. Ids and nonces follow from `draws`, and the host sees no other time than that
in the file: so it says the same again, byte by byte, or it has changed.
"""

import hashlib
import itertools
import math
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from drivers.errors import LinkLostError
from drivers.transport import Transport
from drivers.wire.constants import Event, Opcode
from drivers.wire.frame import REPLY, Frame, Receiver
from isingeq.backend import Kind
from isingeq.errors import ConfigError, DeviceError

VERSION = 1
_TITLE = "isingeq recording"
_GRAIN_S = 0.001
"""The host's clock stands still for so long between two lines."""
_KEYS = ("url", "kind", "baud", "draws", "note")
_BAUD = re.compile(r"none|[1-9][0-9]{0,9}")


def draws_from(seed: str) -> Callable[[int], int]:
    """Return what draws whole numbers below a bound: for the same seed the same ones."""
    numbers = itertools.count()

    def draw(below: int) -> int:
        digest = hashlib.sha256(f"{seed} {next(numbers)}".encode()).digest()
        return int.from_bytes(digest[:16], "little") % below

    return draw


class Recorder:
    """A recording that is being made; one conversation, over as many lines as it takes.

    Attributes:
        path: of the file.
        draw: random numbers for sessions.
    """

    def __init__(self, path: Path, *, note: str) -> None:
        """Get ready; the file is made when the first line is open.

        Args:
            path: of the file.
            note: what the host does, on one line.
        """
        self.path = path
        self._seed = secrets.token_hex(8)
        self.draw = draws_from(self._seed)
        self._note = " ".join(note.split())
        self._start = 0.0
        self._at = 0.0
        self._names = {">": _Names(), "<": _Names()}
        self._file: TextIO | None = None
        self._failure: DeviceError | None = None

    def wrap(self, transport: Transport) -> "RecordedTransport":
        """Return a line that goes into the file as well.

        Raises:
            ConfigError: the file exists, or cannot be made.
            DeviceError: it cannot be written.
        """
        if self._file is None:
            try:
                self._file = self.path.open("x", encoding="utf-8", buffering=1)
            except FileExistsError:
                raise ConfigError(f"{self.path} exists: name a new file for it") from None
            except OSError as error:
                raise ConfigError(self._unwritten(error)) from None
            self._start = transport.now()
            values = (transport.url, transport.kind, transport.baud or "none", self._seed, self._note)  # fmt: skip
            head = "\n".join(f"{key} {value}" for key, value in zip(_KEYS, values, strict=True))
            self._write(f"{_TITLE} {VERSION}\n{head}\n\n")
        return RecordedTransport(transport, self)

    def note(self, now: float, mark: str, data: bytes = b"", text: str = "") -> None:
        """Write a line.

        Raises:
            DeviceError: the file cannot be written.
        """
        self._at = max(self._at, self._time(now))
        shown = data.hex() or text
        names = self._names[mark].of(data) if data else ""
        self._write(f"{self._at:.6f} {mark}{shown and ' ' + shown}{names and '  ' + names}\n")

    def waited(self, now: float, timeout: float) -> None:
        """Write a line for a wait in vain: it must end later by the file's clock, too, however short it was."""
        end = math.ceil((self._at + max(timeout, 0.0)) * 1e6) / 1e6
        self.note(max(now, self._start + end), "<")

    def clock(self, now: float) -> float:
        """Return the time in the file, after a line for it where it has gone on."""
        if self._time(now) - self._at >= _GRAIN_S:
            self.note(now, ".")
        return self._at

    def close(self) -> None:
        """End the file.

        Raises:
            DeviceError: it could not be written to its end.
        """
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self._failure = self._failure or DeviceError(self._unwritten(error))
        if self._failure is not None:
            raise self._failure

    def _write(self, text: str) -> None:
        # After a line that was lost, none that follows is of use.
        assert self._file is not None
        if self._failure is not None:
            raise self._failure
        try:
            self._file.write(text)
        except OSError as error:
            self._failure = DeviceError(self._unwritten(error))
            raise self._failure from None

    def _unwritten(self, error: OSError) -> str:
        return f"{self.path} cannot be written: {_reason(error)}; name a file elsewhere"

    def _time(self, now: float) -> float:
        # The host gets the very number that the file holds.
        return round(now - self._start, 6)


class RecordedTransport:
    """A line on record (`drivers.transport.Transport`); its clock is that of the file.

    Attributes:
        url: of the line.
        kind: of the line.
        baud: of the line.
        draw: see `Recorder`.
    """

    def __init__(self, line: Transport, recorder: Recorder) -> None:
        self.url, self.draw = line.url, recorder.draw
        self.kind: Kind = line.kind
        self.baud = line.baud
        self._line = line
        self._recorder = recorder

    def now(self) -> float:
        """Return seconds since the recording began."""
        return self._recorder.clock(self._line.now())

    def read(self, timeout: float) -> bytes:
        """See `Transport.read`."""
        try:
            data = self._line.read(timeout)
        except LinkLostError as error:
            self._lost(error)
            raise
        if data:
            self._recorder.note(self._line.now(), "<", data)
        else:
            self._recorder.waited(self._line.now(), timeout)
        return data

    def write(self, data: bytes) -> None:
        """See `Transport.write`."""
        try:
            self._line.write(data)
        except LinkLostError as error:
            self._lost(error)
            raise
        self._recorder.note(self._line.now(), ">", data)

    def close(self) -> None:
        """Let go of the line."""
        self._line.close()

    def _lost(self, error: LinkLostError) -> None:
        self._recorder.note(self._line.now(), "!", text=" ".join(str(error).split()))


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a recording.

    Attributes:
        number: in the file.
        at: seconds since the recording began.
        mark: what it is, as above.
        data: bytes sent.
        text: all that follows the mark.
    """

    number: int
    at: float
    mark: str
    data: bytes
    text: str


def read_recording(path: Path) -> tuple[dict[str, str], list[Line]]:
    """Return the first lines, by key, and the others.

    Raises:
        ConfigError: no recording, or not in a version that is understood.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a recording: {_reason(error)}") from None
    first, _, _ = text.partition("\n")
    if first != f"{_TITLE} {VERSION}":
        raise ConfigError(f"{path} begins with {first[:40]!r}, not with '{_TITLE} {VERSION}'")
    top, gap, body = text.partition("\n\n")
    head = {key: value for key, _, value in (row.partition(" ") for row in top.splitlines()[1:])}
    missing = [key for key in _KEYS if key not in head]
    if missing:
        raise ConfigError(f"{path}: {missing[0]} is missing in the first lines")
    if not _BAUD.fullmatch(head["baud"]):
        raise ConfigError(
            f"{path}: baud is {head['baud'][:40]!r}, bits per second or 'none' are needed"
        )
    if not gap:
        raise ConfigError(f"{path} ends in its first lines: record it anew")
    rows = body.splitlines()
    if body and not body.endswith("\n"):
        rows.pop()  # the host was killed while it wrote this one
    return head, list(_lines(path, rows, top.count("\n") + 3))


class _Names:
    """What frames are called, as they complete in pieces that are cut anywhere."""

    def __init__(self) -> None:
        self._receiver = Receiver()

    def of(self, data: bytes) -> str:
        return ", ".join(name_of(frame) for frame in self._receiver.feed(data))


def name_of(frame: Frame) -> str:
    """Return what a frame is called in recordings."""
    if frame.opcode in set(Event):
        return f"event {Event(frame.opcode).name}"
    opcode = frame.opcode & ~REPLY
    known = Opcode(opcode).name if opcode in set(Opcode) else f"opcode 0x{opcode:02x}"
    return f"{'reply to ' if frame.opcode & REPLY else ''}{known} #{frame.sequence}"


def _lines(path: Path, rows: list[str], first: int) -> Iterator[Line]:
    for number, row in enumerate(rows, first):
        at, _, said = row.partition(" ")
        mark, _, rest = said.partition(" ")
        try:
            data = bytes.fromhex(rest.partition("  ")[0]) if mark in ("<", ">") else b""
            if mark not in ("<", ">", ".", "!") or (mark == ">" and not data):
                raise ValueError
            if not 0 <= float(at) < math.inf:
                raise ValueError
            yield Line(number, float(at), mark, data, rest)
        except ValueError:
            raise ConfigError(f"{path}, line {number} is {row[:40]!r}: not understood") from None


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or "it is no text")
