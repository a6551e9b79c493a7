"""XY machine: phases without injection, brought to rest by a heavy ball.

    E = Σ_(i<j) J_ij cos(φ_i − φ_j) + Σ_i (h_x cos φ_i + h_y sin φ_i)          W = −J and −h in Wang et al. 2024
    v_i ← momentum v_i − dt ∂F/∂φ_i / (|g_i| + |4 K_i| + ρ),   φ_i ← φ_i + v_i

The published machine follows dφ/dt = −∂F/∂φ, which has the same rest points and takes many more steps to them. g_i is
the local field (a nudge's included), whose size is the largest curvature that a phase can have in it, and ρ bounds what
the couplings add: divided by their sum, no curvature is above 1, and dt up to 2 (1 + momentum) is stable.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from isingeq.errors import ConfigError
from isingeq.kernels.panels import Batch
from isingeq.kernels.phases import Flow, Found
from isingeq.kernels.pool import Pool
from isingeq.machines.wiring import Wiring

LEAST = 1e-6
"""Smallest ρ: a phase without field and couplings has nothing to divide by."""


@dataclass(frozen=True, slots=True)
class XY:
    """Phases that settle; every unit at the pace that its local field allows.

    Attributes:
        momentum: velocity carried over from step to step; 0 is preconditioned gradient descent.
        dt: share of the step that is safe without momentum.
    """

    momentum: float = 0.8
    dt: float = 1.5
    ideal: ClassVar[bool] = True
    carries: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (0 <= self.momentum < 1 and 0 < self.dt < 2 * (1 + self.momentum)):
            raise ConfigError(
                f"an XY machine needs 0 <= momentum < 1 and 0 < dt < 2 (1 + momentum), got {self}"
            )

    def flow(self, wiring: Wiring, steps: int, *, tolerance: float, seed: int) -> Flow:
        """Return how phases move while a problem is settled."""
        none = np.zeros(steps)
        return Flow(
            gain=np.ones(steps),
            pump=none,
            drift=np.zeros_like(wiring.circuit.K),
            dt=self.dt,
            keep=self.momentum,
            sigma=none,
            stiff=max(wiring.norm, LEAST),
            tolerance=tolerance,
            first=0,
        )

    def settle(
        self, wiring: Wiring, batch: Batch, steps: int, *, tolerance: float, seed: int, pool: Pool
    ) -> Found:
        """Bring a batch to rest; see `PhaseMachine`."""
        return wiring.move(self.flow(wiring, steps, tolerance=tolerance, seed=seed), batch, pool)
