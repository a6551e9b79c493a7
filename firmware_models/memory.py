"""What a board holds, in the shape it has on the wire: couplings, slots of fields and start states, clamps, legs.

Nothing is written before all of a request is in range; a refusal says at which place of the payload it is not.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.descriptor import Descriptor, Integers
from drivers.wire.constants import Memory, Status
from drivers.wire.crc import couplings_digest
from drivers.wire.packing import packed_bytes, value_bytes
from isingeq.errors import DeviceError

LEG = np.dtype([("first", "<u2"), ("last", "<u2"), ("sweeps", "<u2")])


class RefusalError(DeviceError):
    """A request is refused; nothing has happened.

    Attributes:
        status: why.
        detail: a number whose meaning the status gives.
    """

    def __init__(self, status: Status, detail: int = 0) -> None:
        super().__init__(f"{status.name}, detail {detail}")
        self.status = status
        self.detail = detail


class Slots(NamedTuple):
    """What a sampler needs of neighbouring slots, ready for arithmetic.

    Attributes:
        fields: (k, n).
        start: spins ±1, (k, n).
        clamps: −1 or +1 where a spin is held, else 0, (k, n).
    """

    fields: NDArray[np.int32]
    start: NDArray[np.int8]
    clamps: NDArray[np.int8]


class BoardMemory:
    """All memories of a board.

    Attributes:
        num_spins: of the problem it holds; 0 before the first.
        pairs: edges among its spins, in canonical order, (m, 2).
        legs: table of legs; `sweeps` is 0 where none was loaded.
    """

    def __init__(self, descriptor: Descriptor) -> None:
        limits, most = descriptor.limits, descriptor.units.most
        self.num_spins = 0
        self.legs = np.zeros(descriptor.schedule.legs, LEG)
        self._descriptor = descriptor
        self._couplings = np.zeros(0, f"<i{value_bytes(descriptor.coupling.bits)}")
        self._fields = np.zeros(limits.field_memory, f"<i{value_bytes(descriptor.field.bits)}")
        self._states = np.zeros(limits.state_memory, np.uint8)
        self._clamps = np.zeros(packed_bytes(most), np.uint8)
        self.pairs = np.zeros((0, 2), np.int64)
        self._dense: NDArray[np.int16] | None = None

    @property
    def num_slots(self) -> int:
        """How many slots there are."""
        return self._descriptor.slots(self.num_spins) if self.num_spins else 0

    @property
    def num_couplings(self) -> int:
        """How many couplings there are."""
        return len(self._couplings)

    @property
    def coupling_bytes(self) -> int:
        """Bytes of one coupling."""
        return self._couplings.itemsize

    @property
    def digest(self) -> int:
        """Digest of the couplings, as they are now."""
        return couplings_digest(self.num_spins, self._couplings.tobytes())

    @property
    def dense(self) -> NDArray[np.int16]:
        """Couplings as a symmetric matrix (n, n); the same array until they change."""
        if self._dense is None:
            i, j = self.pairs.T
            self._dense = np.zeros((self.num_spins, self.num_spins), np.int16)
            self._dense[i, j] = self._dense[j, i] = self._couplings
        return self._dense

    def begin(self, num_spins: int, *, keep: bool) -> None:
        """Make room for a problem; couplings and fields become 0 unless they are kept and fit."""
        if keep and num_spins == self.num_spins:
            return
        if num_spins != self.num_spins:
            self.pairs = self._descriptor.topology.pairs(num_spins)
        self.num_spins = num_spins
        self._couplings = np.zeros(len(self.pairs), self._couplings.dtype)
        self._fields[:] = 0
        self._dense = None

    def load_couplings(self, offset: int, data: bytes, *, at: int) -> None:
        """Write couplings; `at` is the place of their values in the payload.

        Raises:
            RefusalError: beyond the last coupling, or a value out of range.
        """
        values = np.frombuffer(data, self._couplings.dtype)
        stretch(offset, len(values), len(self._couplings), at=0)
        _within(values, self._descriptor.coupling, at=at)
        self._couplings[offset : offset + len(values)] = values
        self._dense = None

    def load_fields(self, offset: int, width: int, data: bytes, *, at: int) -> None:
        """Write fields from value `offset` on.

        Raises:
            RefusalError: beyond the last slot, or a value out of range.
        """
        values = np.frombuffer(data, f"<i{width}")
        stretch(offset, len(values), self.num_slots * self.num_spins, at=0)
        _within(values, self._descriptor.field, at=at)
        self._fields[offset : offset + len(values)] = values

    def patch_fields(
        self, slots: slice, spins: NDArray[np.uint16], data: bytes, *, at: int
    ) -> None:
        """Write the fields of the same spins in many slots; `at` is the place of the list of spins.

        Raises:
            RefusalError: a slot or spin that is not there, or a value out of range.
        """
        count = slots.stop - slots.start
        stretch(slots.start, count, self.num_slots, at=0)
        if spins.size and spins.max() >= self.num_spins:
            raise RefusalError(Status.OUT_OF_RANGE, at)
        if not count or not spins.size:
            return
        width = len(data) // (count * len(spins))
        values = np.frombuffer(data, f"<i{width}").reshape(count, len(spins))
        _within(values, self._descriptor.field, at=at + 2 * len(spins))
        self._slot_fields[slots, spins] = values

    def copy_slots(self, slot: int, count: int, source: int, *, places: tuple[int, int]) -> None:
        """Copy fields and start states; `places` are those of `slot` and `source` in the payload.

        Raises:
            RefusalError: a slot that is not there, or slots that are both source and target.
        """
        stretch(slot, count, self.num_slots, at=places[0])
        stretch(source, count, self.num_slots, at=places[1])
        if source < slot + count and slot < source + count:
            raise RefusalError(Status.OUT_OF_RANGE, places[1])
        width = packed_bytes(self.num_spins)
        for held, each in ((self._fields, self.num_spins), (self._states, width)):
            held[slot * each : (slot + count) * each] = held[
                source * each : (source + count) * each
            ]

    def load_states(self, offset: int, data: bytes, *, at: int) -> None:
        """Write packed start states from byte `offset` on.

        Raises:
            RefusalError: beyond the last slot, or a bit set beyond the last spin.
        """
        width = packed_bytes(self.num_spins)
        stretch(offset, len(data), self.num_slots * width, at=0)
        self._states[offset : offset + len(data)] = self._packed(data, offset % width, at=at)

    def load_clamps(self, offset: int, data: bytes, *, at: int) -> None:
        """Write the mask of clamps from byte `offset` on.

        Raises:
            RefusalError: beyond the last spin.
        """
        stretch(offset, len(data), packed_bytes(self.num_spins), at=0)
        self._clamps[offset : offset + len(data)] = self._packed(data, offset, at=at)

    def load_legs(self, leg: int, data: bytes, *, at: int) -> None:
        """Write legs from number `leg` on.

        Raises:
            RefusalError: beyond the table, a gain too high, or sweeps out of range.
        """
        legs, schedule = np.frombuffer(data, LEG), self._descriptor.schedule
        stretch(leg, len(legs), len(self.legs), at=0)
        highest = np.maximum(legs["first"], legs["last"])
        sweeps = legs["sweeps"]
        if ((highest > schedule.most_gain) | (sweeps < 1) | (sweeps > schedule.most_sweeps)).any():
            raise RefusalError(Status.OUT_OF_RANGE, at)
        self.legs[leg : leg + len(legs)] = legs

    def content(self, memory: Memory, offset: int, count: int, *, at: int) -> bytes:
        """Return `count` values, bytes or legs of a memory; `at` is the place of the offset in the payload.

        Raises:
            RefusalError: beyond its end.
        """
        held = self._held(memory)
        stretch(offset, count, len(held), at=at)
        return held[offset : offset + count].tobytes()

    def corrupt(self, memory: Memory, offset: int, flips: int) -> None:
        """Flip bits of one byte of a memory, modulo its size."""
        held = self._held(memory).view(np.uint8)
        if held.size:
            held[offset % held.size] ^= flips
        self._dense = None

    def slots(self, first: int, count: int) -> Slots:
        """Return what `count` slots from `first` on hold."""
        n, width = self.num_spins, packed_bytes(self.num_spins)
        bits = np.unpackbits(
            self._states[first * width : (first + count) * width].reshape(count, width),
            axis=1,
            count=n,
            bitorder="little",
        )
        start = (2 * bits.astype(np.int8) - 1).astype(np.int8)
        mask = np.unpackbits(self._clamps, count=n, bitorder="little").astype(np.int8)
        return Slots(self._slot_fields[first : first + count].astype(np.int32), start, start * mask)

    def set_starts(self, first: int, packed: NDArray[np.uint8]) -> None:
        """Make packed rows (k, bytes) the start states of slots from `first` on."""
        at = first * packed.shape[1]
        self._states[at : at + packed.size] = packed.reshape(-1)

    @property
    def _slot_fields(self) -> NDArray[np.signedinteger]:
        """Fields by slot and spin."""
        used = self.num_slots * self.num_spins
        return self._fields[:used].reshape(self.num_slots, self.num_spins)

    def _held(self, memory: Memory) -> NDArray[np.generic]:
        """A memory as far as this problem uses it."""
        width = packed_bytes(self.num_spins)
        return {
            Memory.COUPLINGS: self._couplings,
            Memory.FIELDS: self._fields[: self.num_slots * self.num_spins],
            Memory.STATES: self._states[: self.num_slots * width],
            Memory.CLAMPS: self._clamps[:width],
            Memory.LEGS: self.legs,
        }[memory]

    def _packed(self, data: bytes, first: int, *, at: int) -> NDArray[np.uint8]:
        """Bytes of spins, the first of them byte `first` of its row; none may have a bit beyond the last spin."""
        values = np.frombuffer(data, np.uint8)
        width, odd = packed_bytes(self.num_spins), self.num_spins % 8
        if odd and (values[width - 1 - first :: width] >> odd).any():
            raise RefusalError(Status.OUT_OF_RANGE, at)
        return values


def stretch(offset: int, count: int, size: int, *, at: int) -> None:
    """Refuse a stretch that goes beyond the end; `at` is the place of its first number in the payload.

    Raises:
        RefusalError: it does.
    """
    if offset + count > size:
        raise RefusalError(Status.OUT_OF_RANGE, at)


def _within(values: NDArray[np.signedinteger], allowed: Integers, *, at: int) -> None:
    half = 1 << (8 * values.itemsize - 1)
    if allowed.low <= -half and half - 1 <= allowed.high:
        return
    if values.size and (values.min() < allowed.low or values.max() > allowed.high):
        raise RefusalError(Status.OUT_OF_RANGE, at)
