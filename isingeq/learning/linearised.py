"""Couplings at given states: moments, and derivatives along directions, with what is found once per state kept.

A convolution that takes the largest of a pool has its choice looked up once; it goes through the kernels for images.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from isingeq.backend import Floats
from isingeq.couplings import Convolution, Coupling
from isingeq.kernels.image_windows import (
    Chosen,
    back_pooled,
    by_choice,
    chosen_sums,
    correlate_pooled,
    sums_pooled,
)  # fmt: skip
from isingeq.kernels.pool import Pool


class Linearised(Protocol):
    """A coupling at states (b, n)."""

    def moments(self, weights: Floats) -> Floats:
        """Return Σ_b weights_b ∂E/∂J, weights (b,), shape of the parameters."""
        ...

    def change(self, direction: Floats) -> Floats:
        """Return the derivative of the field along a direction (b, n), same shape."""
        ...

    def moments_along(self, direction: Floats, weights: Floats) -> Floats:
        """Return the derivative of `moments` along a direction (b, n)."""
        ...


def linearised(coupling: Coupling, states: Floats, pool: Pool) -> Linearised:
    """Return a coupling at states (b, n), real ones for the kernels of images."""
    if (
        isinstance(coupling, Convolution)
        and by_choice(coupling.window)
        and not np.iscomplexobj(states)
    ):
        a, b = _ends(coupling, states)
        chosen = sums_pooled(a, -coupling.J, coupling.window, pool)[1]
        return _Convolved(coupling, a, b, chosen, pool)
    return _Plain(coupling, states)


@dataclass(frozen=True, slots=True, eq=False)
class _Plain:
    coupling: Coupling
    states: Floats

    def moments(self, weights: Floats) -> Floats:
        return self.coupling.moments(self.states, weights)

    def change(self, direction: Floats) -> Floats:
        return self.coupling.change(self.states, direction)

    def moments_along(self, direction: Floats, weights: Floats) -> Floats:
        return self.coupling.moments_along(self.states, direction, weights)


@dataclass(frozen=True, slots=True, eq=False)
class _Convolved:
    """E = Σ_p b_p (J ∗ a) at the place of pool p that was chosen."""

    coupling: Convolution
    a: Floats
    b: Floats
    chosen: Chosen
    pool: Pool

    def moments(self, weights: Floats) -> Floats:
        return self._correlate(self.a, self.b, weights)

    def change(self, direction: Floats) -> Floats:
        coupling = self.coupling
        along_a, along_b = _ends(coupling, direction)
        out = np.zeros_like(direction)
        on_b = chosen_sums(along_a, coupling.J, self.chosen, coupling.window, self.pool)
        on_a = back_pooled(along_b, self.chosen, coupling.J, coupling.window, self.pool)
        out[:, slice(*coupling.b)] = on_b.reshape(len(out), -1)
        out[:, slice(*coupling.a)] = on_a.reshape(len(out), -1)
        return out

    def moments_along(self, direction: Floats, weights: Floats) -> Floats:
        along_a, along_b = _ends(self.coupling, direction)
        moved = self._correlate(along_a, self.b, weights)
        return moved + self._correlate(self.a, along_b, weights)

    def _correlate(self, a: Floats, b: Floats, weights: Floats) -> Floats:
        pulled = b * weights.reshape(-1, 1, 1, 1)
        return correlate_pooled(a, pulled, self.chosen, self.coupling.window, self.pool)


def _ends(coupling: Convolution, states: Floats) -> tuple[Floats, Floats]:
    """Return the images at either end of a convolution."""
    a, b = states[:, slice(*coupling.a)], states[:, slice(*coupling.b)]
    return (
        a.reshape(-1, *coupling.window.source),
        b.reshape(-1, *coupling.window.target),
    )
