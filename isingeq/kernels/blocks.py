"""One spin: sum the fields of many replicas, let the spins decide, write them down.

    z_i = h_i + Σ_j J_ij s_j

Replicas (one per sample and read) are lanes, sixteen to a vector. Spins are bits, and no coupling is multiplied:

    rows      Σ J s = −Σ J + Σ over neighbours that are up of 2 J: masked additions, upper and lower half of a coupling
              to sums of 16 bits each, thirty-two lanes to a vector, which are put together every 64 neighbours
    tables    Σ J s = Σ over fours of a table of the 16 sums ±J ± J ± J ± J, cut into three bytes: a register holds one
              byte of the tables of four fours, one permutation looks up all four by their signs, and one instruction
              adds what it found to the lane's sum

Couplings are counted in whole numbers of a grain, each spin its own (`colours.grain_of`): the sums come out the same in
any order and either form, on any processor. z is h + grain · sum in float32, rounded twice. A step is an intrinsic, for
numba's own loops leave all of this scalar.
"""

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from isingeq.kernels.acceptance import (
    I1,
    I8,
    I16,
    I32,
    I64,
    WORDS,
    Numbers,
    Rule,
    heat_bath,
    looked_up,
    metropolis,
    random_words,
    spread_over,
    spread_word,
    words,
)  # fmt: skip
from isingeq.kernels.colours import BYTES, LOW, RUN, TABLE
from isingeq.kernels.lanes import LANES, Vectors

_CAN = llvm.get_host_cpu_features()

CAN_LOOK_UP = all(_CAN.get(feature, False) for feature in ("avx512vbmi", "avx512vnni"))
"""Whether the processor looks up tables of bytes inside a register, and adds up what it finds there."""

TOGETHER = 4
"""Vectors of lanes whose fields are summed together: as many as the registers hold."""

_ARRAYS = "values columns base grain source target fields units pairs numbers table"
_WHOLE = "first last width lanes place word"
_BITS = ir.VectorType(I1, LANES)


def _whole(value: int) -> Any:
    return ir.Constant(I64, value)


class _Call:
    """Arguments of a step by name, arrays as addresses of their data, and what is read through them."""

    def __init__(self, context: Any, builder: Any, signature: Any, values: Any) -> None:
        kinds = signature.args
        self.builder, self.together = builder, 1
        self.v = Vectors(context, builder, types.float32)
        self.given = dict(zip(_WHOLE.split(), values[-6:], strict=True))
        for name, kind, value in zip(_ARRAYS.split(), kinds, values[:-6], strict=False):
            self.given[name] = context.make_array(kind)(context, builder, value).data

    def at(self, name: str, *offsets: Any) -> Any:
        """Address in an array, offsets in its numbers."""
        pointer = self.given[name]
        for offset in offsets:
            pointer = self.builder.gep(pointer, [offset])
        return pointer

    def load(self, pointer: Any, kind: Any) -> Any:
        """Vector that starts at any address."""
        value = self.builder.load(self.builder.bitcast(pointer, kind.as_pointer()))
        value.align = 1
        return value

    def store(self, value: Any, pointer: Any) -> None:
        """Write a vector to any address."""
        self.builder.store(value, self.builder.bitcast(pointer, value.type.as_pointer())).align = 1

    def field(self, q: int, total: Any) -> Any:
        """Field h + grain · total of the place, lanes of vector `q`."""
        b, place = self.builder, self.given["place"]
        row = self.at("fields", b.mul(place, self.given["width"]), self.given["lane"])
        grain = self.v.spread(b.load(self.at("grain", place)))
        return self.v.call("fma", b.sitofp(total, self.v.type), grain, self.v.load(row, _whole(q)))

    def base(self) -> Any:
        """Where the sum of the place begins."""
        return spread_word(self.builder, self.builder.load(self.at("base", self.given["place"])))

    def numbers(self) -> Numbers:
        """Numbers of the rule."""
        b = self.builder
        one, two, three = (self.v.spread(b.load(self.at("numbers", _whole(k)))) for k in range(3))
        return one, two, three, spread_word(b, b.trunc(self.given["word"], I32))

    def draw(self, rule: Rule) -> list[Any]:
        """What the rule makes of the random words of the place, vector by vector."""
        b, numbers = self.builder, self.numbers()
        unit, out = b.load(self.at("units", self.given["place"])), []
        for q in range(self.together):
            low = self.at("pairs", self.given["lane"], _whole(LANES * q))
            high = b.gep(low, [self.given["width"]])
            x = random_words(b, self.load(low, WORDS), self.load(high, WORDS), unit)
            out.append(rule.draw(self.v, x, numbers))
        return out

    def decide(self, rule: Rule, z: Any, drawn: Any, up: Any) -> Any:
        """Lanes in which the spin is +1 afterwards."""
        return rule.decide(self.v, z, drawn, up, self.numbers(), self.at("table"))

    def function(self, name: str, result: Any, *kinds: Any) -> Any:
        """An instruction of the processor."""
        module = self.builder.module
        return module.globals.get(name) or ir.Function(module, ir.FunctionType(result, kinds), name)


