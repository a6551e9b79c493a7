"""Convolution with pooling: E = −Σ_p b_p P(z(a))_p, where z is the convolution of the images `a` with −J.

The pool acts on forces, so the largest is the strongest pull: in the neural sign, W = −J, this is the interaction
−⟨P(W ∗ a), b⟩ of deep convolutional Hopfield networks (Ernoult et al. 2019, section 4.3; Laborieux et al. 2021, eq. 8).
With no pooling or the mean of a pool it is a sum over pairs, and lowers to edges that share their couplings.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from isingeq.couplings.kind import EdgeList, Floats, is_finite, next_version
from isingeq.couplings.sliding import (
    correlate,
    fold,
    gathered,
    pool,
    slide,
    slide_back,
    spread,
    taps,
    unfold,
)  # fmt: skip
from isingeq.couplings.window import Window
from isingeq.errors import CapabilityError, ProblemError


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """J (k, k, c, o) between images on the units `a` and pooled images on the units `b`.

    Args:
        a: first unit of the source and one past its last.
        b: the same for the result.
        window: geometry.
        J: couplings (rows, columns, channels of `a`, channels of `b`) in the problem's sign; made read-only.

    Raises:
        ProblemError: sizes that disagree, or a coupling that is not finite.
    """

    a: tuple[int, int]
    b: tuple[int, int]
    window: Window
    J: NDArray[np.floating]
    version: int = field(default_factory=next_version)
    kind: ClassVar[str] = "convolution"

    def __post_init__(self) -> None:
        if self.J.shape != self.window.shape:
            raise ProblemError(
                f"a convolution has couplings of shape {self.J.shape}, its window needs {self.window.shape}"
            )
        for what, units, shape in (
            ("source", self.a, self.window.source),
            ("result", self.b, self.window.target),
        ):
            if units[1] - units[0] != np.prod(shape):
                raise ProblemError(
                    f"the {what} of a convolution has units {units}, an image of {shape} needs {np.prod(shape)}"
                )
        if max(self.a[0], self.b[0]) < min(self.a[1], self.b[1]):
            raise ProblemError(f"a convolution joins units {self.a} with {self.b}: the two overlap")
        if not is_finite(self.J):
            raise ProblemError("a coupling is NaN or infinite: check weights and learning rate")
        self.J.flags.writeable = False

    @property
    def pairwise(self) -> bool:
        """True without pooling and with the mean of a pool."""
        return self.window.linear

    @property
    def structure(self) -> tuple[object, ...]:
        """Kind, both runs of units, and geometry."""
        return (self.kind, self.a, self.b, self.window)

    def field(self, states: Floats) -> Floats:
        """Return ∂E/∂s for states (..., n), same shape; where two sums of a pool tie, that of the first."""
        a, b = self._images(states)
        pooled, shares = self._pooled(a)
        back = slide_back(spread(b, shares, self.window), self.J, self.window)
        return self._put(states, back, -pooled)

    def change(self, states: Floats, direction: Floats) -> Floats:
        """Return the derivative of `field` at states (..., n) along a direction (..., n), same shape."""
        _, pooled, pulled = self._turned(states, direction)
        return self._put(states, slide_back(pulled, self.J, self.window), -pooled)

    def energy(self, states: Floats) -> Floats:
        """Return −Σ b P(z(a)) for states (..., n), shape (...)."""
        a, b = self._images(states)
        pooled = self._pooled(a)[0]
        return -np.einsum("bp,bp->b", b.reshape(len(b), -1), pooled.reshape(len(b), -1)).reshape(
            states.shape[:-1]
        )

    def moments(self, states: Floats, weights: Floats) -> Floats:
        """Return Σ_b weights_b ∂E/∂J, states (b, n), weights (b,), shape (k, k, c, o)."""
        a, b = self._images(states)
        shares = self._pooled(a)[1]
        pulled = spread(b * weights.reshape(-1, 1, 1, 1), shares, self.window)
        return correlate(a, pulled, self.window)

    def moments_along(self, states: Floats, direction: Floats, weights: Floats) -> Floats:
        """Return the derivative of `moments` at states (b, n) along a direction (b, n), shape (k, k, c, o)."""
        (a, b), along = self._images(states), self._images(direction)[0]
        shares, _, pulled = self._turned(states, direction)
        w = weights.reshape(-1, 1, 1, 1)
        moved = correlate(along, spread(b * w, shares, self.window), self.window)
        return moved + correlate(a, pulled * w, self.window)

    def edges(self) -> EdgeList:
        """Return (i, j, J), each (m,), with i < j: one edge per pair of units, equal couplings on many of them.

        Raises:
            CapabilityError: the pooling is not linear.
        """
        source, target, weight = taps(self._folded())
        source, target = source + self.a[0], target + self.b[0]
        J = fold(self.J, self.window).ravel()[weight]
        return np.minimum(source, target), np.maximum(source, target), J

    def gather(self, edge_moments: Floats) -> Floats:
        """Sum moments per edge (m,) into moments per parameter (k, k, c, o)."""
        folded = self._folded()
        sums = np.bincount(taps(folded)[2], edge_moments, minlength=int(np.prod(folded.shape)))
        return unfold(sums.reshape(folded.shape).astype(edge_moments.dtype), self.window)

    def _turned(self, states: Floats, direction: Floats) -> tuple[Floats, Floats, Floats]:
        """Return shares, and along a direction the derivatives of the pooled sums and of `b` spread over its pools."""
        (a, b), (along_a, along_b) = self._images(states), self._images(direction)
        shares = self._pooled(a)[1]
        sums = slide(along_a, -self.J, self.window)
        pooled = gathered(sums, shares, self.window)
        pulled = spread(along_b, shares, self.window)
        if not self.pairwise and self.window.pooling == "soft":
            turned = shares.reshape(*pooled.shape[:3], -1, self.window.channels)
            curved = spread(b, turned, self.window) * (
                sums - spread(pooled, np.ones_like(turned), self.window)
            )
            pulled = pulled + self.window.sharpness * curved
        return shares, pooled, pulled

    def _folded(self) -> Window:
        if not self.pairwise:
            raise CapabilityError(
                f"{self.window.pooling} pooling is no sum over pairs of units: "
                'take pooling = "average", or a simulator that names convolutions'
            )
        return self.window.folded

    def _pooled(self, a: Floats) -> tuple[Floats, Floats]:
        return pool(slide(a, -self.J, self.window), self.window)

    def _images(self, states: Floats) -> tuple[Floats, Floats]:
        """Return source and result of states (..., n) as images, all leading axes as one."""
        flat = states.reshape(-1, states.shape[-1])
        a, b = flat[:, slice(*self.a)], flat[:, slice(*self.b)]
        return a.reshape(-1, *self.window.source), b.reshape(-1, *self.window.target)

    def _put(self, states: Floats, at_a: Floats, at_b: Floats) -> Floats:
        out = np.zeros_like(states)
        out[..., slice(*self.a)] = at_a.reshape(*states.shape[:-1], -1)
        out[..., slice(*self.b)] = at_b.reshape(*states.shape[:-1], -1)
        return out
