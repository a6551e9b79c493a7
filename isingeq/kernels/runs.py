"""Sums over runs of numbers that lie here and there in memory, as LLVM vectors.

    add_runs     out[j] += Σ_e value[e] source[start[e] + j]
    dot_four     Σ_j row[j] source[start[q] + j]          for four starts

Sums stay in vector registers while entries, or numbers, pass by.
"""

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from isingeq.kernels.inner import inner
from isingeq.kernels.lanes import LANES, Vectors

WIDE = 10 if llvm.get_host_cpu_features().get("avx512f", False) else 5
"""Vectors of LANES numbers whose sums the registers hold: a run of a 5 × 5 window over 32 channels, where they do."""

_I64, _I32 = ir.IntType(64), ir.IntType(32)


def _add_block(width: int) -> Any:
    """Build the sum over `width` vectors at a time."""

    @intrinsic
    def add_block(typing, out, at, values, starts, count, source, shift):  # type: ignore[no-untyped-def]
        i8 = types.int64
        signature = types.void(out, i8, values, starts, i8, source, i8)

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            out_, at_, values_, starts_, count_, source_, shift_ = args
            v = Vectors(context, builder, out.dtype)

            def data(kind, array, offset):  # type: ignore[no-untyped-def]
                return builder.gep(context.make_array(kind)(context, builder, array).data, [offset])

            zero = ir.Constant(_I64, 0)
            value, start = data(values, values_, zero), data(starts, starts_, zero)
            runs, target = data(source, source_, shift_), data(out, out_, at_)
            number = [ir.Constant(_I64, q) for q in range(width)]

            def add(e, sums):  # type: ignore[no-untyped-def]
                run = builder.gep(runs, [builder.load(builder.gep(start, [e]))])
                factor = v.spread(builder.load(builder.gep(value, [e])))
                return [
                    v.call("fma", factor, v.load(run, q), s)
                    for q, s in zip(number, sums, strict=True)
                ]

            sums = v.loop(count_, [v.load(target, q) for q in number], add)
            for q, total in zip(number, sums, strict=True):
                v.store(total, target, q)
            return context.get_dummy_value()

        return signature, generate

    return add_block


_wide, _four, _two, _one = (_add_block(width) for width in (WIDE, 4, 2, 1))


@inner
def add_runs(out, at, size, values, starts, count, source, shift):  # type: ignore[no-untyped-def]
    """Add to out[at : at + size] every entry's value times its run of the source; size is a multiple of LANES.

    Args:
        out: flat, changed.
        at: first number changed.
        size: of a run.
        values: factor per entry.
        starts: where an entry's run begins, less `shift`.
        count: of entries.
        source: flat.
        shift: added to every start.
    """
    j = 0
    while j + WIDE * LANES <= size:
        _wide(out, at + j, values, starts, count, source, shift + j)
        j += WIDE * LANES
    while j + 4 * LANES <= size:
        _four(out, at + j, values, starts, count, source, shift + j)
        j += 4 * LANES
    if j + 2 * LANES <= size:
        _two(out, at + j, values, starts, count, source, shift + j)
        j += 2 * LANES
    if j < size:
        _one(out, at + j, values, starts, count, source, shift + j)


@intrinsic
def dot_four(typing, row, starts, at, source, vectors, out):  # type: ignore[no-untyped-def]
    """Write Σ_j row[j] source[starts[at + q] + j] to out[q], q < 4, over `vectors` · LANES numbers."""
    i8 = types.int64
    signature = types.void(row, starts, i8, source, i8, out)

    def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
        row_, starts_, at_, source_, vectors_, out_ = args
        v = Vectors(context, builder, row.dtype)
        pointers = [
            context.make_array(kind)(context, builder, array).data
            for kind, array in ((row, row_), (starts, starts_), (source, source_), (out, out_))
        ]
        one, start, runs, result = pointers
        places = [
            builder.gep(
                runs,
                [builder.load(builder.gep(start, [builder.add(at_, ir.Constant(_I64, q))]))],
            )
            for q in range(4)
        ]

        def add(j, sums):  # type: ignore[no-untyped-def]
            numbers = v.load(one, j)
            return [
                v.call("fma", numbers, v.load(place, j), s)
                for place, s in zip(places, sums, strict=True)
            ]

        for q, sums in enumerate(v.loop(vectors_, [v.fill(0.0)] * 4, add)):
            width = LANES
            while width > 1:  # the upper half onto the lower
                width //= 2
                halves = [
                    builder.shuffle_vector(
                        sums, sums, ir.Constant(ir.VectorType(_I32, width), [first + k for k in range(width)])
                    )
                    for first in (0, width)
                ]  # fmt: skip
                sums = builder.fadd(*halves)
            total = builder.extract_element(sums, ir.Constant(_I32, 0))
            builder.store(total, builder.gep(result, [ir.Constant(_I64, q)]))
        return context.get_dummy_value()

    return signature, generate
