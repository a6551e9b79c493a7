"""Simulated bifurcation written out in numpy, double precision, one replica."""

import numpy as np

from isingeq.kernels.bifurcate import SPREAD, detuned, scatter


def start(seed, sample, read, n):
    """Positions and momenta (n,)."""
    drawn = [scatter(np.uint64(seed), sample, read, i, SPREAD) for i in range(n)]
    return np.array(drawn, float).T


def pace(seed, sample, read, n):
    """1 − δ of every oscillator (n,)."""
    return np.array([detuned(np.uint64(seed), sample, read, i) for i in range(n)], float)


def sign(x):
    return np.where(x < 0, -1.0, 1.0)


def move(variant, J, h, drive, x, y, *, pace, heat=0.0, substeps=2):
    """Yield positions and momenta after every step of a drive; the discrete variant alone has a pace."""
    pumps = np.linspace(*drive.pump, drive.sweeps)
    feedbacks = np.linspace(*drive.feedback, drive.sweeps)
    dt = drive.dt
    for a, c in zip(pumps, feedbacks, strict=True):
        before = y
        if variant == "adiabatic":
            for _ in range(substeps):
                x = x + y * dt / substeps
                y = y - (x**3 + (1 - a) * x) * dt / substeps
            y = y - c * (J @ x + h) * dt
        else:
            seen = sign(x) if variant == "discrete" else x
            y = y + ((a - 1) * x - c * (J @ seen + h)) * dt
            x = x + y * dt * (pace if variant == "discrete" else 1.0)
            y = np.where(np.abs(x) > 1, 0.0, y)
            x = np.clip(x, -1, 1)
        y = y + heat * dt * before
        yield x, y


def energy(J, h, x):
    s = sign(x)
    return 0.5 * s @ J @ s + h @ s
