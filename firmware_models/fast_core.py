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
    result = Reads(np.zeros(shape, np.int8), np.zeros(shape[:2], np.int32))
    if start is not None:
        result.spins[...] = start
    numbers = np.array(
        [seed, first_sample, first_read, programme.shift, start is None], dtype=np.int64
    )
    _sweeps(
        np.array(dense(programme), dtype=np.int8),
        h.astype(np.int32),
        np.array(programme.clamps, dtype=np.int8),
        np.array(programme.gains, dtype=np.int64),
        _TABLE,
        numbers,
        result.spins,
        result.energies,
    )
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


_next = njit(nogil=True, cache=True)(_next_plain)


def _sweeps_plain(J, h, clamps, gains, table, numbers, spins, energies):  # type: ignore[no-untyped-def]
    seed, first_sample, first_read, shift, random_start = numbers
    golden, half, last = 0x9E3779B9, (1 << shift) >> 1, len(table) - 1
    b, r, n = spins.shape
    f = np.empty(n, np.int32)
    words = np.empty(4, np.int64)
    for sample in range(b):
        for read in range(r):
            s = spins[sample, read]
            words[0] = _mix(seed + golden)
            words[1] = _mix(words[0] + first_sample + sample + golden)
            words[2] = _mix(words[1] + first_read + read + golden)
            words[3] = _mix(words[2] + golden)
            for i in range(n):
                if random_start:
                    s[i] = 1 if _next(words) >> 31 else -1
                if clamps[i] != 0:
                    s[i] = clamps[i]
            for i in range(n):
                f[i] = h[sample, i]
                for j in range(n):
                    f[i] += J[i, j] * s[j]
            for gain in gains:
                for i in range(n):
                    number = _next(words) >> 16
                    if clamps[i] != 0:
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
