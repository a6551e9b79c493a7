"""Sweeps over replicas of one graph in tiles of lanes: load, step through all places sweep by sweep, write back."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isingeq.kernels.acceptance import FARTHEST
from isingeq.kernels.blocks import (
    TOGETHER,
    row_heat_bath,
    row_looked_up,
    row_metropolis,
    table_heat_bath,
    table_metropolis,
)
from isingeq.kernels.colours import SIXTEEN, on_cache_lines
from isingeq.kernels.inner import inner
from isingeq.kernels.lanes import LANES
from isingeq.kernels.replica_random import words

WIDTH = 128
"""Lanes per tile: what the couplings of a place are used for, once they have come from far memory."""

ROOM = 2**17
"""Fields per tile, at most, so that they stay in the second cache; not fewer lanes than one step takes, though."""

MANY = TOGETHER * LANES

EMPTY = np.uint32(0x30201000)
"""State of sixteen spins that are down, as tables are looked up by: bits 4 and 5 of a byte are its number."""


class Chances(NamedTuple):
    """How spins decide; see `isingeq.kernels.acceptance`.

    Attributes:
        scales: factor of every sweep (sweeps,).
        constants: the two further numbers of the rule (2,).
        shift: bits by which random words are cut short.
        table: counts of the looked-up rule; one number where there is none.
    """

    scales: NDArray[np.float32]
    constants: NDArray[np.float32]
    shift: int
    table: NDArray[np.uint32]


class Replicas(NamedTuple):
    """What is swept.

    Attributes:
        h: fields (b, n).
        spins: ±1 (b·r, n), changed.
        keys: of the replicas' random numbers (b·r,), by `replica_random.replica_keys`.
        reads: replicas per sample.
        sweep: number of the first sweep.
    """

    h: NDArray[np.float64]
    spins: NDArray[np.int8]
    keys: NDArray[np.uint64]
    reads: int
    sweep: int


@inner(cache=True)
def _lanes(rows):  # type: ignore[no-untyped-def]
    """Return the lanes that rows take: two vectors or three are slower one by one than four together."""
    lanes = (rows + LANES - 1) // LANES * LANES
    return lanes if lanes % MANY <= LANES else lanes // MANY * MANY + MANY


@inner(cache=True)
def _width(places, rows):  # type: ignore[no-untyped-def]
    """Return the lanes of a tile."""
    return min(WIDTH, max(ROOM // max(1, places) // MANY * MANY, MANY), _lanes(rows))


@inner(cache=True)
def _set_words(out, row, last, replicas, sweep):  # type: ignore[no-untyped-def]
    """Write the two words of a tile's lanes for one sweep; lanes beyond the last replica repeat it."""
    for lane in range(out.shape[1]):
        key = replicas.keys[min(row + lane, last - 1)]
        out[0, lane], out[1, lane] = words(key, replicas.sweep + sweep)


@inner(cache=True)
def _word(chances, lookup):  # type: ignore[no-untyped-def]
    """Return the whole number of the rule: a shift, or the mask of the random bits that count."""
    return np.int64(chances.shift if lookup else (0xFFFFFFFF << chances.shift) & 0xFFFFFFFF)


@inner(cache=True)
def _set_numbers(numbers, chances, sweep, lookup):  # type: ignore[no-untyped-def]
    """Write the numbers of the rule for one sweep."""
    scale = chances.scales[sweep]
    numbers[0] = scale
    if lookup:
        numbers[1], numbers[2] = chances.constants[0], chances.constants[1]
    else:
        numbers[1] = np.float32(FARTHEST) / max(scale, np.float32(1e-36))
        numbers[2] = np.float32(0.5) * chances.constants[1]


@inner(cache=True, boundscheck=False)
def _set_fields(fields, row, last, replicas, units):  # type: ignore[no-untyped-def]
    """Write h of a tile's lanes, place by place."""
    samples = np.empty(LANES, np.int64)
    for group in range(0, fields.shape[1], LANES):
        for k in range(LANES):
            samples[k] = min(row + group + k, last - 1) // replicas.reads
        for at in range(units.size):
            for k in range(LANES):
                h = replicas.h[samples[k], units[at]] if units[at] >= 0 else 0.0
                fields[at, group + k] = np.float32(h)


