"""What an imperfect chip makes of couplings and fields: one definition for boards served and for virtual chips.

    J'_ij = (1 + g_ij) J_ij + p_ij        on every working coupler, programmed or not; 0 on a dead one
    h'_i  = (1 + a_i) h_i + o_i + κ Σ_j h_j + ν_i        j the neighbours of i, h with its nudges

g ~ N(0, gain_sigma²), p ~ N(0, coupling_offset_sigma²), a ~ N(0, field_gain_sigma²), o ~ N(0, offset_sigma²) and where
things are stuck or dead are those of a chip; ν ~ N(0, noise_sigma²) is new for each read, on a board served for each
sweep. A stuck spin stays at −1 or +1 and is felt by its neighbours; a dead one is coupled to nothing and reads a fair
coin. What is read out is wrong with probability `readout_error`, each time anew; the spins are not. With `drift_s` = τ
offsets of fields wander as an Ornstein-Uhlenbeck process of that time constant, which keeps their spread:

    o(t + Δ) = o(t) e^(−Δ/τ) + offset_sigma √(1 − e^(−2Δ/τ)) ξ

All values are in the chip's own units, those of its ranges; gains and rates have none.
"""

import math
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from firmware_models.wires import Wires
from isingeq.errors import ConfigError

Floats = NDArray[np.floating]
Reals = NDArray[np.float64]
Mask = NDArray[np.bool_]

MOST_DRAWN = 1 << 26
"""Couplers that can differ from each other: half a gigabyte for each array of them."""


@dataclass(frozen=True, slots=True)
class Imperfections:
    """How far a chip is from what it was to be; all at rest in an ideal one.

    Attributes:
        gain_sigma: spread of couplings, as a share of their size.
        coupling_offset_sigma: spread of what couplers add, programmed or not.
        field_gain_sigma: spread of fields, as a share of their size.
        offset_sigma: spread of what is added to fields.
        noise_sigma: of fields, anew for each read.
        crosstalk: share of its field that a spin leaks to each neighbour.
        drift_s: time constant of field offsets in seconds of the chip; None where they stay.
        readout_error: chance that a spin is read wrongly.
        stuck_spins: that do not move.
        dead_spins: that are coupled to nothing.
        dead_couplers: pairs i < j whose coupler does nothing.
        stuck_rate: share of spins stuck, drawn for each chip, besides those named.
        dead_spin_rate: share of spins dead, likewise.
        dead_coupler_rate: share of couplers dead, likewise.
    """

    gain_sigma: float = 0.0
    coupling_offset_sigma: float = 0.0
    field_gain_sigma: float = 0.0
    offset_sigma: float = 0.0
    noise_sigma: float = 0.0
    crosstalk: float = 0.0
    drift_s: float | None = None
    readout_error: float = 0.0
    stuck_spins: tuple[int, ...] = ()
    dead_spins: tuple[int, ...] = ()
    dead_couplers: tuple[tuple[int, int], ...] = ()
    stuck_rate: float = 0.0
    dead_spin_rate: float = 0.0
    dead_coupler_rate: float = 0.0

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name.endswith("_sigma") and not 0 <= value < math.inf:
                raise ConfigError(f"{entry.name} must be 0 or more and finite, got {value:g}")
            if entry.name.endswith("_rate") and not 0 <= value <= 1:
                raise ConfigError(f"{entry.name} is a share from 0 to 1, got {value:g}")
        if not math.isfinite(self.crosstalk):
            raise ConfigError(f"crosstalk must be finite, got {self.crosstalk:g}")
        if not 0 <= self.readout_error <= 0.5:
            raise ConfigError(f"readout_error must be 0 to 0.5, got {self.readout_error:g}")
        if self.drift_s is not None and not 0 < self.drift_s < math.inf:
            raise ConfigError(f"drift_s must be above 0 and finite, got {self.drift_s:g}")


class _Stream(IntEnum):
    """Each kind of number has a generator of its own, default_rng((uid, seed, kind)): one sigma moves one kind."""

    GAIN = 0
    COUPLING_OFFSET = 1
    FIELD_GAIN = 2
    OFFSET = 3
    STUCK = 4
    STUCK_AT = 5
    DEAD_SPIN = 6
    DEAD_COUPLER = 7
    DRIFT = 8
    KEY = 9


