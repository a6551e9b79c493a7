"""One step of phases, over panels of sample lanes: one row per unit, `blocks` · LANES samples side by side.

With the local field g + h, k = 4 K − pump and the machine's own numbers, every unit sees the slope and takes the step

    ∂F/∂φ = gain (g_y cos φ − g_x sin φ) − k sin φ cos φ
    φ ← φ + drift − dt ∂F/∂φ + sigma ξ                                            oscillators (Euler–Maruyama)
    v ← keep v − dt ∂F/∂φ / (gain |g| + |k| + stiff),  φ ← φ + v                  heavy ball, each unit at its own pace

unless slope (and velocity) are below the tolerance: then it stays where it is.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from isingeq.kernels.circle import load_keys, normal, sine_cosine
from isingeq.kernels.inner import inner
from isingeq.kernels.lanes import LANES, Vectors
from isingeq.kernels.noise import mix

_I64 = ir.IntType(64)


def _turn(*, carried: bool, noisy: bool) -> Any:
    """Build the step of one unit in LANES samples, heavy ball where velocity is `carried`."""

    @intrinsic
    def turn(  # type: ignore[no-untyped-def]
        typing, phi, v, z, g, h, worst, moved, keys, at, cosine, sine, lane, gain, k, drift, dt, keep, stiff, sigma,
        tolerance, counter,
    ):  # fmt: skip
        i8, real = types.int64, phi.dtype
        signature = types.void(
            phi, v, z, g, h, worst, moved, keys, i8, i8, i8, i8, *[real] * 8, types.uint64
        )

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            phi_, v_, z_, g_, h_, worst_, moved_, keys_, at_, cosine_, sine_, lane_ = args[:12]
            numbers, counter_ = args[12:-1], args[-1]
            vectors = Vectors(context, builder, real)
            zero = ir.Constant(_I64, 0)
            gain_, k_, drift_, dt_, keep_, stiff_, sigma_, tolerance_ = map(vectors.spread, numbers)
            call, fmul, fadd = vectors.call, builder.fmul, builder.fadd

            def load(kind, array, row):  # type: ignore[no-untyped-def]
                return vectors.load(vectors.pointer(kind, array, row), zero)

            def store(value, kind, array, row):  # type: ignore[no-untyped-def]
                vectors.store(value, vectors.pointer(kind, array, row), zero)

            old, c, s = load(phi, phi_, at_), load(z, z_, cosine_), load(z, z_, sine_)
            x, y = (
                fmul(gain_, fadd(load(g, g_, row), load(h, h_, row))) for row in (cosine_, sine_)
            )
            inward = call("fma", k_, c, x)
            slope = builder.fsub(fmul(y, c), fmul(inward, s))
            size = call("fabs", slope)
            busy = builder.fcmp_unordered(">=", size, tolerance_)
            if carried:
                field = call("sqrt", call("fma", x, x, fmul(y, y)))
                pace = fadd(field, fadd(call("fabs", k_), stiff_))
                push = builder.fdiv(fmul(dt_, slope), pace)
                step = builder.fsub(fmul(keep_, load(v, v_, at_)), push)
                fast = builder.fcmp_unordered(">=", call("fabs", step), tolerance_)
                busy = builder.or_(busy, fast)
            else:
                step = call("fma", builder.fneg(dt_), slope, drift_)
            if noisy:
                drawn = normal(vectors, load_keys(vectors, keys, keys_, lane_), counter_)
                step = call("fma", sigma_, drawn, step)
            new = builder.select(busy, fadd(old, step), old)
            if carried:
                store(builder.select(busy, step, load(v, v_, at_)), v, v_, at_)
            sine_new, cosine_new = sine_cosine(vectors, new)
            store(new, phi, phi_, at_)
            store(cosine_new, z, z_, cosine_)
            store(sine_new, z, z_, sine_)
            # On the bits of numbers ≥ 0 the larger one is the larger whole number, and NaN is larger than all. What is
            # stored under a mask, as a selection would be, cannot be loaded again before it has left the processor.
            whole = ir.VectorType(ir.IntType(8 * vectors.bytes), LANES)
            bits, so_far = (builder.bitcast(a, whole) for a in (size, load(worst, worst_, lane_)))
            larger = builder.select(builder.icmp_signed(">", bits, so_far), bits, so_far)
            store(builder.bitcast(larger, vectors.type), worst, worst_, lane_)
            ones = builder.sext(busy, whole)
            some = builder.or_(builder.bitcast(load(moved, moved_, lane_), whole), ones)
            store(builder.bitcast(some, vectors.type), moved, moved_, lane_)
            return context.get_dummy_value()

        return signature, generate

    return turn


def _turn_units(*, carried: bool, noisy: bool) -> Any:
    """Build the step of all units; arrays come one by one, as fields of a tuple are counted at every use."""
    turn = _turn(carried=carried, noisy=noisy)

    @inner
    def units(  # type: ignore[no-untyped-def]
        phi, v, z, g, h, worst, moved, keys, K, free, drift, blocks, gain, pump, dt, keep, stiff, sigma, tolerance,
        counter,
    ):  # fmt: skip
        four = K.dtype.type(4.0)
        for i in range(K.size):
            if free[i]:
                scrambled = mix(counter + i) if noisy else np.uint64(0)
                for block in range(blocks):
                    cosine = 2 * i * blocks + block
                    turn(phi, v, z, g, h, worst, moved, keys, i * blocks + block, cosine, cosine + blocks, block, gain,
                         four * K[i] - pump, drift[i], dt, keep, stiff, sigma, tolerance, scrambled)  # fmt: skip

    return units


oscillate = _turn_units(carried=False, noisy=False)
jitter = _turn_units(carried=False, noisy=True)
roll = _turn_units(carried=True, noisy=False)
