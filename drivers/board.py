"""A board as the host sees it: what it is told, what it holds, and how it is brought back when something fails.

The host keeps a shadow of what the board holds, so that only changes travel. When the board was reset, its memory
rotted or its line broke, the shadow is dropped, all of it is loaded again, and the job is run anew: a job is either
whole or not there. Jobs are whole numbers; `serial_backend` makes them from problems.

Axes: `k` slots (samples), `r` reads, `n` spins, `m` couplings in canonical order.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from drivers.collection import Collection
from drivers.errors import (
    CorruptError,
    DeviceResetError,
    DeviceTimeoutError,
    LinkLostError,
    LossyLineError,
)
from drivers.job import Job
from drivers.session import Session
from drivers.transport import Transport
from drivers.uploads import Ask, load_couplings, load_fields, load_states
from drivers.wire.constants import (
    BeginFlag,
    Opcode,
    RunFlag,
    Start,
    Status,
)
from drivers.wire.crc import couplings_digest
from drivers.wire.faults import RefusedError
from drivers.wire.packing import (
    pack_legs,
    pack_spins,
    pack_values,
    packed_bytes,
    unpack_spins,
    value_bytes,
)
from drivers.wire.requests import (
    Begin,
    Commit,
    LoadClamps,
    LoadLegs,
    Run,
)
from isingeq.errors import DeviceError

Ints = NDArray[np.integer]
_REOPEN_S = 0.05
"""Between two looks whether a device is plugged in again."""


@dataclass(slots=True, eq=False)
class _Held:
    """Shadow of a board: None where it is not known."""

    couplings: Ints
    digest: int
    fields: Ints
    starts: Ints | None = None
    clamps: bytes | None = None
    legs: bytes = b""
    ends: Ints | None = None


@dataclass(slots=True, eq=False)
class Board:
    """A board and its shadow.

    Attributes:
        open_line: opens its line; again after it broke, with the uid that must answer.
        timeout: seconds without an answer after which a request has failed.
        recovery: seconds that bringing a board back may take, over all tries of a job.
        let_go: called at the end, once the line is closed.
        session: the conversation.
        incidents: what it went through, by name.
    """

    open_line: Callable[[int | None], Transport]
    timeout: float = 10.0
    recovery: float = 30.0
    let_go: Callable[[], None] = lambda: None
    session: Session = field(init=False)
    incidents: Counter[str] = field(init=False, default_factory=Counter)
    device_s: float = field(init=False, default=0.0)
    _held: _Held | None = field(init=False, default=None)
    _run: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        transport = self.open_line(None)
        try:
            self.session = Session(transport, timeout=self.timeout)
        except BaseException:
            transport.close()
            raise

    @property
    def slots_used(self) -> int:
        """Slots of the last run that hold fields and states to go on from."""
        return 0 if self._held is None or self._held.ends is None else len(self._held.ends)

    def close(self) -> None:
        """Let go of the line."""
        self.session.close()
        self.let_go()

    def revive(self) -> None:
        """Speak to the board again after `settle` gave up, or was cut short.

        Raises:
            DeviceError: it still does not answer, or not as itself.
        """
        self._held = None
        with contextlib.suppress(DeviceResetError):
            try:
                self.session.revive()
            except LinkLostError:
                self._reopen()

    def settle(self, job: Job) -> NDArray[np.int8]:
        """Return the spins (k, r, n) of a job, whole, whatever happens on the way.

        Raises:
            DeviceTimeoutError, LinkLostError: the board did not come back in time.
            RefusedError: it refuses the job.
            SessionTakenError: another host uses it.
        """
        lost = 0.0
        while True:
            started = self.session.transport.now()
            try:
                return self._settle(job)
            except (DeviceResetError, CorruptError, DeviceTimeoutError, LinkLostError) as error:
                self._held = None
                self.incidents[_NAMES[type(error)]] += 1
                lost += max(0.0, self.session.transport.now() - started)
                lost += self._come_back(error, self.recovery - lost)

    def _come_back(self, error: DeviceError, left: float) -> float:
        """Open session and line anew as needed; return the seconds it took."""
        if left <= 0:
            raise error
        started, wall = self.session.transport.now(), time.monotonic()
        while isinstance(error, DeviceTimeoutError | LinkLostError):
            try:
                if isinstance(error, LinkLostError):
                    self._reopen()
                else:
                    self.session.revive()
                break
            except DeviceResetError:
                break
            except (DeviceTimeoutError, LinkLostError) as again:
                spent = max(self.session.transport.now() - started, time.monotonic() - wall)
                if spent >= left:
                    raise again from None
                if isinstance(again, LinkLostError):
                    time.sleep(_REOPEN_S)
                error = again
        return max(0.0, self.session.transport.now() - started)

    def _reopen(self) -> None:
        before = self.session
        before.close()
        transport = self.open_line(before.welcome.uid)
        try:
            self.session = before.moved_to(transport)
        except BaseException:
            transport.close()
            raise

    def _settle(self, job: Job) -> NDArray[np.int8]:
        session = self.session
        k, n = job.fields.shape
        held, self._held = self._held, None
        if held is not None and held.fields.shape[1] != n:
            held = None
        asked, now = self._prepare(job, held)
        start = Start.RANDOM if job.random else Start.GIVEN
        if job.starts is not None and not _same(now.starts, job.starts):
            if _same(now.ends, job.starts) and not job.random:
                start = Start.LAST
            else:
                asked += load_states(job.starts, most=session.link.best_payload)
            now.starts = job.starts.copy()
        self._run = self._run % 0xFFFFFFFF + 1
        flags = RunFlag.ANNOUNCE | RunFlag.STREAM * session.descriptor.features.stream
        run = Run(
            self._run, job.seed, job.sample, 0, k, job.reads, 0, start,
            flags, 0, len(job.legs), job.shift,
        )  # fmt: skip
        asked.append((Opcode.RUN, run))
        try:
            *_, accepted = session.ask_all(asked)
        except RefusedError as error:
            if error.status is Status.BAD_DIGEST:
                raise CorruptError(f"{session.name} did not get the couplings whole") from error
            raise
        try:
            packed, digest = Collection(session, run, packed_bytes(n), accepted).collect()
        except RefusedError as error:
            if error.status in _RUN_GONE:
                raise CorruptError(f"{session.name} lost a run: {error}") from error
            raise
        if digest != now.digest:
            raise CorruptError(f"the couplings in {session.name} are no longer those loaded")
        self.device_s += accepted.estimate_us * 1e-6
        rows = unpack_spins(packed, n).reshape(k, job.reads, n)
        now.ends = rows[:, -1]
        self._held = now
        return rows

    def _prepare(self, job: Job, held: _Held | None) -> tuple[list[Ask], _Held]:
        """Return what to ask so that the board holds a job, and the shadow afterwards."""
        most, n = self.session.link.best_payload, job.fields.shape[1]
        descriptor = self.session.descriptor
        asked: list[Ask] = []
        if held is None or not np.array_equal(held.couplings, job.couplings):
            width = value_bytes(descriptor.coupling.bits)
            flags = 0 if held is None else BeginFlag.KEEP
            asked.append((Opcode.BEGIN, Begin(n, flags)))
            before = np.zeros_like(job.couplings) if held is None else held.couplings
            asked += load_couplings(before, job.couplings, width=width, most=most)
            digest = couplings_digest(n, pack_values(job.couplings, width))
            asked.append((Opcode.COMMIT, Commit(digest)))
        else:
            digest = held.digest
        if held is None:
            held = _Held(job.couplings, digest, np.zeros((0, n), job.fields.dtype))
        asked += _changed_fields(held.fields, job.fields, most)
        clamps = bytes(packed_bytes(n))
        if job.clamps is not None:
            clamps = pack_spins(np.where(job.clamps, 1, -1))
        if clamps != held.clamps and descriptor.features.clamp:
            asked.append((Opcode.LOAD_CLAMPS, LoadClamps(0, clamps)))
        legs = pack_legs(job.legs)
        if legs != held.legs:
            asked.append((Opcode.LOAD_LEGS, LoadLegs(0, legs)))
        kept = held.fields[len(job.fields) :]
        # Copies: the shadow must not follow what a caller does to its arrays.
        fields = np.concatenate([job.fields, kept])
        began = bool(asked) and asked[0][0] is Opcode.BEGIN
        return asked, replace(
            held,
            couplings=job.couplings.copy(),
            digest=digest,
            fields=fields,
            clamps=clamps,
            legs=legs,
            ends=None if began else held.ends,
        )


_RUN_GONE = (Status.UNKNOWN_RUN, Status.ABORTED, Status.NOT_READY)
_NAMES: dict[type[DeviceError], str] = {
    DeviceResetError: "resets",
    CorruptError: "corruptions",
    DeviceTimeoutError: "timeouts",
    LossyLineError: "shortened frames",
    LinkLostError: "lost links",
}


def _same(a: Ints | None, b: Ints) -> bool:
    return a is not None and np.array_equal(a, b)


def _changed_fields(now: Ints, wanted: Ints, most: int) -> Iterator[Ask]:
    """Yield what changes in the slots known, then the slots that are new."""
    known = min(len(now), len(wanted))
    if known:
        yield from load_fields(now[:known], wanted[:known], most=most)
    if known < len(wanted):
        n = wanted.shape[1]
        for opcode, message in load_fields(None, wanted[known:], most=most):
            yield opcode, replace(message, offset=message.offset + known * n)  # type: ignore[attr-defined,type-var]
