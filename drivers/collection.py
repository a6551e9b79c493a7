"""The rows of a run as they come: by themselves, in order, and by asking for those that got lost."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from drivers.errors import CorruptError, DeviceTimeoutError
from drivers.link import BITS_PER_BYTE
from drivers.session import Ask, Session
from drivers.wire.constants import Opcode, RunState
from drivers.wire.crc import crc32
from drivers.wire.replies import Accepted, Ended, Progress, Rows
from drivers.wire.requests import Read, Run, RunId

_SLACK_S = 0.02
"""Added to what device and line are known to need."""


@dataclass(slots=True, eq=False)
class Collection:
    """Rows of a run while they arrive.

    Attributes:
        session: on which they do.
        run: the request that started it.
        width: bytes of a row.
        accepted: its reply.
        ended: what the device said of its end.
    """

    session: Session
    run: Run
    width: int
    accepted: Accepted
    ended: Progress | Ended | None = None
    _rows: bytearray = field(init=False)
    _there: bytearray = field(init=False)

    def __post_init__(self) -> None:
        num_rows = self.run.num_slots * self.run.reads
        self._rows = bytearray(num_rows * self.width)
        self._there = bytearray(num_rows)

    def collect(self) -> tuple[bytes, int]:
        """Return all packed rows, and the digest of the couplings that they were made with.

        Raises:
            CorruptError: the rows are not what their digest says, or the device ended the run by itself.
            DeviceTimeoutError: it still runs long after it should.
            RefusedError: it has lost the run.
        """
        session = self.session
        now, baud = session.transport.now, session.transport.baud
        estimate = self.accepted.estimate_us * 1e-6
        line = BITS_PER_BYTE * (len(self._rows) * 1.1 + 64) / baud if baud else 0.0
        began, pause = now(), _SLACK_S + line
        until, deadline = began + estimate + pause, began + session.timeout + 4 * (estimate + line)
        while self.ended is None:
            for event in session.wait(until):
                self._take(event)
            if self.ended is not None:
                break
            if now() >= until:
                self._poll(deadline)
                pause *= 2
                until = now() + pause
            elif 0 not in self._there:
                until = min(until, now() + _SLACK_S)
        # Rows go ahead of the end: those that are not here are lost.
        while 0 in self._there:
            self._fetch()
        data = bytes(self._rows)
        if crc32(data) != self.ended.digest:
            raise CorruptError(f"rows from {session.name} are not what their digest says")
        return data, self.ended.couplings

    def _take(self, event: Any) -> None:
        if not isinstance(event, Rows | Ended):
            return
        if event.run != self.run.run or event.boot != self.accepted.boot:
            return
        width, size = self.width, len(event.packed)
        first, last = event.row, event.row + size // width
        if size and last * width <= len(self._rows) and size % width == 0:
            self._rows[first * width : last * width] = event.packed
            self._there[first:last] = b"\1" * (last - first)
        if isinstance(event, Ended):
            self._end(event)

    def _end(self, progress: Progress | Ended) -> None:
        if progress.state is RunState.COMPLETE:
            self.ended = progress
        elif progress.state in (RunState.STOPPED, RunState.FAILED):
            raise CorruptError(
                f"{self.session.name} ended a run by itself after {progress.rows_ready} rows"
            )

    def _poll(self, deadline: float) -> None:
        progress = self.session.ask(Opcode.POLL, RunId(self.run.run))
        self._end(progress)
        if self.ended is None and self.session.transport.now() > deadline:
            raise DeviceTimeoutError(
                f"{self.session.name} still runs after {self.session.timeout:g} s more than it "
                f"declared: {progress.rows_ready} rows are ready"
            )

    def _fetch(self) -> None:
        """Ask for the rows that did not come by themselves, as many to a frame as get through."""
        per_frame = max(1, (self.session.link.best_payload - 15) // self.width)
        missing = np.flatnonzero(np.frombuffer(self._there, np.uint8) == 0)
        asked: list[Ask] = []
        while missing.size:
            count = int(np.searchsorted(missing, missing[0] + per_frame))
            first, last = int(missing[0]), int(missing[count - 1]) + 1
            asked.append((Opcode.READ, Read(self.run.run, first, last - first)))
            missing = missing[count:]
        for reply in self.session.ask_all(asked, reply_bytes=15 + per_frame * self.width):
            self._take(reply)
