"""One spin of up to 128 replicas as bits, and what vector registers do with them.

A row of a state holds one or two words of 64 replicas, bit 1 for s = +1; a register holds the numbers of 64 of them in
int8, 32 in int16, 16 in int32, and the bits are its mask. Written as LLVM vectors because numba's own loops never turn
bits into masks. Processors without such masks do the same in more instructions.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

WORD = 64
"""Replicas to a word."""

_I64 = ir.IntType(64)
_I32 = ir.IntType(32)


class _Lanes:
    """One tile's worth of vectors: their types, and the bits of a spin as masks."""

    def __init__(self, context: Any, builder: Any, dtype: Any, num_words: int) -> None:
        self.context, self.builder = context, builder
        self.bytes = dtype.bitwidth // 8
        self.width = 512 // dtype.bitwidth
        self.count = num_words * WORD // self.width
        self.scalar = ir.IntType(dtype.bitwidth)
        self.type = ir.VectorType(self.scalar, self.width)
        self.bits = ir.IntType(self.width)
        self.mask = ir.VectorType(ir.IntType(1), self.width)

    def data(self, kind: Any, array: Any) -> Any:
        return self.context.make_array(kind)(self.context, self.builder, array).data

    def row(self, start: Any, number: Any, element: Any) -> list[Any]:
        """Addresses of the vectors (or masks) of row `number` of a panel."""
        panel = self.builder.bitcast(start, element.as_pointer())
        first = self.builder.mul(number, ir.Constant(_I64, self.count))
        return [
            self.builder.gep(panel, [self.builder.add(first, ir.Constant(_I64, q))])
            for q in range(self.count)
        ]

    def load(self, address: Any) -> Any:
        value = self.builder.load(address)
        value.align = self.bytes if value.type == self.type else self.width // 8
        return value

    def spread(self, value: Any) -> Any:
        """The same number in every lane."""
        nothing = ir.Constant(self.type, ir.Undefined)
        one = self.builder.insert_element(nothing, value, ir.Constant(_I32, 0))
        zeros = ir.Constant(ir.VectorType(_I32, self.width), [0] * self.width)
        return self.builder.shuffle_vector(one, nothing, zeros)


def _feel(num_words: int, *, shared: bool) -> Any:
    """Build the field of one spin on a tile: `base` holds h − Σ J, one number per spin or one per lane."""

    @intrinsic
    def feel(typing, state, unit, first, last, neighbours, values, base, out):  # type: ignore[no-untyped-def]
        i8 = types.int64
        signature = types.void(state, i8, i8, i8, neighbours, values, base, out)

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            state_, unit_, first_, last_, neighbours_, values_, base_, out_ = args
            v = _Lanes(context, builder, values.dtype, num_words)
            bits = v.data(state, state_)
            source, value = v.data(neighbours, neighbours_), v.data(values, values_)
            entry = builder.block
            head, inside, after = (
                builder.append_basic_block(b) for b in ("head", "inside", "after")
            )
            builder.branch(head)
            builder.position_at_end(head)
            e, sums = builder.phi(_I64), [builder.phi(v.type) for _ in range(v.count)]
            builder.cbranch(builder.icmp_signed("<", e, last_), inside, after)
            builder.position_at_end(inside)
            other = builder.sext(builder.load(builder.gep(source, [e])), _I64)
            J = v.spread(builder.load(builder.gep(value, [e])))
            ups = [builder.bitcast(v.load(p), v.mask) for p in v.row(bits, other, v.bits)]
            added = [
                builder.select(up, builder.add(s, J), s) for up, s in zip(ups, sums, strict=True)
            ]
            e.add_incoming(first_, entry)
            e.add_incoming(builder.add(e, ir.Constant(_I64, 1)), inside)
            for total, following in zip(sums, added, strict=True):
                total.add_incoming(ir.Constant(v.type, [0] * v.width), entry)
                total.add_incoming(following, inside)
            builder.branch(head)
            builder.position_at_end(after)
            start = v.data(base, base_)
            if shared:
                ground = [v.spread(builder.load(builder.gep(start, [unit_])))] * v.count
            else:
                ground = [v.load(p) for p in v.row(start, unit_, v.type)]
            targets = v.row(v.data(out, out_), ir.Constant(_I64, 0), v.type)
            for g, s, target in zip(ground, sums, targets, strict=True):
                builder.store(builder.add(g, builder.add(s, s)), target).align = v.bytes
            return context.get_dummy_value()

        return signature, generate

    return feel


