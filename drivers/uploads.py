"""What has to travel so that a device holds something else than now: the shortest requests, as data.

Axes: `k` slots, `n` spins, `m` couplings. `most` is the payload that a frame should carry.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.wire.constants import Opcode
from drivers.wire.layout import pack
from drivers.wire.packing import pack_narrowest, pack_spins, pack_values, packed_bytes
from drivers.wire.requests import LoadCouplings, LoadFields, LoadStates, PatchFields

Ints = NDArray[np.integer]
Ask = tuple[Opcode, object]
_GAP = 24
"""Bytes of one frame and its reply beside the values: a shorter gap between changes is sent along."""


def load_couplings(now: Ints | None, wanted: Ints, *, width: int, most: int) -> Iterator[Ask]:
    """Yield the couplings (m,) that differ; all where it is not known what is there."""
    changed = np.flatnonzero(wanted != now) if now is not None else np.arange(wanted.size)
    per_frame = max(1, (most - 4) // width)
    for first, last in _spans(changed, _GAP // width):
        for at in range(first, last, per_frame):
            values = wanted[at : min(last, at + per_frame)]
            yield Opcode.LOAD_COUPLINGS, LoadCouplings(at, pack_values(values, width))


def load_fields(now: Ints | None, wanted: Ints, *, most: int, slot: int = 0) -> Iterator[Ask]:
    """Yield the fields (k, n) of slots from `slot` on that differ: whole slots or a few spins, what is shorter."""
    n = wanted.shape[1]
    first, last, spins = 0, len(wanted), np.arange(n)
    if now is not None:
        differs = now != wanted
        (spins,) = differs.any(axis=0).nonzero()
        if not spins.size:
            return
        (slots,) = differs.any(axis=1).nonzero()
        first, last = int(slots[0]), int(slots[-1]) + 1
    width, values = pack_narrowest(wanted[first:last])
    if spins.size < n:
        narrow, patched = pack_narrowest(wanted[first:last, spins])
        each, head = narrow * spins.size, 7 + 2 * spins.size
        room = (most - head) // each
        if room >= 1:
            frames = -(-(last - first) // room)
            if frames * (head + _GAP) + len(patched) < len(values):
                listed = tuple(spins.tolist())
                for at in range(first, last, room):
                    count = min(room, last - at)
                    part = patched[(at - first) * each : (at - first + count) * each]
                    yield (
                        Opcode.PATCH_FIELDS,
                        PatchFields(slot + at, count, narrow, len(listed), listed, part),
                    )
                return
    step = max(1, (most - 5) // width) * width
    for at in range(0, len(values), step):
        offset = (slot + first) * n + at // width
        yield Opcode.LOAD_FIELDS, LoadFields(offset, width, values[at : at + step])


def load_states(states: Ints, *, most: int, slot: int = 0) -> Iterator[Ask]:
    """Yield start states (k, n) of slots from `slot` on."""
    data, width = pack_spins(states), packed_bytes(states.shape[1])
    step = max(width, most - 4)
    for at in range(0, len(data), step):
        yield Opcode.LOAD_STATES, LoadStates(slot * width + at, data[at : at + step])


def size_of(asked: Sequence[Ask]) -> int:
    """Return about how many bytes these requests and their replies take on the line."""
    return sum(_GAP + len(pack(message)) for _, message in asked)


def _spans(places: Ints, gap: int) -> Iterator[tuple[int, int]]:
    """Yield (first, last + 1) of runs of places, sorted, that lie no more than `gap` apart."""
    if not places.size:
        return
    breaks = np.flatnonzero(np.diff(places) > gap)
    firsts = places[np.concatenate([[0], breaks + 1])]
    lasts = places[np.concatenate([breaks, [places.size - 1]])]
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        yield first, last + 1
