"""Metropolis and heat-bath sweeps over lanes: many replicas of one graph, one bit each.

A tile holds one or two words of 64 replicas for every spin, bit 1 for s = +1. The field that a spin feels,

    f_i = h_i + Σ_j J_ij s_j = (h_i − Σ_j J_ij) + 2 Σ_(j up) J_ij

is counted in whole numbers: a masked add per neighbour and vector register, 64 replicas at a time in int8, 32 in int16,
16 in int32. Whole numbers add up to the same sum in any order, so a result depends neither on the type nor on the tile,
and the path that follows fields from flip to flip (`local_fields`) gives the same flips. Sums may wrap on the way; what
counts is that the field itself fits.
"""

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isingeq.kernels.inner import copy, inner
from isingeq.kernels.pool import Pool
from isingeq.kernels.replica_random import (
    draw,
    fill_lanes,
    fill_units,
    highest,
    staying,
    words,
)
from isingeq.kernels.spin_bits import (
    WORD,
    accept_1,
    accept_2,
    align_1,
    align_2,
    feel_own_1,
    feel_own_2,
    feel_shared_1,
    feel_shared_2,
    turn_back_1,
    turn_back_2,
)

TILE = 2 * WORD
"""Replicas to a tile: enough for the loops over thresholds, few enough for the states to stay in the nearest cache."""

POOL = 4096
"""Pooled thresholds made per sweep and tile, a power of two."""

Whole = NDArray[np.signedinteger]
Couplings = tuple[NDArray[np.int64], NDArray[np.int32], Whole]
"""Starts of rows (n + 1,), neighbours (2m,) and whole values (2m,) of a symmetric graph."""
Keys = NDArray[np.uint64]
Spins = NDArray[np.int8]


@njit(inline="always")
def _fields(state, unit, starts, neighbours, values, base, out):  # type: ignore[no-untyped-def]
    """Write the fields of one spin on every lane of a tile."""
    first, last = starts[unit], starts[unit + 1]
    narrow, shared = out.size == WORD, base.size == starts.size - 1
    if shared and narrow:
        feel_shared_1(state, unit, first, last, neighbours, values, base, out)
    elif shared:
        feel_shared_2(state, unit, first, last, neighbours, values, base, out)
    elif narrow:
        feel_own_1(state, unit, first, last, neighbours, values, base, out)
    else:
        feel_own_2(state, unit, first, last, neighbours, values, base, out)


