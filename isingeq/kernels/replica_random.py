"""Random numbers of replicas of a spin problem, and the thresholds that accept or refuse a flip.

A replica has a key of 64 bits: its (seed, sample, read), scrambled. Key and sweep together give two words (a, b) of 32
bits, and the number of a unit in that sweep is 32 scrambled bits of a, b and the unit's own number: counters, no
streams, so it is the same in any order and on any number of lanes. 32 bits fill vector lanes twice as wide as 64.

With u uniform in (0, 1) and the field f that a spin s feels, both rules compare a whole number with a threshold:

    Metropolis   flip s where −s f ≤ −ln(u) / 2β                          s f counts −ΔE / 2
    heat bath    s = +1 where  f ≤ ln((1 − u) / u) / 2β, else −1

Every factor is written as a fused multiply-add or a single operation, so loops over lanes and over units agree to the
last bit.
"""

import math

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from isingeq.kernels.noise import mix

METROPOLIS, HEAT_BATH = np.int64(0), np.int64(1)

START = np.int64(-1)
"""Number of the sweep whose random numbers are the spins a replica starts from."""

_STEP = np.uint32(0x9E3779B9)  # 2^32 over the golden ratio: spreads units over the words

# log2(1 + t) = t (c0 + c1 t + …), t in [0, 1): our own fit, least largest error 2.2e-6 in float32.
_LOG2 = tuple(
    np.float32(c)
    for c in (1.44255315, -0.718281919, 0.458270805, -0.279538137, 0.123451486, -0.026457449)
)

_F, _U, _I = np.float32, np.uint32, np.int32


@intrinsic
def _fma(typing, a, b, c):  # type: ignore[no-untyped-def]
    """Return a · b + c, rounded once."""
    f4 = types.float32
    return f4(f4, f4, f4), lambda context, builder, sig, args: builder.fma(*args)


@intrinsic
def _bits(typing, x):  # type: ignore[no-untyped-def]
    """Return the bits of a float32 as an int32."""
    kind = types.int32(types.float32)
    return kind, lambda context, builder, sig, args: builder.bitcast(args[0], ir.IntType(32))


@intrinsic
def _float(typing, x):  # type: ignore[no-untyped-def]
    """Return the float32 that has the bits of an int32."""
    kind = types.float32(types.int32)
    return kind, lambda context, builder, sig, args: builder.bitcast(args[0], ir.FloatType())


@intrinsic
def _floor(typing, x):  # type: ignore[no-untyped-def]
    """Return the whole number at or below a float32 that lies within int32."""

    def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
        floor = builder.module.declare_intrinsic("llvm.floor", [ir.FloatType()])
        return builder.fptosi(builder.call(floor, args), ir.IntType(32))

    return types.int32(types.float32), generate


@njit(inline="always")
def words(key, sweep):  # type: ignore[no-untyped-def]
    """Return the two words (a, b) of a key in a sweep."""
    z = mix(key ^ mix(np.uint64(sweep)))
    return _U(z), _U(z >> np.uint64(32))


@njit(inline="always")
def draw(a, b, unit):  # type: ignore[no-untyped-def]
    """Return the 32 random bits of a unit.

    Two rounds of multiply and shift with constants that spread every bit over all (C. Wellons' search for hashes of
    least bias, 2018–2022), the second word stirred in between.
    """
    x = _U(a + _U(_U(unit) * _STEP))
    x = _U(_U(x ^ _U(x >> _U(16))) * _U(0x21F0AAAD))
    x = _U(_U(_U(x ^ _U(x >> _U(15))) ^ b) * _U(0xD35A2D97))
    return _U(x ^ _U(x >> _U(15)))


@njit(inline="always")
def staying(sweep, unit, rule):  # type: ignore[no-untyped-def]
    """Return the next unit after one, at most 64 on, whose spin stays where it feels no field: for Metropolis alone.

    That rule accepts every flip that costs nothing. With all spins moved in a fixed order, walls between domains would
    walk in step for ever, and a spin without field would flip in every sweep. The units that stay are the same for all
    replicas and others in every sweep: one in 32, which the energies reached do not show.
    """
    if rule != METROPOLIS:
        return np.int64(-1)
    return unit + np.int64(1) + np.int64(draw(_U(sweep), _STEP, unit) >> _U(26))


