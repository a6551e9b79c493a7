"""A pump, in real time, between a port that hosts open and a target that answers: where faults of a line live.

One thread owns everything: port, line, target and clock. Others ask it (`reset`, `stall`, `unplug`, …) and wait. It
starts the target too: an emulator that must die with the thread that started it lives exactly as long as its bridge.
"""

import atexit
import contextlib
import heapq
import itertools
import math
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, Self

from drivers.wire.constants import Memory
from firmware_models.faults import Incident, Way
from firmware_models.line import Line, Passage
from firmware_models.port import Port
from isingeq.errors import DeviceError

_MOST_WAITING = 1 << 18
"""Bytes kept for a host that does not read; beyond them they are lost, as on any line."""
_NUDGE_S, _NUDGES = 0.1, 20
"""A target that was told something and said nothing is nudged so often: emulators can miss a wake-up."""
_LINGER_S = 0.05
DEVICE_ENDED = "the device has ended"
"""Why a bridge ends whose device was told to, by SHUTDOWN."""
_GATHER_S = 0.001
"""What a target says in so long goes to the host at once, as from an adapter on USB; emulators say it byte by byte."""


class Target(Protocol):
    """What stands behind a bridge.

    Attributes:
        reader: descriptor that becomes readable when it speaks; None where it only answers.
        busy: `work` is due.
        waiting: bytes given to `send` that it has not taken yet.
    """

    @property
    def reader(self) -> int | None: ...  # noqa: D102
    @property
    def busy(self) -> bool: ...  # noqa: D102
    @property
    def waiting(self) -> int: ...  # noqa: D102

    def send(self, data: bytes) -> bytes:
        """Give it bytes; return what it answers at once."""

    def receive(self) -> bytes | None:
        """Return what it says; None when it has ended."""

    def work(self) -> bytes:
        """Let it work for a moment; return what it says."""

    def reset(self) -> bytes:
        """Pull its reset pin; return what it says."""

    def freeze(self) -> None:
        """Let it stand still."""

    def thaw(self) -> bytes:
        """Let it go on; return what it says."""

    def corrupt(self, memory: Memory, offset: int, flips: int) -> None:
        """Flip bits of its memory.

        Raises:
            ConfigError: that cannot be done to it.
        """

    def nudge(self) -> None:
        """Make sure that it has noticed what was sent to it."""

    def close(self) -> None:
        """End it, whatever state it is in."""


@dataclass(slots=True)
class Traffic:
    """What went through a bridge.

    Attributes:
        to_device: bytes that hosts sent.
        to_host: bytes that the target sent.
        ended: why the bridge is no longer there; empty while it is.
    """

    to_device: int = 0
    to_host: int = 0
    ended: str = ""


