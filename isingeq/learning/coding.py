"""Codings: what inputs become as forces, and which numbers of a state a weight sees.

A weight multiplies the components of what it joins. Amplitudes and spins have one, themselves; a phase has two,
cos φ and sin φ, so that Σ_c a_c b_c = cos(φ_a − φ_b).
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from isingeq.backend import Floats


class Coding(Protocol):
    """Inputs and states as components, one array per component, each of the shape of what came."""

    @property
    def biases(self) -> tuple[str, ...]:
        """Name of the bias of each component."""
        ...

    @property
    def phases(self) -> bool:
        """True where fields are (b, n, 2)."""
        ...

    def inputs(self, x: Floats) -> tuple[Floats, ...]:
        """Return the components of inputs (b, inputs)."""
        ...

    def states(self, s: Floats) -> tuple[Floats, ...]:
        """Return the components of states (..., n)."""
        ...


@dataclass(frozen=True, slots=True)
class Plain:
    """Amplitudes and spins: x and s as they are."""

    biases: ClassVar[tuple[str, ...]] = ("bias",)
    phases: ClassVar[bool] = False

    def inputs(self, x: Floats) -> tuple[Floats, ...]:
        """Return x."""
        return (x,)

    def states(self, s: Floats) -> tuple[Floats, ...]:
        """Return s."""
        return (s,)


PLAIN = Plain()


@dataclass(frozen=True, slots=True)
class Axial:
    """Oscillators that are read by their cosine: inputs are fields W x cos φ (Gower 2025)."""

    biases: ClassVar[tuple[str, ...]] = ("bias",)
    phases: ClassVar[bool] = True

    def inputs(self, x: Floats) -> tuple[Floats, ...]:
        """Return x."""
        return (x,)

    def states(self, s: Floats) -> tuple[Floats, ...]:
        """Return cos φ."""
        return (np.cos(s),)


@dataclass(frozen=True, slots=True)
class Planar:
    """XY spins: an input x in [0, 1] is a unit held at the phase π (x − ½) (Wang, Wanjura & Marquardt 2024).

    Biases are fields of any direction, in Cartesian components (h cos ψ, h sin ψ).
    """

    biases: ClassVar[tuple[str, ...]] = ("bias", "bias_sin")
    phases: ClassVar[bool] = True

    def inputs(self, x: Floats) -> tuple[Floats, ...]:
        """Return cos φ and sin φ of the held phases."""
        angle = np.pi * (x - x.dtype.type(0.5))
        return np.cos(angle), np.sin(angle)

    def states(self, s: Floats) -> tuple[Floats, ...]:
        """Return cos φ and sin φ."""
        return np.cos(s), np.sin(s)
