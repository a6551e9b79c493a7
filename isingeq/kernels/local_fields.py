"""Metropolis and heat-bath sweeps of one replica after the other, their fields followed from flip to flip.

Every spin's field f_i = h_i + Σ_j J_ij s_j is kept; a flip of s_i adds −2 J_ij s_i to those of its neighbours. A move
that is refused costs one comparison, so a few replicas run faster than on lanes. Fields are whole numbers here too, and
so the flips are the same.
"""

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isingeq.kernels.pool import Pool
from isingeq.kernels.replica_lanes import Couplings, Keys, Spins, Whole
from isingeq.kernels.replica_random import HEAT_BATH, fill_units, highest, staying, words

BLOCK = 256
"""Units whose thresholds are drawn at a time."""


@njit(nogil=True, cache=True, boundscheck=False)
def _feel(first, last, starts, neighbours, values, h, reads, spins, fields):  # type: ignore[no-untyped-def]
    """Write the fields of replicas first … last − 1."""
    for r in range(first, last):
        for i in range(starts.size - 1):
            total = np.int32(h[r // reads, i])
            for e in range(starts[i], starts[i + 1]):
                total += np.int32(values[e]) * np.int32(spins[r, neighbours[e]])
            fields[r, i] = total


@njit(nogil=True, cache=True, boundscheck=False)
def _sweep(  # type: ignore[no-untyped-def]
    first_replica,
    last_replica,
    starts,
    neighbours,
    values,
    dense,
    spins,
    fields,
    keys,
    first,
    last,
    rule,
    scales,
    high,
):
    """Run sweeps first … last − 1 on some replicas; `dense` (n, n) is used where it is not empty."""
    n = starts.size - 1
    thresholds = np.empty(BLOCK, np.int32)
    for r in range(first_replica, last_replica):
        s, f = spins[r], fields[r]
        for t in range(first, last):
            a, b = words(keys[r], t)
            stays = staying(t, np.int64(-1), rule)
            for start in range(0, n, BLOCK):
                stop = min(start + BLOCK, n)
                fill_units(thresholds[: stop - start], a, b, start, rule, scales[t], high)
                for i in range(start, stop):
                    if i == stays:
                        stays = staying(t, i, rule)
                        if f[i] == 0:
                            continue
                    old = np.int32(s[i])
                    if rule == HEAT_BATH:
                        flips = (f[i] <= thresholds[i - start]) != (old > 0)
                    else:
                        flips = -old * f[i] <= thresholds[i - start]
                    if not flips:
                        continue
                    s[i] = np.int8(-old)
                    change = np.int32(-2 * old)
                    if dense.size:
                        row = dense[i]
                        for j in range(n):
                            f[j] += change * np.int32(row[j])
                    else:
                        for e in range(starts[i], starts[i + 1]):
                            f[neighbours[e]] += change * np.int32(values[e])


@njit(nogil=True, cache=True, boundscheck=False)
def _energies(first, last, h, reads, spins, fields, out):  # type: ignore[no-untyped-def]
    """Write twice the energy of every replica, Σ s (f + h)."""
    for r in range(first, last):
        total = np.int64(0)
        for i in range(spins.shape[1]):
            total += np.int64(spins[r, i]) * (np.int64(fields[r, i]) + np.int64(h[r // reads, i]))
        out[r] = total


class LocalFields:
    """Replicas with their fields; read r of sample b is replica b · reads + r."""

    def __init__(
        self, couplings: Couplings, dense: Whole, h: Whole, keys: Keys, spins: Spins, pool: Pool
    ) -> None:
        """Take up the spins (R, n) that replicas start from; `dense` is (n, n), or (0, 0) to go by the graph."""
        self._couplings, self._dense, self._h, self._keys, self._pool = (
            couplings,
            dense,
            h,
            keys,
            pool,
        )
        self._reads = len(keys) // len(h)
        self._spins, self._fields = spins.copy(), np.empty(spins.shape, np.int32)
        self._split(lambda a, b: _feel(a, b, *couplings, h, self._reads, self._spins, self._fields))

    def advance(self, first: int, last: int, rule: np.int64, scales: NDArray[np.float32]) -> None:
        """Run sweeps first … last − 1; `scales` holds ln 2 / 2β of all sweeps, in the unit of the values."""
        high = highest(np.int32)
        self._split(
            lambda a, b: _sweep(
                a, b, *self._couplings, self._dense, self._spins, self._fields, self._keys, first, last, rule,
                scales, high,
            )
        )  # fmt: skip

    def twice_energies(self) -> NDArray[np.int64]:
        """Return 2 E (R,), counted in the unit of the values."""
        out = np.empty(len(self._keys), np.int64)
        self._split(
            lambda a, b: _energies(a, b, self._h, self._reads, self._spins, self._fields, out)
        )
        return out

    def read(self, wanted: NDArray[np.bool_], spins: Spins) -> None:
        """Write the spins of wanted replicas (R,), as they are, into their rows of (R, n)."""
        spins[wanted] = self._spins[wanted]

    def _split(self, work: Callable[[int, int], None]) -> None:
        self._pool.split(len(self._keys), work)
