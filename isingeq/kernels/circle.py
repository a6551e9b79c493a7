"""Sine, cosine and normal numbers on vectors of lanes, written out so that nothing falls back to one lane at a time.

    φ = n π + r, |r| ≤ π/2        sin φ = (−1)^n r S(r²)        cos φ = (−1)^n C(r²)

n is the nearest whole number and π comes in three parts, so that r is right for |φ| up to some thousand turns. S and C
interpolate at Chebyshev nodes with S(0) = C(0) = 1; largest errors 3e−8 (float32) and 4e−17 (float64) before rounding.
"""

import math
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from isingeq.kernels.lanes import LANES, Vectors

_I32 = ir.IntType(32)
_I64 = ir.IntType(64)

_SINE = {
    4: (
        1.0, -0.16666665961027194, 0.008333241864006316, -0.00019822702927637796, 2.6346380043388076e-06,
    ),
    8: (
        1.0, -0.16666666666666666, 0.008333333333333316, -0.00019841269841254885, 2.7557319219139174e-06,
        -2.5052107613933993e-08, 1.6058977114025027e-10, -7.643963964341869e-13, 2.7313658477694193e-15,
    ),
}  # fmt: skip
_COSINE = {
    4: (
        1.0, -0.4999999996377361, 0.04166665933099395, -0.0013888650942307445, 2.477452647448431e-05,
        -2.6296284934285e-07,
    ),
    8: (
        1.0, -0.5, 0.041666666666666664, -0.0013888888888888816, 2.4801587301556463e-05, -2.7557319217561154e-07,
        2.087675623578527e-09, -1.14706938570012e-11, 4.777400780344392e-14, -1.516872310696294e-16,
    ),
}  # fmt: skip
_PI = {
    4: (3.1415927410125732, -8.742277657347586e-08, -3.4302490200204e-15),
    8: (3.141592653589793, 1.2246467991473532e-16, -2.994769809718340e-33),
}
"""π as a sum of numbers of the type, largest first; keyed, as the coefficients, by bytes per number."""

_LOGARITHM = (
    0.070376836292, -0.115146103100, 0.116769987400, -0.124201408460, 0.142493227870, -0.166680576650,
    0.200007147650, -0.249999939930, 0.333333311740,
)  # fmt: skip
"""(ln(1 + x) − x + x²/2) / x³ for √½ ≤ 1 + x ≤ √2, highest power first (Cephes, logf)."""


def _polynomial(v: Vectors, x: Any, coefficients: tuple[float, ...]) -> Any:
    """Return Σ_k c_k x^k, lowest power first."""
    total = v.fill(coefficients[-1])
    for c in coefficients[-2::-1]:
        total = v.call("fma", total, x, v.fill(c))
    return total


def _flipped(v: Vectors, value: Any, turns: Any) -> Any:
    """Return value · (−1)^turns for whole numbers of half turns."""
    whole, top = (_I32, 31) if v.bytes == 4 else (_I64, 63)
    kind = ir.VectorType(whole, LANES)
    sign = v.builder.shl(v.builder.fptosi(turns, kind), ir.Constant(kind, [top] * LANES))
    return v.builder.bitcast(v.builder.xor(v.builder.bitcast(value, kind), sign), v.type)


def sine_cosine(v: Vectors, phi: Any) -> tuple[Any, Any]:
    """Return sin φ and cos φ of a vector of angles."""
    turns = v.call("rint", v.builder.fmul(phi, v.fill(1 / math.pi)))
    against, rest = v.builder.fneg(turns), phi
    for part in _PI[v.bytes]:
        rest = v.call("fma", against, v.fill(part), rest)
    square = v.builder.fmul(rest, rest)
    sine = v.builder.fmul(rest, _polynomial(v, square, _SINE[v.bytes]))
    cosine = _polynomial(v, square, _COSINE[v.bytes])
    return _flipped(v, sine, turns), _flipped(v, cosine, turns)


