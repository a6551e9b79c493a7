"""Adiabatic and ballistic simulated bifurcation: every step takes J x, of LANES replicas side by side.

    ballistic   y ← y + dt [ (a − a0) x − c (J x + h) ]         x ← x + a0 dt y       |x| > 1:  x ← sign x, y ← 0
    adiabatic   M times:  x ← x + Δ dt/M y,  y ← y − dt/M [ K x³ + (Δ − a) x ]        then  y ← y − c dt (J x + h)
    heated      y ← y + γ dt y_before

a0 = Δ = K = 1 (Goto et al. 2021, eq. 7–11, and 2019; heating Kanao & Goto 2022). J and h in the problem's sign.
A panel is a flat array of n rows of LANES numbers, one column per replica. A product with the couplings keeps its
sums in vector registers and adds in the order of the columns, so that no result depends on how replicas are split.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload

from isingeq.kernels.bifurcate import SPREAD, measure, note, scatter
from isingeq.kernels.events import Rows
from isingeq.kernels.inner import copy, inner
from isingeq.kernels.lanes import LANES, Vectors

TALL = 8
"""Rows of a matrix whose sums are held together."""

LOOK = 16
"""Steps between two looks at the energy, each of which costs a step."""

_I64 = ir.IntType(64)


def _kick(rows: int, *, sparse: bool) -> Any:
    """Build the product of `rows` rows of couplings with a panel, added to the momenta.

    One row alone is summed in four parts, so that no addition waits for the one before.
    """
    parts = 4 if rows == 1 else 1

    @intrinsic
    def kick(typing, values, columns, at, count, z, x, y, h, row, stiffness, strength):  # type: ignore[no-untyped-def]
        i8, f4 = types.int64, types.float32
        signature = types.void(values, columns, i8, i8, z, x, y, h, i8, f4, f4)

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            values_, columns_, at_, count_, z_, x_, y_, h_, row_, stiffness_, strength_ = args
            v = Vectors(context, builder, f4)

            def data(array_type, array):  # type: ignore[no-untyped-def]
                return context.make_array(array_type)(context, builder, array).data

            value, column = (
                builder.gep(data(t, a), [at_]) for t, a in ((values, values_), (columns, columns_))
            )
            source = v.pointer(z, z_, ir.Constant(_I64, 0))
            offset = [builder.mul(count_, ir.Constant(_I64, r)) for r in range(rows)]

            def add(e, sums):  # type: ignore[no-untyped-def]
                k = builder.sext(builder.load(builder.gep(column, [e])), _I64) if sparse else e
                state = v.load(source, k)
                loads = [builder.load(builder.gep(value, [builder.add(o, e)])) for o in offset]
                return [
                    v.call("fma", v.spread(J), state, s) for J, s in zip(loads, sums, strict=True)
                ]

            def add_parts(e, sums):  # type: ignore[no-untyped-def]
                first = builder.mul(e, ir.Constant(_I64, parts))
                places = [builder.add(first, ir.Constant(_I64, p)) for p in range(parts)]
                return [
                    s
                    for p, place in enumerate(places)
                    for s in add(place, sums[p * rows : (p + 1) * rows])
                ]

            whole = builder.sdiv(count_, ir.Constant(_I64, parts))
            sums = v.loop(whole, [v.fill(0.0)] * (rows * parts), add_parts)
            done = builder.mul(whole, ir.Constant(_I64, parts))
            rest = builder.sub(count_, done)
            sums[:rows] = v.loop(rest, sums[:rows], lambda e, s: add(builder.add(done, e), s))
            for p in range(1, parts):
                sums[:rows] = [builder.fadd(sums[r], sums[p * rows + r]) for r in range(rows)]
            xs, ys, hs = (v.pointer(t, a, row_) for t, a in ((x, x_), (y, y_), (h, h_)))
            soft, push = v.spread(stiffness_), v.spread(strength_)
            for k in range(rows):
                q = ir.Constant(_I64, k)
                kept = v.call("fma", soft, v.load(xs, q), v.load(ys, q))
                pushed = builder.fadd(sums[k], v.load(hs, q))
                v.store(v.call("fma", push, pushed, kept), ys, q)
            return context.get_dummy_value()

        return signature, generate

    return kick


_entry, _row, _rows = _kick(1, sparse=True), _kick(1, sparse=False), _kick(TALL, sparse=False)


def push(form: Any, z: Any, x: Any, y: Any, h: Any, soft: Any, strength: Any) -> None:
    """Add soft · x + strength · (J z + h) to the momenta y; compiled code alone calls it."""
    raise NotImplementedError


@overload(push)
def _push(form, z, x, y, h, soft, strength):  # type: ignore[no-untyped-def]
    return _push_rows if form.instance_class is Rows else _push_entries


def _push_rows(form, z, x, y, h, soft, strength):  # type: ignore[no-untyped-def]
    n = form.values.shape[0]
    flat, none = form.values.reshape(-1), np.empty(0, np.int32)
    for i in range(0, n - n % TALL, TALL):
        _rows(flat, none, i * n, n, z, x, y, h, i, soft, strength)
    for i in range(n - n % TALL, n):
        _row(flat, none, i * n, n, z, x, y, h, i, soft, strength)


def _push_entries(form, z, x, y, h, soft, strength):  # type: ignore[no-untyped-def]
    starts = form.starts
    for i in range(starts.size - 1):
        count = starts[i + 1] - starts[i]
        _entry(form.values, form.columns, starts[i], count, z, x, y, h, i, soft, strength)


@inner(cache=True, boundscheck=False)
def _drift(x, y, dt):  # type: ignore[no-untyped-def]
    """Move, and stop at the walls."""
    one = np.float32(1.0)
    for e in range(x.size):
        moved = x[e] + dt * y[e]
        over = abs(moved) > one
        y[e] = np.float32(0.0) if over else y[e]
        x[e] = min(max(moved, -one), one)


@inner(cache=True, boundscheck=False)
def _oscillate(x, y, dt, detuning):  # type: ignore[no-untyped-def]
    """Move on the single oscillator's ½ y² + ½ detuning x² + ¼ x⁴, symplectic Euler."""
    for e in range(x.size):
        x[e] += dt * y[e]
        y[e] -= dt * (x[e] * x[e] + detuning) * x[e]


