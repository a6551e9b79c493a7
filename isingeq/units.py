"""Units: what values a unit may take and what it costs to take them.

A unit kind is its state space and its self-energy `u`; couplings and fields come from the problem.
`Layer` names a run of units of one kind; a problem is a row of layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from isingeq.errors import ProblemError

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Spin:
    """s ∈ {−1, +1}, u(s) = 0."""

    kind: ClassVar[str] = "spin"
    smooth: ClassVar[bool] = False
    low: ClassVar[float] = -1.0
    high: ClassVar[float] = 1.0

    def energy(self, s: Floats) -> Floats:
        """Return u(s) = 0, same shape as `s`."""
        return np.zeros_like(s)

    def slope(self, s: Floats) -> Floats:
        """Return du/ds = 0, same shape as `s`."""
        return np.zeros_like(s)


@dataclass(frozen=True, slots=True)
class Amplitude:
    """Real x in a box, low ≤ x ≤ high, with u(x) = ½ stiffness x².

    The box is a hard wall: at a wall the unit rests although its force points outwards.
    Infinite bounds make a linear unit, the usual output layer.
    """

    low: float = 0.0
    high: float = 1.0
    stiffness: float = 1.0
    kind: ClassVar[str] = "amplitude"

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ProblemError(
                f"amplitude box [{self.low}, {self.high}] is empty: low must be < high"
            )
        if not self.stiffness > 0:
            raise ProblemError(f"amplitude stiffness {self.stiffness} must be > 0")

    @property
    def smooth(self) -> bool:
        """True without walls: the state then is a holomorphic function of the nudging."""
        return bool(np.isinf(self.low) and np.isinf(self.high))

    def energy(self, x: Floats) -> Floats:
        """Return u(x) = ½ stiffness x², same shape as `x`."""
        return 0.5 * self.stiffness * x * x

    def slope(self, x: Floats) -> Floats:
        """Return du/dx = stiffness x, same shape as `x`."""
        return self.stiffness * x

    def rest(self, z: Floats) -> Floats:
        """Return the minimiser of u(x) − z x over the box, same shape as `z`; complex `z` needs a box without walls."""
        return (
            z / self.stiffness if self.smooth else np.clip(z / self.stiffness, self.low, self.high)
        )


@dataclass(frozen=True, slots=True)
class Logistic:
    """Real x in (0, 1) with u(x) = [x ln x + (1 − x) ln(1 − x)] / gain + ½ x.

    Its rest state under a force z is x = σ(gain (z − ½)), the smooth stand-in for the box [0, 1]
    that holomorphic equilibrium propagation needs (gain 4: Laborieux & Zenke 2022).
    """

    gain: float = 4.0
    kind: ClassVar[str] = "logistic"
    smooth: ClassVar[bool] = True
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def energy(self, x: Floats) -> Floats:
        """Return u(x), same shape as `x`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            entropy = np.where(x > 0, x * np.log(x), 0.0) + np.where(
                x < 1, (1 - x) * np.log1p(-x), 0.0
            )
        return entropy / self.gain + 0.5 * x

    def slope(self, x: Floats) -> Floats:
        """Return du/dx = ln(x / (1 − x)) / gain + ½, same shape as `x`."""
        with np.errstate(divide="ignore"):
            return (np.log(x) - np.log1p(-x)) / self.gain + 0.5

    def rest(self, z: Floats) -> Floats:
        """Return σ(gain (z − ½)), same shape as `z`; complex `z` is allowed."""
        return 1.0 / (1.0 + np.exp(-self.gain * (z - 0.5)))


@dataclass(frozen=True, slots=True)
class Phase:
    """An angle φ in radians, u(φ) = 0: any number, of which only the point on the circle matters."""

    kind: ClassVar[str] = "phase"
    smooth: ClassVar[bool] = True
    low: ClassVar[float] = -np.inf
    high: ClassVar[float] = np.inf

    def energy(self, phi: Floats) -> Floats:
        """Return u(φ) = 0, same shape as `phi`."""
        return np.zeros_like(phi)

    def slope(self, phi: Floats) -> Floats:
        """Return du/dφ = 0, same shape as `phi`."""
        return np.zeros_like(phi)


@dataclass(frozen=True, slots=True)
class Quartic:
    """Real x with u(x) = ½ (1 − pump) x² + ¼ x⁴: a parametric oscillator, pulse of a coherent Ising machine.

    Up to the threshold, pump 1, it has one rest under any force; above it two when the force is weak.
    """

    pump: float = 0.0
    kind: ClassVar[str] = "quartic"
    smooth: ClassVar[bool] = True
    low: ClassVar[float] = -np.inf
    high: ClassVar[float] = np.inf

    def __post_init__(self) -> None:
        if not np.isfinite(self.pump):
            raise ProblemError(f"pump {self.pump} of a quartic unit must be finite")

    def energy(self, x: Floats) -> Floats:
        """Return u(x), same shape as `x`."""
        square = x * x
        return (0.5 * (1 - self.pump) + 0.25 * square) * square

    def slope(self, x: Floats) -> Floats:
        """Return du/dx = (1 − pump) x + x³, same shape as `x`."""
        return (1 - self.pump + x * x) * x

    def rest(self, z: Floats) -> Floats:
        """Return the lowest minimiser of u(x) − z x, same shape as `z`; of two alike (z = 0) the positive one.

        The real root of x³ + c x − z, c = 1 − pump, in its hyperbolic or trigonometric form; complex `z` needs c > 0.
        """
        c = 1 - self.pump
        if c == 0:
            return np.cbrt(z)
        size = 2 * np.sqrt(abs(c) / 3)
        t = 4 * z / size**3
        if c > 0:
            return size * np.sinh(np.arcsinh(t) / 3)
        far = np.abs(t)
        root = np.where(
            far > 1,
            np.cosh(np.arccosh(np.maximum(far, 1)) / 3),
            np.cos(np.arccos(np.minimum(far, 1)) / 3),
        )
        return np.copysign(size * root, z)


Unit = Spin | Amplitude | Logistic | Phase | Quartic


@dataclass(frozen=True, slots=True)
class Layer:
    """A named run of `size` units of one kind."""

    name: str
    size: int
    unit: Unit

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ProblemError(f"layer {self.name!r} has {self.size} units: at least 1 is needed")


def spans_of(layers: Sequence[Layer]) -> tuple[tuple[int, int], ...]:
    """Return the first unit and one past the last of every layer, one layer after the other."""
    return tuple(pairwise(accumulate((layer.size for layer in layers), initial=0)))
