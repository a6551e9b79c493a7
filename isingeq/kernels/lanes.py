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
from numba import types
from numba.extending import intrinsic

from isingeq.kernels.inner import inline

LANES = 16
"""Samples per tile: one 512-bit vector of float32."""

ROWS = 10 if llvm.get_host_cpu_features().get("avx512f", False) else 4
"""Rows per product: ten classes in one pass where the vector registers hold as many sums."""

LOOK = -1.0
"""Tolerance with which residuals are found and no unit rests."""

_I64 = ir.IntType(64)
_I32 = ir.IntType(32)


class Vectors:
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
        """Vector of a row."""
        value = self.builder.load(self._at(pointer, row))
        value.align = self.bytes
        return value

    def store(self, value: Any, pointer: Any, row: Any) -> None:
        """Write a vector to a row."""
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
        """Constant in every lane."""
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


def _step(
    v: Vectors, sig: Any, args: Any, unit_: Any, *, rows: int, momentum: bool, measured: bool
) -> None:
    """Emit the step of `rows` units from one on, their sums held in registers together; see `_relax_layer`."""
    (
        x_,
        y_,
        h_,
        seen_,
        w_,
        links_,
        first_,
        last_,
        row_,
        _,
        spring_,
        at_,
        apart_,
        lanes_,
        numbers_,
    ) = args
    builder, kind = v.builder, sig.args[0]
    row_ = builder.add(row_, unit_)
    zero, five = ir.Constant(_I64, 0), ir.Constant(_I64, 5)
    index = [ir.Constant(_I64, q) for q in range(rows)]
    weights = v.context.make_array(sig.args[4])(v.context, builder, w_).data
    link_data = v.context.make_array(sig.args[5])(v.context, builder, links_).data
    new, old = v.pointer(kind, x_, zero), v.pointer(kind, seen_, zero)

    def add_link(number, sums):  # type: ignore[no-untyped-def]
        at = builder.mul(builder.add(first_, number), five)
        start, stride, count, source, before = (
            builder.load(builder.gep(link_data, [builder.add(at, ir.Constant(_I64, c))]))
            for c in range(5)
        )
        states = builder.select(builder.icmp_signed("!=", before, zero), old, new)
        begin = builder.gep(weights, [builder.add(start, builder.mul(unit_, stride))])
        offset = [builder.mul(stride, q) for q in index]

        def add_unit(k, sums):  # type: ignore[no-untyped-def]
            state = v.load(states, builder.add(source, k))
            loads = [builder.load(builder.gep(begin, [builder.add(o, k)])) for o in offset]
            return [v.call("fma", v.spread(c), state, s) for c, s in zip(loads, sums, strict=True)]

        return v.loop(count, sums, add_unit)

    fields = v.pointer(kind, h_, row_)
    forces = v.loop(builder.sub(last_, first_), [v.load(fields, q) for q in index], add_link)

    value = v.context.make_array(sig.args[14])(v.context, builder, numbers_).data
    number = [builder.load(builder.gep(value, [ir.Constant(_I64, k)])) for k in range(9)]
    stiffness, keep, kick, drift, ramp, low, high, tolerance, short = (v.spread(s) for s in number)
    per_lane = v.pointer(kind, lanes_, zero)
    active, worst, moved = (v.load(per_lane, ir.Constant(_I64, c)) for c in range(3))
    springs = v.pointer(kind, spring_, zero)
    added, ease = (v.load(springs, ir.Constant(_I64, c)) for c in range(2))
    kick = builder.fmul(kick, ease)
    negative, against = builder.fneg(builder.fadd(stiffness, added)), builder.fneg(ramp)
    on = builder.fcmp_ordered(">", active, v.fill(0.0))
    xs, ys = v.pointer(kind, x_, row_), v.pointer(kind, y_, row_)
    begins = v.pointer(kind, at_, builder.mul(apart_, builder.add(row_, ir.Constant(_I64, 1))))

    stride = builder.fmul(kick, drift)
    for q, z in zip(index, forces, strict=True):
        begin = v.load(begins, builder.mul(apart_, q))
        bottom, top = builder.fsub(low, begin), builder.fsub(high, begin)

        def clip(a, bottom=bottom, top=top):  # type: ignore[no-untyped-def]
            capped = builder.select(builder.fcmp_ordered(">", a, top), top, a)
            return builder.select(builder.fcmp_ordered("<", capped, bottom), bottom, capped)

        position = v.load(xs, q)
        force = v.call("fma", negative, position, z)
        if momentum:
            pushed = v.call("fma", against, position, force)
            following = v.call("fma", kick, pushed, builder.fmul(keep, v.load(ys, q)))
            aim = v.call("fma", drift, following, position)
        else:
            aim = v.call("fma", stride, force, position)
        walled = clip(aim)
        if measured:
            gap = v.call("fabs", builder.fsub(position, clip(builder.fadd(position, force))))
            reach = v.call("fabs", builder.fsub(walled, position))
            busy = builder.or_(
                builder.fcmp_unordered(">=", gap, tolerance),
                builder.fcmp_unordered(">=", reach, short),
            )
            go = builder.and_(busy, on)
            below = builder.fcmp_ordered("<=", gap, worst)
            lost = builder.fcmp_unordered("uno", worst, worst)
            worst = builder.select(builder.or_(below, lost), worst, gap)
            moved = builder.select(go, v.fill(1.0), moved)
        v.store(builder.select(go, walled, position) if measured else walled, xs, q)
        if momentum:
            kept = builder.select(builder.fcmp_unordered("!=", aim, walled), v.fill(0.0), following)
            v.store(builder.select(go, kept, v.load(ys, q)) if measured else kept, ys, q)
    if measured:
        v.store(worst, per_lane, ir.Constant(_I64, 1))
        v.store(moved, per_lane, ir.Constant(_I64, 2))


