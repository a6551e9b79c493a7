"""Products of weights with lanes: the inner steps of convolutions, written as LLVM vectors like those of `lanes`."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from isingeq.kernels.lanes import Vectors

FOUR = 4
"""Places, and channels, per product: with 4 × 4 sums in registers it runs at the fused-multiply-add peak."""

_I64 = ir.IntType(64)


def whole(number: int) -> Any:
    """Return a whole number as LLVM has it."""
    return ir.Constant(_I64, number)


@intrinsic
def product(typing, target, row, span, source, bases, step, count, runs, jump, w, at, pitch):  # type: ignore[no-untyped-def]
    """Sum weights × source over runs of rows, for four places and four channels.

        target[row + span r + p] = Σ_(i, k) w[at + 4 (i pitch + k) + r] source[bases[p] + i jump + k step]

    Args:
        typing: of numba.
        target: panel, changed.
        row: first of the result.
        span: from channel to channel of the result.
        source: panel.
        bases: first row of each place.
        step: between rows of a run.
        count: rows of a run.
        runs: their number.
        jump: from run to run.
        w: weights.
        at: first weight.
        pitch: from run to run of the weights, in fours.
    """
    i8 = types.int64
    signature = types.void(
        target, i8, i8, source, types.UniTuple(i8, FOUR), i8, i8, i8, i8, w, i8, i8
    )

    def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
        target_, row_, span_, source_, bases_, step_, count_, runs_, jump_, w_, at_, pitch_ = args
        v = Vectors(context, builder, target.dtype)
        data = builder.gep(context.make_array(w)(context, builder, w_).data, [at_])
        places = [
            v.pointer(source, source_, b)
            for b in (builder.extract_value(bases_, p) for p in range(FOUR))
        ]
        total = [v.fill(0.0)] * FOUR**2

        def add_run(i, sums):  # type: ignore[no-untyped-def]
            start, first = builder.mul(i, jump_), builder.mul(i, pitch_)

            def add_row(k, sums):  # type: ignore[no-untyped-def]
                along = builder.add(start, builder.mul(k, step_))
                states = [v.load(place, along) for place in places]
                weight = builder.mul(builder.add(first, k), whole(FOUR))
                new = []
                for r in range(FOUR):
                    c = v.spread(builder.load(builder.gep(data, [builder.add(weight, whole(r))])))
                    new += [
                        v.call("fma", c, state, s)
                        for state, s in zip(states, sums[FOUR * r : FOUR * (r + 1)], strict=True)
                    ]
                return new

            return v.loop(count_, sums, add_row)

        result = v.pointer(target, target_, row_)
        for q, s in enumerate(v.loop(runs_, total, add_run)):
            r, p = divmod(q, FOUR)
            v.store(s, result, builder.add(builder.mul(span_, whole(r)), whole(p)))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def add_row(typing, target, row, source, at):  # type: ignore[no-untyped-def]
    """Add a row of a panel to a row of another."""
    signature = types.void(target, types.int64, source, types.int64)

    def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
        target_, row_, source_, at_ = args
        v, zero = Vectors(context, builder, target.dtype), whole(0)
        place = v.pointer(target, target_, row_)
        other = v.load(v.pointer(source, source_, at_), zero)
        v.store(builder.fadd(v.load(place, zero), other), place, zero)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def copy_row(typing, target, row, source, at):  # type: ignore[no-untyped-def]
    """Write a row of a panel over a row of another."""
    signature = types.void(target, types.int64, source, types.int64)

    def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
        target_, row_, source_, at_ = args
        v, zero = Vectors(context, builder, target.dtype), whole(0)
        v.store(
            v.load(v.pointer(source, source_, at_), zero), v.pointer(target, target_, row_), zero
        )
        return context.get_dummy_value()

    return signature, generate


def write_line(
    v: Vectors,
    matrix: NDArray[np.float64],
    source: Any,
    step: Any,
    target: Any,
    hop: Any,
    *,
    add: bool,
) -> None:
    """Emit target[i hop] = Σ_j matrix[i, j] source[j step] on rows of lanes, or add it.

    Columns that differ by signs alone are summed and subtracted first; rows that do share their parts.

    Args:
        v: vectors of one type.
        matrix: the numbers, written into the code.
        source: pointer to its first row.
        step: between its rows.
        target: pointer to its first row.
        hop: between its rows.
        add: to what stands there.
    """
    values = [v.load(source, v.builder.mul(step, whole(j))) for j in range(matrix.shape[1])]
    for i, value in enumerate(_combine(v, matrix, values)):
        place = v.builder.mul(hop, whole(i))
        v.store(v.builder.fadd(v.load(target, place), value) if add else value, target, place)


def _combine(v: Vectors, matrix: NDArray[np.float64], values: list[Any]) -> list[Any]:
    """Emit matrix · values."""
    matrix, values = matrix.copy(), list(values)
    for a, b in _twins(matrix.T):
        opposite = matrix[:, a] != matrix[:, b]
        difference = v.builder.fsub(values[a], values[b])
        values[a], values[b] = v.builder.fadd(values[a], values[b]), difference
        matrix[~opposite, b] = 0.0
        matrix[opposite, a] = 0.0
        matrix[opposite, b] *= -1.0
    found: list[Any] = [None] * len(matrix)
    for a, b in _twins(matrix):
        same = matrix[a] == matrix[b]
        even, odd = (_sum(v, np.where(s, matrix[a], 0.0), values) for s in (same, ~same))
        found[a], found[b] = v.builder.fadd(even, odd), v.builder.fsub(even, odd)
    return [_sum(v, row, values) if f is None else f for row, f in zip(matrix, found, strict=True)]


def _twins(rows: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return pairs of rows that differ by the signs of some, and not of all, of their numbers."""
    pairs, free = [], list(range(len(rows)))
    while free:
        a = free.pop(0)
        for b in free:
            same = rows[a] == rows[b]
            if (abs(rows[a]) == abs(rows[b])).all() and rows[a][same].any() and not same.all():
                pairs.append((a, b))
                free.remove(b)
                break
    return pairs


def _sum(v: Vectors, row: NDArray[np.float64], values: list[Any]) -> Any:
    """Emit Σ row · values, those that need no product first."""
    terms = sorted((abs(abs(c) - 1.0) > 0.0, c < 0.0, j) for j, c in enumerate(row) if c)
    total: Any = None
    for _, _, j in terms:
        c, x = float(row[j]), values[j]
        if total is None:
            total = x if c == 1.0 else v.builder.fmul(v.fill(c), x)
        elif abs(c) == 1.0:
            total = v.builder.fadd(total, x) if c > 0.0 else v.builder.fsub(total, x)
        else:
            total = v.call("fma", v.fill(c), x, total)
    return total
