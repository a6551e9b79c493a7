"""A run: what it was told, how far it is, its rows, and who is still to hear of them."""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from drivers.wire.constants import Event, RunFlag, RunState
from drivers.wire.crc import crc32
from firmware_models import fast_core
from firmware_models.core import WORD
from firmware_models.memory import BoardMemory

MOST_SLOTS = 16
"""Slots of one slice: so many that the call does not count, so few that a line hears in between."""

MOST_UPDATES = 4_000_000
"""Updates of one spin in a slice, some tens of milliseconds; a row that takes more is still not cut."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Reads of neighbouring slots, to be done in one go.

    Attributes:
        couplings: symmetric, zero on the diagonal, (n, n); of the sign that is minimised, as fields are.
        fields: (k, n).
        clamps: −1 or +1 where a spin is held, else 0, (k, n).
        start: spins to begin with, (k, n); None for random ones.
        gains: one per sweep.
        shift: power of two that every gain is divided by.
        seed: of the run.
        sample: number of the first sample.
        read: number of the first read of every sample.
        reads: how many per sample.
        thin: 0, or sweeps at the last gain in which a read goes on from the one before.
        goes_on: even the first read goes on, from `start`.
    """

    couplings: NDArray[np.int16]
    fields: NDArray[np.int32]
    clamps: NDArray[np.int8]
    start: NDArray[np.int8] | None
    gains: NDArray[np.int64]
    shift: int
    seed: int
    sample: int
    read: int
    reads: int
    thin: int
    goes_on: bool


class Sampled(NamedTuple):
    """What came of a slice.

    Attributes:
        rows: spins as they are read out, (k, reads, n).
        states: spins as they are, after the last read, (k, n).
    """

    rows: NDArray[np.int8]
    states: NDArray[np.int8]


class SpinArray(Protocol):
    """The array of spins of a board: the integer core, or a chip with its faults."""

    def __call__(self, part: Slice, now: float) -> Sampled:
        """Return the reads of a slice."""


def integer_core(part: Slice, now: float) -> Sampled:
    """Sample as the firmware of the reference boards does, bit for bit."""
    spins = fast_core.run_rows(
        part.couplings,
        part.fields,
        part.clamps,
        part.gains,
        shift=part.shift,
        seed=part.seed,
        reads=part.reads,
        start=part.start,
        first_sample=part.sample,
        first_read=part.read,
        thin=part.thin,
        goes_on=part.goes_on,
    ).spins
    return Sampled(spins, spins[:, -1])


