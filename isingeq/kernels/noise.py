"""Counter-based Gaussian noise: the number drawn depends on seed, sample, step and unit, on nothing else."""

import numpy as np
from numba import njit


@njit(cache=True)
def mix(z):  # type: ignore[no-untyped-def]
    """Scramble 64 bits (the finaliser of SplitMix64, Steele, Lea & Flood 2014)."""
    z = np.uint64(z) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True)
def normal(seed, sample, step, unit):  # type: ignore[no-untyped-def]
    """Return one standard normal number (Box–Muller on two scrambled counters)."""
    key = mix(
        mix(mix(mix(np.uint64(seed)) ^ np.uint64(sample)) ^ np.uint64(step)) ^ np.uint64(unit)
    )
    scale = 1.0 / 9007199254740992.0
    u = (np.float64(key >> np.uint64(11)) + 0.5) * scale
    v = np.float64(mix(key) >> np.uint64(11)) * scale
    return np.sqrt(-2.0 * np.log(u)) * np.cos(2.0 * np.pi * v)
