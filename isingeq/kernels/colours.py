"""The couplings of a graph as block updates read them: colours, rows of neighbours, tables of quads."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

QUAD = 4
"""Spins per quad."""

PATTERNS = 2**QUAD
"""Signs that four spins can have; one vector of 32-bit numbers."""

TOP = 30
"""Bits that the largest sum of a spin's couplings may take."""


class Rows(NamedTuple):
    """Neighbours of every spin, in the order in which spins are updated.

    Attributes:
        units: spin at each place (n,).
        starts: first entry of every place, and one past the last (n + 1,).
        columns: places of the neighbours (2m,).
        values: 2 J (2m,), which the sum gains where the neighbour is +1; like `base`, in grains.
        base: −Σ_j J_ij (n,), the sum where all neighbours are −1.
        grain: `grain_of` every spin (n,).
    """

    units: NDArray[np.int32]
    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.int32]
    base: NDArray[np.int32]
    grain: NDArray[np.float32]


class Quads(NamedTuple):
    """Couplings between quads of four spins of one colour, as what each pattern of signs adds to the fields.

    Attributes:
        units: spin at each place (4 quads,), −1 where a quad is not full.
        starts: first block of every quad, and one past the last (quads + 1,).
        columns: the other quad of every block (blocks,).
        values: Σ ±J over the other quad, by spin and pattern (blocks, 4, 16), in grains; bit k of a pattern is spin k
            up.
        base: where sums begin (4 quads,): 0.
        grain: `grain_of` the spin at each place (4 quads,), 1 where there is none.
    """

    units: NDArray[np.int32]
    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.int32]
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
    """Return what the couplings of a spin (k,) are counted in: 2^-30 of Σ |J|, rounded up to a power of two."""
    reach = 0.0
    for value in J:
        reach += abs(np.float64(value))
    return 2.0 ** (np.ceil(np.log2(reach)) - TOP) if reach > 0 else 1.0


@njit(nogil=True, cache=True)
def rows_of(starts, neighbours, values, units):  # type: ignore[no-untyped-def]
    """Return the rows of a graph with its spins in the order `units` (n,)."""
    n = units.size
    place = np.empty(n, np.int32)
    for at in range(n):
        place[units[at]] = at
    first, columns = np.zeros(n + 1, np.int64), np.empty(neighbours.size, np.int32)
    twice, base = np.empty(values.size, np.int32), np.zeros(n, np.int32)
    grain = np.empty(n, np.float32)
    e = 0
    for at in range(n):
        begin, stop = starts[units[at]], starts[units[at] + 1]
        grain[at] = grain_of(values[begin:stop])
        for k in range(begin, stop):
            J = np.int32(np.rint(values[k] / np.float64(grain[at])))
            columns[e], twice[e] = place[neighbours[k]], 2 * J
            base[at] -= J
            e += 1
        first[at + 1] = e
    return Rows(units, first, columns, twice, base, grain)


@njit(nogil=True, cache=True)
def quad_places(colour):  # type: ignore[no-untyped-def]
    """Return the spins colour by colour (places,), every colour filled up with −1 to whole quads."""
    counts = np.zeros(colour.size, np.int64)
    for c in colour:
        counts[c] += 1
    ends, total = np.empty(colour.size, np.int64), 0
    for c in range(colour.size):
        ends[c] = total
        total += (counts[c] + QUAD - 1) // QUAD * QUAD
    units = np.full(total, -1, np.int32)
    for i in range(colour.size):
        units[ends[colour[i]]] = i
        ends[colour[i]] += 1
    return units


@njit(nogil=True, cache=True)
def quad_blocks(starts, neighbours, units):  # type: ignore[no-untyped-def]
    """Return first blocks (quads + 1,) and the other quad of every block that holds a coupling (blocks,)."""
    place = np.empty(starts.size - 1, np.int32)
    for at in range(units.size):
        if units[at] >= 0:
            place[units[at]] = at
    quads = units.size // QUAD
    found = np.empty(neighbours.size, np.int32)
    first, seen = np.zeros(quads + 1, np.int64), np.full(quads, -1, np.int64)
    blocks = 0
    for quad in range(quads):
        for at in range(QUAD * quad, QUAD * quad + QUAD):
            if units[at] < 0:
                continue
            for e in range(starts[units[at]], starts[units[at] + 1]):
                other = place[neighbours[e]] // QUAD
                if seen[other] != quad:
                    seen[other] = quad
                    found[blocks] = other
                    blocks += 1
        first[quad + 1] = blocks
    return first, found[:blocks].copy()


@njit(nogil=True, cache=True)
def quads_of(starts, neighbours, values, units, first, columns):  # type: ignore[no-untyped-def]
    """Return the tables of a graph for the places and blocks that the functions above found."""
    place = np.empty(starts.size - 1, np.int32)
    for at in range(units.size):
        if units[at] >= 0:
            place[units[at]] = at
    size = (columns.size, QUAD, PATTERNS)
    tables = on_cache_lines(columns.size * QUAD * PATTERNS).view(np.int32).reshape(size)
    block, J = np.empty(first.size - 1, np.int64), np.zeros((columns.size, QUAD, QUAD), np.int32)
    grain = np.ones(units.size, np.float32)
    for quad in range(first.size - 1):
        for e in range(first[quad], first[quad + 1]):
            block[columns[e]] = e
        for k in range(QUAD):
            i = units[QUAD * quad + k]
            if i < 0:
                continue
            unit = grain_of(values[starts[i] : starts[i + 1]])
            grain[QUAD * quad + k] = unit
            for e in range(starts[i], starts[i + 1]):
                at = place[neighbours[e]]
                J[block[at // QUAD], k, at % QUAD] = np.int32(np.rint(values[e] / unit))
    for e in range(columns.size):
        for k in range(QUAD):
            row = J[e, k]
            for p in range(PATTERNS):
                low = (row[0] if p & 1 else -row[0]) + (row[1] if p & 2 else -row[1])
                high = (row[2] if p & 4 else -row[2]) + (row[3] if p & 8 else -row[3])
                tables[e, k, p] = low + high
    return Quads(units, first, columns, tables, np.zeros(units.size, np.int32), grain)
