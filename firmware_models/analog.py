"""Chips that are not what their descriptor promises: spins on real numbers, with the imperfections it admits.

    f_i = h_i + o_i + ν_i + Σ_j J_ij (1 + g_ij) s_j        g_ij ~ N(0, gain_sigma²), o_i ~ N(0, offset_sigma²)
    P(s_i = +1) = 1 / (1 + exp(2 β f_i))                   ν_i ~ N(0, noise_sigma²), anew in each sweep

Spins are updated one by one, as in the integer core. A dead coupler has 1 + g = 0; a stuck spin does not move, but is
felt by the others. What is read out is wrong with probability `readout_error`, each time anew; the spins are not. With
`drift_s` = τ offsets wander as an Ornstein-Uhlenbeck process of that time constant, which keeps their spread:

    o(t + Δ) = o(t) e^(−Δ/τ) + offset_sigma √(1 − e^(−2Δ/τ)) ξ

Gains, offsets and where spins are stuck are those of a chip: functions of its uid and seed. Noise is a function of
those and (seed, sample, read), as in the core.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from drivers.descriptor import Descriptor, Imperfections
from firmware_models.fast_core import next_number, stir
from firmware_models.programme import ADDRESSES, SPAN
from firmware_models.runs import Sampled, Slice, SpinArray, integer_core
from isingeq.errors import ConfigError

RULE = "sequential gibbs"


def spin_array_of(descriptor: Descriptor, *, uid: int, seed: int) -> SpinArray:
    """Return the array of spins of a board: the integer core where nothing is imperfect, else a chip.

    Raises:
        ConfigError: an update rule that no model here follows.
    """
    if descriptor.update.rule != RULE or descriptor.units.state != "spin":
        raise ConfigError(
            f"{descriptor.maker.model} updates {descriptor.units.state}s by {descriptor.update.rule}; "
            f"this model does {RULE} of spins"
        )
    at_rest = descriptor.imperfections == Imperfections()
    if at_rest and descriptor.schedule.beta_unit == SPAN / ADDRESSES:
        return integer_core
    return Chip(descriptor, uid=uid, seed=seed)


class Chip:
    """One chip with its own imperfections."""

    def __init__(self, descriptor: Descriptor, *, uid: int, seed: int) -> None:
        """Make a chip; its number and the seed decide on all that is fixed."""
        most, wrong = descriptor.units.most, descriptor.imperfections
        random = np.random.default_rng((uid, seed))
        self._wrong = wrong
        self._beta_unit = descriptor.schedule.beta_unit
        self._key = int(random.integers(2**32))
        self._pairs = descriptor.topology.pairs(most)
        self._scale = 1 + wrong.gain_sigma * random.standard_normal(len(self._pairs))
        dead = {tuple(pair) for pair in wrong.dead_couplers}
        alive = [tuple(pair) not in dead for pair in self._pairs.tolist()]
        self._scale *= alive
        stuck = np.zeros(most, bool)
        stuck[list(wrong.stuck_spins)] = True
        self._stuck = np.where(stuck, random.choice([-1, 1], most), 0).astype(np.int8)
        self._offsets = wrong.offset_sigma * random.standard_normal(most)
        self._random = random
        self._then = 0.0
        self._seen: NDArray[np.int16] | None = None
        self._couplings = np.zeros((0, 0))

    def __call__(self, part: Slice, now: float) -> Sampled:
        """Return the reads of a slice, at this time."""
        self._drift(now)
        k, n = part.fields.shape
        clamps = np.where(self._stuck[:n] != 0, self._stuck[:n], part.clamps).astype(np.int8)
        shape = (k, part.reads, n)
        states = np.zeros(shape, np.int8)
        if part.start is not None:
            states[...] = part.start[:, None]
        rows = np.zeros(shape, np.int8)
        integers = np.array(
            [
                (part.seed ^ self._key),
                part.sample,
                part.read,
                part.start is None,
                part.thin,
                part.goes_on,
            ],
            np.int64,
        )
        _sweeps(
            self._real(part.couplings),
            part.fields + self._offsets[:n],
            clamps,
            part.gains * (self._beta_unit / 2**part.shift),
            np.array([self._wrong.noise_sigma, self._wrong.readout_error]),
            integers,
            states,
            rows,
        )
        return Sampled(rows, states[:, -1])

    def _real(self, couplings: NDArray[np.int16]) -> NDArray[np.float64]:
        """Couplings as the chip has them; made anew when they change."""
        if self._seen is None or not np.array_equal(self._seen, couplings):
            n = len(couplings)
            i, j = self._pairs[self._pairs[:, 1] < n].T
            scale = self._scale[self._pairs[:, 1] < n]
            self._couplings = np.zeros((n, n))
            self._couplings[i, j] = self._couplings[j, i] = couplings[i, j] * scale
            self._seen = couplings.copy()
        return self._couplings

    def _drift(self, now: float) -> None:
        wrong, passed = self._wrong, now - self._then
        if wrong.drift_s is None or passed <= 0:
            return
        kept = np.exp(-passed / wrong.drift_s)
        fresh = wrong.offset_sigma * self._random.standard_normal(len(self._offsets))
        self._offsets = kept * self._offsets + np.sqrt(1 - kept**2) * fresh
        self._then = now


def _uniform_plain(words):  # type: ignore[no-untyped-def]
    # Half a step from either end, so that its logarithm is finite.
    return (next_number(words) + 0.5) * 2.0**-32


_uniform = njit(nogil=True, cache=True)(_uniform_plain)


def _sweeps_plain(J, h, clamps, betas, spreads, integers, states, rows):  # type: ignore[no-untyped-def]
    seed, first_sample, first_read, random_start, thin, goes_on = integers
    noise, error = spreads
    b, r, n = states.shape
    f = np.empty(n)
    words = np.empty(4, np.int64)
    for sample in range(b):
        held = clamps[sample]
        for read in range(r):
            s = states[sample, read]
            stir(words, seed, first_sample + sample, first_read + read)
            thinned = thin > 0 and (goes_on or read > 0)
            for i in range(n):
                if thinned:
                    if read > 0:
                        s[i] = states[sample, read - 1, i]
                elif random_start:
                    s[i] = 1 if _uniform(words) > 0.5 else -1
                if held[i] != 0:
                    s[i] = held[i]
            for i in range(n):
                f[i] = h[sample, i]
                for j in range(n):
                    f[i] += J[i, j] * s[j]
            for sweep in range(thin if thinned else len(betas)):
                beta = betas[-1] if thinned else betas[sweep]
                for i in range(n):
                    force = f[i]
                    if noise > 0:
                        radius = np.sqrt(-2 * np.log(_uniform(words)))
                        force += noise * radius * np.cos(2 * np.pi * _uniform(words))
                    chance = 1 / (1 + np.exp(min(2 * beta * force, 700.0)))
                    spin = 1 if _uniform(words) < chance else -1
                    if held[i] == 0 and spin != s[i]:
                        s[i] = spin
                        for j in range(n):
                            f[j] += 2 * spin * J[i, j]
            for i in range(n):
                wrong = error > 0 and _uniform(words) < error
                rows[sample, read, i] = -s[i] if wrong else s[i]


_sweeps = njit(nogil=True, cache=True)(_sweeps_plain)
