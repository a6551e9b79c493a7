"""What the relaxing machines share: noise, and the time grid that a kernel follows."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isingeq.errors import ConfigError
from isingeq.schedule import Relaxation


@dataclass(frozen=True, slots=True)
class Noise:
    """Imperfect hardware, as Gaussian noise; every number has its own counter, so results repeat exactly.

    Attributes:
        force: standard deviation added to the force on every unit, fresh at every step.
        state: standard deviation added to every position after every step, walls kept.
        weight: relative standard deviation of every coupling, J (1 + weight ξ), drawn once per settle; residuals are
            then those of the couplings drawn.
    """

    force: float = 0.0
    state: float = 0.0
    weight: float = 0.0

    def __post_init__(self) -> None:
        if not all(0 <= sigma < np.inf for sigma in (self.force, self.state, self.weight)):
            raise ConfigError(f"noise must be finite and >= 0, got {self}")


@dataclass(frozen=True, slots=True)
class Grid:
    """Coefficients of one settle, step by step.

    Attributes:
        keep: share of the momentum carried over per step (steps,).
        ramp: extra stiffness per step (steps,).
        kick: force to momentum.
        drift: momentum to position.
    """

    keep: NDArray[np.float64]
    ramp: NDArray[np.float64]
    kick: float
    drift: float


class Machine(Protocol):
    """A dynamics that relaxes positions, with or without momentum, on an energy."""

    @property
    def noise(self) -> Noise:
        """Noise model."""
        ...

    @property
    def relaxation(self) -> Relaxation | None:
        """Order, time step and damping; None when they are to be found per network."""
        ...

    def ease(self, spring: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the factor (b,) on the step of a layer that a nudge's spring (b,) stiffens."""
        ...

    def phase(self, relaxation: Relaxation, *, free: bool) -> Relaxation:
        """Return how a phase relaxes, given how free ones do; `free` is False while nudged."""
        ...

    def grid(self, relaxation: Relaxation, steps: int, *, free: bool) -> Grid:
        """Return the coefficients of a settle of `steps` steps."""
        ...


def damping_grid(relaxation: Relaxation, steps: int) -> NDArray[np.float64]:
    """Return the share of momentum kept per step, e^{−γ dt}, γ running geometrically from first to last.

    The exact factor: 1 − γ dt would diverge at large steps.
    """
    first, last = relaxation.damping
    if np.isinf(first) or np.isinf(last):
        return np.zeros(steps)
    if not (first > 0 and last > 0):
        raise ConfigError(
            f"damping must be > 0, got {first} to {last}: without friction there is no equilibrium"
        )
    return np.exp(-relaxation.dt * np.geomspace(first, last, steps))
