"""A recording played back: the device's part comes from the file, and the host is held to its own.

The file's clock is the host's. Requests, their order and their bytes must be the same; how often the host looks for
an answer need not be. A host that has parted from the file hears of nothing but the first difference, however it takes
errors, and cannot wait for more than the file holds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NoReturn

from drivers.errors import DifferenceError, LinkLostError
from drivers.recording import Line, draws_from, name_of, read_recording
from drivers.wire.faults import FrameError
from drivers.wire.frame import HEADER, decode_frame
from isingeq.backend import Kind

_LOOK_S = 0.001
"""A look that takes no time counts as so much waiting, so that it comes to an end."""
_MOST_WAITING_S = 60.0
"""A host that waits so long for what it should say itself will not say it."""


class ReplayTransport:
    """The device's part of a recording (`drivers.transport.Transport`); the host must keep to its own.

    Attributes:
        url: `replay://` and the path.
        kind: simulated: no device is there, whatever was when it was recorded.
        baud: as it was.
        draw: the random numbers that the host had.
        note: what the host did.
    """

    kind: Kind = "simulated"

    def __init__(self, path: Path) -> None:
        """Read a recording.

        Raises:
            ConfigError: there is none, or not in a version that is understood.
        """
        self.url = f"replay://{path}"
        self._path = path
        head, self._lines = read_recording(path)
        self.baud = None if head["baud"] == "none" else int(head["baud"])
        self.note = head["note"]
        self.draw = draws_from(head["draws"])
        self._place = self._begun = 0
        self._clock = self._waited = 0.0
        self._gone = ""
        self._parted: DifferenceError | None = None

    def now(self) -> float:
        """Return seconds on the clock of the recording."""
        self._ahead()
        return self._clock

    def read(self, timeout: float) -> bytes:
        """See `Transport.read`.

        Raises:
            LinkLostError: the line was lost here.
            DifferenceError: the host should say something, and has waited for long; or the file ended.
        """
        self._check()
        line = self._ahead()
        if line is None and timeout > 0:
            self._differ(None, "an answer is waited for")
        if line is not None and line.mark in "<!":
            self._pass(line)
            return line.data
        self._clock += max(timeout, 0.0)
        self._waited += max(timeout, _LOOK_S)
        if self._waited > _MOST_WAITING_S:
            self._differ(line, "nothing is sent")
        return b""

    def write(self, data: bytes) -> None:
        """Take what the host says, if it is what it said.

        Raises:
            LinkLostError: the line was lost here.
            DifferenceError: it is not.
        """
        self._check()
        rest = data
        while rest:
            line = self._ahead()
            while line is not None and line.mark == "<" and not line.data:
                self._pass(line)
                line = self._ahead()
            if line is None or line.mark == "<":
                self._differ(line, f"{_first(rest)} is sent")
            if line.mark == "!":
                self._pass(line)
            due = line.data[self._begun :]
            size = min(len(due), len(rest))
            if due[:size] != rest[:size]:
                self._compare(line, due, rest)
            rest = rest[size:]
            self._begun += size
            if self._begun == len(line.data):
                self._pass(line)

    def close(self) -> None:
        """Close it; `again` opens it."""
        self._gone = self._gone or f"{self.url} is closed: open it again"

    def again(self) -> "ReplayTransport":
        """Return the same conversation, to go on after its line was lost."""
        self._gone = ""
        return self

    def finish(self) -> int:
        """Return the number of lines played, if all the host said was said again.

        Raises:
            DifferenceError: the host parted from it, or should have said more.
        """
        if self._parted is not None:
            raise self._parted
        for line in self._lines[self._place :]:
            if line.mark == ">":
                raise self._difference(line, "nothing is sent")
        return len(self._lines)

    def _ahead(self) -> Line | None:
        """Return the next line that is not about time alone; None at the end."""
        while self._place < len(self._lines):
            line = self._lines[self._place]
            if line.mark != ".":
                return line
            self._pass(line)
        return None

    def _pass(self, line: Line) -> None:
        """Go on to the next line.

        Raises:
            LinkLostError: this one says so.
        """
        self._place += 1
        self._begun = 0
        self._clock, self._waited = max(self._clock, line.at), 0.0
        if line.mark == "!":
            self._gone = line.text
            self._check()

    def _check(self) -> None:
        if self._parted is not None:
            raise self._parted
        if self._gone:
            raise LinkLostError(self._gone)

    def _compare(self, line: Line, due: bytes, sent: bytes) -> NoReturn:
        """Name the first frames that differ."""
        at = next(k for k, (a, b) in enumerate(zip(due, sent, strict=False)) if a != b)
        begin = due.rfind(b"\0", 0, at) + 1
        known, new = _first(due[begin:]), _first(sent[begin:])
        self._differ(line, f"{new} is sent", f"{known} (they part at byte {at - begin})")

    def _differ(self, line: Line | None, now: str, then: str = "") -> NoReturn:
        self._parted = self._difference(line, now, then)
        raise self._parted

    def _difference(self, line: Line | None, now: str, then: str = "") -> DifferenceError:
        if line is None:
            return DifferenceError(f"{self._path} ends, and {now}")
        said = then or (_first(line.data) if line.data else "a lost line")
        who = "the device sent" if line.mark == "<" else "the recording has"
        return DifferenceError(f"{self._path}, line {line.number}: {who} {said}, now {now}")


_witness: ContextVar[list[ReplayTransport] | None] = ContextVar("_witness", default=None)


@contextmanager
def witnessed() -> Iterator[list[ReplayTransport]]:
    """Yield a list that gets every recording opened meanwhile, to `finish` what others began."""
    opened: list[ReplayTransport] = []
    token = _witness.set(opened)
    try:
        yield opened
    finally:
        _witness.reset(token)


def open_replay(rest: str) -> ReplayTransport:
    """Open `replay://FILE`.

    Raises:
        ConfigError: no recording.
    """
    transport = ReplayTransport(Path(rest))
    if (opened := _witness.get()) is not None:
        opened.append(transport)
    return transport


def _first(data: bytes) -> str:
    """Name the first frame in bytes that begin with one."""
    stuffed = data.lstrip(b"\0").partition(b"\0")[0]
    if not stuffed:
        return "a zero"
    try:
        frame = decode_frame(stuffed)
    except FrameError:
        return f"{len(data)} bytes that are no frame"
    return f"{name_of(frame)} of {HEADER.size + len(frame.payload)} bytes"