@njit(nogil=True, cache=True, boundscheck=False)
def sweep_rows(first, last, net, chances, replicas, together, lookup):  # type: ignore[no-untyped-def]
    """Run a sweep per scale on replicas first … last − 1, place by place.

    Args:
        first: first replica.
        last: one past the last replica.
        net: `isingeq.kernels.colours.Rows`.
        chances: `Chances`.
        replicas: `Replicas`.
        together: every spin sees all others as they were before the sweep.
        lookup: decide by the table.
    """
    spins, units = replicas.spins, net.units
    width = _width(units.size, last - first)
    fields = on_cache_lines(units.size * width).reshape((units.size, width))
    pairs = np.empty((2, width), np.uint32)
    source = np.empty((units.size, width // LANES), np.uint16)
    target = np.empty_like(source) if together else source
    numbers, table = np.empty(3, np.float32), chances.table
    bath, word = chances.constants[0] > 0, _word(chances, lookup)
    for row in range(first, last, width):
        lanes = _lanes(min(last - row, width))
        _set_fields(fields, row, last, replicas, units)
        for group in range(lanes // LANES):
            for at in range(units.size):
                bits = 0
                for k in range(LANES):
                    replica = min(row + group * LANES + k, last - 1)
                    bits |= (spins[replica, units[at]] > 0) << k
                source[at, group] = bits
        for t in range(chances.scales.size):
            _set_numbers(numbers, chances, t, lookup)
            _set_words(pairs, row, last, replicas, t)
            for at in range(units.size):
                if lookup:
                    row_looked_up(
                        net.values, net.columns, net.base, net.grain,
                        source, target, fields, units, pairs, numbers, table,
                        net.starts[at], net.starts[at + 1], width, lanes, at, word,
                    )  # fmt: skip
                elif bath:
                    row_heat_bath(
                        net.values, net.columns, net.base, net.grain,
                        source, target, fields, units, pairs, numbers, table,
                        net.starts[at], net.starts[at + 1], width, lanes, at, word,
                    )  # fmt: skip
                else:
                    row_metropolis(
                        net.values, net.columns, net.base, net.grain,
                        source, target, fields, units, pairs, numbers, table,
                        net.starts[at], net.starts[at + 1], width, lanes, at, word,
                    )  # fmt: skip
            source, target = target, source
        for lane in range(min(last - row, width)):
            s, shift = spins[row + lane], np.uint16(lane % LANES)
            for at in range(units.size):
                up = (source[at, lane // LANES] >> shift) & np.uint16(1)
                s[units[at]] = 2 * np.int8(up) - 1


@njit(inline="always")
def _bit(place):  # type: ignore[no-untyped-def]
    """Return the bit of a spin in the state of its sixteen: four to a byte."""
    return np.uint32(place // 4 % 4 * 8 + place % 4)


@njit(nogil=True, cache=True, boundscheck=False)
def sweep_tables(first, last, net, chances, replicas):  # type: ignore[no-untyped-def]
    """Run a sweep per scale on replicas first … last − 1, place by place; `net` is `isingeq.kernels.colours.Tables`."""
    spins, units = replicas.spins, net.units
    width, sixteens = _width(units.size, last - first), (units.size + SIXTEEN - 1) // SIXTEEN
    fields = on_cache_lines(units.size * width).reshape((units.size, width))
    pairs = np.empty((2, width), np.uint32)
    codes = on_cache_lines(sixteens * width).view(np.uint32).reshape((sixteens, width))
    numbers, table = np.empty(3, np.float32), chances.table
    bath, word = chances.constants[0] > 0, _word(chances, False)
    for row in range(first, last, width):
        lanes = _lanes(min(last - row, width))
        _set_fields(fields, row, last, replicas, units)
        codes[:] = EMPTY
        for lane in range(lanes):
            s = spins[min(row + lane, last - 1)]
            for at in range(units.size):
                codes[at // SIXTEEN, lane] |= np.uint32(s[units[at]] > 0) << _bit(at)
        for t in range(chances.scales.size):
            _set_numbers(numbers, chances, t, False)
            _set_words(pairs, row, last, replicas, t)
            for at in range(units.size):
                if bath:
                    table_heat_bath(
                        net.values, net.columns, net.base, net.grain,
                        codes, codes, fields, units, pairs, numbers, table,
                        net.starts[at], net.starts[at + 1], width, lanes, at, word,
                    )  # fmt: skip
                else:
                    table_metropolis(
                        net.values, net.columns, net.base, net.grain,
                        codes, codes, fields, units, pairs, numbers, table,
                        net.starts[at], net.starts[at + 1], width, lanes, at, word,
                    )  # fmt: skip
        for lane in range(min(last - row, width)):
            s = spins[row + lane]
            for at in range(units.size):
                up = (codes[at // SIXTEEN, lane] >> _bit(at)) & np.uint32(1)
                s[units[at]] = 2 * np.int8(up) - 1
