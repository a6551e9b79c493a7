"""Fields of spins that follow the flips: g_i = Σ_j J_ij s_j, touched only where a sign turned.

Three forms of the couplings, each with its way of adding what the flipped spins changed; `absorb` does it:

    Bits      whole couplings as rows of ±1 bits, J_ij = Σ_r ±1                    Δg_j = 4 c_j − 2 (q↑ − q↓)
    Rows      a matrix: the row of every spin that flipped                         Δg_j = 2 s_i J_ij
    Entries   entries other than 0, row by row                                     Δg_j = 2 s_i J_ij

c_j counts bits: those set at j in the q↑ rows of spins that went up, less those in the q↓ rows of spins that went down.
Full adders count them over BLOCK columns at a time, one vector instruction for a sum and one for a carry.
Whole fields are exact; real ones are kept in float64, so that many flips add up to nothing that float32 would see.
"""

from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from isingeq.kernels.lanes import Vectors

WORD = 64
"""Units per word of bits."""

BLOCK = 512
"""Columns that are counted at a time; rows of bits are padded to it."""

PLANES = 8
"""Binary digits of a count, so at most 255 rows at a time."""

GROUP = 8
"""Rows that pass through the full adders together."""

SCRATCH = (1 << PLANES) + PLANES * BLOCK // WORD

_I64 = ir.IntType(64)


class Bits(NamedTuple):
    """Whole couplings with ±1 in every column of every row: `rows` (n·k + 1, words) uint64, the last row 0.

    Attributes:
        rows: bit j of row i·k + r is 1 where that ±1 of J_ij is +1; padding and the diagonal are 0.
        per: rows per unit k.
    """

    rows: NDArray[np.uint64]
    per: int


class Rows(NamedTuple):
    """Couplings as a matrix (n, n), int8 or float32."""

    values: NDArray[Any]


class Entries(NamedTuple):
    """Couplings other than 0, row by row: starts (n + 1,), columns and values (2m,)."""

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[Any]


_HAS_AVX512 = bool(llvm.get_host_cpu_features().get("avx512f", False))


def _full_adder(builder: Any, kind: Any) -> Any:
    """Return a function of three vectors of bits that gives their sum and carry, an instruction each if possible."""
    if not _HAS_AVX512:

        def add(a, b, c):  # type: ignore[no-untyped-def]
            either = builder.xor(a, b)
            carry = builder.or_(builder.and_(a, b), builder.and_(either, c))
            return builder.xor(either, c), carry

        return add
    name, i4 = "llvm.x86.avx512.pternlog.q.512", ir.IntType(32)
    known = builder.module.globals.get(name)
    shape = ir.FunctionType(kind, [kind, kind, kind, i4])
    table = known or ir.Function(builder.module, shape, name=name)
    odd, most = ir.Constant(i4, 0x96), ir.Constant(i4, 0xE8)  # truth tables
    return lambda a, b, c: tuple(builder.call(table, [a, b, c, t]) for t in (odd, most))


@intrinsic
def _count(typing, rows, at, up, down, offset, planes):  # type: ignore[no-untyped-def]
    """Count BLOCK columns: bits set in rows that went up, less those in rows that went down.

    `at` holds the first word of every row, `up` groups that went up and then `down` that went down; `offset` is the
    first word of the block. Counts are written as PLANES binary digits, in two's complement.
    """
    i8 = types.int64
    signature = types.void(rows, at, i8, i8, i8, planes)

    def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
        rows_, at_, up_, down_, offset_, planes_ = args
        v = Vectors(context, builder, types.float32)
        words = BLOCK // WORD
        kind = ir.VectorType(_I64, words)
        full = _full_adder(builder, kind)

        def data(array_type, array):  # type: ignore[no-untyped-def]
            return context.make_array(array_type)(context, builder, array).data

        base, first = builder.gep(data(rows, rows_), [offset_]), data(at, at_)

        def load(e):  # type: ignore[no-untyped-def]
            start = builder.gep(base, [builder.load(builder.gep(first, [e]))])
            value = builder.load(builder.bitcast(start, kind.as_pointer()))
            value.align = 8
            return value

        def add_group(group, digits):  # type: ignore[no-untyped-def]
            start = builder.mul(group, ir.Constant(_I64, GROUP))
            carried = [load(builder.add(start, ir.Constant(_I64, q))) for q in range(GROUP)]
            out = []
            for digit in digits:
                following = []
                while len(carried) > 1:
                    digit, carry = full(digit, carried.pop(), carried.pop())
                    following.append(carry)
                if carried:
                    following.append(builder.and_(digit, carried[0]))
                    digit = builder.xor(digit, carried[0])
                out.append(digit)
                carried = following
            return out

        digits = v.loop(up_, [ir.Constant(kind, [0] * words)] * PLANES, add_group)
        # −1 − c of what went up; adding those that went down and turning back leaves the difference.
        digits = [builder.not_(digit) for digit in digits]
        digits = v.loop(down_, digits, lambda k, d: add_group(builder.add(up_, k), d))
        target = builder.bitcast(data(planes, planes_), kind.as_pointer())
        for p, digit in enumerate(digits):
            place = builder.gep(target, [ir.Constant(_I64, p)])
            builder.store(builder.not_(digit), place).align = 8
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _spread(typing, planes, digits, less, g, offset):  # type: ignore[no-untyped-def]
    """Add 4 c − less to BLOCK fields, c the counts whose binary digits are in the planes."""
    i8 = types.int64
    signature = types.void(planes, i8, i8, g, i8)

    def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
        planes_, digits_, less_, g_, offset_ = args
        v = Vectors(context, builder, types.float32)
        words = BLOCK // WORD
        small, wide = ir.VectorType(ir.IntType(8), WORD), ir.VectorType(ir.IntType(16), WORD)
        source = context.make_array(planes)(context, builder, planes_).data
        target = builder.gep(context.make_array(g)(context, builder, g_).data, [offset_])
        top = builder.sub(digits_, ir.Constant(_I64, 1))

        def digit(p):  # type: ignore[no-untyped-def]
            """0 or −1 per column."""
            row = builder.mul(p, ir.Constant(_I64, words))
            at = [builder.add(row, ir.Constant(_I64, q)) for q in range(words)]
            bits = [builder.load(builder.gep(source, [a])) for a in at]
            flags = [builder.bitcast(b, ir.VectorType(ir.IntType(1), WORD)) for b in bits]
            return [builder.sext(flag, small) for flag in flags]

        def add_digit(k, counts):  # type: ignore[no-untyped-def]
            following = digit(builder.sub(builder.sub(top, ir.Constant(_I64, 1)), k))
            twice = [builder.add(c, c) for c in counts]
            return [builder.sub(c, d) for c, d in zip(twice, following, strict=True)]

        counts = v.loop(top, digit(top), add_digit)
        number = builder.trunc(less_, ir.IntType(16))
        nothing, lane = ir.Constant(wide, ir.Undefined), ir.Constant(ir.IntType(32), 0)
        one = builder.insert_element(nothing, number, lane)
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), WORD), [0] * WORD)
        spread, two = builder.shuffle_vector(one, one, lanes), ir.Constant(wide, [2] * WORD)
        for q, count in enumerate(counts):
            start = builder.gep(target, [ir.Constant(_I64, q * WORD)])
            pointer = builder.bitcast(start, wide.as_pointer())
            old = builder.load(pointer)
            old.align = 2
            more = builder.sub(builder.shl(builder.sext(count, wide), two), spread)
            builder.store(builder.add(old, more), pointer).align = 2
        return context.get_dummy_value()

    return signature, generate