@njit(inline="always")
def _log2(x):  # type: ignore[no-untyped-def]
    """Return log2 of u = (x + ½) / 2^32; 159 = 32 + 127, which exponents are stored with."""
    bits = _bits(_F(_F(x) + _F(0.5)))
    exponent = _F(_I(_I(bits >> _I(23)) - _I(159)))
    t = _F(_float(_I(_I(bits & _I(0x7FFFFF)) | _I(0x3F800000))) - _F(1))
    p = _fma(_LOG2[5], t, _LOG2[4])
    p = _fma(_fma(_fma(_fma(p, t, _LOG2[3]), t, _LOG2[2]), t, _LOG2[1]), t, _LOG2[0])
    return _fma(p, t, exponent)


@njit(inline="always")
def _metropolis(x, scale, high):  # type: ignore[no-untyped-def]
    """Return ⌊−ln(u) / 2β⌋, at most `high`; scale is ln 2 / 2β."""
    value = _F(_log2(x) * _F(-scale))
    return _I(_F(min(max(value, _F(0)), high)))


@njit(inline="always")
def _heat_bath(x, scale, high):  # type: ignore[no-untyped-def]
    """Return ⌊ln((1 − u) / u) / 2β⌋, from −high − 1 to `high`."""
    value = _F(_F(_log2(_U(~x)) - _log2(x)) * scale)
    return _floor(_F(min(max(value, _F(-high - _F(1))), high)))


@njit(nogil=True, cache=True, boundscheck=False)
def fill_lanes(out, a, b, unit, rule, scale, high):  # type: ignore[no-untyped-def]
    """Write the thresholds of one unit on every lane; a and b are the lanes' words."""
    if rule == METROPOLIS:
        for k in range(a.size):
            out[k] = _metropolis(draw(a[k], b[k], unit), scale, high)
    else:
        for k in range(a.size):
            out[k] = _heat_bath(draw(a[k], b[k], unit), scale, high)


@njit(nogil=True, cache=True, boundscheck=False)
def fill_units(out, a, b, first, rule, scale, high):  # type: ignore[no-untyped-def]
    """Write the thresholds of units first … first + out.size − 1 of one replica."""
    if rule == METROPOLIS:
        for k in range(out.size):
            out[k] = _metropolis(draw(a, b, first + k), scale, high)
    else:
        for k in range(out.size):
            out[k] = _heat_bath(draw(a, b, first + k), scale, high)


@njit(nogil=True, cache=True)
def replica_keys(seed, samples, reads):  # type: ignore[no-untyped-def]
    """Return the keys (b · r,) of all reads of samples numbered (b,), read by read."""
    keys = np.empty(samples.size * reads, np.uint64)
    for b in range(samples.size):
        row = mix(mix(seed) ^ np.uint64(samples[b]))
        for r in range(reads):
            keys[b * reads + r] = mix(row ^ np.uint64(r))
    return keys


@njit(nogil=True, cache=True, boundscheck=False)
def draw_spins(keys, first, last, spins):  # type: ignore[no-untyped-def]
    """Write the spins ±1 that replicas first … last − 1 start from into spins (R, n)."""
    for k in range(first, last):
        a, b = words(keys[k], START)
        for i in range(spins.shape[1]):
            spins[k, i] = np.int8(_I(draw(a, b, i) >> _U(31)) * _I(2) - _I(1))


def scales(betas: NDArray[np.float64], unit: float) -> NDArray[np.float32]:
    """Return ln 2 / 2β per sweep, in the unit that fields are counted in; finite at β = 0 too."""
    with np.errstate(divide="ignore"):
        exact = math.log(2) / (2 * unit * betas)
    return np.minimum(exact, 1e37).astype(np.float32)


def highest(dtype: type[np.signedinteger]) -> np.float32:
    """Return the largest threshold that a type of whole numbers holds, as a float32."""
    return np.float32(min(np.iinfo(dtype).max, 2**31 - 128))
