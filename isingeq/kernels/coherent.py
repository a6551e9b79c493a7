"""One tile of replicas of a coherent Ising machine, step by step; `isingeq.machines.coherent` has the equations.

`replicas` sums the fields, one pass then moves the row that they belong to. What is fed back is the tile `seen`: the
amplitudes themselves, or what a noisy measurement makes of them.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from isingeq.kernels.gaussian import normal_row
from isingeq.kernels.inner import inner
from isingeq.kernels.lanes import LANES, Vectors
from isingeq.kernels.replicas import MIDDLE, NARROW, ROWS, WIDE, Bonds, energies, fields

Floats = NDArray[np.floating]
Reals = NDArray[np.float64]

FLOOR = 1e-3
"""Lowest error variable: a step that would turn one over leaves it here, from where it can grow again."""

_I64 = ir.IntType(64)


class Course(NamedTuple):
    """Coefficients of a run.

    Attributes:
        gain: dt (pump − loss) per step (sweeps,).
        feed: dt · feedback per step (sweeps,).
        target: squared amplitude aimed at, per step (sweeps,).
        follow: what is added to the target per unit of −energy, where that is positive, per step (sweeps,).
        dt: time step.
        rate: dt · rate of the error variables; 0 leaves them where they are.
        ceiling: highest error variable.
        wall: highest amplitude in units of the target's root; infinite for none.
        blur: standard deviation of a measurement; 0 feeds the amplitudes themselves back.
        kick: what a measurement tells moves the amplitude, per unit of noise and of V − ½.
        tap: loss to the measurement, j.
        look: sweeps from one look at the energies to the next.
    """

    gain: Reals
    feed: Reals
    target: Reals
    follow: Reals
    dt: float
    rate: float
    ceiling: float
    wall: float
    blur: float
    kick: float
    tap: float
    look: int


class Tile(NamedTuple):
    """Replicas side by side.

    Attributes:
        mean: amplitudes (rows of lanes), or empty where they are fed back unmeasured; overwritten.
        variance: V (rows of lanes), or empty without measurement; overwritten.
        error: error variables (rows of lanes), overwritten.
        h: fields (rows of lanes), or one row of zeros.
        keys: of the streams of random numbers (lanes,).
    """

    mean: Floats
    variance: Floats
    error: Floats
    h: Floats
    keys: NDArray[np.uint64]


class Found(NamedTuple):
    """What is written.

    Attributes:
        energy: lowest seen, (lanes,); to begin with infinite.
        spins: of the lowest energy, ±1 (rows of lanes).
        trace: (5, sweeps, lanes): energy, lowest energy so far, mean and standard deviation of |x|, mean error
            variable, after every sweep; no sweeps for none.
    """

    energy: Reals
    spins: NDArray[np.int8]
    trace: Reals


def _step(vectors: int, *, measured: bool) -> Any:
    """Build the step of one row.

        x ← x + gain x − dt x³ − feed e (f + √a h) [+ kick (V − ½) ξ]        |x| ≤ wall
        e ← e + rate (a − s²) e                                              floor ≤ e ≤ ceiling
        V ← [V − 2 tap (V − ½)² + dt + tap + 2 dt x²] / [1 − 2 (gain − 3 dt x²)]

    with s = x, or s = x + blur ξ when measured; ξ is what separates s from x, not drawn twice. `numbers` are gain,
    dt, feed, rate, floor, ceiling, blur, kick and tap (times dt); `lanes` has three rows: a, √a and the wall.
    """

    @intrinsic
    def step(typing, seen, new, tile, f, noise, lanes, numbers, row, force):  # type: ignore[no-untyped-def]
        i8 = types.int64
        signature = types.void(seen, new, tile, f, noise, lanes, numbers, i8, i8)

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            seen_, new_, tile_, f_, noise_, lanes_, numbers_, row_, force_ = args
            part = dict(zip(Tile._fields, tile, strict=True))
            array = {name: builder.extract_value(tile_, k) for k, name in enumerate(Tile._fields)}
            v = Vectors(context, builder, lanes.dtype)
            width = ir.Constant(_I64, vectors)
            at, force_at = builder.mul(row_, width), builder.mul(force_, width)
            rows = {
                name: v.pointer(part[name], array[name], at)
                for name in ("mean", "variance", "error")
            }
            sight, news = v.pointer(seen, seen_, at), v.pointer(new, new_, at)
            # One row of fields serves all where there are none.
            h = context.make_array(part["h"])(context, builder, array["h"])
            several = builder.icmp_signed(">", h.nitems, ir.Constant(_I64, vectors * LANES))
            h_at = builder.select(several, at, ir.Constant(_I64, 0))
            hs, fs = v.pointer(part["h"], array["h"], h_at), v.pointer(f, f_, force_at)
            zero = ir.Constant(_I64, 0)
            per_lane, drawn = v.pointer(lanes, lanes_, zero), v.pointer(noise, noise_, zero)
            value = context.make_array(numbers)(context, builder, numbers_).data
            gain, dt, feed, rate, floor, ceiling, blur, kick, tap = (
                v.spread(builder.load(builder.gep(value, [ir.Constant(_I64, k)]))) for k in range(9)
            )
            add, sub, mul = builder.fadd, builder.fsub, builder.fmul

            def bounded(value, low, high):  # type: ignore[no-untyped-def]
                value = builder.select(builder.fcmp_ordered(">", value, high), high, value)
                return builder.select(builder.fcmp_ordered("<", value, low), low, value)

            for q in range(vectors):
                k = ir.Constant(_I64, q)
                a, root, wall = (
                    v.load(per_lane, ir.Constant(_I64, q + line * vectors)) for line in range(3)
                )
                s, e = v.load(sight, k), v.load(rows["error"], k)
                x = v.load(rows["mean"], k) if measured else s
                cubed = mul(dt, mul(x, x))
                pull = v.call("fma", root, v.load(hs, k), v.load(fs, k))
                push = sub(mul(x, sub(gain, cubed)), mul(mul(feed, e), pull))
                if measured:
                    V = v.load(rows["variance"], k)
                    above = sub(V, v.fill(0.5))
                    told = builder.fdiv(sub(s, x), blur)
                    push = add(push, mul(mul(kick, above), told))
                    decay = sub(v.fill(1.0), mul(v.fill(2.0), sub(gain, mul(v.fill(3.0), cubed))))
                    lost = mul(mul(v.fill(2.0), tap), mul(above, above))
                    gained = add(add(dt, tap), mul(v.fill(2.0), cubed))
                    following = builder.fdiv(add(V, sub(gained, lost)), decay)
                    v.store(following, rows["variance"], k)
                moved = bounded(add(x, push), builder.fneg(wall), wall)
                if measured:
                    v.store(moved, rows["mean"], k)
                    moved = v.call("fma", blur, v.load(drawn, k), moved)
                v.store(moved, news, k)
                grown = v.call("fma", mul(rate, sub(a, mul(s, s))), e, e)
                v.store(bounded(grown, floor, ceiling), rows["error"], k)
            return context.get_dummy_value()

        return signature, generate

    return step


@inner
def _note(trace, t, present, best, x, e):  # type: ignore[no-untyped-def]
    """Write down one sweep."""
    width = present.size
    n = x.size // width
    for lane in range(width):
        total, squares, errors = 0.0, 0.0, 0.0
        for at in range(lane, x.size, width):
            total += abs(x[at])
            squares += x[at] * x[at]
            errors += e[at]
        mean = total / n
        trace[0, t, lane], trace[1, t, lane] = present[lane], best[lane]
        trace[2, t, lane] = mean
        trace[3, t, lane] = np.sqrt(max(0.0, squares / n - mean * mean))
        trace[4, t, lane] = errors / n


@inner
def _adopt(energy, x, found):  # type: ignore[no-untyped-def]
    """Keep the spins of the lanes whose energy is the lowest so far."""
    width, better = energy.size, False
    for lane in range(width):
        better |= energy[lane] < found.energy[lane]
    if not better:
        return
    for row in range(0, x.size, width):
        for lane in range(width):
            if energy[lane] < found.energy[lane]:
                found.spins[row + lane] = np.copysign(1.0, x[row + lane])
    for lane in range(width):
        found.energy[lane] = min(found.energy[lane], energy[lane])


def _drive(vectors: int) -> Any:
    """Build the run of a tile; see `drive`."""
    width = vectors * LANES
    sum_fields, find_energies = fields(vectors), energies(vectors)
    move, measure = _step(vectors, measured=False), _step(vectors, measured=True)

    @njit(inline="always")
    def drive(seen, new, tile, bonds, course, found):  # type: ignore[no-untyped-def]
        kind, sweeps = seen.dtype, course.gain.size
        f, lanes = np.empty(ROWS * width, kind), np.empty(3 * width, kind)
        numbers, noise = np.empty(9, kind), np.empty(width, kind)
        scratch, drawn = np.empty((4, width), np.float32), np.empty(width, np.float32)
        present, known = np.zeros(width), np.zeros(width)
        traced, measured = found.trace.shape[1] > 0, tile.mean.size > 0
        numbers[1], numbers[3], numbers[4] = course.dt, course.rate, FLOOR
        numbers[5], numbers[6], numbers[7] = course.ceiling, course.blur, course.kick
        numbers[8] = course.dt * course.tap
        for t in range(sweeps + 1):
            look = t % course.look == 0 or t == sweeps
            if look or traced:
                find_energies(bonds, tile.h, seen, f, present)
            if look:
                for lane in range(width):
                    known[lane] = present[lane]
                _adopt(present, seen, found)
            if traced and t > 0:
                x = tile.mean if measured else seen
                _note(found.trace, t - 1, present, found.energy, x, tile.error)
            if t == sweeps:
                break
            for lane in range(width):
                a = course.target[t] + max(-course.follow[t] * known[lane], 0.0)
                wall = course.wall * np.sqrt(a) if course.wall < np.inf else np.inf
                lanes[lane], lanes[width + lane], lanes[2 * width + lane] = a, np.sqrt(a), wall
            numbers[0], numbers[2] = course.gain[t], course.feed[t]
            unit = 0
            while unit < bonds.starts.size - 1:
                done = sum_fields(bonds, seen, unit, f)
                for q in range(done):
                    if measured:
                        normal_row(tile.keys, t + 2, unit + q, drawn, scratch)
                        for lane in range(width):
                            noise[lane] = drawn[lane]
                        measure(seen, new, tile, f, noise, lanes, numbers, unit + q, q)
                    else:
                        move(seen, new, tile, f, noise, lanes, numbers, unit + q, q)
                unit += done
            seen, new = new, seen
        return seen

    return drive


_wide, _middle, _narrow = _drive(WIDE), _drive(MIDDLE), _drive(NARROW)


@njit(nogil=True, cache=True, error_model="numpy", boundscheck=False)
def _drive_wide(seen, new, tile, bonds, course, found):  # type: ignore[no-untyped-def]
    return _wide(seen, new, tile, bonds, course, found)


@njit(nogil=True, cache=True, error_model="numpy", boundscheck=False)
def _drive_middle(seen, new, tile, bonds, course, found):  # type: ignore[no-untyped-def]
    return _middle(seen, new, tile, bonds, course, found)


@njit(nogil=True, cache=True, error_model="numpy", boundscheck=False)
def _drive_narrow(seen, new, tile, bonds, course, found):  # type: ignore[no-untyped-def]
    return _narrow(seen, new, tile, bonds, course, found)


def drive(
    seen: Floats, new: Floats, tile: Tile, bonds: Bonds, course: Course, found: Found
) -> Floats:
    """Run a tile of WIDE, MIDDLE or NARROW vectors through its course; what is not run is not compiled.

    Args:
        seen: amplitudes as first fed back (rows of lanes), overwritten.
        new: of the same size, overwritten.
        tile: the rest of the replicas' state.
        bonds: couplings.
        course: coefficients.
        found: written.

    Returns:
        The amplitudes last fed back, one of the first two arrays.
    """
    chosen = {WIDE: _drive_wide, MIDDLE: _drive_middle, NARROW: _drive_narrow}
    return chosen[tile.keys.size // LANES](seen, new, tile, bonds, course, found)
