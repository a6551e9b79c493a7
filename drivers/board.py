"""A board as the host sees it: what it is told, what it holds, and how it is brought back when something fails.

The host keeps a shadow of what the board holds, so that only changes travel. When the board was reset, its memory
rotted or its line broke, the shadow is dropped, all of it is loaded again, and the job is run anew: a job is either
whole or not there. Jobs are whole numbers; `serial_backend` makes them from problems.

Axes: `k` slots (samples), `r` reads, `n` spins, `m` couplings in canonical order.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

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
from drivers.job import Job, Placed
from drivers.session import Session
from drivers.transport import Transport
from drivers.uploads import Ask, load_couplings, load_fields, load_states, size_of
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
    CopySlots,
    LoadClamps,
    LoadLegs,
    Run,
)
from isingeq.errors import DeviceError

Ints = NDArray[np.integer]
_REOPEN_S = 0.05
"""Between two looks whether a device is plugged in again."""
_LEAST_S = 0.05
"""That a try in vain counts for: where no time passes, as on the clock of a model, tries must come to an end too."""


@dataclass(slots=True, eq=False)
class _Held:
    """Shadow of a board.

    Attributes:
        couplings: (m,).
        digest: of them.
        fields: of every slot.
        starts: of every slot; 0 where they are not known.
        clamps: packed; None where they are not known.
        legs: None where they are not known.
        ends: last row of each slot in the last run; none where a run can no longer go on from them.
        first: slot of the first of them.
    """

    couplings: Ints
    digest: int
    fields: Ints
    starts: NDArray[np.int8]
    clamps: bytes | None = None
    legs: Ints | None = None
    ends: Ints | None = None
    first: int = 0


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

    def goes_on(self, job: Job, sample: int) -> int:
        """Return how many slots the last run had, where it ended in the states of a job from `sample` on; else 0."""
        ends = None if self._held is None else self._held.ends
        if ends is None or job.random or job.starts is None:
            return 0
        return len(ends) if _same(ends, job.starts[sample : sample + len(ends)]) else 0

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

    def settle(self, job: Job, *, slot: int = 0, ahead: Placed | None = None) -> NDArray[np.int8]:
        """Return the spins (k, r, n) of a job, whole, whatever happens on the way.

        Args:
            job: what to run.
            slot: of its first sample.
            ahead: the job after it, to be loaded while this one runs in other slots.

        Raises:
            DeviceTimeoutError, LinkLostError: the board did not come back in time.
            RefusedError: it refuses the job.
            SessionTakenError: another host uses it.
        """
        lost = 0.0
        while True:
            started = self.session.transport.now()
            try:
                return self._settle(job, slot, ahead)
            except (DeviceResetError, CorruptError, DeviceTimeoutError, LinkLostError) as error:
                self._held = None
                self.incidents[_NAMES[type(error)]] += 1
                lost += max(_LEAST_S, self.session.transport.now() - started)
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

    def _settle(self, job: Job, slot: int, ahead: Placed | None) -> NDArray[np.int8]:
        session = self.session
        k, n = job.fields.shape
        held, self._held = self._held, None
        asked, held = self._prepare(job, held)
        start = Start.RANDOM if job.random else Start.GIVEN
        goes_on = slot == held.first and _same(held.ends, job.starts)
        if start is Start.GIVEN and goes_on and held.ends is not None:
            start = Start.LAST
            held.starts[slot : slot + k] = held.ends
        asked += self._fill(held, job, slot)
        self._run = self._run % 0xFFFFFFFF + 1
        flags = RunFlag.ANNOUNCE | RunFlag.STREAM * session.descriptor.features.stream
        run = Run(
            self._run, job.seed, job.sample, slot, k, job.reads, 0, start,
            flags, 0, len(job.legs), job.shift,
        )  # fmt: skip
        place = len(asked)
        asked.append((Opcode.RUN, run))
        if ahead is not None:
            asked += self._fill(held, ahead.job, ahead.slot, like=ahead.like)
        try:
            accepted = session.ask_all(asked)[place]
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
        if digest != held.digest:
            raise CorruptError(f"the couplings in {session.name} are no longer those loaded")
        self.device_s += accepted.estimate_us * 1e-6
        rows = unpack_spins(packed, n).reshape(k, job.reads, n)
        held.ends, held.first = rows[:, -1].copy(), slot
        self._held = held
        return rows

    def _prepare(self, job: Job, held: _Held | None) -> tuple[list[Ask], _Held]:
        """Return what to ask so that the board holds all of a job but its samples, and the shadow afterwards."""
        descriptor, n = self.session.descriptor, job.fields.shape[1]
        asked: list[Ask] = []
        if held is not None and held.fields.shape[1] != n:
            held = None
        if held is None or not _alike(held.couplings, job.couplings):
            most, width = self.session.link.best_payload, value_bytes(descriptor.coupling.bits)
            digest = couplings_digest(n, pack_values(job.couplings, width))
            asked.append((Opcode.BEGIN, Begin(n, 0 if held is None else BeginFlag.KEEP)))
            if held is None:
                slots = descriptor.slots(n)
                held = _Held(
                    np.zeros_like(job.couplings), 0,
                    np.zeros((slots, n), job.fields.dtype), np.zeros((slots, n), np.int8),
                )  # fmt: skip
            asked += load_couplings(held.couplings, job.couplings, width=width, most=most)
            asked.append((Opcode.COMMIT, Commit(digest)))
            held.couplings, held.digest, held.ends = _kept(job.couplings), digest, None
        if descriptor.features.clamp:
            clamps = bytes(packed_bytes(n))
            if job.clamps is not None:
                clamps = pack_spins(np.where(job.clamps, 1, -1))
            if clamps != held.clamps:
                asked.append((Opcode.LOAD_CLAMPS, LoadClamps(0, clamps)))
                held.clamps = clamps
        if held.legs is None or not _alike(held.legs, job.legs):
            asked.append((Opcode.LOAD_LEGS, LoadLegs(0, pack_legs(job.legs))))
            held.legs = _kept(job.legs)
        return asked, held

    def _fill(self, held: _Held, job: Job, slot: int, *, like: int | None = None) -> list[Ask]:
        """Return what to ask so that slots hold the samples of a job; the shadow follows.

        It starts from what they hold, or from what slots from `like` on hold where that is shorter.
        """
        most, slots = self.session.link.best_payload, slice(slot, slot + len(job.fields))

        def changes(fields: Ints, starts: Ints) -> list[Ask]:
            asked = list(load_fields(fields, job.fields, slot=slot, most=most))
            if job.starts is not None and not np.array_equal(starts, job.starts):
                asked += load_states(job.starts, slot=slot, most=most)
            return asked

        asked = changes(held.fields[slots], held.starts[slots])
        if like is not None:
            there = slice(like, like + len(job.fields))
            copy: Ask = (Opcode.COPY_SLOTS, CopySlots(slot, len(job.fields), like))
            others = [copy, *changes(held.fields[there], held.starts[there])]
            if size_of(others) < size_of(asked):
                asked = others
                held.starts[slots] = held.starts[there]
        held.fields[slots] = job.fields
        if job.starts is not None:
            held.starts[slots] = job.starts
        return asked


_RUN_GONE = (Status.UNKNOWN_RUN, Status.ABORTED, Status.NOT_READY)
_NAMES: dict[type[DeviceError], str] = {
    DeviceResetError: "resets",
    CorruptError: "corruptions",
    DeviceTimeoutError: "timeouts",
    LossyLineError: "shortened frames",
    LinkLostError: "lost links",
}


def _same(a: Ints | None, b: Ints | None) -> bool:
    return a is not None and b is not None and np.array_equal(a, b)


def _alike(a: Ints, b: Ints) -> bool:
    return a is b or np.array_equal(a, b)


def _kept(array: Ints) -> Ints:
    """Return an array that does not follow what a caller does to its own."""
    return array.copy() if array.flags.writeable else array
