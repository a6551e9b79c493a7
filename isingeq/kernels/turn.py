"""Turning samples into lanes and back: blocks of LANES × LANES numbers, transposed in vector registers."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from isingeq.kernels.inner import inner
from isingeq.kernels.lanes import LANES, Vectors

_I64 = ir.IntType(64)


@intrinsic
def _turn_block(typing, source, at, stride, target, to, step, factor):  # type: ignore[no-untyped-def]
    """Write factor · (the transpose of a LANES × LANES block of `source`) to `target`."""
    i8 = types.int64
    if source.layout != "C" or target.layout != "C":
        return None
    signature = types.void(source, i8, i8, target, i8, i8, factor)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source_, at_, stride_, target_, to_, step_, factor_ = args
        v = Vectors(context, builder, source.dtype)
        data = builder.gep(context.make_array(source)(context, builder, source_).data, [at_])
        out = builder.gep(context.make_array(target)(context, builder, target_).data, [to_])
        zero = ir.Constant(_I64, 0)
        number = [ir.Constant(_I64, q) for q in range(LANES)]
        rows = [v.load(builder.gep(data, [builder.mul(stride_, q)]), zero) for q in number]
        swap = LANES // 2
        while swap:
            for i in range(LANES):
                if i & swap:
                    continue
                a, b = rows[i], rows[i + swap]
                upper = [k if not k & swap else LANES + k - swap for k in range(LANES)]
                lower = [k + swap if not k & swap else LANES + k for k in range(LANES)]
                rows[i], rows[i + swap] = (
                    builder.shuffle_vector(
                        a, b, ir.Constant(ir.VectorType(ir.IntType(32), LANES), mask)
                    )
                    for mask in (upper, lower)
                )
            swap //= 2
        scale = v.spread(factor_)
        for q, row in zip(number, rows, strict=True):
            v.store(builder.fmul(row, scale), builder.gep(out, [builder.mul(step_, q)]), zero)
        return context.get_dummy_value()

    return signature, generate


@inner(cache=True)
def to_panel(panel, rows, tile, sign):  # type: ignore[no-untyped-def]
    """Write the samples of a tile, rows (b, n), into a panel, times `sign`; the last sample fills up the last tile."""
    b, n = rows.shape
    factor = panel.dtype.type(sign)
    whole = n - n % LANES if (tile + 1) * LANES <= b else 0
    for i in range(0, whole, LANES):
        _turn_block(rows, tile * LANES * n + i, n, panel, i * LANES, LANES, factor)
    for lane in range(LANES):
        s = min(tile * LANES + lane, b - 1)
        for i in range(whole, n):
            panel[i * LANES + lane] = factor * rows[s, i]


@inner(cache=True)
def from_panel(panel, rows, tile):  # type: ignore[no-untyped-def]
    """Write a panel back into the samples of a tile, rows (b, n)."""
    b, n = rows.shape
    whole = n - n % LANES if (tile + 1) * LANES <= b else 0
    one = panel.dtype.type(1)
    for i in range(0, whole, LANES):
        _turn_block(panel, i * LANES, LANES, rows, tile * LANES * n + i, n, one)
    for lane in range(min(LANES, b - tile * LANES)):
        for i in range(whole, n):
            rows[tile * LANES + lane, i] = panel[i * LANES + lane]
