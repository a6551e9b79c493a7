"""How a spin decides, sixteen lanes at a time, written as LLVM vectors: no step is left to the compiler's taste.

A decision sees the field z = h + Σ J s and the random word x of its replica, sweep and unit, 32 bits as
`replica_random.draw` has them. With k = x >> shift and u = (k + ½) 2^(shift − 32):

    thermal    with e = exp(−2 beta |z|), the spin stands against its field where u (1 + κ e) < e. κ = 1 is the heat
               bath, P(s = +1) = 1 / (1 + exp(2 beta z)). κ = 0 is Metropolis, where only a spin that stands with its
               field may turn against it: it does so with probability e, and turns back for certain.
    looked up  s = +1 where k < count[a], a = clamp(rint(scale · z), ±limit): the table counts the random words
               that lie below the tanh of the p-bit (`isingeq.machines.pbit`).

The rarer outcome is the one that is drawn, so its probability is exact to float32 however small it is, down to
2⁻³³. e is 2^(−y) by a polynomial. Every operation is a single one or a fused multiply-add, so all
processors agree to the last bit.
"""

from collections.abc import Callable
from typing import Any

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
"""Exponent beyond which e no longer shrinks; u is never that small."""

Rule = Callable[[Vectors, Any, Any, Any, tuple[Any, ...], Any], Any]


def spread_word(builder: Any, value: Any) -> Any:
    """One 32-bit word in every lane."""
    nothing = ir.Constant(WORDS, ir.Undefined)
    one = builder.insert_element(nothing, value, ir.Constant(I32, 0))
    return builder.shuffle_vector(one, nothing, words(0))


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


def thermal(v: Vectors, z: Any, x: Any, up: Any, numbers: tuple[Any, ...], table: Any) -> Any:
    """Heat bath or Metropolis: lanes in which the spin is +1 afterwards.

    Args:
        v: arithmetic.
        z: fields.
        x: random words.
        up: lanes in which the spin is +1 now.
        numbers: scale 2 beta / ln 2, κ, 2^(shift − 32), and shift as whole words.
        table: unused.
    """
    b = v.builder
    scale, kappa, step, shift = numbers
    u = v.call("fma", b.uitofp(b.lshr(x, shift), v.type), step, b.fmul(step, v.fill(0.5)))
    y = b.fmul(v.call("fabs", z), scale)
    y = b.select(b.fcmp_ordered("<", y, v.fill(FARTHEST)), y, v.fill(FARTHEST))
    marked = b.fadd(y, v.fill(MAGIC))
    g = b.fsub(b.fsub(marked, v.fill(MAGIC)), y)
    power = v.fill(EXP2[-1])
    for c in EXP2[-2::-1]:
        power = v.call("fma", power, g, v.fill(c))
    # The low bits of `marked` hold the exponent, and 23 places up they are where float32 has its own.
    lowered = b.sub(b.bitcast(power, WORDS), b.shl(b.bitcast(marked, WORDS), words(23)))
    e = b.bitcast(lowered, v.type)
    against = b.fcmp_ordered("<", b.fmul(u, v.call("fma", kappa, e, v.fill(1.0))), e)
    wanted = b.fcmp_ordered("<", z, v.fill(0.0))
    bath = b.fcmp_ordered(">", kappa, v.fill(0.0))
    may = b.or_(bath, b.not_(b.xor(up, wanted)))
    return b.xor(wanted, b.and_(against, may))


def looked_up(v: Vectors, z: Any, x: Any, up: Any, numbers: tuple[Any, ...], table: Any) -> Any:
    """Finite precision: lanes in which the spin is +1 afterwards.

    Args:
        v: arithmetic.
        z: fields.
        x: random words.
        up: unused.
        numbers: scale from fields to places of the table, limit, unused, and shift as whole words.
        table: address of the counts, of place −limit first.
    """
    b = v.builder
    scale, limit, _, shift = numbers
    place = v.call("rint", b.fmul(z, scale))
    place = b.select(b.fcmp_ordered("<", place, limit), place, limit)
    place = b.select(b.fcmp_ordered(">", place, b.fneg(limit)), place, b.fneg(limit))
    at = b.fptosi(b.fadd(place, limit), WORDS)
    count = ir.Constant(WORDS, ir.Undefined)
    for lane in range(LANES):
        number = ir.Constant(I32, lane)
        entry = b.load(b.gep(table, [b.sext(b.extract_element(at, number), I64)]))
        count = b.insert_element(count, entry, number)
    return b.icmp_unsigned("<", b.lshr(x, shift), count)
