"""The integer core compiled, over whole batches: the same numbers as `core.run`, read by read."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from firmware_models.chances import CHANCES
from firmware_models.core import WORD, dense
from firmware_models.programme import FIELD_MAX, Programme, within
from isingeq.errors import CapabilityError

_TABLE = np.array(CHANCES, dtype=np.int64)


class Reads(NamedTuple):
    """Reads of a batch.

    Attributes:
        spins: ±1, (b, r, n).
        energies: of the spins in their sample's own fields, (b, r).
    """

    spins: NDArray[np.int8]
    energies: NDArray[np.int32]


def run_batch(
    programme: Programme,
    deltas: NDArray[np.integer],
    *,
    seed: int,
    reads: int,
    start: NDArray[np.integer] | None = None,
    first_sample: int = 0,
    first_read: int = 0,
) -> Reads:
    """Return `reads` reads of every sample.

    Args:
        programme: what the board was told.
        deltas: added to the fields, one row per sample, (b, n).
        seed: of the run, 32 bits.
        reads: how many per sample.
        start: spins ±1 to begin with, (b, r, n); None for random ones.
        first_sample: number of the first sample.
        first_read: number of the first read of every sample.

    Raises:
        CapabilityError: a field out of range with its delta, a start that is not spins, numbers beyond 32 bits.
    """
    n = programme.num_units
    if deltas.ndim != 2 or deltas.shape[1] != n:
        raise CapabilityError(f"deltas {deltas.shape} came, (samples, {n}) are needed")
    shape = (len(deltas), reads, n)
    within("seed, sample or read", (seed, first_sample, first_read), 0, WORD)
    within("last sample or read", (first_sample + len(deltas), first_read + reads), 0, WORD)
    added = np.asarray(deltas, dtype=np.int64)
    h = np.array(programme.fields, dtype=np.int64) + added
    within("delta", (_farthest(added),), -FIELD_MAX, FIELD_MAX)
    within("field with its delta", (_farthest(h),), -FIELD_MAX, FIELD_MAX)
    if start is not None and start.shape != shape:
        raise CapabilityError(f"a start {start.shape} came, {shape} is needed")
    if start is not None and not (np.abs(start) == 1).all():
        raise CapabilityError("a start holds a value that is no spin; give -1 or +1 for every unit")
    return run_rows(
        np.array(dense(programme), dtype=np.int16),
        h.astype(np.int32),
        np.tile(np.array(programme.clamps, dtype=np.int8), (len(h), 1)),
        np.array(programme.gains, dtype=np.int64),
        shift=programme.shift,
        seed=seed,
        reads=reads,
        start=None if start is None else start.astype(np.int8),
        first_sample=first_sample,
        first_read=first_read,
    )


def run_rows(
    couplings: NDArray[np.int16],
    fields: NDArray[np.int32],
    clamps: NDArray[np.int8],
    gains: NDArray[np.int64],
    *,
    shift: int,
    seed: int,
    reads: int,
    start: NDArray[np.int8] | None = None,
    first_sample: int = 0,
    first_read: int = 0,
    thin: int = 0,
    goes_on: bool = False,
) -> Reads:
    """Return reads of what a board holds; nothing is checked.

    Args:
        couplings: symmetric, zero on the diagonal, (n, n).
        fields: of every sample, (b, n).
        clamps: −1 or +1 where a spin is held, else 0, (b, n).
        gains: one per sweep.
        shift: power of two that every gain is divided by.
        seed: of the run, 32 bits.
        reads: how many per sample.
        start: spins ±1 to begin with, the same for all reads (b, n) or one for each (b, r, n); None for random ones.
        first_sample: number of the first sample; numbers wrap at 32 bits.
        first_read: number of the first read of every sample.
        thin: 0, or sweeps at the last gain in which every read but the first goes on from the one before.
        goes_on: even the first read does, from `start`.
    """
    b, n = fields.shape
    result = Reads(np.zeros((b, reads, n), np.int8), np.zeros((b, reads), np.int32))
    if start is not None:
        result.spins[...] = start if start.ndim == 3 else start[:, None]
    numbers = np.array(
        [seed, first_sample, first_read, shift, start is None, thin, goes_on], dtype=np.int64
    )
    _sweeps(couplings, fields, clamps, gains, _TABLE, numbers, result.spins, result.energies)
    return result


def _farthest(values: NDArray[np.int64]) -> int:
    """Return the value of largest magnitude, 0 of none."""
    return int(values.flat[np.abs(values).argmax()]) if values.size else 0


def _mix_plain(x):  # type: ignore[no-untyped-def]
    # int64 products wrap; the 32 bits that are kept do not notice.
    x &= 0xFFFFFFFF
    x = (x ^ (x >> 16)) * 0x7FEB352D & 0xFFFFFFFF
    x = (x ^ (x >> 15)) * 0x846CA68B & 0xFFFFFFFF
    return x ^ (x >> 16)


_mix = njit(nogil=True, cache=True)(_mix_plain)


def _next_plain(words):  # type: ignore[no-untyped-def]
    t = words[0] ^ (words[0] << 11 & 0xFFFFFFFF)
    words[0], words[1], words[2] = words[1], words[2], words[3]
    words[3] = words[3] ^ (words[3] >> 19) ^ t ^ (t >> 8)
    return words[3]


next_number = njit(nogil=True, cache=True)(_next_plain)
"""Next random number, 32 bits, of four words that it moves on."""


def _stir_plain(words, seed, sample, read):  # type: ignore[no-untyped-def]
    golden = 0x9E3779B9
    words[0] = _mix(seed + golden)
    words[1] = _mix(words[0] + sample + golden)
    words[2] = _mix(words[1] + read + golden)
    words[3] = _mix(words[2] + golden)
    words[0] = _mix(words[0] + words[3] + golden)
    words[1] = _mix(words[1] + words[2] + golden)


stir = njit(nogil=True, cache=True)(_stir_plain)
"""Set four words to where the random numbers of a read begin."""


def _sweeps_plain(J, h, clamps, gains, table, numbers, spins, energies):  # type: ignore[no-untyped-def]
    seed, first_sample, first_read, shift, random_start, thin, goes_on = numbers
    half, last = (1 << shift) >> 1, len(table) - 1
    b, r, n = spins.shape
    f = np.empty(n, np.int32)
    words = np.empty(4, np.int64)
    for sample in range(b):
        held = clamps[sample]
        for read in range(r):
            s = spins[sample, read]
            stir(words, seed, first_sample + sample, first_read + read)
            thinned = thin > 0 and (goes_on or read > 0)
            sweeps = thin if thinned else len(gains)
            for i in range(n):
                if thinned:
                    if read > 0:
                        s[i] = spins[sample, read - 1, i]
                elif random_start:
                    s[i] = 1 if next_number(words) >> 31 else -1
                if held[i] != 0:
                    s[i] = held[i]
            for i in range(n):
                f[i] = h[sample, i]
                for j in range(n):
                    f[i] += J[i, j] * s[j]
            # The generator once more, in registers: half of the time would go into its memory.
            x, y, z, w = words
            for sweep in range(sweeps):
                gain = gains[-1] if thinned else gains[sweep]
                for i in range(n):
                    t = x ^ (x << 11 & 0xFFFFFFFF)
                    x, y, z = y, z, w
                    w = w ^ (w >> 19) ^ t ^ (t >> 8)
                    number = w >> 16
                    if held[i] != 0:
                        continue
                    address = min(last, (abs(np.int64(f[i])) * gain + half) >> shift)
                    spin = 1 if f[i] < 0 else -1
                    if number < table[address]:
                        spin = -spin
                    if spin != s[i]:
                        s[i] = spin
                        change = np.int32(2 * spin)
                        row = J[i]
                        for j in range(n):
                            f[j] += np.int32(row[j]) * change
            twice = 0
            for i in range(n):
                twice += (f[i] + h[sample, i]) * s[i]
            energies[sample, read] = twice // 2


_sweeps = njit(nogil=True, cache=True)(_sweeps_plain)