@dataclass(slots=True)
class Run:
    """One run; rows are kept as they travel.

    Attributes:
        number: the id the host gave it.
        num_spins: of the problem it was started on.
        width: bytes of a row.
        sign: of the energy: −1 where E = −Σ h s − Σ J s s is minimised.
        seed: of all its rows.
        sample: number of its first sample.
        slot: its first slot.
        num_slots: how many.
        reads: rows per slot.
        thin: 0, or sweeps of every read but the first.
        random: reads start from random spins, else from those of their slot.
        flags: of `RunFlag`.
        gains: one per sweep of the schedule.
        shift: power of two that gains are divided by.
        estimate_us: how long it should take.
        state: where it stands.
        packed: rows ready.
        digest: CRC-32 of them.
        couplings_digest: that of the couplings after the last row; 0 before.
        last: spins after the last read, of a slot that is not done yet.
        stream: number of the next row to be sent as an event, and of that where sending ends.
        coming: rows being worked on, which nobody sees before their time is over.
    """

    number: int
    num_spins: int
    width: int
    sign: int
    seed: int
    sample: int
    slot: int
    num_slots: int
    reads: int
    thin: int
    random: bool
    flags: int
    gains: NDArray[np.int64]
    shift: int
    estimate_us: int
    state: RunState = RunState.PENDING
    packed: bytearray = field(default_factory=bytearray)
    digest: int = 0
    couplings_digest: int = 0
    last: NDArray[np.int8] | None = None
    stream: tuple[int, int] = (0, 0)
    coming: bytes = b""

    @property
    def rows(self) -> int:
        """Rows it will have."""
        return self.num_slots * self.reads

    @property
    def rows_ready(self) -> int:
        """Rows it has."""
        return len(self.packed) // self.width

    @property
    def under_way(self) -> bool:
        """More rows are to come."""
        return self.state in (RunState.PENDING, RunState.ACTIVE)

    @property
    def announces(self) -> bool:
        """Its end is to be told."""
        return bool(self.flags & RunFlag.ANNOUNCE)

    def holds(self, slots: range) -> bool:
        """Tell whether any of these slots is in the run."""
        return max(slots.start, self.slot) < min(slots.stop, self.slot + self.num_slots)

    def covers(self, slots: range) -> bool:
        """Tell whether all of these slots are in the run."""
        return self.slot <= slots.start and slots.stop <= self.slot + self.num_slots

    def next_part(self) -> tuple[range, range]:
        """Return which slots of the run (from 0) and which reads of each come next."""
        done, read = divmod(self.rows_ready, self.reads)
        sweeps = sweeps_of_slot(len(self.gains), self.reads, self.thin)
        slots = min(MOST_SLOTS, MOST_UPDATES // max(1, sweeps * self.num_spins))
        if read == 0 and slots >= 1:
            return range(done, min(done + slots, self.num_slots)), range(self.reads)
        each = self.thin or len(self.gains)
        reads = max(1, MOST_UPDATES // max(1, each * self.num_spins))
        return range(done, done + 1), range(read, min(read + reads, self.reads))

    def work(self, memory: BoardMemory, array: SpinArray, now: float) -> int:
        """Begin the next part; return its sweeps. Its rows are ready with `finish`."""
        self.state = RunState.ACTIVE
        slots, reads = self.next_part()
        held = memory.slots(self.slot + slots.start, len(slots))
        goes_on = self.thin > 0 and reads.start > 0
        start = None if self.random else held.start
        sampled = array(
            Slice(
                couplings=memory.dense * np.int16(self.sign),
                fields=held.fields * np.int32(self.sign),
                clamps=held.clamps,
                start=self.last if goes_on else start,
                gains=self.gains,
                shift=self.shift,
                seed=self.seed,
                sample=(self.sample + slots.start) & WORD,
                read=reads.start,
                reads=len(reads),
                thin=self.thin,
                goes_on=goes_on,
            ),
            now,
        )
        self.last = sampled.states
        rows = sampled.rows.reshape(-1, self.num_spins)
        self.coming = np.packbits(rows > 0, axis=1, bitorder="little").tobytes()
        whole = 0 if goes_on or not self.thin else 1
        short = len(reads) - whole
        return len(slots) * (whole * len(self.gains) + short * (self.thin or len(self.gains)))

    def finish(self) -> None:
        """End the part that was begun: its rows are ready."""
        self.packed += self.coming
        self.digest = crc32(self.coming, self.digest)
        self.coming = b""

    def packed_rows(self, first: int, count: int) -> bytes:
        """Return some of the rows ready."""
        return bytes(self.packed[first * self.width : (first + count) * self.width])

    def last_rows(self, slots: range) -> NDArray[np.uint8]:
        """Return the last row of each of these slots, packed (k, bytes)."""
        rows = np.frombuffer(bytes(self.packed), np.uint8).reshape(-1, self.reads, self.width)
        return rows[slots.start - self.slot : slots.stop - self.slot, -1]

    def spins(self) -> NDArray[np.int32]:
        """Return the rows ready as spins ±1, (rows, n)."""
        rows = np.frombuffer(bytes(self.packed), np.uint8).reshape(-1, self.width)
        bits = np.unpackbits(rows, axis=1, count=self.num_spins, bitorder="little")
        return 2 * bits.astype(np.int32) - 1


class Notice(NamedTuple):
    """An event to be sent.

    Attributes:
        event: which.
        payload: of its message.
        more: another one of the same run follows.
    """

    event: Event
    payload: bytes
    more: bool = False


def sweeps_of_slot(schedule: int, reads: int, thin: int) -> int:
    """Return the sweeps of all reads of a slot, where the schedule has `schedule`."""
    return schedule + (reads - 1) * thin if thin else schedule * reads


def gains_of(legs: NDArray[np.void]) -> NDArray[np.int64]:
    """Return the gain of every sweep of these legs, (k,) of `LEG`."""
    return np.concatenate([_gains(*map(int, leg)) for leg in legs.tolist()])


def _gains(first: int, last: int, sweeps: int) -> NDArray[np.int64]:
    if sweeps == 1:
        return np.array([last], np.int64)
    rise = abs(last - first) * np.arange(sweeps, dtype=np.int64) // (sweeps - 1)
    return first + (rise if last >= first else -rise)
