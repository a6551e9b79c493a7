"""A board of a pool: its thread, how fast it is, and whether it takes part at present."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from drivers.job import Job
from drivers.parts import Part, settle_part
from drivers.serial_backend import SerialBackend
from drivers.transport import Transport
from isingeq.backend import Kind
from isingeq.errors import DeviceError

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Before a board that failed is tried again; twice as long after each time in vain."""
_STEP_S = 0.1
"""Within which a thread that waits for its board hears that it should stop."""
_log = logging.getLogger(__name__)


class _StoppedError(Exception):
    """The pool wants its thread back."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a board did with its samples.

    Attributes:
        seconds: on its own clock.
        part: what came of them.
        error: why nothing did; None too where it was stopped.
    """

    seconds: float
    part: Part | None = None
    error: DeviceError | None = None


@dataclass(slots=True, eq=False)
class Member:
    """A board of a pool.

    Attributes:
        backend: its board and lowering.
        clock: for pauses.
        pace: seconds per sample lately; None before the first.
        absent: it failed, and takes no part until it answers again.
        drops: how often that happened.
    """

    backend: SerialBackend
    clock: Callable[[], float] = time.monotonic
    pace: float | None = None
    absent: bool = False
    drops: int = 0
    _error: DeviceError | None = None
    _pause: float = FIRST_PAUSE_S
    _due: float = 0.0
    _trial: "Future[DeviceError | None] | None" = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"pool {self.backend.name}")
        board = self.backend.board
        opener = board.open_line

        def open_line(uid: int | None) -> Transport:
            self._check()
            return _Stoppable(opener(uid), self._check)

        board.open_line = open_line
        board.session.transport = _Stoppable(board.session.transport, self._check)

    def settle(self, jobs: Sequence[Job], samples: NDArray[np.intp]) -> "Future[Outcome]":
        """Let its thread settle samples of a batch, after what it has to do already."""
        return self._thread.submit(self._settle, jobs, samples)

    def drop(self, error: DeviceError) -> None:
        """Do without it until it answers again."""
        if self.absent:
            return
        self.absent, self._pause = True, FIRST_PAUSE_S
        self._due = self.clock() + self._pause
        self.drops += 1
        _log.warning("%s is left out, others take its samples: %s", self.label, error)

    def try_again(self) -> None:
        """Begin to see whether it answers again, in its own thread."""
        if self.absent and self._trial is None:
            self._trial = self._thread.submit(self._revive)

    def look(self, *, wait: bool = False) -> None:
        """Try it again where its pause is over; take it back where it has answered.

        Args:
            wait: until the trial under way is over.
        """
        if self._trial is None and self.clock() >= self._due:
            self.try_again()
        if self._trial is None or not (wait or self._trial.done()):
            return
        self._error, self._trial = self._trial.result(), None
        if self._error is None:
            self.absent = False
            _log.info("%s answers again", self.label)
        else:
            self._pause = min(2 * self._pause, LONGEST_PAUSE_S)
            self._due = self.clock() + self._pause

    @property
    def label(self) -> str:
        """Which board it is, for messages."""
        return f"{self.backend.name} (uid {self.backend.board.session.welcome.uid:#x})"

    @property
    def error(self) -> DeviceError:
        """Why it is absent."""
        assert self._error is not None
        return self._error

    def halt(self, under_way: "Sequence[Future[Outcome]]") -> None:
        """Stop what it does; its board is spoken to anew before it is used again."""
        self._stop.set()
        for future in under_way:
            future.cancel()
        wait(under_way)
        self._stop.clear()
        self.absent, self._due = True, self.clock()

    def close(self) -> None:
        """End its thread and let go of the board."""
        self._stop.set()
        self._thread.shutdown(cancel_futures=True)
        self.backend.close()

    def _settle(self, jobs: Sequence[Job], samples: NDArray[np.intp]) -> Outcome:
        if self._error is not None:  # it failed while this was waiting
            return Outcome(0.0, error=self._error)
        board = self.backend.board
        began = board.session.transport.now()
        part = None
        try:
            part = settle_part(board, jobs, samples)
        except DeviceError as error:
            self._error = error
        except _StoppedError:
            pass
        seconds = max(0.0, board.session.transport.now() - began)
        if part is not None and seconds:
            pace = seconds / len(samples)
            self.pace = pace if self.pace is None else 0.5 * (self.pace + pace)
        return Outcome(seconds, part, self._error)

    def _revive(self) -> DeviceError | None:
        try:
            self.backend.board.revive()
        except DeviceError as error:
            return error
        except _StoppedError:
            return DeviceError(f"{self.label} was stopped")
        return None

    def _check(self) -> None:
        if self._stop.is_set():
            raise _StoppedError


class _Stoppable:
    """A line whose reader hears that it should stop."""

    def __init__(self, line: Transport, check: Callable[[], None]) -> None:
        self._line = line
        self._check = check
        self.now, self.write, self.close = line.now, line.write, line.close

    @property
    def url(self) -> str:
        return self._line.url

    @property
    def kind(self) -> Kind:
        return self._line.kind

    @property
    def baud(self) -> int | None:
        return self._line.baud

    def read(self, timeout: float) -> bytes:
        self._check()
        return self._line.read(min(timeout, _STEP_S))
