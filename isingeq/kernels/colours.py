"""The couplings of a graph as block updates read them: colours, rows of neighbours, tables of four spins."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

SIXTEEN = 16
"""Spins to a block of tables, and patterns of signs that four of them can have."""

BYTES = 3
"""Bytes of a number in a table."""

TABLE = 64
"""Numbers in the four tables of a block."""

MIDDLE = 1 << 8 * BYTES - 1
"""Added to the numbers of tables, which their bytes hold without a sign."""

TOP = 30
"""Bits that the largest sum of a spin's couplings may take."""

RUN = 64
"""Couplings of a row that are summed in 16 bits, before 32 take over."""

LOW = 10
"""Bits of a coupling in the lower of two 16-bit sums: RUN of them fit."""


class Rows(NamedTuple):
    """Neighbours of every spin, in the order in which spins are updated.

    Attributes:
        units: spin at each place (n,).
        starts: first entry of every place, and one past the last (n + 1,).
        columns: places of the neighbours (2m,).
        values: 2 J, which the sum gains where the neighbour is +1, as lower + upper · 2^LOW (2m, 2); like `base`, in
            grains.
        base: −Σ_j J_ij (n,), the sum where all neighbours are −1.
        grain: `grain_of` every spin (n,).
    """

    units: NDArray[np.int32]
    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.int16]
    base: NDArray[np.int32]
    grain: NDArray[np.float32]


class Tables(NamedTuple):
    """Couplings of every spin to sixteens of spins, as what each pattern of signs adds to its field.

    Attributes:
        units: spin at each place (n,).
        starts: first block of every place, and one past the last (n + 1,).
        columns: the sixteen of every block (blocks,): places 16 c … 16 c + 15.
        values: MIDDLE + Σ ±J over four spins, in grains, by pattern, the four tables of the block one after the other,
            cut into bytes (blocks, BYTES, TABLE), lowest first; bit k of a pattern is spin k up.
        base: what takes the MIDDLEs away again (n,), modulo 2^32.
        grain: `grain_of` every spin (n,).
    """

    units: NDArray[np.int32]
    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.uint8]
    base: NDArray[np.int32]
    grain: NDArray[np.float32]


