"""Pools of convolutions on rows of lanes: the largest, or a soft maximum, and what goes back through them."""

from collections.abc import Callable

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from isingeq.kernels.inner import inline
from isingeq.kernels.lanes import LANES, Vectors
from isingeq.kernels.products import add_row, copy_row, whole

FORGET, KEEP, OBEY = range(3)
"""What a pool does with its choice: makes one and forgets it, makes one and keeps it, or goes by the one it kept."""

_I8 = ir.IntType(8)


def _largest(size: int) -> tuple[Callable[..., None], Callable[..., None], Callable[..., None]]:
    """Build the largest of a pool, the one chosen before, and the way back.

    Args:
        size: rows and columns of the pool, written into the code; 0 to be told at run time.
    """

    def each(v, pool, step, hop, start, body):  # type: ignore[no-untyped-def]
        """Run `body(q, row, carried)` for every place of a pool."""
        if size:
            for q in range(size**2):
                y, x = divmod(q, size)
                along = v.builder.add(v.builder.mul(step, whole(y)), v.builder.mul(hop, whole(x)))
                start = body(ir.Constant(_I8, q), along, start)
            return start

        def look_along(y, carried):  # type: ignore[no-untyped-def]
            def look(x, carried):  # type: ignore[no-untyped-def]
                along = v.builder.add(v.builder.mul(y, step), v.builder.mul(x, hop))
                q = v.builder.trunc(v.builder.add(v.builder.mul(y, pool), x), _I8)
                return body(q, along, carried)

            return v.loop(pool, carried, look)

        return v.loop(pool, start, look_along)

    @intrinsic
    def take(typing, z, row, sums, at, step, hop, pool, choices, place):  # type: ignore[no-untyped-def]
        i8 = types.int64
        signature = types.void(z, i8, sums, i8, i8, i8, i8, choices, i8)

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            z_, row_, sums_, at_, step_, hop_, pool_, choices_, place_ = args
            v, kept = (Vectors(context, builder, kind) for kind in (z.dtype, types.int8))
            first = v.pointer(sums, sums_, at_)

            def compare(q, along, seen):  # type: ignore[no-untyped-def]
                value = v.load(first, along)
                above = builder.fcmp_ordered(">", value, seen[0])
                return [
                    builder.select(above, value, seen[0]),
                    builder.select(above, kept.spread(q), seen[1]),
                ]

            start = [v.load(first, whole(0)), ir.Constant(kept.type, [0] * LANES)]
            best, where = each(v, pool_, step_, hop_, start, compare)
            target = v.pointer(z, z_, row_)
            v.store(builder.fadd(v.load(target, whole(0)), best), target, whole(0))
            kept.store(where, kept.pointer(choices, choices_, place_), whole(0))
            return context.get_dummy_value()

        return signature, generate

    @intrinsic
    def take_chosen(typing, z, row, sums, at, step, hop, pool, choices, place):  # type: ignore[no-untyped-def]
        i8 = types.int64
        signature = types.void(z, i8, sums, i8, i8, i8, i8, choices, i8)

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            z_, row_, sums_, at_, step_, hop_, pool_, choices_, place_ = args
            v, kept = (Vectors(context, builder, kind) for kind in (z.dtype, types.int8))
            first = v.pointer(sums, sums_, at_)
            where = kept.load(kept.pointer(choices, choices_, place_), whole(0))

            def pick(q, along, found):  # type: ignore[no-untyped-def]
                chosen = builder.icmp_signed("==", where, kept.spread(q))
                return [builder.select(chosen, v.load(first, along), found[0])]

            found = each(v, pool_, step_, hop_, [v.fill(0.0)], pick)[0]
            target = v.pointer(z, z_, row_)
            v.store(builder.fadd(v.load(target, whole(0)), found), target, whole(0))
            return context.get_dummy_value()

        return signature, generate

    @intrinsic
    def give(typing, sums, at, step, hop, x, row, pool, choices, place):  # type: ignore[no-untyped-def]
        i8 = types.int64
        signature = types.void(sums, i8, i8, i8, x, i8, i8, choices, i8)

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            sums_, at_, step_, hop_, x_, row_, pool_, choices_, place_ = args
            v, kept = (Vectors(context, builder, kind) for kind in (x.dtype, types.int8))
            first = v.pointer(sums, sums_, at_)
            value = v.load(v.pointer(x, x_, row_), whole(0))
            where = kept.load(kept.pointer(choices, choices_, place_), whole(0))

            def spread(q, along, nothing):  # type: ignore[no-untyped-def]
                chosen = builder.icmp_signed("==", where, kept.spread(q))
                v.store(builder.select(chosen, value, v.fill(0.0)), first, along)
                return nothing

            each(v, pool_, step_, hop_, [], spread)
            return context.get_dummy_value()

        return signature, generate

    return take, take_chosen, give


