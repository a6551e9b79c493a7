"""Minimal filtering: convolutions of small windows with fewer products.

    Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A

F(m × m, k × k) finds an m × m tile of results from n × n numbers, n = m + k − 1, with n² products in place of
m² k². Columns of G and Bᵀ are powers and Lagrange polynomials at n − 1 points; the last one is the point at infinity.
Winograd, Arithmetic Complexity of Computations (1980); Lavin & Gray, CVPR 2016. The transpose of every step is
taken for the way back, so both directions work with the same couplings.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic, register_jitable
from numpy.typing import NDArray

from isingeq.kernels.inner import clear, inline
from isingeq.kernels.lanes import LANES, Vectors
from isingeq.kernels.pooling import give, take
from isingeq.kernels.products import FOUR, product, whole, write_line
from isingeq.kernels.sliding import add_inside, frame

Matrix = NDArray[np.float64]

POINTS = {
    4: (0.0, 1.0, -1.0),
    6: (0.0, 0.75, -0.75, 1.5, -1.5),
    8: (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5),
}
"""Points per n: those with the smallest error in float32 of the few tried, about that of the plain sum."""

TILES = ((2, 3), (4, 3), (4, 5))
"""Tile and window (m, k) of the algorithms at hand."""


BLOCK = 4
"""Groups of channels whose products are found before they are transformed: few enough to stay in a cache."""


class Matrices(NamedTuple):
    """Of one algorithm: Bᵀ (n, n), G (n, k), Aᵀ (m, n)."""

    data: Matrix
    weights: Matrix
    result: Matrix


@cache
def matrices(tile: int, kernel: int) -> Matrices:
    """Return the matrices of F(tile, kernel)."""
    n = tile + kernel - 1
    points = np.array(POINTS[n])
    data, weights, result = np.zeros((n, n)), np.zeros((n, kernel)), np.zeros((tile, n))
    for j, point in enumerate(points):
        others = np.delete(points, j)
        data[j, : n - 1] = np.poly(others)[::-1]
        weights[j] = point ** np.arange(kernel) / np.prod(point - others)
        result[:, j] = point ** np.arange(tile)
    data[n - 1], weights[n - 1, -1], result[-1, n - 1] = np.poly(points)[::-1], 1.0, 1.0
    return Matrices(data, weights, result)


def squares(of: Callable[[Matrices], Matrix], *, add: bool = False) -> Callable[..., None]:
    """Build target = matrix · source · matrixᵀ on squares of rows of lanes, for every algorithm; see `write_line`.

    Args:
        of: picks the matrix.
        add: to what stands there.
    """
    known = {tile + kernel - 1: of(matrices(tile, kernel)) for tile, kernel in TILES}

    @intrinsic
    def transform(typing, n, target, to, fall, hop, source, at, drop, step, scratch):  # type: ignore[no-untyped-def]
        i8 = types.int64
        signature = types.void(i8, target, i8, i8, i8, source, i8, i8, i8, scratch)

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            n_, target_, to_, fall_, hop_, source_, at_, drop_, step_, scratch_ = args
            v, one = Vectors(context, builder, target.dtype), whole(1)

            def emit(matrix: Matrix) -> None:
                rows, columns = (whole(size) for size in matrix.shape)

                def down(j, nothing):  # type: ignore[no-untyped-def]
                    first = v.pointer(source, source_, builder.add(at_, builder.mul(j, step_)))
                    write_line(
                        v, matrix, first, drop_, v.pointer(scratch, scratch_, j), columns, add=False
                    )
                    return nothing

                def across(i, nothing):  # type: ignore[no-untyped-def]
                    first = v.pointer(scratch, scratch_, builder.mul(i, columns))
                    row = v.pointer(target, target_, builder.add(to_, builder.mul(i, fall_)))
                    write_line(v, matrix, first, one, row, hop_, add=add)
                    return nothing

                v.loop(columns, [], down)
                v.loop(rows, [], across)

            for numbers, matrix in known.items():
                with builder.if_then(builder.icmp_signed("==", n_, whole(numbers))):
                    emit(matrix)
            return context.get_dummy_value()

        return signature, generate

    return transform


@register_jitable
def span(channels):  # type: ignore[no-untyped-def]
    """Return the rows from number to number of four tiles: odd, so that they spread over the sets of a cache."""
    return channels * FOUR + 1


@inline
def _multiply(target, source, weights, at, areas, count, groups, first, last):  # type: ignore[no-untyped-def]
    """Multiply the channels of four tiles by weights, number by number: the groups first … last − 1 of the result.

    Args:
        target: rows by number, channel and tile, changed.
        source: rows by number, channel and tile.
        weights: by number, group of four results, channel and place in the group.
        at: first weight.
        areas: numbers per tile.
        count: channels of the source.
        groups: of the result.
        first: group.
        last: one past the last group.
    """
    for f in range(areas):
        base = f * span(count)
        bases = (base, base + 1, base + 2, base + 3)
        for g in range(first, last):
            row = f * span((last - first) * FOUR) + (g - first) * FOUR * FOUR
            start = at + (f * groups + g) * count * FOUR
            product(target, row, FOUR, source, bases, FOUR, count, 1, 0, weights, start, 0)


_take_in = squares(lambda of: of.data)
_give_out = squares(lambda of: of.result)
_give_in = squares(lambda of: of.result.T)
_take_out = squares(lambda of: of.data.T, add=True)


def up(z, x, m, weights, room, how):  # type: ignore[no-untyped-def]
    """Add a pooled convolution; see `convolve.up`."""
    across = -(-m.columns * m.pool // m.tile)
    tiles = -(-m.rows * m.pool // m.tile) * across
    image, base, width = x, m.source, m.frame_columns
    if m.framed:
        frame(room.image, x, m)
        image, base = room.image, 0
    c, groups, squares = m.channels, -(-m.outputs // FOUR), m.tile // m.pool
    n, line = m.tile + m.kernel - 1, span(c)
    for first in range(0, tiles, FOUR):
        for p in range(min(FOUR, tiles - first)):
            y, x_ = (first + p) // across, (first + p) % across
            corner = base + (y * width + x_) * m.tile * c
            for i in range(c):
                _take_in(
                    n, room.before, i * FOUR + p, n * line, line,
                    image, corner + i, width * c, c, room.scratch,
                )  # fmt: skip
        for block in range(0, groups, BLOCK):
            last = min(block + BLOCK, groups)
            _multiply(room.after, room.before, weights, m.up, n * n, c, groups, block, last)
            rows = span((last - block) * FOUR)
            for p in range(min(FOUR, tiles - first)):
                y, x_ = (first + p) // across, (first + p) % across
                for j in range(block * FOUR, min(last * FOUR, m.outputs)):
                    _give_out(
                        n, room.sums, 0, m.tile, 1,
                        room.after, (j - block * FOUR) * FOUR + p, n * rows, rows, room.scratch,
                    )  # fmt: skip
                    for sy in range(y * squares, min((y + 1) * squares, m.rows)):
                        for sx in range(x_ * squares, min((x_ + 1) * squares, m.columns)):
                            unit = (sy * m.columns + sx) * m.outputs + j
                            at = ((sy - y * squares) * m.tile + sx - x_ * squares) * m.pool
                            take(z, unit, room.sums, at, m.tile, 1, m, room, how)


def down(z, x, m, weights, room, _how):  # type: ignore[no-untyped-def]
    """Add the transpose of a pooled convolution; see `convolve.down`."""
    across = -(-m.columns * m.pool // m.tile)
    tiles = -(-m.rows * m.pool // m.tile) * across
    image, base, width = z, m.source, m.frame_columns
    if m.framed:
        image, base = room.image, 0
        clear(image, 0, m.frame_rows * width * m.channels * LANES)
    c, o, groups, squares = m.channels, m.outputs, -(-m.channels // FOUR), m.tile // m.pool
    n, line = m.tile + m.kernel - 1, span(o)
    for first in range(0, tiles, FOUR):
        for p in range(min(FOUR, tiles - first)):
            y, x_ = (first + p) // across, (first + p) % across
            if (y + 1) * squares > m.rows or (x_ + 1) * squares > m.columns:
                clear(room.sums, 0, m.tile * m.tile * LANES)
            for j in range(o):
                for sy in range(y * squares, min((y + 1) * squares, m.rows)):
                    for sx in range(x_ * squares, min((x_ + 1) * squares, m.columns)):
                        unit = (sy * m.columns + sx) * o + j
                        at = ((sy - y * squares) * m.tile + sx - x_ * squares) * m.pool
                        give(room.sums, at, m.tile, 1, x, unit, m, room)
                _give_in(
                    n, room.before, j * FOUR + p, n * line, line,
                    room.sums, 0, m.tile, 1, room.scratch,
                )  # fmt: skip
        for block in range(0, groups, BLOCK):
            last = min(block + BLOCK, groups)
            _multiply(room.after, room.before, weights, m.down, n * n, o, groups, block, last)
            rows = span((last - block) * FOUR)
            for p in range(min(FOUR, tiles - first)):
                y, x_ = (first + p) // across, (first + p) % across
                corner = base + (y * width + x_) * m.tile * c
                for i in range(block * FOUR, min(last * FOUR, c)):
                    _take_out(
                        n, image, corner + i, width * c, c,
                        room.after, (i - block * FOUR) * FOUR + p, n * rows, rows, room.scratch,
                    )  # fmt: skip
    if m.framed:
        add_inside(z, image, m)