@inner(boundscheck=False)
def _base(starts, values, h, reads, first, last, lanes):  # type: ignore[no-untyped-def]
    """Return h − Σ J of every spin for replicas first … last − 1: (n,) if they are of one sample, else (n · lanes,)."""
    n = starts.size - 1
    shared = first // reads == (last - 1) // reads
    base = np.zeros(n if shared else n * lanes, values.dtype)
    for i in range(n):
        total = np.int64(0)
        for e in range(starts[i], starts[i + 1]):
            total += values[e]
        if shared:
            base[i] = h[first // reads, i] - total
        else:
            for k in range(last - first):
                base[i * lanes + k] = h[(first + k) // reads, i] - total
    return base


@njit(nogil=True, cache=True, boundscheck=False)
def _sweep(  # type: ignore[no-untyped-def]
    first_tile,
    last_tile,
    ends,
    states,
    starts,
    neighbours,
    values,
    h,
    reads,
    keys,
    pooled,
    first,
    last,
    rule,
    scales,
    high,
):
    """Run sweeps first … last − 1 on some tiles."""
    n = starts.size - 1
    relative = np.uint64(0) if rule else ~np.uint64(0)
    for tile in range(first_tile, last_tile):
        count = ends[tile + 1] - ends[tile]
        lanes = WORD if count <= WORD else TILE
        own = np.zeros(lanes, np.uint64)
        copy(own, keys[ends[tile] : ends[tile + 1]])
        base = _base(starts, values, h, reads, ends[tile], ends[tile + 1], lanes)
        a, b = np.empty(lanes, np.uint32), np.empty(lanes, np.uint32)
        field = np.empty(lanes, values.dtype)
        thresholds = np.empty(POOL + lanes if pooled else lanes, values.dtype)
        state = states[tile]
        for t in range(first, last):
            for k in range(lanes):
                a[k], b[k] = words(own[k], t)
            if pooled:
                fill_units(thresholds, a[0], b[0], np.int64(0), rule, scales[t], high)
            at, stays = np.int64(0), staying(t, np.int64(-1), rule)
            for i in range(n):
                if pooled:
                    at = np.int64(draw(b[0], a[0], i)) & (POOL - 1)
                else:
                    fill_lanes(thresholds, a, b, i, rule, scales[t], high)
                _fields(state, i, starts, neighbours, values, base, field)
                if lanes == WORD:
                    accept_1(state, i, field, thresholds, at, relative)
                else:
                    accept_2(state, i, field, thresholds, at, relative)
                if i == stays:
                    stays = staying(t, i, rule)
                    if lanes == WORD:
                        turn_back_1(state, i, field)
                    else:
                        turn_back_2(state, i, field)


@njit(nogil=True, cache=True, boundscheck=False)
def _energies(first_tile, last_tile, ends, states, starts, neighbours, values, h, reads, out):  # type: ignore[no-untyped-def]
    """Write twice the energy of every replica, Σ s (f + h)."""
    n = starts.size - 1
    for tile in range(first_tile, last_tile):
        first, last = ends[tile], ends[tile + 1]
        lanes = WORD if last - first <= WORD else TILE
        base = _base(starts, values, h, reads, first, last, lanes)
        field, total = np.empty(lanes, values.dtype), np.zeros(lanes, np.int64)
        state = states[tile]
        for i in range(n):
            _fields(state, i, starts, neighbours, values, base, field)
            if lanes == WORD:
                align_1(state, i, field)
            else:
                align_2(state, i, field)
            for k in range(lanes):
                total[k] += field[k]
        fields = h[first // reads : (last - 1) // reads + 1].any()
        for k in range(last - first if fields else 0):
            s = (first + k) // reads
            for i in range(n):
                up = (state[i * (lanes // WORD) + k // WORD] >> np.uint64(k % WORD)) & np.uint64(1)
                total[k] += h[s, i] if up else -h[s, i]
        copy(out[first:last], total[: last - first])


@njit(nogil=True, cache=True, boundscheck=False)
def _pack(first_tile, last_tile, ends, spins, states):  # type: ignore[no-untyped-def]
    """Write spins (R, n) into the bits of their tiles."""
    for tile in range(first_tile, last_tile):
        num_words = 1 if ends[tile + 1] - ends[tile] <= WORD else 2
        for k in range(ends[tile + 1] - ends[tile]):
            row, shift = spins[ends[tile] + k], np.uint64(k % WORD)
            for i in range(row.size):
                states[tile, i * num_words + k // WORD] |= np.uint64(row[i] > 0) << shift


@njit(nogil=True, cache=True, boundscheck=False)
def _unpack(first_tile, last_tile, ends, states, wanted, spins):  # type: ignore[no-untyped-def]
    """Write the bits of wanted replicas (R,) into spins (R, n)."""
    for tile in range(first_tile, last_tile):
        num_words = 1 if ends[tile + 1] - ends[tile] <= WORD else 2
        for k in range(ends[tile + 1] - ends[tile]):
            if not wanted[ends[tile] + k]:
                continue
            row, shift = spins[ends[tile] + k], np.uint64(k % WORD)
            for i in range(row.size):
                up = np.int8((states[tile, i * num_words + k // WORD] >> shift) & np.uint64(1))
                row[i] = up + up - np.int8(1)


class ReplicaLanes:
    """Replicas on lanes; read r of sample b is replica b · reads + r."""

    def __init__(
        self, couplings: Couplings, h: Whole, keys: Keys, spins: Spins, pool: Pool, pooled: bool
    ) -> None:
        """Take up the spins (R, n) that replicas start from; `h` (b, n) and the couplings' values share a type."""
        self._couplings, self._h, self._keys, self._pool, self._pooled = (
            couplings,
            h,
            keys,
            pool,
            pooled,
        )
        self._reads = len(keys) // len(h)
        if pooled:
            ends = [b * self._reads + r for b in range(len(h)) for r in range(0, self._reads, TILE)]
        else:
            ends = list(range(0, len(keys), TILE))
        self._ends = np.array([*ends, len(keys)], np.int64)
        self._states = np.zeros((len(ends), 2 * h.shape[1]), np.uint64)
        self._split(lambda first, last: _pack(first, last, self._ends, spins, self._states))

    def advance(self, first: int, last: int, rule: np.int64, scales: NDArray[np.float32]) -> None:
        """Run sweeps first … last − 1; `scales` holds ln 2 / 2β of all sweeps, in the unit of the values."""
        high = highest(self._h.dtype.type)
        self._split(
            lambda a, b: _sweep(
                a, b, self._ends, self._states, *self._couplings, self._h, self._reads, self._keys, self._pooled,
                first, last, rule, scales, high,
            )
        )  # fmt: skip

    def twice_energies(self) -> NDArray[np.int64]:
        """Return 2 E (R,), counted in the unit of the values."""
        out = np.empty(len(self._keys), np.int64)
        self._split(
            lambda a, b: _energies(
                a, b, self._ends, self._states, *self._couplings, self._h, self._reads, out
            )
        )
        return out

    def read(self, wanted: NDArray[np.bool_], spins: Spins) -> None:
        """Write the spins of wanted replicas (R,), as they are, into their rows of (R, n)."""
        self._split(
            lambda first, last: _unpack(first, last, self._ends, self._states, wanted, spins)
        )

    def _split(self, work: Callable[[int, int], None]) -> None:
        self._pool.split(len(self._ends) - 1, work)