class Bridge:
    """A running pump; leaving it, as a context manager, ends it and its target.

    Attributes:
        line: in between.
        traffic: so far.
    """

    def __init__(
        self, start: Callable[[], Target], port: Port, line: Line, *,
        watch: Callable[[float, Way, bytes], None] | None = None,
    ) -> None:  # fmt: skip
        """Start target and pump.

        Args:
            start: returns the target.
            port: where hosts plug in; the bridge closes it.
            line: what happens in between.
            watch: told the time, way and bytes of everything sent, before the line gets at it.
        """
        self.line, self.traffic = line, Traffic()
        self._port, self._watch = port, watch
        self._target: Target
        self._coming: list[tuple[float, int, Passage | Callable[[], None]]] = []
        self._order = itertools.count()
        self._to_host = bytearray()
        self._asked: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._woken, self._wake = socket.socketpair()
        self._nudge_at, self._nudges = math.inf, 0
        self._gathered_at = math.inf
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._live, args=(start, started), daemon=True)
        self._thread.start()
        atexit.register(self.close)
        try:
            started.result()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """What a host opens; another one after each replug of a pty."""
        return self._port.url

    @property
    def plugged(self) -> bool:
        """Whether a host can open it."""
        return bool(self._port.readers)

    def reset(self) -> None:
        """Reset the target."""
        self.ask(lambda: self._hear(self._target.reset()))

    def stall(self, seconds: float) -> None:
        """Let the target stand still for a time; this call does not wait for its end."""
        self.ask(lambda: self._stall(seconds))

    def unplug(self, seconds: float = math.inf) -> None:
        """Cut the line; it is back after a time, under another name where it is a pty."""
        self.ask(lambda: self._unplug(seconds))

    def replug(self) -> None:
        """Be there again at once."""
        self.ask(self._port.plug)

    def corrupt(self, memory: Memory, offset: int, flips: int) -> None:
        """Flip bits of the target's memory.

        Raises:
            ConfigError: that cannot be done to it.
        """
        self.ask(lambda: self._target.corrupt(memory, offset, flips))

    def ask(self, act: Callable[[], Any]) -> Any:
        """Have the thread of the bridge do something, and return what came of it.

        Raises:
            DeviceError: the bridge has ended.
        """
        answer: Future[Any] = Future()
        self._asked.append((act, answer))
        if self.traffic.ended:
            raise DeviceError(f"the bridge has ended: {self.traffic.ended}")
        self._wake.send(b"!")
        return answer.result()

    def close(self) -> None:
        """End pump and target; nothing is left of them."""
        atexit.unregister(self.close)
        with contextlib.suppress(DeviceError, OSError):
            self.ask(lambda: self._end("closed"))
        self._thread.join()
        self._wake.close()
        self._woken.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _live(self, start: Callable[[], Target], started: "Future[None]") -> None:
        """Be the thread."""
        with contextlib.ExitStack() as closing:
            closing.callback(self._refuse)
            closing.callback(self._port.unplug)
            try:
                self._target = start()
            except BaseException as error:
                self._end(f"it did not start: {error}")
                started.set_exception(error)
                return
            closing.callback(self._target.close)
            started.set_result(None)
            try:
                while not self.traffic.ended:
                    self._turn()
            except Exception as error:
                self._end(f"{type(error).__name__}: {error}")

    def _end(self, reason: str) -> None:
        self.traffic.ended = self.traffic.ended or reason

    def _refuse(self) -> None:
        """Answer those who asked too late."""
        while self._asked:
            _, answer = self._asked.popleft()
            answer.set_exception(DeviceError(f"the bridge has ended: {self.traffic.ended}"))

    def _turn(self) -> None:
        """Wait for whatever comes next, and do it."""
        target, port = self._target, self._port
        now = time.monotonic()
        reads = [self._woken.fileno()]
        writes = []
        if target.waiting < _MOST_WAITING:
            reads += port.readers
        if target.reader is not None:
            if self._gathered_at == math.inf:
                reads.append(target.reader)
            if target.waiting:
                writes.append(target.reader)
        if self._to_host and port.writer is not None and self._gathered_at == math.inf:
            writes.append(port.writer)
        coming = self._coming[0][0] if self._coming else math.inf
        due = min(coming, self._nudge_at, self._gathered_at)
        wait = 0.0 if target.busy else None if due == math.inf else max(0.0, due - now)
        ready, writable, _ = select.select(reads, writes, [], wait)
        if target.busy:
            self._hear(target.work())
        for reader in ready:
            self._read(reader)
        if target.waiting and target.reader in writable:
            self._hear(target.send(b""))
        now = time.monotonic()
        if now >= self._gathered_at and target.reader is not None:
            self._read(target.reader)
            self._gathered_at = math.inf
        self._flush()
        self._arrive(now)

    def _read(self, reader: int) -> None:
        if reader == self._target.reader:
            data = self._target.receive()
            if data is None:
                self._gathered_at = math.inf
                self._flush()
                time.sleep(_LINGER_S)  # a pty that closes takes unread bytes with it
                self._end(DEVICE_ENDED)
            else:
                self._hear(data)
        elif reader == self._woken.fileno():
            self._woken.recv(1)
            act, answer = self._asked.popleft()
            try:
                answer.set_result(act())
            except Exception as error:
                answer.set_exception(error)
        elif reader in self._port.readers:
            self._take(self._port.read(reader))

    def _take(self, data: bytes) -> None:
        """Send on what a host sent."""
        if not data:
            return
        self.traffic.to_device += len(data)
        now = time.monotonic()
        if self._watch is not None:
            self._watch(now, Way.TO_DEVICE, data)
        if self.line.plain:
            self._tell(data, now)
            return
        if self.line.baud is not None:
            self.line.host_baud = self._port.baud() or self.line.baud
        self._expect(self.line.to_device(data, now))

    def _tell(self, data: bytes, now: float) -> None:
        """Give bytes to the target."""
        self._nudge_at, self._nudges = now + _NUDGE_S, 0
        self._hear(self._target.send(data))

    def _hear(self, data: bytes) -> None:
        """Send on what the target said."""
        if not data:
            return
        self._nudge_at = math.inf
        self.traffic.to_host += len(data)
        if self._watch is not None:
            self._watch(time.monotonic(), Way.TO_HOST, data)
        if self.line.plain:
            self._to_host += data
            if self._target.reader is not None and self._gathered_at == math.inf:
                self._gathered_at = time.monotonic() + _GATHER_S
            self._flush()
        else:
            self._expect(self.line.to_host(data, time.monotonic()))

    def _flush(self) -> None:
        """Let the host have what it takes; what nobody takes is lost in the end, as on any line."""
        if self._gathered_at < math.inf:
            return
        if self._port.writer is None:
            self._to_host.clear()
        elif self._to_host:
            del self._to_host[: self._port.write(bytes(self._to_host))]
            del self._to_host[:-_MOST_WAITING]

    def _expect(self, passages: list[Passage]) -> None:
        for passage in passages:
            heapq.heappush(self._coming, (passage.at, next(self._order), passage))

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        if seconds < math.inf:
            heapq.heappush(self._coming, (time.monotonic() + seconds, next(self._order), act))

    def _arrive(self, now: float) -> None:
        """Do what is due."""
        while self._coming and self._coming[0][0] <= now:
            due = heapq.heappop(self._coming)[2]
            if not isinstance(due, Passage):
                due()
            elif due.incident is not None:
                self._befall(due.incident)
            elif due.way is Way.TO_DEVICE:
                self._tell(due.data, now)
            else:
                self._to_host += due.data
                self._flush()
        if now >= self._nudge_at:
            self._target.nudge()
            self._nudges += 1
            self._nudge_at = now + _NUDGE_S if self._nudges < _NUDGES else math.inf

    def _befall(self, incident: Incident) -> None:
        match incident.kind:
            case "reset":
                self._hear(self._target.reset())
            case "corrupt":
                flips = (1 << min(incident.size, 8)) - 1
                self._target.corrupt(Memory[incident.memory], incident.offset, flips)
            case "stall":
                self._stall(incident.lasts_s)
            case "unplug":
                self._unplug(incident.lasts_s)

    def _stall(self, seconds: float) -> None:
        self._target.freeze()
        self._after(seconds, lambda: self._hear(self._target.thaw()))

    def _unplug(self, seconds: float) -> None:
        self._port.unplug()
        self._after(seconds, self._port.plug)
