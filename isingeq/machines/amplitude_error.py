"""Amplitude and error: every amplitude has an error variable that weighs the force on it.

    dξ/dt = (p − 1) ξ − ξ³ − ε e ∂E/∂ξ          de/dt = −b (ξ² − a) e

with ξ = (x − c) / w, the place of a unit in its box of centre c and half width w, as pulses of a coherent Ising machine
have it under amplitude-heterogeneity correction (Leleu, Yamamoto, McMahon & Aihara 2019). An error variable grows
while its amplitude is below √a and so makes a local minimum unstable; it ends at `MOST`, as in published code.

At rest 0 = (p − 1) ξ − ξ³ − ε e ∂E/∂ξ: a gain, a saturation and weights e ≠ 1 that E does not have, and more often
than not there is no rest at all. So the answer of the pair is a place to descend from, and nothing else.

Units without two walls have no place in a box: they follow −∂E/∂x as it is. In units of time of 1 / stiffness,
discretised by Euler with the exact factor on e, which stays positive so.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from isingeq.errors import ConfigError
from isingeq.machines.landscape import Floats, Landscape

MOST = 32.0
"""Largest error variable."""


@dataclass(frozen=True, slots=True)
class AmplitudeError:
    """Amplitudes with error variables.

    Attributes:
        pump: p, whose threshold is 1.
        feedback: ε.
        rate: b, of the error variables, per unit time.
        target: a, square of the amplitude aimed at, in half widths of the box.
        dt: time step.
        spread: standard deviation added to the places at the start, in half widths.
    """

    pump: float = 0.5
    feedback: float = 0.5
    rate: float = 0.05
    target: float = 0.6
    dt: float = 0.4
    spread: float = 0.0

    def __post_init__(self) -> None:
        if not (self.feedback > 0 and self.rate >= 0 and self.target > 0 and self.spread >= 0):
            raise ConfigError(
                f"feedback {self.feedback} and target {self.target} must be > 0, rate {self.rate} and "
                f"spread {self.spread} >= 0"
            )
        if not 0 < self.dt < 2:
            raise ConfigError(f"dt {self.dt} must lie between 0 and 2")
        if not np.isfinite(self.pump):
            raise ConfigError(f"pump {self.pump} must be finite")

    def walk(
        self, landscape: Landscape, start: Floats, *, steps: int, seed: int
    ) -> Iterator[Floats]:
        """Yield the states (b, r, n) after each of `steps` steps."""
        low, high = landscape.walls
        boxed = np.isfinite(low) & np.isfinite(high)
        low, high = np.where(boxed, low, -1), np.where(boxed, high, 1)
        centre, width = 0.5 * (low + high), 0.5 * (high - low)
        x, e = start, np.ones_like(start)
        if self.spread > 0:
            noise = self.spread * landscape.normal(seed, start.shape)
            x = landscape.confine(x + np.where(boxed, width * noise, 0))
        for _ in range(steps):
            place, force = (x - centre) / width, landscape.pull(x) / width
            driven = (self.pump - 1 - place * place) * place + self.feedback * e * force
            moved = place + self.dt * np.where(boxed, driven, force)
            grown = e * np.exp(-self.rate * self.dt * (place * place - self.target))
            e = np.minimum(grown, MOST)
            x = landscape.confine(centre + width * moved)
            yield x
