"""Hopfield relaxation: dissipative descent on the energy, without momentum.

    dx/dt = −∂F/∂x          x kept in its box by clipping

`gradient` takes Euler steps of this flow, all layers at once. `synchronous` and `asynchronous` replace each layer
by its own minimiser, x ← clip(−(h + Σ J x) / stiffness), which is the step dt = 1: all layers at once (which can
flip between two states for ever), or one colour of uncoupled layers after the other on the newest values
(which never raises the energy). Scellier & Bengio 2017, eq. 4; the asynchronous order after Goemaere 2024.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isingeq.errors import ConfigError
from isingeq.machines.machine import Grid, Noise
from isingeq.schedule import Relaxation

Update = Literal["asynchronous", "synchronous", "gradient"]


@dataclass(frozen=True, slots=True)
class Hopfield:
    """Gradient flow, synchronous or asynchronous fixed-point iteration.

    Attributes:
        update: kind of step.
        dt: step of the gradient flow, in units of 1 / stiffness; the other updates know no step.
        noise: imperfections.
    """

    update: Update = "asynchronous"
    dt: float = 0.5
    noise: Noise = field(default_factory=Noise)

    def __post_init__(self) -> None:
        if self.update not in ("asynchronous", "synchronous", "gradient"):
            raise ConfigError(
                f"update {self.update!r} is not asynchronous, synchronous or gradient"
            )
        if not 0 < self.dt < 2:
            raise ConfigError(
                f"dt {self.dt} must lie between 0 and 2; at 2 even a lone unit oscillates for ever"
            )

    @property
    def relaxation(self) -> Relaxation:
        """Order and step; infinite damping."""
        order: Literal["asynchronous", "synchronous"] = (
            "asynchronous" if self.update == "asynchronous" else "synchronous"
        )
        return Relaxation(order, self.dt if self.update == "gradient" else 1.0, (np.inf, np.inf))

    def ease(self, spring: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return 1 (b,): the nudge is an explicit force, as in the published recipes."""
        return np.ones_like(spring)

    def phase(self, relaxation: Relaxation, *, free: bool) -> Relaxation:
        """Return the relaxation: nudged phases descend as free ones do."""
        return relaxation

    def grid(self, relaxation: Relaxation, steps: int, *, free: bool) -> Grid:
        """Return coefficients without momentum: x ← clip(x + dt f)."""
        return Grid(np.zeros(steps), np.zeros(steps), relaxation.dt, 1.0)
