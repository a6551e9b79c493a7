"""How a spin decides, sixteen lanes at a time, written as LLVM vectors: no step is left to the compiler's taste.

A decision sees the field z = h + Σ J s and the random word x of its replica, sweep and unit, 32 bits as
`replica_random.draw` has them. With k = x >> shift and u = (k + ½) 2^(shift − 32):

    heat bath    with e = exp(−2 beta |z|), the spin stands against its field where u (1 + e) < e, so that
                 P(s = +1) = 1 / (1 + exp(2 beta z)).
    metropolis   only a spin that stands with its field may turn against it: it does so where u < e, and turns back for
                 certain.
    looked up    s = +1 where k < count[a], a = clamp(rint(scale · z), ±limit): the table counts the random words
                 that lie below the tanh of the p-bit (`isingeq.machines.pbit`).

The rarer outcome is the one that is drawn, so its probability is exact to float32 however small it is, down to
2⁻³³. e is 2^(−y) by a polynomial. Every operation is a single one or a fused multiply-add, so all
processors agree to the last bit.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir

from isingeq.kernels.lanes import LANES, Vectors

I1, I8, I16, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
WORDS = ir.VectorType(I32, LANES)
"""Sixteen random words."""

ODD = 0x9E3779B9
"""2³² over the golden ratio: spreads units over the words."""

FIRST, SECOND = 0x21F0AAAD, 0xD35A2D97
"""Multipliers of the mixer."""

EXP2 = (1.0, 0.693146978, 0.240222421, 0.0555073374, 0.00967151269, 0.00132647272)
"""2^g on −½ … ½ by powers of g: our own fit, least largest relative error, 1.7e-7 in float32."""

MAGIC = 1.5 * 2**23
"""Added to a float32 below 2²², it leaves the nearest whole number in the low bits."""

FARTHEST = 125.0
"""Exponent beyond which e no longer shrinks, give or take a rounding; u is never that small."""

Numbers = tuple[Any, Any, Any, Any]
"""Three numbers and a whole one in every lane, their meaning the rule's own."""


class Rule(NamedTuple):
    """A way to decide, in two steps, so that the first can run while the field is still being summed.

    Attributes:
        draw: (arithmetic, random words, numbers): what is made of the words.
        decide: (arithmetic, fields, what was drawn, lanes in which the spin is +1 now, numbers, address of the table):
            lanes in which the spin is +1 afterwards.
    """

    draw: Callable[[Vectors, Any, Numbers], Any]
    decide: Callable[[Vectors, Any, Any, Any, Numbers, Any], Any]


def spread_over(builder: Any, value: Any, kind: Any) -> Any:
    """The same number in every lane of a vector type."""
    nothing = ir.Constant(kind, ir.Undefined)
    one = builder.insert_element(nothing, value, ir.Constant(I32, 0))
    zeros = ir.Constant(ir.VectorType(I32, kind.count), [0] * kind.count)
    return builder.shuffle_vector(one, nothing, zeros)


def spread_word(builder: Any, value: Any) -> Any:
    """One 32-bit word in every lane."""
    return spread_over(builder, value, WORDS)


def words(value: int) -> Any:
    """The same whole number in every lane."""
    return ir.Constant(WORDS, [value] * LANES)


def random_words(builder: Any, low: Any, high: Any, unit: Any) -> Any:
    """Random words of one unit in every lane: `replica_random.draw` of the lanes' words, on vectors."""
    x = builder.add(low, spread_word(builder, builder.mul(unit, ir.Constant(I32, ODD))))
    x = builder.xor(x, builder.lshr(x, words(16)))
    x = builder.mul(x, words(FIRST))
    x = builder.xor(x, builder.lshr(x, words(15)))
    x = builder.mul(builder.xor(x, high), words(SECOND))
    return builder.xor(x, builder.lshr(x, words(15)))


def _uniform(v: Vectors, x: Any, numbers: Numbers) -> Any:
    """Return u, given 2^(shift − 33) and the mask of the bits that count as the last two numbers."""
    b = v.builder
    half, mask = numbers[2:]
    return v.call("fma", b.uitofp(b.and_(x, mask), v.type), v.fill(2.0**-32), half)


def _against(v: Vectors, z: Any, u: Any, numbers: Numbers, *, bath: bool) -> Any:
    """Return the lanes that are drawn against their field, given 2 beta / ln 2 and FARTHEST over that."""
    b = v.builder
    scale, most = numbers[:2]
    size = v.call("fabs", z)
    size = b.select(b.fcmp_ordered("<", size, most), size, most)
    marked = v.call("fma", size, scale, v.fill(MAGIC))
    g = v.call("fma", b.fneg(size), scale, b.fsub(marked, v.fill(MAGIC)))
    power = v.fill(EXP2[-1])
    for c in EXP2[-2::-1]:
        power = v.call("fma", power, g, v.fill(c))
    # The low bits of `marked` hold the exponent, and 23 places up they are where float32 has its own.
    lowered = b.sub(b.bitcast(power, WORDS), b.shl(b.bitcast(marked, WORDS), words(23)))
    e = b.bitcast(lowered, v.type)
    return b.fcmp_ordered("<", v.call("fma", u, e, u) if bath else u, e)


def _bathe(v: Vectors, z: Any, u: Any, up: Any, numbers: Numbers, table: Any) -> Any:
    wanted = v.builder.fcmp_ordered("<", z, v.fill(0.0))
    return v.builder.xor(wanted, _against(v, z, u, numbers, bath=True))


def _flip(v: Vectors, z: Any, u: Any, up: Any, numbers: Numbers, table: Any) -> Any:
    b = v.builder
    wanted = b.fcmp_ordered("<", z, v.fill(0.0))
    may = b.not_(b.xor(up, wanted))
    return b.xor(wanted, b.and_(_against(v, z, u, numbers, bath=False), may))


def _leading(v: Vectors, x: Any, numbers: Numbers) -> Any:
    """Return k, given the shift as the last number."""
    return v.builder.lshr(x, numbers[3])


def _look_up(v: Vectors, z: Any, k: Any, up: Any, numbers: Numbers, table: Any) -> Any:
    """Compare with the count, given the scale from fields to places of the table and the limit as the first numbers."""
    b = v.builder
    scale, limit = numbers[:2]
    place = v.call("rint", b.fmul(z, scale))
    place = b.select(b.fcmp_ordered("<", place, limit), place, limit)
    place = b.select(b.fcmp_ordered(">", place, b.fneg(limit)), place, b.fneg(limit))
    at = b.fptosi(b.fadd(place, limit), WORDS)
    count = ir.Constant(WORDS, ir.Undefined)
    for lane in range(LANES):
        number = ir.Constant(I32, lane)
        entry = b.load(b.gep(table, [b.sext(b.extract_element(at, number), I64)]))
        count = b.insert_element(count, entry, number)
    return b.icmp_unsigned("<", k, count)


heat_bath, metropolis = Rule(_uniform, _bathe), Rule(_uniform, _flip)
looked_up = Rule(_leading, _look_up)
