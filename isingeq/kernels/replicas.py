"""Fields and energies of many replicas at once, on tiles of lanes: Σ_j J_ij x_j for real couplings.

A tile is a flat array of n rows of `vectors` · LANES numbers: one row per spin, one column per replica. The field of
a row is summed in vector registers, over the entries of a sparse row or, for `ROWS` rows at a time, over all columns
of a matrix. Every lane sums in the order of its couplings, whatever stands beside it and however wide the tile is, so
no result depends on how replicas are split.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from isingeq.kernels.inner import inner
from isingeq.kernels.lanes import LANES, Vectors

Floats = NDArray[np.floating]

WIDE, MIDDLE, NARROW = 4, 2, 1
"""Vectors per row of a tile."""

ROWS = 6
"""Rows of a matrix per pass: with four vectors each, 24 sums in 32 registers."""

_I64 = ir.IntType(64)


class Bonds(NamedTuple):
    """Couplings, each once per direction, in the problem's sign.

    Attributes:
        starts: first entry of every row, and one past the last (n + 1,).
        columns: of the entries (2m,); empty where `values` is a whole matrix.
        values: (2m,), or a matrix row by row (n · n,), in the type of the tiles.
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: Floats


def _sum_rows(rows: int, vectors: int, *, whole: bool, signs: bool) -> Any:
    """Build out[q] = Σ_e values[first + q stride + e] x[column of e], e < count, q < rows.

    Args:
        rows: summed together.
        vectors: per row of the tile.
        whole: columns are 0, 1, 2, …; else they are looked up from `first` on.
        signs: take the sign of x, ±1, for x.
    """

    @intrinsic
    def sum_rows(typing, values, columns, first, count, stride, x, out):  # type: ignore[no-untyped-def]
        i8 = types.int64
        signature = types.void(values, columns, i8, i8, i8, x, out)

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            values_, columns_, first_, count_, stride_, x_, out_ = args
            v = Vectors(context, builder, x.dtype)
            zero, width = ir.Constant(_I64, 0), ir.Constant(_I64, vectors)
            number = [ir.Constant(_I64, q) for q in range(rows * vectors)]
            data = context.make_array(values)(context, builder, values_).data
            begin = [
                builder.gep(data, [builder.add(first_, builder.mul(stride_, q))])
                for q in number[:rows]
            ]
            looked_up = context.make_array(columns)(context, builder, columns_).data
            column = builder.gep(looked_up, [first_])
            states, target = v.pointer(x, x_, zero), v.pointer(out, out_, zero)

            def add(e, sums):  # type: ignore[no-untyped-def]
                place = e if whole else builder.sext(builder.load(builder.gep(column, [e])), _I64)
                at = builder.mul(place, width)
                state = [v.load(states, builder.add(at, q)) for q in number[:vectors]]
                if signs:
                    state = [v.call("copysign", v.fill(1.0), s) for s in state]
                factor = [v.spread(builder.load(builder.gep(b, [e]))) for b in begin]
                return [
                    v.call("fma", factor[k // vectors], state[k % vectors], total)
                    for k, total in enumerate(sums)
                ]

            sums = v.loop(count_, [v.fill(0.0)] * (rows * vectors), add)
            for q, total in zip(number, sums, strict=True):
                v.store(total, target, q)
            return context.get_dummy_value()

        return signature, generate

    return sum_rows


def fields(vectors: int, *, signs: bool = False) -> Any:
    """Build `fields(bonds, x, unit, f)`: write the fields of some rows from `unit` on to `f`, return how many.

    Args:
        vectors: per row of the tile.
        signs: fields of sign x instead of x.
    """
    block = _sum_rows(ROWS, vectors, whole=True, signs=signs)
    line = _sum_rows(1, vectors, whole=True, signs=signs)
    entries = _sum_rows(1, vectors, whole=False, signs=signs)

    @inner
    def write(bonds, x, unit, f):  # type: ignore[no-untyped-def]
        n = bonds.starts.size - 1
        first, count = bonds.starts[unit], bonds.starts[unit + 1] - bonds.starts[unit]
        if bonds.columns.size or not count:
            entries(bonds.values, bonds.columns, first, count, n, x, f)
            return 1
        if unit + ROWS <= n:
            block(bonds.values, bonds.columns, first, count, n, x, f)
            return ROWS
        line(bonds.values, bonds.columns, first, count, n, x, f)
        return 1

    return write


def energies(vectors: int) -> Any:
    """Build `energies(bonds, h, x, f, energy)`: write E(sign x) = Σ h s + Σ_(i<j) J s s of every lane, in float64.

    `h` is a tile of fields, or a single row for all; `f` holds ROWS rows. The sign of 0 is that of its sign bit.
    """
    sign_fields, width = fields(vectors, signs=True), vectors * LANES

    @inner
    def write(bonds, h, x, f, energy):  # type: ignore[no-untyped-def]
        energy[:] = 0.0
        unit = 0
        while unit < bonds.starts.size - 1:
            done = sign_fields(bonds, x, unit, f)
            for q in range(done):
                at = (unit + q) * width
                field = at if h.size > width else 0
                for lane in range(width):
                    total = np.float64(h[field + lane]) + 0.5 * np.float64(f[q * width + lane])
                    energy[lane] += np.copysign(1.0, x[at + lane]) * total
            unit += done

    return write