def _relax_layer(*, momentum: bool, measured: bool) -> Any:
    """Build the step of one layer; see `relax_layer`.

    Args:
        momentum: carry momenta; without, x ← clip(x + kick drift f).
        measured: find residuals and let units rest; without, every unit of every lane moves.
    """

    @intrinsic
    def layer(  # type: ignore[no-untyped-def]
        typing, x, y, h, seen, w, links, first, last, row, size, spring, at, apart, lanes, numbers
    ):
        i8 = types.int64
        signature = types.void(x, x, x, x, w, links, i8, i8, i8, i8, x, x, i8, x, numbers)

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            v, size_ = Vectors(context, builder, x.dtype), args[9]
            start: Any = ir.Constant(_I64, 0)
            for rows in (ROWS, 2, 1):
                together = ir.Constant(_I64, rows)

                def step(k, nothing, start=start, rows=rows, together=together):  # type: ignore[no-untyped-def]
                    unit = builder.add(start, builder.mul(k, together))
                    _step(v, sig, args, unit, rows=rows, momentum=momentum, measured=measured)
                    return nothing

                count = builder.sdiv(builder.sub(size_, start), together)
                v.loop(count, [], step)
                start = builder.add(start, builder.mul(count, together))
            return context.get_dummy_value()

        return signature, generate

    return layer


_blind = _relax_layer(momentum=False, measured=False)
_overdamped = _relax_layer(momentum=False, measured=True)
_conjugate = _relax_layer(momentum=True, measured=True)


@inline
def relax_layer(x, y, h, seen, w, links, first, last, row, size, spring, at, apart, lanes, numbers):  # type: ignore[no-untyped-def]
    """Step the units of one layer.

    With z = h + Σ_links w · x and f = z − (stiffness + spring) x, lane by lane:

        y ← keep y + kick (f − ramp x)        x ← clip(x + drift y)        y ← 0 where the wall was met

    A unit stays where it is when its residual |x − clip(x + f)| and its step are below their tolerances. Walls are
    counted from `at` where positions are displacements.

    Args:
        x: panel of positions, changed.
        y: panel of momenta, changed; left alone where keep and ramp are 0.
        h: panel of forces that stay: minus the fields.
        seen: panel of the positions before the step, for links that want them.
        w: couplings as forces (minus the problem's), flat.
        links: per link start in `w`, stride between rows, length of a row, first row of the source, and 1 to read
            the source from `seen` instead of `x`.
        first: first link of the layer.
        last: one past its last link.
        row: first unit of the layer.
        size: units in the layer.
        spring: 2 rows: stiffness that a nudge adds, and the factor on the kick that goes with it.
        at: a row of zeros, and where positions are displacements a panel of what they are counted from.
        apart: 1 where they are, else 0.
        lanes: 3 rows: active (1 where the sample still moves), residual (raised to the largest
            |x − clip(x + f)|, NaN included) and moved (set to 1 where any unit moved).
        numbers: stiffness, keep, kick, drift, ramp, low, high, tolerance of residuals, and of steps; with a tolerance
            of 0 residuals are found only where momenta are, with LOOK always.
    """
    if numbers[1] != 0.0 or numbers[4] != 0.0:
        _conjugate(
            x, y, h, seen, w, links, first, last, row, size, spring, at, apart, lanes, numbers
        )
    elif numbers[7] != 0.0:
        _overdamped(
            x, y, h, seen, w, links, first, last, row, size, spring, at, apart, lanes, numbers
        )
    else:
        _blind(x, y, h, seen, w, links, first, last, row, size, spring, at, apart, lanes, numbers)
