"""The inner step of every relaxing machine, over panels of sample lanes.

A panel is a flat array of rows of LANES numbers: one column per sample, one 512-bit register per row.
`relax_rows` is written as LLVM vectors because numba's own loops leave it scalar. The force on up to ROWS
units is summed and used without leaving the registers, which runs near the fused-multiply-add peak for any
width of layer. Every lane sums in the order of its couplings whatever the tile or processor, so no result
depends on how a batch is split.
"""

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

LANES = 16
"""Samples per tile: one 512-bit vector of float32."""

ROWS = 8 if llvm.get_host_cpu_features().get("avx512f", False) else 4
"""Rows per product: as many sums as the vector registers hold."""

_I64 = ir.IntType(64)
_I32 = ir.IntType(32)


class _Vectors:
    """Loads, stores and arithmetic on vectors of LANES numbers of one type."""

    def __init__(self, context: Any, builder: Any, dtype: Any) -> None:
        self.context, self.builder = context, builder
        self.scalar = context.get_value_type(dtype)
        self.type = ir.VectorType(self.scalar, LANES)
        self.bytes = dtype.bitwidth // 8

    def pointer(self, array_type: Any, array: Any, row: Any) -> Any:
        """Address of a row of a panel."""
        data = self.context.make_array(array_type)(self.context, self.builder, array).data
        return self.builder.gep(data, [self.builder.mul(row, ir.Constant(_I64, LANES))])

    def load(self, pointer: Any, row: Any) -> Any:
        value = self.builder.load(self._at(pointer, row))
        value.align = self.bytes
        return value

    def store(self, value: Any, pointer: Any, row: Any) -> None:
        self.builder.store(value, self._at(pointer, row)).align = self.bytes

    def _at(self, pointer: Any, row: Any) -> Any:
        offset = self.builder.mul(row, ir.Constant(_I64, LANES))
        return self.builder.bitcast(self.builder.gep(pointer, [offset]), self.type.as_pointer())

    def spread(self, value: Any) -> Any:
        """The same number in every lane."""
        nothing = ir.Constant(self.type, ir.Undefined)
        one = self.builder.insert_element(nothing, value, ir.Constant(_I32, 0))
        zeros = ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES)
        return self.builder.shuffle_vector(one, nothing, zeros)

    def fill(self, value: float) -> Any:
        return ir.Constant(self.type, [value] * LANES)

    def call(self, name: str, *args: Any) -> Any:
        """An LLVM intrinsic such as fma or fabs, lane by lane."""
        full = f"llvm.{name}.v{LANES}f{8 * self.bytes}"
        known = self.builder.module.globals.get(full)
        kind = ir.FunctionType(self.type, [self.type] * len(args))
        return self.builder.call(known or ir.Function(self.builder.module, kind, name=full), args)

    def loop(self, count: Any, start: list[Any], body: Any) -> list[Any]:
        """Run `body(k, carried) -> carried` for k = 0 … count − 1; return what is carried out."""
        builder, entry = self.builder, self.builder.block
        head, inside, after = (builder.append_basic_block(b) for b in ("head", "inside", "after"))
        builder.branch(head)
        builder.position_at_end(head)
        k = builder.phi(_I64)
        carried = [builder.phi(value.type) for value in start]
        for phi, value in zip([k, *carried], [ir.Constant(_I64, 0), *start], strict=True):
            phi.add_incoming(value, entry)
        builder.cbranch(builder.icmp_signed("<", k, count), inside, after)
        builder.position_at_end(inside)
        following = body(k, carried)
        step = builder.add(k, ir.Constant(_I64, 1))
        for phi, value in zip([k, *carried], [step, *following], strict=True):
            phi.add_incoming(value, builder.block)
        builder.branch(head)
        builder.position_at_end(after)
        return carried


