"""Gradient flow of phases: the XY machine as it is published, by steps that adapt.

    dφ_i/dt = −∂F/∂φ_i            (Wang, Wanjura & Marquardt 2024, equation of motion; J = −W here)

It takes many more steps than a heavy ball, and ends in the basin in which it began: what faster machines are held to.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from isingeq.errors import ConfigError
from isingeq.kernels.panels import Batch
from isingeq.kernels.phases import Found
from isingeq.kernels.pool import Pool
from isingeq.kernels.runge_kutta import follow
from isingeq.machines.wiring import Wiring
from isingeq.machines.xy import LEAST


@dataclass(frozen=True, slots=True)
class GradientFlow:
    """Phases that follow their slope.

    Attributes:
        rtol: error of a step, as a share of the way; below some 1e-6 only double precision can tell.
    """

    rtol: float = 1e-4
    ideal: ClassVar[bool] = True
    carries: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.rtol < 1:
            raise ConfigError(f"rtol {self.rtol} of a gradient flow must be above 0 and below 1")

    def settle(
        self, wiring: Wiring, batch: Batch, steps: int, *, tolerance: float, seed: int, pool: Pool
    ) -> Found:
        """Bring a batch to rest; see `PhaseMachine`."""
        rows, dt = wiring.rows, 0.1 / max(wiring.norm, LEAST)
        found = Found(np.zeros(len(batch.phases), np.int64), np.zeros(len(batch.phases)))

        def piece(first: int, last: int) -> None:
            follow(first, last, rows, batch, dt, steps, self.rtol, tolerance, *found)

        pool.split(len(batch.phases), piece)
        return found