def _joined(call: _Call, lower: Any, upper: Any, start: int) -> Any:
    """Sixteen sums of 32 bits from lane `start` on of their halves."""
    b, lanes = call.builder, range(start, start + LANES)
    if not _CAN.get("avx512bw", False):
        pick = ir.Constant(ir.VectorType(I32, LANES), list(lanes))
        low, high = (b.sext(b.shuffle_vector(s, s, pick), WORDS) for s in (lower, upper))
        return b.add(low, b.shl(high, words(LOW)))
    # Halves side by side, multiplied by 1 and 2^LOW and added in one instruction.
    kind = ir.VectorType(I16, 2 * LANES)
    pick = [n for k in lanes for n in (k, lower.type.count + k)]
    pairs = b.shuffle_vector(lower, upper, ir.Constant(ir.VectorType(I32, 2 * LANES), pick))
    multiply = call.function("llvm.x86.avx512.pmaddw.d.512", WORDS, kind, kind)
    return b.call(multiply, [pairs, ir.Constant(kind, [1, 1 << LOW] * LANES)])


def _row_step(call: _Call, rule: Rule) -> None:
    """Update one spin; states hold a bit per lane, sixteen to a number."""
    b, place = call.builder, call.given["place"]
    groups = b.sdiv(call.given["width"], _whole(LANES))
    group = b.sdiv(call.given["lane"], _whole(LANES))
    width = LANES * min(2, call.together)
    parts = call.together * LANES // width
    bits, mask = ir.IntType(width), ir.VectorType(I1, width)
    halves = ir.VectorType(I16, width)

    def at(name: str, place: Any, number: int) -> Any:
        return call.at(name, b.mul(place, groups), group, _whole(number))

    def add(entry: Any, sums: list[Any]) -> list[Any]:
        column = b.sext(b.load(call.at("columns", entry)), I64)
        loads = [call.load(at("source", column, q * width // LANES), bits) for q in range(parts)]
        ups = [b.bitcast(load, mask) for load in loads]
        pair, out = call.at("values", b.shl(entry, _whole(1))), []
        for half in range(2):
            J = spread_over(b, b.load(b.gep(pair, [_whole(half)])), halves)
            mine = sums[half * parts : (half + 1) * parts]
            out += [b.select(up, b.add(s, J), s) for up, s in zip(ups, mine, strict=True)]
        return out

    def run(k: Any, totals: list[Any]) -> list[Any]:
        first = b.add(call.given["first"], b.mul(k, _whole(RUN)))
        left = b.sub(call.given["last"], first)
        count = b.select(b.icmp_signed("<", left, _whole(RUN)), left, _whole(RUN))
        nothing = [ir.Constant(halves, [0] * width)] * (2 * parts)
        sums = call.v.loop(count, nothing, lambda e, sums: add(b.add(first, e), sums))
        out = []
        for q, total in enumerate(totals):
            part, start = divmod(q * LANES, width)
            out.append(b.add(total, _joined(call, sums[part], sums[parts + part], start)))
        return out

    drawn = call.draw(rule)
    size = b.sub(call.given["last"], call.given["first"])
    runs = b.sdiv(b.add(size, _whole(RUN - 1)), _whole(RUN))
    totals = call.v.loop(runs, [call.base()] * call.together, run)
    # All decisions before the first store: it might change what they share, for all the compiler knows.
    decided = []
    for q, total in enumerate(totals):
        up = b.bitcast(call.load(at("source", place, q), I16), _BITS)
        decided.append(call.decide(rule, call.field(q, total), drawn[q], up))
    for q, after in enumerate(decided):
        call.store(b.bitcast(after, I16), at("target", place, q))


def _table_step(call: _Call, rule: Rule) -> None:
    """Update one spin; states hold four bytes per lane and sixteen spins.

    Bit k of byte c is spin 4 c + k of the sixteen, bits 4 and 5 are c: a byte says where to look in a table.
    """
    b, together, place = call.builder, call.together, call.given["place"]
    kind = ir.VectorType(I8, TABLE)
    look = call.function("llvm.x86.avx512.permvar.qi.512", kind, kind, kind)
    add_bytes = call.function("llvm.x86.avx512.vpdpbusd.512", WORDS, WORDS, WORDS, WORDS)

    def codes(name: str, column: Any, q: int) -> Any:
        row = b.mul(column, call.given["width"])
        return call.at(name, row, call.given["lane"], _whole(LANES * q))

    def add(k: Any, sums: list[Any]) -> list[Any]:
        entry, out = b.add(call.given["first"], k), []
        column = b.sext(b.load(call.at("columns", entry)), I64)
        signs = [call.load(codes("source", column, q), kind) for q in range(together)]
        tables = call.at("values", b.mul(entry, _whole(BYTES * TABLE)))
        for k in range(BYTES):
            table = call.load(b.gep(tables, [_whole(TABLE * k)]), kind)
            for q in range(together):
                found = b.bitcast(b.call(look, [table, signs[q]]), WORDS)
                out.append(b.call(add_bytes, [sums[k * together + q], found, words(0x01010101)]))
        return out

    drawn = call.draw(rule)
    size = b.sub(call.given["last"], call.given["first"])
    sums = call.v.loop(size, [words(0)] * (BYTES * together), add)
    base, here = call.base(), b.ashr(place, _whole(4))
    four, spin = b.and_(b.ashr(place, _whole(2)), _whole(3)), b.and_(place, _whole(3))
    shift = b.trunc(b.add(b.shl(four, _whole(3)), spin), I32)
    bit = spread_word(b, b.shl(ir.Constant(I32, 1), shift))
    for q in range(together):
        total = base
        for k, part in enumerate(sums[q::together]):
            total = b.add(total, b.shl(part, words(8 * k)))
        was = call.load(codes("source", here, q), WORDS)
        up = b.icmp_unsigned("!=", b.and_(was, bit), words(0))
        after = call.decide(rule, call.field(q, total), drawn[q], up)
        now = b.select(after, b.or_(was, bit), b.and_(was, b.not_(bit)))
        call.store(now, codes("target", here, q))


def _step(kind: Any, rule: Rule, sizes: tuple[int, ...]) -> Any:
    """Build the update of one place on all lanes of a tile, so many vectors at a time, the most first.

    The intrinsic takes, in this order, values, columns, base and grain of the net, states to read and to write, fields
    (places, width), units, pairs of random words (2, width), numbers and table of the rule; then the first entry of the
    place and one past its last, the width, the lanes in use, the place, and the word of the rule.
    """

    @intrinsic
    def step(  # type: ignore[no-untyped-def]
        typing, values, columns, base, grain, source, target, fields, units, pairs, numbers, table,
        first, last, width, lanes, place, word,
    ):  # fmt: skip
        arrays = (
            values,
            columns,
            base,
            grain,
            source,
            target,
            fields,
            units,
            pairs,
            numbers,
            table,
        )

        def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
            call = _Call(context, builder, signature, args)
            done = _whole(0)
            for together in sizes:
                size = _whole(together * LANES)
                count = builder.sdiv(builder.sub(call.given["lanes"], done), size)

                def body(k, carried, together=together, size=size, done=done):  # type: ignore[no-untyped-def]
                    call.together = together
                    call.given["lane"] = builder.add(done, builder.mul(k, size))
                    kind(call, rule)
                    return carried

                call.v.loop(count, [], body)
                done = builder.add(done, builder.mul(count, size))
            return context.get_dummy_value()

        return types.void(*arrays, *[types.int64] * 6), generate

    return step


row_metropolis, row_heat_bath = (
    _step(_row_step, rule, (TOGETHER, 1)) for rule in (metropolis, heat_bath)
)
row_looked_up = _step(_row_step, looked_up, (1,))
table_metropolis, table_heat_bath = (
    _step(_table_step, rule, (TOGETHER, 1)) for rule in (metropolis, heat_bath)
)