def absorb(form: Any, ups: Any, up: int, downs: Any, down: int, g: Any, scratch: Any) -> None:
    """Add to the fields what flips changed; compiled code alone calls it.

    Args:
        form: couplings as Bits, Rows or Entries.
        ups: spins that went up, int64; the first `up` count.
        up: number of them.
        downs: spins that went down, int64; the first `down` count.
        down: number of them.
        g: fields (n,): int16 padded to BLOCK for bits, int16 for int8 rows, float64 for all else. Bits leave −k on the
            diagonal: fields of spins that are up come k too low, others k too high.
        scratch: SCRATCH numbers, int64.
    """
    raise NotImplementedError


@overload(absorb)
def _absorb(form, ups, up, downs, down, g, scratch):  # type: ignore[no-untyped-def]
    kind = form.instance_class
    if kind is Bits:
        return _absorb_bits
    return _absorb_rows if kind is Rows else _absorb_entries


def _absorb_bits(form, ups, up, downs, down, g, scratch):  # type: ignore[no-untyped-def]
    most = (1 << PLANES) // 2 - 1
    at, planes = (
        scratch[: SCRATCH - PLANES * BLOCK // WORD],
        scratch[SCRATCH - PLANES * BLOCK // WORD :],
    )
    words = form.rows.shape[1]
    flat, nothing = form.rows.reshape(-1), (form.rows.shape[0] - 1) * words
    each, stride = most // form.per, form.per * words
    a, b = 0, 0
    while a < up or b < down:
        plus = min(up - a, each)
        minus = min(down - b, each - plus)
        filled = 0
        for source, first, count in ((ups, a, plus), (downs, b, minus)):
            for e in range(first, first + count):
                for r in range(form.per):
                    at[filled] = source[e] * stride + r * words
                    filled += 1
            while filled % GROUP:
                at[filled] = nothing
                filled += 1
        groups = (plus * form.per + GROUP - 1) // GROUP
        digits, less = 1, 2 * form.per * (plus - minus)
        while form.per * max(plus, minus) >> (digits - 1):
            digits += 1
        for offset in range(0, words, BLOCK // WORD):
            _count(flat, at, groups, filled // GROUP - groups, offset, planes)
            _spread(planes, digits, less, g, offset * WORD)
        a += plus
        b += minus


def _absorb_rows(form, ups, up, downs, down, g, scratch):  # type: ignore[no-untyped-def]
    kind = g.dtype.type
    for source, count, change in ((ups, up, kind(2)), (downs, down, kind(-2))):
        e = 0
        while e + 4 <= count:
            p, q = form.values[source[e]], form.values[source[e + 1]]
            r, s = form.values[source[e + 2]], form.values[source[e + 3]]
            for j in range(p.size):
                two, more = kind(kind(p[j]) + kind(q[j])), kind(kind(r[j]) + kind(s[j]))
                g[j] += kind(change * kind(two + more))
            e += 4
        while e < count:
            p = form.values[source[e]]
            for j in range(p.size):
                g[j] += kind(change * kind(p[j]))
            e += 1


def _absorb_entries(form, ups, up, downs, down, g, scratch):  # type: ignore[no-untyped-def]
    kind = g.dtype.type
    for source, count, change in ((ups, up, kind(2)), (downs, down, kind(-2))):
        for e in range(count):
            i = source[e]
            for k in range(form.starts[i], form.starts[i + 1]):
                g[form.columns[k]] += change * kind(form.values[k])