@inner(cache=True, boundscheck=False)
def _energies(form, x, signs, product, h, out):  # type: ignore[no-untyped-def]
    """Write twice the energy of every replica's spins."""
    for e in range(x.size):
        signs[e] = np.float32(-1.0) if x[e] < np.float32(0.0) else np.float32(1.0)
    product[:] = 0.0
    push(form, signs, x, product, h, np.float32(0.0), np.float32(1.0))
    out[:] = 0.0
    for e in range(0, x.size, LANES):
        for k in range(LANES):
            out[k] += signs[e + k] * (product[e + k] + h[e + k])


@njit(nogil=True, cache=True, boundscheck=False, error_model="numpy")
def swing(first, last, form, h, substeps, drive, seed, keep_best, found):  # type: ignore[no-untyped-def]
    """Run the panels first … last − 1 of LANES tasks each; see `bifurcate.bifurcate`.

    Args:
        first: first panel.
        last: one past the last panel.
        form: couplings as Rows or Entries of float32.
        h: fields (b, n), float32.
        substeps: M of the adiabatic variant; 0 for the ballistic one.
        drive: what happens at every step.
        seed: uint64.
        keep_best: return the lowest of the energies looked at, every LOOK steps and at the end.
        found: written; spins are 0 where the motion ran away.
    """
    tasks, n = found.spins.shape
    reads = tasks // h.shape[0]
    size, steps, traced = n * LANES, drive.kick.size, found.history.shape[0] > 0
    x, y, old, fields = np.zeros((4, size), np.float32)
    signs, product = np.empty(size, np.float32), np.empty(size, np.float32)
    energy, lowest = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    dt, heat, none = np.float32(drive.dt), np.float32(drive.heat), np.float32(0.0)
    for panel in range(first, last):
        here = min(LANES, tasks - panel * LANES)
        for k in range(here):
            task = panel * LANES + k
            for i in range(n):
                x[i * LANES + k], y[i * LANES + k] = scatter(
                    seed, task // reads, task % reads, i, SPREAD
                )
                fields[i * LANES + k] = h[task // reads, i]
        lowest[:] = np.inf
        for t in range(steps):
            if heat != none:
                copy(old, y)
            if substeps:
                fine, detuning = dt / np.float32(substeps), -drive.stiffness[t] / dt
                for _ in range(substeps):
                    _oscillate(x, y, fine, detuning)
                push(form, x, x, y, fields, none, drive.kick[t])
            else:
                push(form, x, x, y, fields, drive.stiffness[t], drive.kick[t])
                _drift(x, y, dt)
            if heat != none:
                for e in range(size):
                    y[e] += heat * old[e]
            if traced or t == steps - 1 or (keep_best and t % LOOK == 0):
                _energies(form, x, signs, product, fields, energy)
                for k in range(here):
                    task = panel * LANES + k
                    lost = t == steps - 1 and not np.isfinite(energy[k])
                    if energy[k] < lowest[k] or lost or (t == steps - 1 and not keep_best):
                        for i in range(n):
                            found.spins[task, i] = 0 if lost else np.int8(signs[i * LANES + k])
                    lowest[k] = min(lowest[k], energy[k])
                    if traced:
                        note(found.history[task], t, energy[k], lowest[k])
                        measure(found.history[task], t, x[k::LANES], y[k::LANES])
