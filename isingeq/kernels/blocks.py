"""One spin, or four at a time: sum the fields of many replicas, let the spins decide, write them down.

    z_i = h_i + Σ_j J_ij s_j

Replicas (one per sample and read) are lanes, sixteen to a vector. Spins are bits, and no coupling is multiplied:

    rows      Σ J s = −Σ J + Σ over neighbours that are up of 2 J: one masked addition per coupling
    quads     Σ J s = Σ over quads of a table of the 16 sums ±J ± J ± J ± J, looked up by the four signs inside a
              vector register: one permutation and one addition per four couplings

Couplings are counted in whole numbers of a grain, each spin its own (`colours.grain_of`): the sums come out the same in
any order and either form, on any processor, and whole numbers add up in more places of one than float32 do. z is
h + grain · sum in float32, rounded twice. A step is an intrinsic, for numba's own loops leave all of this scalar.
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
    Rule,
    looked_up,
    random_words,
    spread_word,
    thermal,
    words,
)  # fmt: skip
from isingeq.kernels.colours import QUAD
from isingeq.kernels.lanes import LANES, Vectors

CAN_PERMUTE = bool(llvm.get_host_cpu_features().get("avx512f", False))
"""Whether the processor looks up tables of sixteen numbers inside a register."""

TOGETHER = 4
"""Vectors of lanes whose fields are summed together: four spins' sums still fit the registers."""

_ARRAYS = "values columns base grain source target fields units pairs numbers table"
_WHOLE = "first last width lane place shift"
_BYTES = ir.VectorType(I8, LANES)
_BITS = ir.VectorType(I1, LANES)


def _whole(value: int) -> Any:
    return ir.Constant(I64, value)


class _Call:
    """Arguments of a step by name, arrays as addresses of their data, and what is read through them."""

    def __init__(self, context: Any, builder: Any, signature: Any, values: Any, together: int) -> None:  # fmt: skip
        kinds = signature.args
        self.builder, self.together = builder, together
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

    def sums(self, spins: int, add: Any) -> list[Any]:
        """Run `add(entry, column, sums)` over the entries of the place; all lanes of a spin come first."""
        b, first = self.builder, self.given["first"]
        place = b.mul(self.given["place"], _whole(spins))
        bases = [b.load(self.at("base", place, _whole(c))) for c in range(spins)]
        start = [spread_word(b, base) for base in bases for _ in range(self.together)]

        def body(k: Any, sums: list[Any]) -> list[Any]:
            entry = b.add(first, k)
            return add(entry, b.sext(b.load(self.at("columns", entry)), I64), sums)

        return self.v.loop(b.sub(self.given["last"], first), start, body)

    def field(self, q: int, spin: int, spins: int, total: Any) -> Any:
        """Field h + grain · total of one spin of the place, lanes of vector `q`."""
        b = self.builder
        place = b.add(b.mul(self.given["place"], _whole(spins)), _whole(spin))
        row = self.at("fields", b.mul(place, self.given["width"]), self.given["lane"])
        grain = self.v.spread(b.load(self.at("grain", place)))
        return self.v.call("fma", b.sitofp(total, self.v.type), grain, self.v.load(row, _whole(q)))

    def words_of(self, q: int, spin: int, spins: int) -> Any:
        """Random words of one spin of the place, lanes of vector `q`."""
        place = self.builder.mul(self.given["place"], _whole(spins))
        unit = self.builder.load(self.at("units", place, _whole(spin)))
        low = self.at("pairs", self.given["lane"], _whole(LANES * q))
        high = self.builder.gep(low, [self.given["width"]])
        a, b = self.load(low, WORDS), self.load(high, WORDS)
        return random_words(self.builder, a, b, unit)

    def decide(self, rule: Rule, z: Any, x: Any, up: Any) -> Any:
        """Lanes in which the spin is +1 afterwards."""
        b = self.builder
        numbers = [self.v.spread(b.load(self.at("numbers", _whole(k)))) for k in range(3)]
        shift = spread_word(b, b.trunc(self.given["shift"], I32))
        return rule(self.v, z, x, up, (*numbers, shift), self.at("table"))


