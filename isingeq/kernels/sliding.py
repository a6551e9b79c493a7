"""Convolutions summed weight by weight, for windows of any size, stride and padding."""

from isingeq.kernels.inner import clear, inline
from isingeq.kernels.lanes import LANES
from isingeq.kernels.pooling import give, take
from isingeq.kernels.products import FOUR, add_row, product


@inline
def frame(image, x, m):  # type: ignore[no-untyped-def]
    """Copy a source into the frame of zeros around it."""
    run, line = m.width * m.channels * LANES, m.frame_columns * m.channels * LANES
    left = m.padding * m.channels * LANES
    for y in range(m.frame_rows):
        row, inside = y * line, y - m.padding
        if inside < 0 or inside >= m.height:
            clear(image, row, row + line)
            continue
        start = m.source * LANES + inside * run
        clear(image, row, row + left)
        for e in range(run):
            image[row + left + e] = x[start + e]
        clear(image, row + left + run, row + line)


@inline
def add_inside(z, image, m):  # type: ignore[no-untyped-def]
    """Add what stands inside a frame to a source."""
    for y in range(m.height):
        row = m.source + y * m.width * m.channels
        start = ((y + m.padding) * m.frame_columns + m.padding) * m.channels
        for i in range(m.width * m.channels):
            add_row(z, row + i, image, start + i)


@inline
def _four(origin, first, last, across, drop, step):  # type: ignore[no-untyped-def]
    """Return the rows of four places of a grid, the last place again where there are no more."""
    a, b, c, d = first, min(first + 1, last), min(first + 2, last), min(first + 3, last)
    return (
        origin + a // across * drop + a % across * step,
        origin + b // across * drop + b % across * step,
        origin + c // across * drop + c % across * step,
        origin + d // across * drop + d % across * step,
    )


def up(z, x, m, weights, room, how):  # type: ignore[no-untyped-def]
    """Add a pooled convolution; see `convolve.up`."""
    image, base, c = x, m.source, m.channels
    if m.framed:
        frame(room.image, x, m)
        image, base = room.image, 0
    line, area, squares = m.frame_columns * c, m.pool * m.pool, m.rows * m.columns
    drop, step = m.stride * line, m.stride * c
    together = FOUR if m.pool == 1 else 1
    span = -(-area * together // FOUR) * FOUR
    for g in range(-(-m.outputs // FOUR)):
        weight = m.up + g * m.kernel * m.kernel * c * FOUR
        for square in range(0, squares, together):
            count = min(together, squares - square) * area
            origin, start, across = base, square, m.columns
            if m.pool > 1:
                origin += square // m.columns * m.pool * drop + square % m.columns * m.pool * step
                start, across = 0, m.pool

            for q in range(0, count, FOUR):
                corners = _four(origin, start + q, start + count - 1, across, drop, step)
                product(
                    room.sums, q, span, image, corners,
                    1, m.kernel * c, m.kernel, line, weights, weight, m.kernel * c,
                )  # fmt: skip
            for r in range(min(FOUR, m.outputs - g * FOUR)):
                for q in range(0, count, area):
                    unit = (square + q // area) * m.outputs + g * FOUR + r
                    take(z, unit, room.sums, r * span + q, m.pool, 1, m, room, how)


@inline
def _reach(low, high, taps, swept):  # type: ignore[no-untyped-def]
    """Return the first of the taps that meet the target from places low … high, and one past the last."""
    return max(0, taps - 1 - high), min(taps, swept + taps - 1 - low)


def down(z, x, m, weights, room, _how):  # type: ignore[no-untyped-def]
    """Add the transpose of a pooled convolution; see `convolve.down`.

    Places of the source that lie alike on the stride see the same weights: one convolution for each way to lie,
    over the target spread over its pools, with the weights turned round.
    """
    o, c, s = m.outputs, m.channels, m.stride
    border = (m.kernel - 1) // s
    wide = border + (m.width - 1 + m.padding) // s + 1
    tall = border + (m.height - 1 + m.padding) // s + 1
    clear(room.image, 0, tall * wide * o * LANES)
    for y in range(m.rows):
        for x_ in range(m.columns):
            at = ((border + y * m.pool) * wide + border + x_ * m.pool) * o
            for j in range(o):
                unit = (y * m.columns + x_) * o + j
                give(room.image, at + j, wide * o, o, x, unit, m, room)
    start, groups = m.down, -(-c // FOUR)
    for py in range(min(s, m.kernel)):
        for px in range(min(s, m.kernel)):
            rows, columns = (m.kernel - 1 - py) // s + 1, (m.kernel - 1 - px) // s + 1
            top, left = (py - m.padding) % s, (px - m.padding) % s
            up, along = (top + m.padding) // s, (left + m.padding) // s
            across = (m.width - 1 - left) // s + 1 if left < m.width else 0
            places = ((m.height - 1 - top) // s + 1) * across if top < m.height else 0
            pitch = columns * o
            for q in range(0, places, FOUR):
                last = min(q + FOUR, places) - 1
                y0, x0 = q // across, q % across
                y1, x1 = last // across, last % across
                if y1 > y0:
                    x0, x1 = 0, across - 1
                high, low = _reach(up + y0, up + y1, rows, m.rows * m.pool)
                near, far = _reach(along + x0, along + x1, columns, m.columns * m.pool)
                if low <= high or far <= near:
                    continue

                origin = (
                    (border + up - rows + 1 + high) * wide + border + along - columns + 1 + near
                )
                corners = _four(origin * o, q, last, across, wide * o, o)
                for g in range(groups):
                    first = start + (g * rows * pitch + high * pitch + near * o) * FOUR
                    product(
                        room.sums, 0, FOUR, room.image, corners,
                        1, (far - near) * o, low - high, wide * o, weights, first, pitch,
                    )  # fmt: skip
                    for p in range(last + 1 - q):
                        y, x_ = (q + p) // across, (q + p) % across
                        row = ((top + y * s) * m.width + left + x_ * s) * c + g * FOUR
                        for r in range(min(FOUR, c - g * FOUR)):
                            add_row(z, m.source + row + r, room.sums, r * FOUR + p)
            start += groups * rows * pitch * FOUR
