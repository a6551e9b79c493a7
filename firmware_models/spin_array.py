"""The array of spins of a board that is served: the integer core, or a chip that is not what its descriptor promises.

    f_i = h'_i + Σ_j J'_ij s_j        P(s_i = +1) = 1 / (1 + exp(2 β f_i))

with J' and h' of `analog`, the noise on fields new in each sweep. Spins are updated one by one, as in the integer core.
Noise and chances are functions of the chip and of (seed, sample, read), as in the core.
"""

from dataclasses import asdict

import numpy as np
from numba import njit
from numpy.typing import NDArray

from drivers import descriptor as wire
from drivers.descriptor import Descriptor
from firmware_models.analog import Drift, Imperfections, Mismatch, noise_key
from firmware_models.fast_core import next_number, stir
from firmware_models.programme import ADDRESSES, SPAN
from firmware_models.runs import Sampled, Slice, SpinArray, integer_core
from firmware_models.wires import Topology, Wires
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
    at_rest = descriptor.imperfections == wire.Imperfections()
    if at_rest and descriptor.schedule.beta_unit == SPAN / ADDRESSES:
        return integer_core
    return Chip(descriptor, uid=uid, seed=seed)


class Chip:
    """One chip with its own imperfections.

    Attributes:
        mismatch: how it is made.
        drift: its offsets.
    """

    def __init__(self, descriptor: Descriptor, *, uid: int, seed: int) -> None:
        """Make a chip; its number and the seed decide on all that is fixed."""
        wrong = Imperfections(**asdict(descriptor.imperfections))
        graph = descriptor.topology
        self._wires = Wires.of(
            Topology(graph.kind, graph.rows, graph.columns, edges=graph.edges),
            descriptor.units.most,
        )
        self._wrong = wrong
        self._beta_unit = descriptor.schedule.beta_unit
        self._key = noise_key(uid, seed)
        self.mismatch = Mismatch.draw(wrong, self._wires, uid=uid, seed=seed)
        self.drift = Drift(wrong, self.mismatch.field_offset, uid=uid, seed=seed)
        self._seen: NDArray[np.int16] | None = None
        self._couplings = np.zeros((0, 0))

    def __call__(self, part: Slice, now: float) -> Sampled:
        """Return the reads of a slice, at this time."""
        offsets = self.drift.to(now)
        k, n = part.fields.shape
        stuck = self.mismatch.stuck[:n]
        clamps = np.where(stuck != 0, stuck, part.clamps).astype(np.int8)
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
            self.real(part.couplings),
            self.mismatch.response(part.fields.astype(np.float64), self._wires) + offsets[:n],
            clamps,
            part.gains * (self._beta_unit / 2**part.shift),
            np.array([self._wrong.noise_sigma, self._wrong.readout_error]),
            integers,
            states,
            rows,
        )
        return Sampled(rows, states[:, -1])

    def real(self, couplings: NDArray[np.int16]) -> NDArray[np.float64]:
        """Return couplings (n, n) as the chip has them; made anew when they change."""
        if self._seen is None or not np.array_equal(self._seen, couplings):
            n = len(couplings)
            i, j, places = self._wires.among(n)
            self._couplings = np.zeros((n, n))
            real = self.mismatch.couplings(couplings[i, j].astype(np.float64), places)
            self._couplings[i, j] = self._couplings[j, i] = real
            self._seen = couplings.copy()
        return self._couplings


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