def _accept(num_words: int) -> Any:
    """Build the move of one spin on a tile, given fields and thresholds.

    With `relative` all ones, s flips where −s f ≤ threshold; with 0, s = +1 where f ≤ threshold, else −1.
    """

    @intrinsic
    def accept(typing, state, unit, field, thresholds, offset, relative):  # type: ignore[no-untyped-def]
        i8 = types.int64
        signature = types.void(state, i8, field, thresholds, i8, types.uint64)

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            state_, unit_, field_, thresholds_, offset_, relative_ = args
            v = _Lanes(context, builder, field.dtype, num_words)
            zero = ir.Constant(_I64, 0)
            keep = builder.trunc(relative_, v.bits) if v.width < WORD else relative_
            limits = builder.gep(v.data(thresholds, thresholds_), [offset_])
            for bits, f, limit in zip(
                v.row(v.data(state, state_), unit_, v.bits),
                v.row(v.data(field, field_), zero, v.type),
                v.row(limits, zero, v.type),
                strict=True,
            ):
                up = builder.bitcast(builder.and_(v.load(bits), keep), v.mask)
                value = v.load(f)
                cost = builder.select(up, builder.neg(value), value)
                below = builder.icmp_signed("<=", cost, v.load(limit))
                moved = builder.bitcast(builder.xor(below, up), v.bits)
                builder.store(moved, bits).align = v.width // 8
            return context.get_dummy_value()

        return signature, generate

    return accept


def _align(num_words: int) -> Any:
    """Build s f of one spin on a tile, in the place of f."""

    @intrinsic
    def align(typing, state, unit, field):  # type: ignore[no-untyped-def]
        signature = types.void(state, types.int64, field)

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            state_, unit_, field_ = args
            v = _Lanes(context, builder, field.dtype, num_words)
            rows = v.row(v.data(field, field_), ir.Constant(_I64, 0), v.type)
            for bits, f in zip(v.row(v.data(state, state_), unit_, v.bits), rows, strict=True):
                up, value = builder.bitcast(v.load(bits), v.mask), v.load(f)
                builder.store(builder.select(up, value, builder.neg(value)), f).align = v.bytes
            return context.get_dummy_value()

        return signature, generate

    return align


def _turn_back(num_words: int) -> Any:
    """Build the undoing of a move of one spin where its field is 0, given the fields: `accept` flips it there."""

    @intrinsic
    def turn_back(typing, state, unit, field):  # type: ignore[no-untyped-def]
        signature = types.void(state, types.int64, field)

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            state_, unit_, field_ = args
            v = _Lanes(context, builder, field.dtype, num_words)
            rows = v.row(v.data(field, field_), ir.Constant(_I64, 0), v.type)
            nothing = ir.Constant(v.type, [0] * v.width)
            for bits, f in zip(v.row(v.data(state, state_), unit_, v.bits), rows, strict=True):
                free = builder.bitcast(builder.icmp_signed("==", v.load(f), nothing), v.bits)
                builder.store(builder.xor(v.load(bits), free), bits).align = v.width // 8
            return context.get_dummy_value()

        return signature, generate

    return turn_back


feel_shared_1, feel_shared_2 = _feel(1, shared=True), _feel(2, shared=True)
feel_own_1, feel_own_2 = _feel(1, shared=False), _feel(2, shared=False)
accept_1, accept_2 = _accept(1), _accept(2)
align_1, align_2 = _align(1), _align(2)
turn_back_1, turn_back_2 = _turn_back(1), _turn_back(2)
