"""Schedules: how a settle unfolds in time, always explicit and always written into results.

A solver may ask a backend for a fresh one per problem. A trainer asks once and freezes it wherever the
answer depends on it (annealers): a schedule that follows the weights would hide their size.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isingeq.errors import ConfigError

Order = Literal["asynchronous", "synchronous"]


@dataclass(frozen=True, slots=True)
class Annealing:
    """Inverse temperatures, one per sweep, from hot to cold (or as a reverse anneal goes)."""

    betas: tuple[float, ...]

    def __post_init__(self) -> None:
        values = np.asarray(self.betas, dtype=float)
        if values.size == 0 or not np.isfinite(values).all() or (values < 0).any():
            raise ConfigError(
                "an annealing schedule needs at least one sweep, each with a finite beta >= 0"
            )

    @classmethod
    def geometric(cls, first: float, last: float, sweeps: int) -> "Annealing":
        """Return `sweeps` betas from `first` to `last`, each a constant factor on."""
        if not (first > 0 and last > 0 and sweeps > 0):
            raise ConfigError(
                f"geometric betas need first > 0, last > 0, sweeps > 0, got {first}, {last}, {sweeps}"
            )
        return cls(tuple(np.geomspace(first, last, sweeps).tolist()))

    @classmethod
    def constant(cls, beta: float, sweeps: int) -> "Annealing":
        """Return `sweeps` sweeps at one beta: a sampler at a stated temperature."""
        return cls((float(beta),) * sweeps)

    def reverse(self, turn: float) -> "Annealing":
        """Return the reverse anneal: back from the last beta to `turn` of the way, then on again.

        `turn` 0 goes back to the first beta, 1 stays at the last. Every beta from the turning point
        on is run once on the way back and once on the way forward, the turning point once: N sweeps
        that turn at sweep t become 2 (N − t) − 1. The published nudged phase turns at ¼
        (Laydevant, Marković & Grollier 2024, simulated version).
        """
        if not 0 <= turn <= 1:
            raise ConfigError(f"a reverse anneal turns between 0 and 1 of its way, got {turn}")
        leg = self.betas[min(int(turn * len(self.betas)), len(self.betas) - 1) :]
        return Annealing((*leg[::-1], *leg[1:]))

    @property
    def summary(self) -> str:
        """The schedule in a few words."""
        return f"{len(self.betas)} sweeps, beta {self.betas[0]:.3g} to {self.betas[-1]:.3g}"

    @property
    def array(self) -> NDArray[np.float64]:
        """The betas as an array (sweeps,)."""
        return np.asarray(self.betas, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Relaxation:
    """How a relaxing machine steps: order of the layers, time step, damping.

    Attributes:
        order: layers one colour after the other on the newest values, or all at once.
        dt: time step, in units of the machine's own time.
        damping: friction γ at the first and at the last step, interpolated geometrically; infinite means
            that no momentum is carried over (gradient flow).
        curvature: the smallest curvature that the damping was chosen for, if it was estimated.
    """

    order: Order
    dt: float
    damping: tuple[float, float]
    curvature: float | None = None

    @property
    def summary(self) -> str:
        """The schedule in a few words."""
        return f"{self.order}, dt {self.dt:.3g}, damping {self.damping[0]:.3g}"


@dataclass(frozen=True, slots=True)
class Drive:
    """How a driven machine is brought through its bifurcation: pump and feedback, each on a straight line.

    Attributes:
        sweeps: steps in which every unit moves once.
        dt: time step, in units of the machine's own time.
        pump: at the first and at the last step: bifurcation parameter, pump or injection of the machine.
        feedback: strength of the couplings at the first and at the last step, a factor on J and h.
    """

    sweeps: int
    dt: float
    pump: tuple[float, float]
    feedback: tuple[float, float]

    def __post_init__(self) -> None:
        values = (self.dt, *self.pump, *self.feedback)
        if self.sweeps < 1 or not self.dt > 0 or not np.isfinite(values).all():
            raise ConfigError(
                f"a drive needs sweeps >= 1, dt > 0 and finite pump and feedback, got {self}"
            )

    @property
    def summary(self) -> str:
        """The schedule in a few words."""
        return (
            f"{self.sweeps} sweeps, dt {self.dt:.3g}, pump {self.pump[0]:.3g} to {self.pump[1]:.3g}, "
            f"feedback {self.feedback[0]:.3g} to {self.feedback[1]:.3g}"
        )


Schedule = Annealing | Relaxation | Drive


def schedule_data(schedule: Schedule | None) -> dict[str, object] | None:
    """Return a schedule as plain data that JSON can hold."""
    if schedule is None:
        return None
    values = {field.name: getattr(schedule, field.name) for field in fields(schedule)}
    return {"kind": type(schedule).__name__, **values}


def schedule_from(data: Mapping[str, Any] | None) -> Schedule | None:
    """Return the schedule that `schedule_data` wrote down.

    Raises:
        ConfigError: a kind that is not known here.
    """
    if data is None:
        return None
    kinds: dict[str, Callable[..., Schedule]] = {
        k.__name__: k for k in (Annealing, Relaxation, Drive)
    }
    if data.get("kind") not in kinds:
        raise ConfigError(
            f"schedule of kind {data.get('kind')!r} is not known; there are {', '.join(kinds)}"
        )
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k != "kind"}
    return kinds[data["kind"]](**values)
