"""Products of a mostly empty matrix with a dense one, skipping the zeros: a written digit is mostly background.

    out[r, :] = Σ_e value[e] dense[column[e], :]          e over the entries of row r, in order

Columns of `dense` are taken in blocks whose sums stay in vector registers while the entries of a row pass by.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from isingeq.kernels.lanes import LANES, Vectors
from isingeq.kernels.pool import Pool

Floats = NDArray[np.floating]

BLOCK = 8
"""Vectors of LANES columns whose sums are held at a time."""

WORTH = 0.28
"""Share of entries above which a dense product is faster (measured: the two meet near 0.3)."""

_I64 = ir.IntType(64)


@intrinsic
def _row_block(typing, values, columns, first, last, dense, width, offset, out, at):  # type: ignore[no-untyped-def]
    """Write Σ_e values[e] dense[columns[e], offset : offset + BLOCK·LANES] to out[at:]."""
    i8 = types.int64
    signature = types.void(values, columns, i8, i8, dense, i8, i8, out, i8)

    def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
        values_, columns_, first_, last_, dense_, width_, offset_, out_, at_ = args
        v = Vectors(context, builder, values.dtype)
        value = builder.gep(context.make_array(values)(context, builder, values_).data, [first_])
        column = builder.gep(context.make_array(columns)(context, builder, columns_).data, [first_])
        data = builder.gep(context.make_array(dense)(context, builder, dense_).data, [offset_])
        target = builder.gep(context.make_array(out)(context, builder, out_).data, [at_])
        number = [ir.Constant(_I64, q) for q in range(BLOCK)]

        def add(e, sums):  # type: ignore[no-untyped-def]
            row = builder.sext(builder.load(builder.gep(column, [e])), _I64)
            source = builder.gep(data, [builder.mul(row, width_)])
            factor = v.spread(builder.load(builder.gep(value, [e])))
            return [
                v.call("fma", factor, v.load(source, q), s)
                for q, s in zip(number, sums, strict=True)
            ]

        sums = v.loop(builder.sub(last_, first_), [v.fill(0.0)] * BLOCK, add)
        for q, total in zip(number, sums, strict=True):
            v.store(total, target, q)
        return context.get_dummy_value()

    return signature, generate


@njit(nogil=True, cache=True, boundscheck=False)
def _rows(first, last, starts, columns, values, dense, out):  # type: ignore[no-untyped-def]
    """Write rows first … last − 1 of the product."""
    width = dense.shape[1]
    flat, result = dense.reshape(-1), out.reshape(-1)
    span = BLOCK * LANES
    for offset in range(0, width - width % span, span):
        for r in range(first, last):
            _row_block(
                values,
                columns,
                starts[r],
                starts[r + 1],
                flat,
                width,
                offset,
                result,
                r * width + offset,
            )
    for r in range(first, last):
        for c in range(width - width % span, width):
            total = dense.dtype.type(0)
            for e in range(starts[r], starts[r + 1]):
                total += values[e] * dense[columns[e], c]
            out[r, c] = total


@njit(nogil=True, cache=True, boundscheck=False)
def _by_rows(x, most):  # type: ignore[no-untyped-def]
    """Return the entries of x (b, k) other than 0, row by row: starts, columns, values; None beyond `most`."""
    starts = np.empty(x.shape[0] + 1, np.int64)
    room = most + x.shape[1] + 1
    columns, values = np.empty(room, np.int32), np.empty(room, x.dtype)
    e = 0
    for r in range(x.shape[0]):
        starts[r] = e
        for c in range(x.shape[1]):
            columns[e], values[e] = c, x[r, c]
            e += x[r, c] != 0
        if e > most:
            return None
    starts[x.shape[0]] = e
    return starts, columns[:e], values[:e]


@njit(nogil=True, cache=True, boundscheck=False)
def _turned(starts, columns, values, width):  # type: ignore[no-untyped-def]
    """Return the same entries column by column."""
    place = np.zeros(width + 1, np.int64)
    for e in range(columns.size):
        place[columns[e] + 1] += 1
    place = np.cumsum(place)
    first = place.copy()
    rows, out = np.empty(columns.size, np.int32), np.empty_like(values)
    for r in range(starts.size - 1):
        for e in range(starts[r], starts[r + 1]):
            at = place[columns[e]]
            rows[at], out[at] = r, values[e]
            place[columns[e]] = at + 1
    return first, rows, out


class Inputs:
    """Inputs x (b, k) of a batch, multiplied with or without their zeros, whichever is faster."""

    def __init__(self, x: Floats) -> None:
        self.x = x
        self._entries = _by_rows(x, int(WORTH * x.size)) if x.flags.c_contiguous else None

    def rows(self, part: NDArray[np.integer]) -> "Inputs":
        """Return some of the samples."""
        return Inputs(self.x[part])

    def times(self, dense: Floats, pool: Pool) -> Floats:
        """Return x @ dense, dense (k, p), shape (b, p)."""
        if self._entries is None or self.x.dtype != dense.dtype:
            return pool.product(self.x, dense)
        return _product(self._entries, len(self.x), np.ascontiguousarray(dense), pool)

    def correlate(self, dense: Floats, out: Floats, pool: Pool) -> None:
        """Write xᵀ @ dense, dense (b, p), into out (k, p)."""
        if self._entries is None or self.x.dtype != dense.dtype:
            pool.product(self.x.T, dense, out=out)
        else:
            entries = _turned(*self._entries, self.x.shape[1])
            _product(entries, self.x.shape[1], np.ascontiguousarray(dense), pool, out)


def _product(
    entries: tuple[Floats, Floats, Floats],
    rows: int,
    dense: Floats,
    pool: Pool,
    out: Floats | None = None,
) -> Floats:
    result = np.empty((rows, dense.shape[1]), dense.dtype) if out is None else out
    pool.split(rows, lambda first, last: _rows(first, last, *entries, dense, result), least=64)
    return result
