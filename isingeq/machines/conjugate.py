"""Ising dynamics: every position x has a conjugate momentum y, and walls are inelastic.

    H(x, y, t) = Σ y²/2 + F(x) + ½ r(t) Σ x²
    dx/dt = y          dy/dt = −∂F/∂x − r(t) x − γ y          at a wall: x ← wall, y ← 0

The ramp r(t) falls from `ramp` to 0 over the first part of the free phase: the energy starts convex and the state
follows a bifurcating low branch instead of falling into the nearest basin (simulated bifurcation; Goto et al. 2019,
2021). Ramp and random momentum belong to the free phase alone; a nudged phase starts at rest at the free state,
and may have a friction and an order of its own: it has no barrier to cross, only small displacements to follow.
With γ > 0 and r = 0 every rest point has y = 0 and is a stationary point of F in its box, so equilibrium
propagation holds unchanged; only the way there is another. Hybrid of equilibrium propagation and Ising machines:
arXiv 2606.09112, whose equations were not published in full: this is the position–momentum reading.

Discretised by semi-implicit Euler with the exact damping factor, in units of time of 1 / √stiffness:

    y ← e^{−γ dt} y + dt f          x ← clip(x + dt y)

so phase space contracts by exactly γ per unit time and degree of freedom. Infinite damping with step dt is the
over-relaxed gradient flow x ← clip(x + dt² f).
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isingeq.errors import ConfigError
from isingeq.machines.machine import Grid, Noise, damping_grid
from isingeq.schedule import Order, Relaxation


@dataclass(frozen=True, slots=True)
class Conjugate:
    """Position and momentum with inelastic walls.

    Attributes:
        damping: friction γ, per unit time; "auto" finds order, step and damping from the smallest curvature of
            the network as it stands.
        final_damping: friction at the last step, reached geometrically; None keeps `damping`. Low early carries the
            state over barriers, high late brings it to rest and keeps noise out of it.
        nudged_damping: friction throughout a nudged phase, infinite for none of the momentum; None has nudged phases
            follow the schedule of free ones.
        order: layers one colour after the other, or all at once; "auto" leaves it to the automatic choice.
        nudged_order: order of a nudged phase; None has it follow the free one.
        dt: time step with a given damping.
        ramp: stiffness added at the start of the free phase.
        ramp_share: share of the steps over which the ramp falls to 0.
        momentum: standard deviation of the random momenta at the start of the free phase.
        noise: imperfections.
    """

    damping: float | Literal["auto"] = "auto"
    final_damping: float | None = None
    nudged_damping: float | None = None
    order: Order | Literal["auto"] = "auto"
    nudged_order: Order | None = None
    dt: float = 1.0
    ramp: float = 0.0
    ramp_share: float = 0.6
    momentum: float = 0.0
    noise: Noise = field(default_factory=Noise)

    def __post_init__(self) -> None:
        if self.order not in ("auto", "asynchronous", "synchronous"):
            raise ConfigError(f"order {self.order!r} is not auto, asynchronous or synchronous")
        if self.nudged_order not in (None, "asynchronous", "synchronous"):
            raise ConfigError(
                f"nudged_order {self.nudged_order!r} is not asynchronous or synchronous"
            )
        for damping in (self.damping, self.final_damping, self.nudged_damping):
            if not (damping is None or damping == "auto" or damping > 0):
                raise ConfigError(
                    f"damping {damping} must be > 0 or auto: without friction there is no equilibrium"
                )
        if self.damping == "auto" and self.final_damping is not None:
            raise ConfigError(
                f"final_damping {self.final_damping} needs a damping to start from; auto keeps its own throughout"
            )
        if not 0 < self.dt < 2:
            raise ConfigError(
                f"dt {self.dt} must lie between 0 and 2, the stability bound of a lone unit"
            )
        if not (
            0 <= self.ramp < np.inf and 0 < self.ramp_share <= 1 and 0 <= self.momentum < np.inf
        ):
            raise ConfigError(
                "ramp and momentum must be finite and >= 0, ramp_share between 0 and 1"
            )

    @property
    def relaxation(self) -> Relaxation | None:
        """Order, step and damping, None for automatic ones."""
        if self.damping == "auto":
            return None
        order: Order = "synchronous" if self.order == "auto" else self.order
        return Relaxation(order, self.dt, (self.damping, self.final_damping or self.damping))

    def ease(self, spring: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return 1 / (1 + spring) (b,) for springs that stiffen: the step stays within its stability bound."""
        return np.asarray(1.0 / (1.0 + np.maximum(spring, 0)), spring.dtype)

    def phase(self, relaxation: Relaxation, *, free: bool) -> Relaxation:
        """Return the relaxation of a free phase as it is, of a nudged one with its own friction and order."""
        if free:
            return relaxation
        own = self.nudged_damping
        return replace(
            relaxation,
            order=self.nudged_order or relaxation.order,
            damping=relaxation.damping if own is None else (own, own),
        )

    def grid(self, relaxation: Relaxation, steps: int, *, free: bool) -> Grid:
        """Return the coefficients of the two half steps, the ramp in the free phase alone."""
        ramp = np.zeros(steps)
        if free and self.ramp > 0:
            ramp = self.ramp * np.clip(1 - np.arange(steps) / (self.ramp_share * steps), 0, None)
        return Grid(damping_grid(relaxation, steps), ramp, relaxation.dt, relaxation.dt)


def critical(curvature: float, order: Order, *, largest: float = 2.0) -> Relaxation:
    """Return the fastest step and damping for a smallest curvature, in units of the stiffness.

    Args:
        curvature: smallest eigenvalue μ of ∂²F/∂x² over the units off their walls; taken as 0.01 where it is less,
            as it is on the way to a minimum, and as 1 where it is more.
        order: of the layers.
        largest: curvature; at most 2 where layers fall into two colours. More makes synchronous steps shorter.

    Synchronous, dt = 1: the slowest mode is critically damped where e^{−γ dt} = (1 − dt √μ)². Asynchronous,
    layers of two colours: the largest coupling between them is σ = 1 − μ, and the step that damps all modes alike
    is that of successive over-relaxation, dt² = 2 / (1 + √(1 − σ²)) (Young 1954), where any momentum carried on
    top only slows it down: its damping is infinite. It lowers the energy at every step for any dt² < 2.
    """
    mu = min(max(curvature, 0.01), 1.0)
    if order == "asynchronous":
        step = 2.0 / (1.0 + np.sqrt(1.0 - (1.0 - mu) ** 2))
        return Relaxation(order, float(np.sqrt(step)), (np.inf, np.inf), curvature)
    step = float(np.sqrt(2.0 / max(largest, 2.0)))
    keep = (1.0 - step * np.sqrt(mu)) ** 2
    damping = float(-np.log(keep)) / step if keep > 0 else np.inf
    return Relaxation(order, step, (damping, damping), curvature)