def _relax(rows: int) -> Any:
    """Build the step for `rows` units at a time."""

    @intrinsic
    def relax(typing, x, y, h, seen, w, links, first, last, unit, row, spring, lanes, numbers):  # type: ignore[no-untyped-def]
        i8 = types.int64
        signature = types.void(x, y, h, seen, w, links, i8, i8, i8, i8, spring, lanes, numbers)

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            x_, y_, h_, seen_, w_, links_, first_, last_, unit_, row_, spring_, lanes_, numbers_ = args
            v = _Vectors(context, builder, x.dtype)
            zero, four = ir.Constant(_I64, 0), ir.Constant(_I64, 4)
            index = [ir.Constant(_I64, q) for q in range(rows)]
            weights = context.make_array(w)(context, builder, w_).data
            link_data = context.make_array(links)(context, builder, links_).data
            states = v.pointer(seen, seen_, zero)

            def add_link(number, sums):  # type: ignore[no-untyped-def]
                at = builder.mul(builder.add(first_, number), four)
                start, stride, count, source = (
                    builder.load(builder.gep(link_data, [builder.add(at, ir.Constant(_I64, c))]))
                    for c in range(4)
                )
                begin = builder.gep(weights, [builder.add(start, builder.mul(unit_, stride))])
                offset = [builder.mul(stride, q) for q in index]

                def add_unit(k, sums):  # type: ignore[no-untyped-def]
                    state = v.load(states, builder.add(source, k))
                    loads = [builder.load(builder.gep(begin, [builder.add(o, k)])) for o in offset]
                    return [v.call("fma", v.spread(c), state, s) for c, s in zip(loads, sums, strict=True)]

                return v.loop(count, sums, add_unit)

            fields = v.pointer(h, h_, row_)
            forces = v.loop(builder.sub(last_, first_), [v.load(fields, q) for q in index], add_link)

            value = context.make_array(numbers)(context, builder, numbers_).data
            number = [builder.load(builder.gep(value, [ir.Constant(_I64, k)])) for k in range(8)]
            stiffness, keep, kick, drift, ramp, low, high, tolerance = (v.spread(s) for s in number)
            per_lane = v.pointer(lanes, lanes_, zero)
            active, worst, moved = (v.load(per_lane, ir.Constant(_I64, c)) for c in range(3))
            added = v.load(v.pointer(spring, spring_, zero), zero)
            negative, against = builder.fneg(builder.fadd(stiffness, added)), builder.fneg(ramp)
            on = builder.fcmp_ordered(">", active, v.fill(0.0))
            xs, ys = v.pointer(x, x_, row_), v.pointer(y, y_, row_)

            def clip(a):  # type: ignore[no-untyped-def]
                capped = builder.select(builder.fcmp_ordered(">", a, high), high, a)
                return builder.select(builder.fcmp_ordered("<", capped, low), low, capped)

            for q, z in zip(index, forces, strict=True):
                position, momentum = v.load(xs, q), v.load(ys, q)
                force = v.call("fma", negative, position, z)
                gap = v.call("fabs", builder.fsub(position, clip(builder.fadd(position, force))))
                pushed = v.call("fma", against, position, force)
                following = v.call("fma", kick, pushed, builder.fmul(keep, momentum))
                aim = v.call("fma", drift, following, position)
                walled = clip(aim)
                reach = v.call("fabs", builder.fsub(walled, position))
                busy = builder.or_(
                    builder.fcmp_unordered(">=", gap, tolerance), builder.fcmp_unordered(">=", reach, tolerance)
                )
                go = builder.and_(busy, on)
                stopped = builder.fcmp_unordered("!=", aim, walled)
                kept = builder.select(stopped, v.fill(0.0), following)
                v.store(builder.select(go, walled, position), xs, q)
                v.store(builder.select(go, kept, momentum), ys, q)
                worst = builder.select(builder.fcmp_unordered("<=", gap, worst), worst, gap)
                moved = builder.select(go, v.fill(1.0), moved)
            v.store(worst, per_lane, ir.Constant(_I64, 1))
            v.store(moved, per_lane, ir.Constant(_I64, 2))
            return context.get_dummy_value()

        return signature, generate

    return relax


_many, _two, _one = _relax(ROWS), _relax(2), _relax(1)


@njit
def relax_layer(x, y, h, seen, w, links, first, last, row, size, spring, lanes, numbers):  # type: ignore[no-untyped-def]
    """Step the units of one layer.

    With z = h + Σ_links w · seen and f = z − (stiffness + spring) x, lane by lane:

        y ← keep y + kick (f − ramp x)        x ← clip(x + drift y)        y ← 0 where the wall was met

    A unit stays where it is when both its residual |x − clip(x + f)| and its step are below the tolerance.

    Args:
        x: panel of positions, changed.
        y: panel of momenta, changed.
        h: panel of forces that stay: minus the fields.
        seen: panel of positions that the couplings see: x itself, or a copy for synchronous steps.
        w: couplings as forces (minus the problem's), flat.
        links: per link start in `w`, stride between rows, length of a row, first row of `seen`.
        first: first link of the layer.
        last: one past its last link.
        row: first unit of the layer.
        size: units in the layer.
        spring: (LANES,) stiffness that a nudge adds.
        lanes: 3 rows: active (1 where the sample still moves), residual (raised to the largest
            |x − clip(x + f)|, NaN included) and moved (set to 1 where any unit moved).
        numbers: stiffness, keep, kick, drift, ramp, low, high, tolerance.
    """
    unit = 0
    while unit + ROWS <= size:
        _many(x, y, h, seen, w, links, first, last, unit, row + unit, spring, lanes, numbers)
        unit += ROWS
    while unit + 2 <= size:
        _two(x, y, h, seen, w, links, first, last, unit, row + unit, spring, lanes, numbers)
        unit += 2
    if unit < size:
        _one(x, y, h, seen, w, links, first, last, unit, row + unit, spring, lanes, numbers)
