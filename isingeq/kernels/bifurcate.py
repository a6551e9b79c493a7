"""Discrete simulated bifurcation, one replica at a time: `events` keeps the fields, this moves the oscillators.

    y ← y + dt [ (a − a0) x − c (g + h) ]      g = J sign x
    x ← x + a0 (1 − δ) dt y                    |x| > 1:  x ← sign x, y ← 0
    y ← y + γ dt y_before                      heated

Every oscillator has its own δ. With δ = 0 as published, two that feel nothing but each other and start on the same side
flip in step for ever, or hit the walls together and are one from then on: half of all isolated pairs end excited.

Goto et al. 2021 (eq. 12–15), heating Kanao & Goto 2022; J and h in the problem's sign, so the force is −c (g + h).
Units stand 64 to a word, so that the signs of their positions are a word of bits and flips are found word by word.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from isingeq.kernels.events import BLOCK, SCRATCH, WORD, absorb
from isingeq.kernels.inner import copy, inner
from isingeq.kernels.lanes import LANES, Vectors
from isingeq.kernels.noise import mix

SPREAD = 0.01
"""Positions and momenta start within this of 0."""

DETUNING = 0.05
"""Largest δ (measured: 1 in 300 isolated pairs ends excited after 1000 steps; large problems are solved as before)."""

FEW = 3
"""Flips one way that a word of units usually has at most."""

_I64 = ir.IntType(64)
_I32 = ir.IntType(32)


class Drive(NamedTuple):
    """What happens at every step.

    Attributes:
        stiffness: (a − a0) dt, per step.
        kick: −c dt times the unit of the couplings, per step.
        dt: time step.
        heat: γ dt.
    """

    stiffness: NDArray[np.float32]
    kick: NDArray[np.float32]
    dt: float
    heat: float


class Found(NamedTuple):
    """What is written, task by task.

    Attributes:
        spins: ±1 (tasks, n).
        history: energy, lowest energy so far (in units of the couplings), mean |x|, ½ Σ y², step by step:
            (tasks, 4, steps), or (0, 4, 0) where nobody asked.
    """

    spins: NDArray[np.int8]
    history: NDArray[np.float32]


@intrinsic
def _advance(typing, x, y, g, h, pace, at, stiffness, kick, heat, own, energy):  # type: ignore[no-untyped-def]
    """Step the WORD units from `at` on; return the signs of their positions, bits set where they are negative.

    Σ s (g + h) over the units before the step, twice their share of the energy, is added to the lanes of `energy`.
    """
    f4 = types.float32
    signature = types.uint64(x, y, g, h, pace, types.int64, f4, f4, f4, f4, energy)

    def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
        x_, y_, g_, h_, pace_, at_, *numbers, energy_ = args
        v = Vectors(context, builder, f4)
        stiffness_, kick_, heat_, own_ = (v.spread(s) for s in numbers)
        whole = ir.VectorType(_I32, LANES)
        sign = ir.Constant(whole, [-(1 << 31)] * LANES)
        one, zero = v.fill(1.0), v.fill(0.0)

        def data(array_type, array):  # type: ignore[no-untyped-def]
            start = context.make_array(array_type)(context, builder, array).data
            return builder.gep(start, [at_])

        xs, ys, gs, hs, paces = (
            data(*pair) for pair in ((x, x_), (y, y_), (g, g_), (h, h_), (pace, pace_))
        )
        fields = ir.VectorType(context.get_value_type(g.dtype), LANES)

        def field(q):  # type: ignore[no-untyped-def]
            offset = ir.Constant(_I64, q * LANES)
            pointer = builder.bitcast(builder.gep(gs, [offset]), fields.as_pointer())
            value = builder.load(pointer)
            value.align = g.dtype.bitwidth // 8
            if isinstance(g.dtype, types.Integer):
                return builder.sitofp(value, v.type)
            return builder.fptrunc(value, v.type)

        def signed(magnitude, of):  # type: ignore[no-untyped-def]
            bits = builder.and_(builder.bitcast(of, whole), sign)
            return builder.bitcast(builder.or_(builder.bitcast(magnitude, whole), bits), v.type)

        word = None
        total = zero
        for q in range(WORD // LANES):
            row = ir.Constant(_I64, q)
            position, momentum, h_q = v.load(xs, row), v.load(ys, row), v.load(hs, row)
            force = builder.fadd(builder.fadd(field(q), signed(own_, position)), h_q)
            both = builder.bitcast(builder.fadd(force, h_q), whole)
            flip = builder.and_(builder.bitcast(position, whole), sign)
            total = builder.fadd(total, builder.bitcast(builder.xor(both, flip), v.type))
            pushed = v.call("fma", stiffness_, position, momentum)
            pushed = v.call("fma", kick_, force, pushed)
            moved = v.call("fma", v.load(paces, row), pushed, position)
            over = builder.fcmp_ordered(">", v.call("fabs", moved), one)
            moved = builder.select(over, signed(one, moved), moved)
            pushed = builder.select(over, zero, pushed)
            pushed = v.call("fma", heat_, momentum, pushed)
            v.store(moved, xs, row)
            v.store(pushed, ys, row)
            down = builder.icmp_signed(
                "<", builder.bitcast(moved, whole), ir.Constant(whole, [0] * LANES)
            )
            bits = builder.zext(builder.bitcast(down, ir.IntType(LANES)), _I64)
            bits = builder.shl(bits, ir.Constant(_I64, q * LANES))
            word = bits if word is None else builder.or_(word, bits)
        first = ir.Constant(_I64, 0)
        sums = v.pointer(energy, energy_, first)
        v.store(builder.fadd(v.load(sums, first), total), sums, first)
        return word

    return signature, generate


@intrinsic
def _trailing_zeros(typing, word):  # type: ignore[no-untyped-def]
    """Return the position of the lowest bit set, 64 where there is none."""

    def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


@intrinsic
def _ones(typing, word):  # type: ignore[no-untyped-def]
    """Return the number of bits set."""

    def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return builder.ctpop(args[0])

    return types.int64(types.uint64), generate


@inner(cache=True, boundscheck=False)
def _append(places, count, bits, first):  # type: ignore[no-untyped-def]
    """Append the positions of the bits set; the usual few without a branch that could be guessed wrong."""
    total = count + _ones(bits)
    for k in range(FEW):
        places[count + k] = first + _trailing_zeros(bits)
        bits &= bits - np.uint64(1)
    count += FEW
    while bits:
        places[count] = first + _trailing_zeros(bits)
        bits &= bits - np.uint64(1)
        count += 1
    return total


@inner(cache=True)
def note(history, t, twice, twice_lowest):  # type: ignore[no-untyped-def]
    """Write down the energies after step t, given twice."""
    history[0, t], history[1, t] = np.float32(0.5) * twice, np.float32(0.5) * twice_lowest


@inner(cache=True)
def measure(history, t, x, y):  # type: ignore[no-untyped-def]
    """Write down how large positions and momenta are after step t."""
    size, energy = np.float32(0.0), np.float32(0.0)
    for i in range(x.size):
        size += abs(x[i])
        energy += y[i] * y[i]
    history[2, t], history[3, t] = size / x.size, np.float32(0.5) * energy


@njit(cache=True)
def scatter(seed, sample, read, unit, spread):  # type: ignore[no-untyped-def]
    """Return a position and a momentum from (−spread, spread)."""
    both = mix(mix(mix(mix(seed) ^ np.uint64(sample)) ^ np.uint64(read)) ^ np.uint64(unit))
    scale = np.float32(spread / 2147483648.0)
    x, y = np.int32(np.uint32(both)), np.int32(np.uint32(both >> np.uint64(32)))
    return np.float32(x) * scale, np.float32(y) * scale


@njit(cache=True)
def detuned(seed, sample, read, unit):  # type: ignore[no-untyped-def]
    """Return 1 − δ of an oscillator."""
    drawn, _ = scatter(~seed, sample, read, unit, 0.5 * DETUNING)
    return np.float32(1.0 - 0.5 * DETUNING) - drawn


@inner(cache=True, boundscheck=False)
def _energy(x, y, g, h, words, own, sums):  # type: ignore[no-untyped-def]
    """Return twice the energy of the spins, and change nothing."""
    still = np.float32(0.0)
    sums[:] = 0.0
    for w in range(words):
        _advance(x, y, g, h, x, w * WORD, still, still, np.float32(1.0), own, sums)
    return sums.sum()


@njit(nogil=True, cache=True, boundscheck=False, error_model="numpy")
def bifurcate(first, last, form, rest, own, h, drive, seed, keep_best, found):  # type: ignore[no-untyped-def]
    """Run the tasks first … last − 1, task = sample · reads + read, and write what became of them.

    Args:
        first: first task.
        last: one past the last task.
        form: couplings, in their unit.
        rest: fields (n,) of spins that all are down, as `events.absorb` keeps them.
        own: what the fields kept lack where a spin is up, and have too much where it is down.
        h: fields of the problem (b, n), in units of the couplings, float32.
        drive: what happens at every step.
        seed: uint64.
        keep_best: return the lowest energy passed on the way, not the last.
        found: written.
    """
    n = h.shape[1]
    reads = found.spins.shape[0] // h.shape[0]
    words, padded = (n + WORD - 1) // WORD, (n + BLOCK - 1) // BLOCK * BLOCK
    x, y, fields, pace = (
        np.zeros(padded, np.float32),
        np.zeros(padded, np.float32),
        np.zeros(padded, np.float32),
        np.zeros(padded, np.float32),
    )
    g, idle = np.empty(padded, rest.dtype), rest.dtype.type(-own)
    spins, ahead, kept = (
        np.empty(words, np.uint64),
        np.empty(words, np.uint64),
        np.empty(words, np.uint64),
    )
    ups, downs = np.empty(n + FEW, np.int64), np.empty(n + FEW, np.int64)
    scratch, sums = np.empty(SCRATCH, np.int64), np.empty(LANES, np.float32)
    dt, heat, own = np.float32(drive.dt), np.float32(drive.heat), np.float32(own)
    steps, traced = drive.kick.size, found.history.shape[0] > 0
    for task in range(first, last):
        copy(fields, h[task // reads])
        up = 0
        spins[:] = np.uint64(0)
        for i in range(n):
            x[i], y[i] = scatter(seed, task // reads, task % reads, i, SPREAD)
            pace[i] = dt * detuned(seed, task // reads, task % reads, i)
            if x[i] < 0.0:
                spins[i // WORD] |= np.uint64(1) << np.uint64(i % WORD)
            else:
                ups[up] = i
                up += 1
        copy(g, rest)
        absorb(form, ups, up, downs, 0, g, scratch)
        g[n:] = idle  # padding feels nothing, and stays where it is
        lowest = np.float32(np.inf)
        for t in range(steps):
            sums[:] = 0.0
            for w in range(words):
                ahead[w] = _advance(
                    x, y, g, fields, pace, w * WORD, drive.stiffness[t], drive.kick[t], heat, own, sums
                )  # fmt: skip
            energy = sums.sum()
            if energy < lowest:
                lowest = energy
                copy(kept, spins)
            if traced:
                if t > 0:
                    note(found.history[task], t - 1, energy, lowest)
                measure(found.history[task], t, x[:n], y[:n])
            up, down = 0, 0
            for w in range(words):
                old, new = spins[w], ahead[w]
                spins[w] = new
                up = _append(ups, up, old & ~new, w * WORD)
                down = _append(downs, down, new & ~old, w * WORD)
            absorb(form, ups, up, downs, down, g, scratch)
            g[n : words * WORD] = idle
        energy = _energy(x, y, g, fields, words, own, sums)
        if traced:
            note(found.history[task], steps - 1, energy, min(lowest, energy))
        if keep_best and lowest < energy:
            copy(spins, kept)
        for i in range(n):
            bit = (spins[i // WORD] >> np.uint64(i % WORD)) & np.uint64(1)
            found.spins[task, i] = 1 - 2 * np.int8(bit)
