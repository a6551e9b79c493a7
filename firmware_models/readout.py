"""What a chip draws for itself: noise, spins that are idle, readout errors.

All are functions of the chip, seed, sample, read and spin, and of nothing else.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isingeq.kernels.gaussian import normal_rows
from isingeq.kernels.noise import mix
from isingeq.kernels.streams import streams

Floats = NDArray[np.floating]
Keys = NDArray[np.uint64]

_MOST_SEED = (1 << 63) - 1
_IDLE, _ERRORS = 1, 2


def keys_of(key: int, seed: int, *, samples: int, reads: int) -> Keys:
    """Return a key for every read of every sample (samples · reads,).

    Args:
        key: of the chip.
        seed: of the request.
        samples: b.
        reads: r.
    """
    own = int(np.random.SeedSequence((key, seed)).generate_state(1, np.uint64)[0]) & _MOST_SEED
    return streams(own, samples, reads)


def uniforms(keys: Keys, units: NDArray[np.integer], kind: int) -> NDArray[np.float32]:
    """Return numbers from [0, 1), one for every read and every spin of `units` (k,), shape (reads, k).

    Args:
        keys: of the reads.
        units: numbers of spins.
        kind: what they are for; other kinds get other numbers.
    """
    out = np.empty((keys.size, units.size), np.float32)
    _uniforms(keys, units.astype(np.uint64), np.uint64(kind), out)
    return out


def normals(keys: Keys, n: int, sigma: float) -> Floats:
    """Return normal numbers of this spread, one for every read and each of n spins, shape (reads, n)."""
    out = np.empty(n * keys.size, np.float32)
    normal_rows(keys, 0, np.float32(sigma), out)
    return out.reshape(n, keys.size).T


def idle_spins(
    h: Floats, stuck: NDArray[np.int8], units: NDArray[np.integer], keys: Keys, beta: float
) -> NDArray[np.int8]:
    """Return spins that nothing is coupled to, each in thermal equilibrium with its field alone, (reads, k).

    Args:
        h: fields (b, k); (reads, k) where each read has its own, (1, k) where they are all alike.
        stuck: −1 or +1 where a spin is stuck, else 0, (k,).
        units: their numbers (k,).
        keys: of the reads, sample after sample.
        beta: infinite for spins that follow their field, a fair coin where it is 0.
    """
    drawn = uniforms(keys, units, _IDLE)
    with np.errstate(over="ignore", invalid="ignore"):
        up = 1 / (1 + np.exp(np.where(h == 0, 0.0, 2 * beta * h)))
    if len(up) > 1:
        up = np.repeat(up, keys.size // len(up), axis=0)
    spins = np.where(drawn < up, np.int8(1), np.int8(-1))
    spins[:, stuck != 0] = stuck[stuck != 0]
    return spins


def misread(states: Floats, error: float, keys: Keys, held: NDArray[np.bool_]) -> Floats:
    """Return states (b, r, n) with readout errors; what is held (n,) is known without reading it.

    From one wrong spin of a read to the next the gap is geometric, so that errors cost as much as there are.
    """
    read = states if states.flags.writeable else states.copy()
    _flip(keys, np.uint64(_ERRORS), np.log1p(-error), held, read.reshape(keys.size, held.size))
    return read


def _flip_plain(keys, kind, log_right, held, rows):  # type: ignore[no-untyped-def]
    n = held.size
    for read in range(keys.size):
        at = np.int64(-1)
        drawn = np.uint64(0)
        while True:
            bits = mix(keys[read] ^ mix((kind << np.uint64(32)) | drawn)) >> np.uint64(11)
            gap = np.log((np.float64(bits) + 0.5) * 2.0**-53) / log_right
            if gap >= n - 1 - at:
                break
            at += 1 + np.int64(gap)
            drawn += np.uint64(1)
            if not held[at]:
                rows[read, at] = -rows[read, at]


_flip = njit(nogil=True, cache=True)(_flip_plain)


def _uniforms_plain(keys, units, kind, out):  # type: ignore[no-untyped-def]
    counters = np.empty(units.size, np.uint64)
    for at in range(units.size):
        counters[at] = mix((kind << np.uint64(32)) | units[at])
    for read in range(keys.size):
        for at in range(units.size):
            bits = mix(keys[read] ^ counters[at]) >> np.uint64(40)
            out[read, at] = np.float32(bits) * np.float32(2.0**-24)


_uniforms = njit(nogil=True, cache=True)(_uniforms_plain)