def _row_step(call: _Call, rule: Rule) -> None:
    """Update one spin; states hold a bit per lane, sixteen to a number."""
    b = call.builder
    groups = b.sdiv(call.given["width"], _whole(LANES))
    group = b.sdiv(call.given["lane"], _whole(LANES))

    def bits(name: str, place: Any, q: int) -> Any:
        return call.at(name, b.mul(place, groups), group, _whole(q))

    def up(name: str, place: Any, q: int) -> Any:
        return b.bitcast(call.load(bits(name, place, q), I16), _BITS)

    def add(entry: Any, column: Any, sums: list[Any]) -> list[Any]:
        J = spread_word(b, b.load(call.at("values", entry)))
        on = [up("source", column, q) for q in range(call.together)]
        return [b.select(o, b.add(s, J), s) for o, s in zip(on, sums, strict=True)]

    place = call.given["place"]
    # All decisions before the first store: it might change what they share, for all the compiler knows.
    decided = [
        call.decide(rule, call.field(q, 0, 1, total), call.words_of(q, 0, 1), up("source", place, q))
        for q, total in enumerate(call.sums(1, add))
    ]  # fmt: skip
    for q, after in enumerate(decided):
        call.store(b.bitcast(after, I16), bits("target", place, q))


def _quad_step(call: _Call, rule: Rule) -> None:
    """Update four spins; states hold a byte per lane and quad, bit k for spin k.

    The bytes of four quads lie side by side, so sixteen 32-bit words read at a quad's byte have its signs at the
    bottom, and a permutation looks at the lowest four bits alone.
    """
    b, together = call.builder, call.together
    permuted = "llvm.x86.avx512.permvar.si.512"
    permute = b.module.globals.get(permuted) or ir.Function(
        b.module, ir.FunctionType(WORDS, [WORDS, WORDS]), permuted
    )

    def codes(name: str, quad: Any, q: int) -> Any:
        row = b.mul(b.ashr(quad, _whole(2)), call.given["width"])
        lane = b.add(b.add(row, call.given["lane"]), _whole(LANES * q))
        return call.at(name, b.shl(lane, _whole(2)), b.and_(quad, _whole(3)))

    def add(entry: Any, column: Any, sums: list[Any]) -> list[Any]:
        signs = [call.load(codes("source", column, q), WORDS) for q in range(together)]
        tables = call.at("values", b.mul(entry, _whole(QUAD * LANES)))
        out = []
        for c in range(QUAD):
            table = call.load(b.gep(tables, [_whole(LANES * c)]), WORDS)
            out += [
                b.add(sums[c * together + q], b.call(permute, [table, s]))
                for q, s in enumerate(signs)
            ]
        return out

    place = call.given["place"]
    sums = call.sums(QUAD, add)
    lowest = b.shl(b.trunc(b.and_(place, _whole(3)), I32), ir.Constant(I32, 3))
    others = spread_word(b, b.not_(b.shl(ir.Constant(I32, 255), lowest)))
    lowest = spread_word(b, lowest)
    for q in range(together):
        was = call.load(codes("source", place, q), WORDS)
        code = words(0)
        for c in range(QUAD):
            up = b.icmp_unsigned("!=", b.and_(was, words(1 << c)), words(0))
            z = call.field(q, c, QUAD, sums[c * together + q])
            up = call.decide(rule, z, call.words_of(q, c, QUAD), up)
            code = b.select(up, b.or_(code, words(1 << c)), code)
        four = codes("target", b.and_(place, _whole(-4)), q)
        call.store(b.or_(b.and_(call.load(four, WORDS), others), b.shl(code, lowest)), four)


def _step(kind: Any, rule: Rule, together: int) -> Any:
    """Build the step of one place in `together` vectors of lanes.

    The intrinsic takes, in this order, values, columns, base and grain of the net, states to read and to write, fields
    (places, width), units, pairs of random words (2, width), numbers and table of the rule; then the first entry of the
    place and one past its last, the width, the first lane, the place, and the shift of the rule.
    """

    @intrinsic
    def step(  # type: ignore[no-untyped-def]
        typing, values, columns, base, grain, source, target, fields, units, pairs, numbers, table,
        first, last, width, lane, place, shift,
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
            kind(_Call(context, builder, signature, args, together), rule)
            return context.get_dummy_value()

        return types.void(*arrays, *[types.int64] * 6), generate

    return step


row_steps, row_step = (_step(_row_step, thermal, k) for k in (TOGETHER, 1))
quad_steps, quad_step = (_step(_quad_step, thermal, k) for k in (TOGETHER, 1))
looked_up_step = _step(_row_step, looked_up, 1)