@njit(nogil=True, cache=True)
def on_cache_lines(size):  # type: ignore[no-untyped-def]
    """Return zeros (size,) that start where a cache line does: a vector across two lines takes two loads."""
    raw = np.zeros(size + 16, np.float32)
    start = -(raw.ctypes.data // 4) % 16
    return raw[start : start + size]


@njit(nogil=True, cache=True)
def colours(starts, neighbours):  # type: ignore[no-untyped-def]
    """Return a colour per spin (n,), none shared by coupled spins: first fit, neighbours after neighbours.

    In this order every bipartite graph gets two colours.
    """
    n = starts.size - 1
    colour = np.full(n, -1, np.int32)
    queue = np.empty(n, np.int64)
    taken = np.full(n + 1, -1, np.int64)
    seen = np.zeros(n, np.bool_)
    for root in range(n):
        if seen[root]:
            continue
        head, tail = 0, 1
        queue[0], seen[root] = root, True
        while head < tail:
            i = queue[head]
            head += 1
            for e in range(starts[i], starts[i + 1]):
                j = neighbours[e]
                if colour[j] >= 0:
                    taken[colour[j]] = i
                if not seen[j]:
                    seen[j] = True
                    queue[tail] = j
                    tail += 1
            free = 0
            while taken[free] == i:
                free += 1
            colour[i] = free
    return colour


@njit(nogil=True, cache=True)
def grain_of(J):  # type: ignore[no-untyped-def]
    """Return what the couplings of a spin (k,) are counted in, a power of two.

    At least 2^-TOP of Σ |J|, and so much that neither a half of the sum over a run overflows 16 bits nor the number of
    a table its bytes: about 2^-24 of Σ |J| over a run, or 2^-21 of the largest |J|.
    """
    reach = longest = run = largest = 0.0
    for e in range(J.size):
        if e % RUN == 0:
            run = 0.0
        run += abs(np.float64(J[e]))
        longest = max(longest, run)
        reach += abs(np.float64(J[e]))
        largest = max(largest, abs(np.float64(J[e])))
    if reach == 0:
        return 1.0
    # Halves of 2 J: |upper| sums to 2 |J| / 2^LOW and RUN / 2 of rounding, at most.
    most = 2.0 ** (14 + LOW) - RUN * 2.0 ** (LOW - 2)
    # Four couplings, each rounded, are less than MIDDLE.
    least = max(longest / most, 4 * largest / (MIDDLE - 4.0))
    return 2.0 ** max(np.ceil(np.log2(reach)) - TOP, np.ceil(np.log2(least)))


@njit(nogil=True, cache=True)
def rows_of(starts, neighbours, values, units):  # type: ignore[no-untyped-def]
    """Return the rows of a graph with its spins in the order `units` (n,)."""
    n = units.size
    place = np.empty(n, np.int32)
    for at in range(n):
        place[units[at]] = at
    first, columns = np.zeros(n + 1, np.int64), np.empty(neighbours.size, np.int32)
    halves, base = np.empty((values.size, 2), np.int16), np.zeros(n, np.int32)
    grain = np.empty(n, np.float32)
    e = 0
    for at in range(n):
        begin, stop = starts[units[at]], starts[units[at] + 1]
        grain[at] = grain_of(values[begin:stop])
        for k in range(begin, stop):
            J = np.int32(np.rint(values[k] / np.float64(grain[at])))
            upper = (2 * J + (1 << LOW - 1)) >> LOW
            columns[e], halves[e, 0], halves[e, 1] = (
                place[neighbours[k]],
                2 * J - (upper << LOW),
                upper,
            )
            base[at] -= J
            e += 1
        first[at + 1] = e
    return Rows(units, first, columns, halves, base, grain)


@njit(nogil=True, cache=True)
def blocks_of(starts, neighbours, units):  # type: ignore[no-untyped-def]
    """Return first blocks (n + 1,) and the sixteen of every block that holds a coupling (blocks,)."""
    place = np.empty(units.size, np.int32)
    for at in range(units.size):
        place[units[at]] = at
    found, seen = np.empty(neighbours.size, np.int32), np.full(units.size // SIXTEEN + 1, -1)
    first = np.zeros(units.size + 1, np.int64)
    blocks = 0
    for at in range(units.size):
        for e in range(starts[units[at]], starts[units[at] + 1]):
            other = place[neighbours[e]] // SIXTEEN
            if seen[other] != at:
                seen[other] = at
                found[blocks] = other
                blocks += 1
        first[at + 1] = blocks
    return first, found[:blocks].copy()


@njit(nogil=True, cache=True)
def tables_of(starts, neighbours, values, units, first, columns):  # type: ignore[no-untyped-def]
    """Return the tables of a graph for the blocks that `blocks_of` found."""
    n = units.size
    place = np.empty(n, np.int32)
    for at in range(n):
        place[units[at]] = at
    size = (columns.size, BYTES, TABLE)
    tables = on_cache_lines(columns.size * BYTES * TABLE // 4).view(np.uint8).reshape(size)
    block, J = np.empty(n // SIXTEEN + 1, np.int64), np.zeros((columns.size, SIXTEEN), np.int32)
    base, grain = np.empty(n, np.int32), np.empty(n, np.float32)
    for at in range(n):
        for e in range(first[at], first[at + 1]):
            block[columns[e]] = e
        begin, stop = starts[units[at]], starts[units[at] + 1]
        grain[at] = grain_of(values[begin:stop])
        for e in range(begin, stop):
            other = place[neighbours[e]]
            J[block[other // SIXTEEN], other % SIXTEEN] = np.int32(
                np.rint(values[e] / np.float64(grain[at]))
            )
        base[at] = np.int32(np.uint32(4 * MIDDLE * (first[at] - first[at + 1])))
    for e in range(columns.size):
        for slot in range(TABLE):
            four, p = 4 * (slot // SIXTEEN), slot % SIXTEEN
            number = MIDDLE
            for k in range(4):
                number += J[e, four + k] if p >> k & 1 else -J[e, four + k]
            for k in range(BYTES):
                tables[e, k, slot] = number >> 8 * k & 255
    return Tables(units, first, columns, tables, base, grain)
