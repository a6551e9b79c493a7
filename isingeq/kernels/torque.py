"""What neighbours do to phases: g_i = Σ_j J_ij (cos φ_j, sin φ_j), over panels of sample lanes.

Dense couplings come as blocks, whose sums stay in vector registers over several units at once; all others as rows of
neighbours. Every lane sums in the order of its couplings, so no result depends on how a batch is split.
"""

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from isingeq.kernels import lanes
from isingeq.kernels.lanes import Vectors

ROWS = 10 if lanes.ROWS == 10 else 2
"""Units per pass over a block: two sums each, as many as the vector registers hold."""

_I64 = ir.IntType(64)


def _add_block(rows: int) -> Any:
    """Build the sum over a block for `rows` units at a time."""

    @intrinsic
    def add(typing, z, g, w, target, source, count, start):  # type: ignore[no-untyped-def]
        i8 = types.int64
        signature = types.void(z, g, w, i8, i8, i8, i8)

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            z_, g_, w_, target_, source_, count_, start_ = args
            v = Vectors(context, builder, z.dtype)
            two = ir.Constant(_I64, 2)
            from_ = v.pointer(z, z_, builder.mul(source_, two))
            into = v.pointer(g, g_, builder.mul(target_, two))
            weights = builder.gep(context.make_array(w)(context, builder, w_).data, [start_])
            offsets = [builder.mul(count_, ir.Constant(_I64, q)) for q in range(rows)]
            places = [ir.Constant(_I64, p) for p in range(2 * rows)]

            def add_source(k, sums):  # type: ignore[no-untyped-def]
                at = builder.mul(k, two)
                c, s = v.load(from_, at), v.load(from_, builder.add(at, ir.Constant(_I64, 1)))
                loads = [builder.load(builder.gep(weights, [builder.add(o, k)])) for o in offsets]
                out = []
                for q, load in enumerate(loads):
                    factor = v.spread(load)
                    out.append(v.call("fma", factor, c, sums[2 * q]))
                    out.append(v.call("fma", factor, s, sums[2 * q + 1]))
                return out

            sums = v.loop(count_, [v.load(into, p) for p in places], add_source)
            for p, total in zip(places, sums, strict=True):
                v.store(total, into, p)
            return context.get_dummy_value()

        return signature, generate

    return add


_add_many, _add_one = _add_block(ROWS), _add_block(1)


@intrinsic
def _add_row(typing, z, g, values, columns, first, last, target):  # type: ignore[no-untyped-def]
    """Add Σ_e values[e] (cos, sin)[columns[e]], first ≤ e < last, to the sums of a unit."""
    i8 = types.int64
    signature = types.void(z, g, values, columns, i8, i8, i8)

    def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
        z_, g_, values_, columns_, first_, last_, target_ = args
        v = Vectors(context, builder, z.dtype)
        zero, one, two = (ir.Constant(_I64, k) for k in range(3))
        into = v.pointer(g, g_, builder.mul(target_, two))
        from_ = v.pointer(z, z_, zero)
        value = builder.gep(context.make_array(values)(context, builder, values_).data, [first_])
        column = builder.gep(context.make_array(columns)(context, builder, columns_).data, [first_])

        def add_entry(e, sums):  # type: ignore[no-untyped-def]
            row = builder.mul(builder.sext(builder.load(builder.gep(column, [e])), _I64), two)
            factor = v.spread(builder.load(builder.gep(value, [e])))
            return [
                v.call("fma", factor, v.load(from_, row), sums[0]),
                v.call("fma", factor, v.load(from_, builder.add(row, one)), sums[1]),
            ]

        start = [v.load(into, zero), v.load(into, one)]
        for p, total in zip(
            (zero, one), v.loop(builder.sub(last_, first_), start, add_entry), strict=True
        ):
            v.store(total, into, p)
        return context.get_dummy_value()

    return signature, generate


@njit(cache=True, boundscheck=False)
def torque(z, g, w, blocks, starts, columns, values):  # type: ignore[no-untyped-def]
    """Write g for a panel z of cosines and sines, both 2 n rows of LANES.

    Args:
        z: per unit a row of cosines and a row of sines.
        g: written, in the same order.
        w: couplings of all blocks, flat.
        blocks: per block and direction first target, number of targets, first source, number of sources, start in `w`.
        starts: of the rows of neighbours (n + 1,); (1,) where there are none.
        columns: neighbours (entries,).
        values: their couplings (entries,).
    """
    g[:] = 0.0
    for b in range(blocks.shape[0]):
        first, targets, source, count, start = blocks[b]
        unit = 0
        while unit + ROWS <= targets:
            _add_many(z, g, w, first + unit, source, count, start + unit * count)
            unit += ROWS
        while unit < targets:
            _add_one(z, g, w, first + unit, source, count, start + unit * count)
            unit += 1
    for i in range(starts.size - 1):
        if starts[i] < starts[i + 1]:
            _add_row(z, g, values, columns, starts[i], starts[i + 1], i)
