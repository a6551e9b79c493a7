"""The integer core of the reference boards, in plain ints: the definition that C code and compiled twin must equal.

    f_i = h_i + Σ_j J_ij s_j                                       local field; the input of the p-bit is I_i = −f_i
    a   = min(ADDRESSES − 1, floor((|f_i| g + floor(2^shift / 2)) / 2^shift))                    address, g the gain
    s_i = +1 where f_i < 0, else −1; the other way round where R / 2^16 < chance[a], rounded down

Units are updated one by one from 0 to n − 1, each on the newest states: Gibbs sampling at β = (g / 2^shift) SPAN /
ADDRESSES, but for the rounding of βI to steps of SPAN / ADDRESSES and of chances to 2^−16. Rounding works on
magnitudes, halves away from zero: it is the same for both signs and needs no shift of a negative number.

R is the next number of xorshift128 (Marsaglia, J. Stat. Softw. 8, issue 14 (2003), p. 5, "xor128"), which has four
words x, y, z, w and no multiplication. Every read of every sample has its own, from its three numbers:

    a = mix(seed + G)    b = mix(a + sample + G)    z = mix(b + read + G)    w = mix(z + G)        modulo 2^32
    x = mix(a + w + G)   y = mix(b + z + G)

where mix is a bijection, so that no two reads share a stream. The second line is there because xorshift is linear: from
a and b, which all reads of a sample share, the first two numbers of every read would differ by the same bits. A random
start takes one number per unit, +1 where its highest bit is set. Every unit takes one number per sweep, clamped or not:
clamping leaves the others' noise as it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from firmware_models.chances import CHANCES
from firmware_models.programme import ADDRESSES, Programme, counted, within
from isingeq.errors import CapabilityError

WORD = 0xFFFFFFFF
GOLDEN = 0x9E3779B9
"""G: 2^32 divided by the golden ratio, odd; only there to keep small seeds away from mix(0) = 0."""


@dataclass(frozen=True, slots=True)
class Read:
    """Where a run ended: spins ±1 and the energy, both of the sample's own fields."""

    spins: tuple[int, ...]
    energy: int


def run(
    programme: Programme,
    *,
    seed: int,
    sample: int = 0,
    read: int = 0,
    deltas: Sequence[int] = (),
    start: Sequence[int] | None = None,
) -> Read:
    """Return one read of one sample.

    Args:
        programme: what the board was told.
        seed: of the run, 32 bits.
        sample: its number in the batch, 32 bits.
        read: its number within the sample, 32 bits.
        deltas: added to the fields of this sample; none, or one per unit.
        start: spins ±1 to begin with; None for random ones. Clamped units are where they are clamped.

    Raises:
        CapabilityError: a field out of range with its delta, a start that is not spins, a seed beyond 32 bits.
    """
    n = programme.num_units
    J = dense(programme)
    h = programme.fields_with(deltas)
    numbers = stream(seed, sample, read)
    s = _start(start, n, numbers)
    s = [clamp or spin for clamp, spin in zip(programme.clamps, s, strict=True)]
    half = (1 << programme.shift) >> 1
    for gain in programme.gains:
        for i in range(n):
            number = next(numbers) >> 16
            if programme.clamps[i]:
                continue
            f = h[i] + sum(J[i][j] * s[j] for j in range(n))
            address = min(ADDRESSES - 1, (abs(f) * gain + half) >> programme.shift)
            along = 1 if f < 0 else -1
            s[i] = -along if number < CHANCES[address] else along
    return Read(tuple(s), energy(J, h, s))


def energy(J: Sequence[Sequence[int]], h: Sequence[int], s: Sequence[int]) -> int:
    """Return E(s)."""
    n = len(s)
    pairs = sum(J[i][j] * s[i] * s[j] for i in range(n) for j in range(i + 1, n))
    return pairs + sum(h[i] * s[i] for i in range(n))


def dense(programme: Programme) -> list[list[int]]:
    """Return the symmetric matrix of the couplings, zero on its diagonal."""
    n = programme.num_units
    J = [[0] * n for _ in range(n)]
    values = iter(programme.couplings)
    for i in range(n):
        for j in range(i + 1, n):
            J[i][j] = J[j][i] = next(values)
    return J


def stream(seed: int, sample: int, read: int) -> Iterator[int]:
    """Yield the random numbers of one read, 32 bits each.

    Raises:
        CapabilityError: one of the three does not fit 32 bits.
    """
    within("seed, sample or read", (seed, sample, read), 0, WORD)
    a = mix(seed + GOLDEN)
    b = mix(a + sample + GOLDEN)
    z = mix(b + read + GOLDEN)
    w = mix(z + GOLDEN)
    return _xorshift(mix(a + w + GOLDEN), mix(b + z + GOLDEN), z, w)


def mix(x: int) -> int:
    """Return a well stirred 32-bit word, each for one x modulo 2^32 (C. Wellons, "lowbias32", 2018)."""
    x &= WORD
    x = (x ^ (x >> 16)) * 0x7FEB352D & WORD
    x = (x ^ (x >> 15)) * 0x846CA68B & WORD
    return x ^ (x >> 16)


def _xorshift(x: int, y: int, z: int, w: int) -> Iterator[int]:
    while True:
        t = x ^ (x << 11 & WORD)
        x, y, z = y, z, w
        w = w ^ (w >> 19) ^ t ^ (t >> 8)
        yield w


def _start(start: Sequence[int] | None, n: int, numbers: Iterator[int]) -> list[int]:
    if start is None:
        return [1 if next(numbers) >> 31 else -1 for _ in range(n)]
    counted("spins", start, n)
    if any(spin not in (-1, 1) for spin in start):
        raise CapabilityError("a start holds a value that is no spin; give -1 or +1 for every unit")
    return list(start)
