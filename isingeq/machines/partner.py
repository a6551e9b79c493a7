"""Antisymmetric partner: every position x is coupled to a dissipative partner v, with opposite signs.

    dx/dt = −∂E/∂x + ζ(t) v          dv/dt = −ζ(t) x − r v

The pair of oscillator and dissipative pulses that coherent Ising machines use to leave local minima by an oscillation
(Optics Express 31, 3676; Quantum 7, 1151). At a constant ζ it rests at v = −ζ x / r, where

    0 = −∂E/∂x − (ζ² / r) x

so its rest points are those of E with a stiffness ζ²/r added: not those of E. What keeps them so is ζ, which falls in
a straight line to 0 over the stage, and the descent that follows. A partner that is faster than x (r ≫ ζ) hands on
just this stiffness, and the stage is gradient flow under a ramp ζ(t)²/r; one that is slower (r < 2 ζ) rings.

Driven by the slope instead of the position, dv/dt = −ζ ∂E/∂x − r v, the pair is port-Hamiltonian with energy
E + v²/2: every rest point has v = 0 and ∂E/∂x = 0 for any ζ > 0. With y = ζ v and time in units of 1/ζ that is
position and momentum, `conjugate`, with a direct friction on the position besides: a machine that is there already.

Discretised by semi-implicit Euler with the exact decay, in units of time of 1 / stiffness:

    v ← e^{−r dt} v − dt ζ x          x ← clip(x + dt (f + ζ v))
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from isingeq.errors import ConfigError
from isingeq.machines.landscape import Floats, Landscape


@dataclass(frozen=True, slots=True)
class Partner:
    """Positions with antisymmetric partners.

    Attributes:
        strength: ζ at the start of the stage; it falls to 0.
        decay: r, of the partners, per unit time.
        dt: time step.
        momentum: standard deviation of the partners at the start.
    """

    strength: float = 1.5
    decay: float = 1.0
    dt: float = 0.4
    momentum: float = 0.0

    def __post_init__(self) -> None:
        if not (self.strength >= 0 and self.decay > 0 and self.momentum >= 0):
            raise ConfigError(
                f"strength {self.strength} and momentum {self.momentum} must be >= 0, decay {self.decay} > 0"
            )
        if not (0 < self.dt < 2 and self.dt * self.strength < 2):
            raise ConfigError(
                f"dt {self.dt} must lie between 0 and 2, and below 2 / strength: beyond, a lone unit never rests"
            )

    def walk(
        self, landscape: Landscape, start: Floats, *, steps: int, seed: int
    ) -> Iterator[Floats]:
        """Yield the states (b, r, n) after each of `steps` steps."""
        x, v = start, np.zeros_like(start)
        if self.momentum > 0:
            v = self.momentum * landscape.normal(seed, start.shape)
        keep = float(np.exp(-self.decay * self.dt))
        for step in range(steps):
            zeta = self.strength * (1 - step / steps)
            v = keep * v - self.dt * zeta * x
            x = landscape.confine(x + self.dt * (landscape.pull(x) + zeta * v))
            yield x