def normal(v: Vectors, keys: Any, counter: Any) -> Any:
    """Return standard normal numbers, one per lane, from the lanes' keys (64 bits) and one scrambled counter.

    Box–Muller on 2 × 24 bits of the scrambled sum (the finaliser of SplitMix64, Steele, Lea & Flood 2014): no number is
    larger than 5.9. In single precision, whatever the vectors hold.
    """
    b, wide = v.builder, ir.VectorType(_I64, LANES)
    single = Vectors(v.context, b, types.float32)
    narrow = ir.VectorType(_I32, LANES)

    def all_lanes(number: int) -> Any:
        return ir.Constant(wide, [number] * LANES)

    nothing = ir.Constant(wide, ir.Undefined)
    first = b.insert_element(nothing, counter, ir.Constant(_I32, 0))
    spread = b.shuffle_vector(first, nothing, ir.Constant(narrow, [0] * LANES))
    z = b.add(keys, spread)
    z = b.mul(b.xor(z, b.lshr(z, all_lanes(30))), all_lanes(0xBF58476D1CE4E5B9))
    z = b.mul(b.xor(z, b.lshr(z, all_lanes(27))), all_lanes(0x94D049BB133111EB))
    z = b.xor(z, b.lshr(z, all_lanes(31)))

    def uniform(bits: Any) -> Any:
        return b.sitofp(b.trunc(bits, narrow), single.type)

    high, low = uniform(b.lshr(z, all_lanes(40))), uniform(b.and_(z, all_lanes(0xFFFFFF)))
    u = single.call("fma", high, single.fill(2.0**-24), single.fill(2.0**-25))
    radius = single.call("sqrt", b.fmul(single.fill(-2.0), _logarithm(single, u)))
    around = b.fmul(low, single.fill(2.0**-23 * math.pi))
    drawn = b.fmul(radius, sine_cosine(single, around)[1])
    return drawn if v.bytes == 4 else b.fpext(drawn, v.type)


def _logarithm(v: Vectors, u: Any) -> Any:
    """Return ln u for 0 < u ≤ 1, float32: u = 2^e (1 + x) with 1 + x between √½ and √2."""
    b, kind = v.builder, ir.VectorType(_I32, LANES)
    root_half = 0x3F3504F3
    bits = b.bitcast(u, kind)
    away = b.sub(bits, ir.Constant(kind, [root_half] * LANES))
    e = b.ashr(away, ir.Constant(kind, [23] * LANES))
    kept = b.sub(bits, b.shl(e, ir.Constant(kind, [23] * LANES)))
    x = b.fsub(b.bitcast(kept, v.type), v.fill(1.0))
    total = _polynomial(v, x, _LOGARITHM[::-1])
    square = b.fmul(x, x)
    total = v.call("fma", b.fmul(square, x), total, b.fmul(v.fill(-0.5), square))
    return v.call("fma", b.sitofp(e, v.type), v.fill(math.log(2.0)), b.fadd(total, x))


@intrinsic
def _circle(typing, phi, z, at, cosine, sine):  # type: ignore[no-untyped-def]
    """Write cos φ and sin φ of row `at` to rows `cosine` and `sine` of z."""
    i8 = types.int64
    signature = types.void(phi, z, i8, i8, i8)

    def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
        phi_, z_, at_, cosine_, sine_ = args
        v = Vectors(context, builder, phi.dtype)
        zero = ir.Constant(_I64, 0)
        s, c = sine_cosine(v, v.load(v.pointer(phi, phi_, at_), zero))
        v.store(c, v.pointer(z, z_, cosine_), zero)
        v.store(s, v.pointer(z, z_, sine_), zero)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _draw(typing, keys, counter, out, at):  # type: ignore[no-untyped-def]
    """Write normal numbers of the lanes' keys and a counter to row `at`."""
    i8 = types.int64
    signature = types.void(keys, types.uint64, out, i8)

    def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
        keys_, counter_, out_, at_ = args
        v = Vectors(context, builder, out.dtype)
        drawn = normal(v, load_keys(v, keys, keys_, ir.Constant(_I64, 0)), counter_)
        v.store(drawn, v.pointer(out, out_, at_), ir.Constant(_I64, 0))
        return context.get_dummy_value()

    return signature, generate


def load_keys(v: Vectors, array_type: Any, array: Any, row: Any) -> Any:
    """Vector of a row of a panel of keys."""
    kind = ir.VectorType(_I64, LANES).as_pointer()
    value = v.builder.load(v.builder.bitcast(v.pointer(array_type, array, row), kind))
    value.align = 8
    return value


@njit(cache=True)
def to_circle(phi, z, n, blocks):  # type: ignore[no-untyped-def]
    """Write cos φ and sin φ of a panel of phases, n units by blocks · LANES lanes, to the panel z of 2n rows."""
    for i in range(n):
        for k in range(blocks):
            _circle(phi, z, i * blocks + k, 2 * i * blocks + k, (2 * i + 1) * blocks + k)


@njit(cache=True)
def normals(keys, counters, out):  # type: ignore[no-untyped-def]
    """Write normal numbers of LANES keys, one row per counter, to a panel."""
    for row in range(counters.size):
        _draw(keys, counters[row], out, row)
