"""Rest to many digits: a heavy ball into the basin of a minimum, Newton's method to its bottom.

A sample is tried whenever the ball has come near to rest; where Newton's method refuses it (see `kernels.newton`), the
ball rolls on, to a tenth of the slope it stopped at before. One try is m³/6 multiplications for m phases: it is for
lattices of some hundred sites, not of thousands. Equilibrium propagation with small nudging needs the digits.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from isingeq.kernels.newton import polish
from isingeq.kernels.panels import Batch, samples
from isingeq.kernels.phases import Found
from isingeq.kernels.pool import Pool
from isingeq.kernels.slopes import Rows
from isingeq.machines.wiring import Wiring
from isingeq.machines.xy import XY

NEAR = 0.04
"""Residual at which a sample is first tried, as a share of the curvature that couplings can add."""

LONGEST = 0.3
"""Largest turn of a unit in one step of Newton's method, in radians."""


@dataclass(frozen=True, slots=True)
class Polished:
    """A heavy ball with Newton's method at the end.

    Attributes:
        ball: that rolls.
    """

    ball: XY = XY()  # noqa: RUF009
    ideal: ClassVar[bool] = True
    carries: ClassVar[bool] = True

    def settle(
        self, wiring: Wiring, batch: Batch, steps: int, *, tolerance: float, seed: int, pool: Pool
    ) -> Found:
        """Bring a batch to rest; see `PhaseMachine`. Steps are those of ball and Newton's method together."""
        flow = self.ball.flow(wiring, steps, tolerance=tolerance, seed=seed)
        if tolerance == 0:  # all steps are asked for, and Newton's method would end before
            return wiring.move(flow, batch, pool)
        num = len(batch.phases)
        found = Found(np.zeros(num, np.int64), np.full(num, np.nan))
        left, rolls, near = np.arange(num), np.zeros(num, np.int64), NEAR * flow.stiff
        slope = near
        while left.size:
            _polish(wiring.rows, batch, left, near, flow.tolerance, found, pool)
            left = left[np.isnan(found.residual[left])]
            until = max(slope, flow.tolerance)
            for taken in np.unique(rolls[left]):  # each sample has its own steps left
                part = left[rolls[left] == taken]
                now = flow._replace(
                    gain=flow.gain[taken:], pump=flow.pump[taken:], sigma=flow.sigma[taken:],
                    tolerance=until,
                )  # fmt: skip
                rolling = samples(batch, part)
                rolled = wiring.move(now, rolling, pool)
                batch.phases[part] = rolling.phases
                rolls[part] += rolled.steps
                found.steps[part] += rolled.steps
                ended = (rolls[part] >= flow.gain.size) | (until == flow.tolerance)
                found.residual[part[ended]] = rolled.residual[ended]
            left = left[np.isnan(found.residual[left])]
            slope *= 0.1
        return found


def _polish(
    rows: Rows, batch: Batch, left: NDArray[np.intp], near: float, tolerance: float, found: Found, pool: Pool
) -> None:  # fmt: skip
    """Try Newton's method on the samples `left` whose residuals are not above `near`."""

    def piece(first: int, last: int) -> None:
        polish(first, last, left, rows, batch, near, LONGEST, tolerance, *found)

    pool.split(left.size, piece)
