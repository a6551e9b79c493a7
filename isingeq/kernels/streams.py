"""What is drawn once per settle: keys of random streams, starting phases, frequencies; all from counters."""

import numpy as np
from numba import njit

from isingeq.kernels.noise import mix, normal


@njit(cache=True)
def streams(seed, samples, reads):  # type: ignore[no-untyped-def]
    """Return a key for every read of every sample (samples · reads,), whatever stands beside them."""
    out = np.empty(samples * reads, np.uint64)
    for sample in range(samples):
        for read in range(reads):
            out[sample * reads + read] = mix(mix(mix(seed) ^ mix(sample)) ^ mix(read))
    return out


@njit(cache=True)
def frequencies(seed, n):  # type: ignore[no-untyped-def]
    """Return one standard normal number per unit (n,): how a device was made, the same for all samples."""
    out = np.empty(n, np.float64)
    for i in range(n):
        out[i] = normal(seed, 0, 0, i)
    return out


@njit(nogil=True, cache=True)
def scatter(keys, phases):  # type: ignore[no-untyped-def]
    """Write phases (b, n), uniform on the circle, each a function of its sample's key and its unit alone."""
    real = phases.dtype.type
    for row in range(keys.size):
        for i in range(phases.shape[1]):
            bits = mix(keys[row] ^ mix(i)) >> np.uint64(11)
            phases[row, i] = real((np.float64(bits) * 2.0**-53 - 0.5) * (2.0 * np.pi))