_take_two, _chosen_two, _give_two = _largest(2)
_take_largest, _chosen_largest, _give_largest = _largest(0)


@inline
def _take_softly(z, row, sums, at, step, hop, pool, sharpness, shares, share):  # type: ignore[no-untyped-def]
    """Add ln(mean e^(sharpness z)) / sharpness of a pool to a row, and write the shares of its places."""
    for lane in range(LANES):
        best = sums[at * LANES + lane]
        for q in range(pool * pool):
            best = max(best, sums[(at + q // pool * step + q % pool * hop) * LANES + lane])
        total = 0.0
        for q in range(pool * pool):
            value = sums[(at + q // pool * step + q % pool * hop) * LANES + lane]
            weight = np.exp(sharpness * (value - best))
            shares[(share + q) * LANES + lane] = weight
            total += weight
        for q in range(pool * pool):
            shares[(share + q) * LANES + lane] /= total
        z[row * LANES + lane] += best + np.log(total / (pool * pool)) / sharpness


@inline
def _give_softly(sums, at, step, hop, x, row, pool, shares, share):  # type: ignore[no-untyped-def]
    """Write the shares of a row to the places of its pool."""
    for q in range(pool * pool):
        place = at + q // pool * step + q % pool * hop
        for lane in range(LANES):
            sums[place * LANES + lane] = shares[(share + q) * LANES + lane] * x[row * LANES + lane]


@inline
def take(z, unit, sums, at, step, hop, m, room, how):  # type: ignore[no-untyped-def]
    """Add the pool of the sums of a unit to it.

    Args:
        z: panel of the target, changed.
        unit: of the target.
        sums: panel.
        at: its first row of the pool.
        step: from row to row of the pool.
        hop: from column to column.
        m: the convolution.
        room: keeps the choice: the first of equals in row-major order, or the shares of a soft maximum.
        how: FORGET, where what stands behind all choices is written instead; KEEP; or OBEY, not of soft maxima.
    """
    row, area = m.target + unit, m.pool * m.pool
    if m.pool == 1:
        add_row(z, row, sums, at)
    elif m.sharpness > 0.0:
        share = m.share + unit * area if how == KEEP else room.shares.size // LANES - area
        _take_softly(z, row, sums, at, step, hop, m.pool, m.sharpness, room.shares, share)
    else:
        place = m.choice + unit if how != FORGET else room.choices.size // LANES - 1
        if how == OBEY:
            if m.pool == 2:
                _chosen_two(z, row, sums, at, step, hop, 2, room.choices, place)
            else:
                _chosen_largest(z, row, sums, at, step, hop, m.pool, room.choices, place)
        elif m.pool == 2:
            _take_two(z, row, sums, at, step, hop, 2, room.choices, place)
        else:
            _take_largest(z, row, sums, at, step, hop, m.pool, room.choices, place)


@inline
def give(sums, at, step, hop, x, unit, m, room):  # type: ignore[no-untyped-def]
    """Write a unit of the target to the places of its pool as they were chosen; see `take`."""
    row, place = m.target + unit, m.choice + unit
    if m.pool == 1:
        copy_row(sums, at, x, row)
    elif m.sharpness > 0.0:
        share = m.share + unit * m.pool * m.pool
        _give_softly(sums, at, step, hop, x, row, m.pool, room.shares, share)
    elif m.pool == 2:
        _give_two(sums, at, step, hop, x, row, 2, room.choices, place)
    else:
        _give_largest(sums, at, step, hop, x, row, m.pool, room.choices, place)
