"""Sweeps over replicas of one graph in tiles of lanes: load, step through all places sweep by sweep, write back."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isingeq.kernels.blocks import (
    TOGETHER,
    looked_up_step,
    quad_step,
    quad_steps,
    row_step,
    row_steps,
)  # fmt: skip
from isingeq.kernels.colours import QUAD, on_cache_lines
from isingeq.kernels.lanes import LANES
from isingeq.kernels.replica_random import words

WIDTH = 128
"""Lanes per tile: what the couplings of a place are used for, once they have come from far memory."""

ROOM = 2**17
"""Fields per tile, at most, so that they stay in the second cache; not fewer lanes than one step takes, though."""

MANY = TOGETHER * LANES


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


@njit(nogil=True, cache=True)
def _width(places, rows):  # type: ignore[no-untyped-def]
    """Return the lanes of a tile."""
    most = min(WIDTH, max(ROOM // max(1, places) // MANY * MANY, MANY))
    return min(most, (rows + LANES - 1) // LANES * LANES)


@njit(nogil=True, cache=True)
def _set_words(out, row, last, replicas, sweep):  # type: ignore[no-untyped-def]
    """Write the two words of a tile's lanes for one sweep; lanes beyond the last replica repeat it."""
    for lane in range(out.shape[1]):
        key = replicas.keys[min(row + lane, last - 1)]
        out[0, lane], out[1, lane] = words(key, replicas.sweep + sweep)


@njit(nogil=True, cache=True, boundscheck=False)
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
    numbers = np.empty(3, np.float32)
    numbers[1:] = chances.constants
    for row in range(first, last, width):
        lanes = (min(last - row, width) + LANES - 1) // LANES * LANES
        wide = lanes - lanes % MANY
        _set_fields(fields, row, last, replicas, units)
        for group in range(lanes // LANES):
            for at in range(units.size):
                bits = 0
                for k in range(LANES):
                    replica = min(row + group * LANES + k, last - 1)
                    bits |= (spins[replica, units[at]] > 0) << k
                source[at, group] = bits
        for t in range(chances.scales.size):
            numbers[0] = chances.scales[t]
            _set_words(pairs, row, last, replicas, t)
            for at in range(units.size):
                begin, stop = net.starts[at], net.starts[at + 1]
                if lookup:
                    for lane in range(0, lanes, LANES):
                        looked_up_step(
                            net.values, net.columns, net.base, net.grain,
                            source, target, fields, units, pairs, numbers, chances.table,
                            begin, stop, width, lane, at, chances.shift,
                        )  # fmt: skip
                    continue
                for lane in range(0, wide, MANY):
                    row_steps(
                        net.values, net.columns, net.base, net.grain,
                        source, target, fields, units, pairs, numbers, chances.table,
                        begin, stop, width, lane, at, chances.shift,
                    )  # fmt: skip
                for lane in range(wide, lanes, LANES):
                    row_step(
                        net.values, net.columns, net.base, net.grain,
                        source, target, fields, units, pairs, numbers, chances.table,
                        begin, stop, width, lane, at, chances.shift,
                    )  # fmt: skip
            source, target = target, source
        for lane in range(min(last - row, width)):
            s, shift = spins[row + lane], np.uint16(lane % LANES)
            for at in range(units.size):
                up = (source[at, lane // LANES] >> shift) & np.uint16(1)
                s[units[at]] = 2 * np.int8(up) - 1


@njit(nogil=True, cache=True, boundscheck=False)
def sweep_quads(first, last, net, chances, replicas):  # type: ignore[no-untyped-def]
    """Run a sweep per scale on replicas first … last − 1, quad by quad; `net` is `isingeq.kernels.colours.Quads`."""
    spins, units = replicas.spins, net.units
    width, quads = _width(units.size, last - first), units.size // QUAD
    fields = on_cache_lines(units.size * width).reshape((units.size, width))
    pairs = np.empty((2, width), np.uint32)
    # One row more: the last of four quads is read three bytes on.
    fours = (quads + 3) // 4 + 1
    codes = on_cache_lines(fours * width).view(np.uint8).reshape((fours, width, 4))
    numbers = np.empty(3, np.float32)
    numbers[1:] = chances.constants
    for row in range(first, last, width):
        lanes = (min(last - row, width) + LANES - 1) // LANES * LANES
        wide = lanes - lanes % MANY
        _set_fields(fields, row, last, replicas, units)
        for lane in range(lanes):
            s = spins[min(row + lane, last - 1)]
            for quad in range(quads):
                code = 0
                for k in range(QUAD):
                    unit = units[QUAD * quad + k]
                    code |= (unit >= 0 and s[unit] > 0) << k
                codes[quad // 4, lane, quad % 4] = code
        for t in range(chances.scales.size):
            numbers[0] = chances.scales[t]
            _set_words(pairs, row, last, replicas, t)
            for quad in range(quads):
                for lane in range(0, wide, MANY):
                    quad_steps(
                        net.values, net.columns, net.base, net.grain,
                        codes, codes, fields, units, pairs, numbers, chances.table,
                        net.starts[quad], net.starts[quad + 1], width, lane, quad, chances.shift,
                    )  # fmt: skip
                for lane in range(wide, lanes, LANES):
                    quad_step(
                        net.values, net.columns, net.base, net.grain,
                        codes, codes, fields, units, pairs, numbers, chances.table,
                        net.starts[quad], net.starts[quad + 1], width, lane, quad, chances.shift,
                    )  # fmt: skip
        for lane in range(min(last - row, width)):
            s = spins[row + lane]
            for at in range(units.size):
                if units[at] >= 0:
                    up = (codes[at // 16, lane, at // 4 % 4] >> np.uint8(at % 4)) & np.uint8(1)
                    s[units[at]] = 2 * np.int8(up) - 1