@dataclass(frozen=True, eq=False)
class Mismatch:
    """How one chip is made: frozen arrays over its spins (n,) and couplers (m,), in the order of its wires.

    Attributes:
        coupling_gain: g (m,).
        coupling_offset: p (m,).
        field_gain: a (n,).
        field_offset: o (n,), at the beginning where it drifts.
        crosstalk: κ.
        stuck: −1 or +1 where a spin is stuck, else 0, int8 (n,).
        dead_units: spins that are coupled to nothing (n,).
        dead_edges: couplers that do nothing (m,), all those of dead spins among them.
    """

    coupling_gain: Reals
    coupling_offset: Reals
    field_gain: Reals
    field_offset: Reals
    crosstalk: float
    stuck: NDArray[np.int8]
    dead_units: Mask
    dead_edges: Mask

    def __post_init__(self) -> None:
        for entry in fields(self):
            if entry.name != "crosstalk":
                getattr(self, entry.name).flags.writeable = False

    @classmethod
    def draw(
        cls, imperfections: Imperfections, wires: Wires, *, uid: int = 0, seed: int = 0
    ) -> "Mismatch":
        """Return how a chip is made.

        Args:
            imperfections: of its kind.
            wires: of its kind.
            uid: of the chip.
            seed: one more number that tells chips apart.

        Raises:
            ConfigError: an element that is not there, every spin dead or stuck, or too many couplers to tell apart.
        """
        wrong, n, m = imperfections, wires.n, wires.num_edges
        uneven = (wrong.gain_sigma, wrong.coupling_offset_sigma, wrong.dead_coupler_rate)
        dead_somewhere = bool(wrong.dead_spins or wrong.dead_couplers or wrong.dead_spin_rate)
        if m > MOST_DRAWN and (any(uneven) or dead_somewhere):
            raise ConfigError(
                f"a chip of {m:,} couplers that differ does not fit into memory ({MOST_DRAWN:,} do): leave gain_sigma, "
                "coupling_offset_sigma and what is dead at 0, or take fewer spins"
            )

        def normal(kind: _Stream, sigma: float, count: int) -> Reals:
            if not sigma:
                return np.broadcast_to(np.float64(0), (count,))  # of any length in no memory
            return sigma * _random(uid, seed, kind).standard_normal(count)

        def chosen(kind: _Stream, rate: float, count: int) -> Mask:
            if not rate:
                return np.zeros(count, np.bool_)
            return _random(uid, seed, kind).random(count) < rate

        for name in ("stuck_spins", "dead_spins"):
            if any(not 0 <= spin < n for spin in getattr(wrong, name)):
                raise ConfigError(
                    f"{name} names a spin that is not there; the chip has 0 to {n - 1}"
                )
        stuck_units = chosen(_Stream.STUCK, wrong.stuck_rate, n)
        stuck_units[list(wrong.stuck_spins)] = True
        dead_units = chosen(_Stream.DEAD_SPIN, wrong.dead_spin_rate, n)
        dead_units[list(wrong.dead_spins)] = True
        stuck_units &= ~dead_units
        if n and (stuck_units | dead_units).all():
            raise ConfigError("every spin is dead or stuck: lower dead_spin_rate and stuck_rate")
        at = 2 * _random(uid, seed, _Stream.STUCK_AT).integers(0, 2, n, np.int8) - 1
        return cls(
            coupling_gain=normal(_Stream.GAIN, wrong.gain_sigma, m),
            coupling_offset=normal(_Stream.COUPLING_OFFSET, wrong.coupling_offset_sigma, m),
            field_gain=normal(_Stream.FIELD_GAIN, wrong.field_gain_sigma, n),
            field_offset=normal(_Stream.OFFSET, wrong.offset_sigma, n),
            crosstalk=wrong.crosstalk,
            stuck=np.where(stuck_units, at, 0).astype(np.int8),
            dead_units=dead_units,
            dead_edges=_dead_edges(
                wires, wrong, dead_units, chosen(_Stream.DEAD_COUPLER, wrong.dead_coupler_rate, m)
                if wrong.dead_coupler_rate or dead_somewhere else None,
            ),
        )  # fmt: skip

    def couplings(self, J: Reals, places: NDArray[np.integer]) -> Reals:
        """Return J' of couplings J (k,) that are to be on the couplers `places` (k,)."""
        real = (1 + self.coupling_gain[places]) * J + self.coupling_offset[places]
        return np.where(self.dead_edges[places], 0.0, real)

    def response(self, h: Floats, wires: Wires) -> Floats:
        """Return (1 + a) h + κ Σ_j h_j of fields (b, n) of the first n spins, h' without offset and noise."""
        real = h * (1 + self.field_gain[: h.shape[1]]).astype(h.dtype)
        if self.crosstalk:
            real += self.crosstalk * wires.neighbours_sum(h)
        return real


class Drift:
    """Offsets that wander, on the chip's own clock.

    Attributes:
        offsets: now (n,).
    """

    def __init__(self, imperfections: Imperfections, start: Reals, *, uid: int, seed: int) -> None:
        """Begin at time 0 with these offsets."""
        self.offsets = start
        self._sigma, self._tau = imperfections.offset_sigma, imperfections.drift_s
        self._random = _random(uid, seed, _Stream.DRIFT)
        self._then = 0.0

    def to(self, now: float) -> Reals:
        """Return the offsets at a time in seconds; time does not run backwards."""
        passed = now - self._then
        if self._tau is not None and passed > 0:
            kept = math.exp(-passed / self._tau)
            fresh = self._sigma * self._random.standard_normal(self.offsets.size)
            self.offsets = kept * self.offsets + math.sqrt(1 - kept**2) * fresh
            self._then = now
        return self.offsets


def noise_key(uid: int, seed: int) -> int:
    """Return 32 bits that tell the noise of one chip from that of another."""
    return int(_random(uid, seed, _Stream.KEY).integers(1 << 32))


def _random(uid: int, seed: int, kind: _Stream) -> np.random.Generator:
    return np.random.default_rng((uid, seed, int(kind)))


def _dead_edges(wires: Wires, wrong: Imperfections, dead_units: Mask, drawn: Mask | None) -> Mask:
    if drawn is None:
        return np.broadcast_to(np.False_, (wires.num_edges,))
    for i, j in wrong.dead_couplers:
        place = wires.find(np.array([i]), np.array([j]))[0] if 0 <= i < j < wires.n else -1
        if place < 0:
            raise ConfigError(
                f"dead_couplers names {i}, {j}: no coupler is there, and i < j is needed"
            )
        drawn[place] = True
    if dead_units.any():
        first, second, _ = wires.among(wires.n)
        drawn |= dead_units[first] | dead_units[second]
    return drawn
