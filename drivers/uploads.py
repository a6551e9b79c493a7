"""What has to travel so that a device holds something else than now: the shortest requests, as data.

Axes: `k` slots, `n` spins, `m` couplings. `most` is the payload that a frame should carry.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from drivers.wire.constants import Opcode
from drivers.wire.packing import narrowest, pack_spins, pack_values, packed_bytes
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


def load_fields(now: Ints | None, wanted: Ints, *, most: int) -> Iterator[Ask]:
    """Yield the fields (k, n) of slots 0 to k − 1 that differ: whole slots, or a few spins of all, what is shorter."""
    k, n = wanted.shape
    if now is not None:
        differs = now != wanted
        spins = np.flatnonzero(differs.any(axis=0))
        if not spins.size:
            return
        slots = np.flatnonzero(differs.any(axis=1))
        first, last = int(slots[0]), int(slots[-1]) + 1
        patched = wanted[first:last, spins]
        width = narrowest(patched)
        head = 7 + 2 * spins.size
        room = (most - head) // (width * spins.size)
        if room >= 1:
            frames = -(-(last - first) // room)
            size = frames * (head + _GAP) + patched.size * width
            if size < (last - first) * n * narrowest(wanted[first:last]):
                listed = tuple(int(i) for i in spins)
                for at in range(0, last - first, room):
                    part = patched[at : at + room]
                    yield (
                        Opcode.PATCH_FIELDS,
                        PatchFields(
                            first + at,
                            len(part),
                            width,
                            len(listed),
                            listed,
                            pack_values(part, width),
                        ),
                    )
                return
    else:
        first, last = 0, k
    flat = wanted[first:last].ravel()
    width = narrowest(flat)
    per_frame = max(1, (most - 5) // width)
    for at in range(0, flat.size, per_frame):
        values = pack_values(flat[at : at + per_frame], width)
        yield Opcode.LOAD_FIELDS, LoadFields(first * n + at, width, values)


def load_states(states: Ints, *, most: int) -> Iterator[Ask]:
    """Yield start states (k, n) of slots 0 to k − 1."""
    data = pack_spins(states)
    step = max(packed_bytes(states.shape[1]), most - 4)
    for at in range(0, len(data), step):
        yield Opcode.LOAD_STATES, LoadStates(at, data[at : at + step])


def _spans(places: Ints, gap: int) -> Iterator[tuple[int, int]]:
    """Yield (first, last + 1) of runs of places, sorted, that lie no more than `gap` apart."""
    if not places.size:
        return
    breaks = np.flatnonzero(np.diff(places) > gap)
    firsts = places[np.concatenate([[0], breaks + 1])]
    lasts = places[np.concatenate([breaks, [places.size - 1]])]
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        yield first, last + 1
