"""Paths: how what is seen of source units becomes forces on target units, y = P(a; J).

A path acts one way. At given a it is linear in small changes, y' = ∂P/∂a v; that has a transpose, v' = ∂P/∂aᵀ w, and a
product with respect to the parameters, Σ ∂⟨w, P⟩/∂J. All arrays are (b, p) at the source and (b, q) at the target.
"""

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from isingeq.couplings.kind import Floats
from isingeq.couplings.sliding import correlate, gathered, pool, slide, slide_back, spread
from isingeq.couplings.window import Window
from isingeq.errors import ProblemError


class Tangent(Protocol):
    """A path at given values of its source."""

    def along(self, direction: Floats) -> Floats:
        """Return the change of the forces (b, q) along a direction (b, p)."""
        ...

    def back(self, weights: Floats) -> Floats:
        """Return the transpose of `along` on weights (b, q), shape (b, p)."""
        ...

    def moments(self, direction: Floats, weights: Floats) -> Floats:
        """Return the derivative of Σ_b ⟨weights_b, along(direction)_b⟩ by the parameters, weights (b, q).

        That of the forces themselves, Σ_b ⟨weights_b, forces_b⟩, where the direction is what is seen.
        """
        ...


class Path(Protocol):
    """Forces on q units made of what is seen of p others."""

    @property
    def J(self) -> NDArray[np.floating]:  # noqa: N802
        """Parameters in the problem's sign."""
        ...

    @property
    def sizes(self) -> tuple[int, int]:
        """Units of source and target."""
        ...

    @property
    def linear(self) -> bool:
        """True where the forces are linear in the source."""
        ...

    @property
    def structure(self) -> tuple[object, ...]:
        """Hashable shape of the path without its parameters."""
        ...

    def forces(self, seen: Floats) -> Floats:
        """Return the forces (b, q) of what is seen of the source (b, p)."""
        ...

    def at(self, seen: Floats) -> Tangent:
        """Return the tangent at what is seen of the source (b, p)."""
        ...


@dataclass(frozen=True, eq=False)
class Matrix:
    """y_q = Σ_p a_p J_pq, every unit of the source on every unit of the target; the two may be the same units."""

    J: NDArray[np.floating]
    linear: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        if self.J.ndim != 2:
            raise ProblemError(f"a matrix of couplings needs shape (p, q), got {self.J.shape}")

    @property
    def sizes(self) -> tuple[int, int]:
        """Rows and columns of J."""
        return self.J.shape[0], self.J.shape[1]

    @property
    def structure(self) -> tuple[object, ...]:
        """Name and shape."""
        return ("matrix", self.J.shape)

    def forces(self, seen: Floats) -> Floats:
        """Return a J for a (b, p), shape (b, q)."""
        return seen @ self.J

    def at(self, seen: Floats) -> Tangent:
        """Return the tangent at a (b, p)."""
        return _AtMatrix(self.J)


@dataclass(frozen=True, slots=True, eq=False)
class _AtMatrix:
    J: Floats

    def along(self, direction: Floats) -> Floats:
        return direction @ self.J

    def back(self, weights: Floats) -> Floats:
        return weights @ self.J.T

    def moments(self, direction: Floats, weights: Floats) -> Floats:
        return direction.T @ weights


@dataclass(frozen=True, eq=False)
class Sliding:
    """y = −P(z), z the convolution of the images a with −J and P the pooling of a window; J (k, k, c, o)."""

    window: Window
    J: NDArray[np.floating]

    def __post_init__(self) -> None:
        if self.J.shape != self.window.shape:
            raise ProblemError(
                f"a convolution has couplings of shape {self.J.shape}, its window needs {self.window.shape}"
            )

    @property
    def sizes(self) -> tuple[int, int]:
        """Units of the images at either end."""
        return int(np.prod(self.window.source)), int(np.prod(self.window.target))

    @property
    def linear(self) -> bool:
        """True without pooling and with the mean of a pool."""
        return self.window.linear

    @property
    def structure(self) -> tuple[object, ...]:
        """Name and geometry."""
        return ("sliding", self.window)

    def forces(self, seen: Floats) -> Floats:
        """Return −P(z) for images (b, p), shape (b, q)."""
        pooled = pool(slide(self._images(seen), -self.J, self.window), self.window)[0]
        return -pooled.reshape(len(seen), -1)

    def at(self, seen: Floats) -> Tangent:
        """Return the tangent at images (b, p); where two sums of a pool tie, that of the first."""
        images = self._images(seen)
        shares = pool(slide(images, -self.J, self.window), self.window)[1]
        return _AtSliding(self, shares)

    def _images(self, seen: Floats) -> Floats:
        return seen.reshape(-1, *self.window.source)


@dataclass(frozen=True, slots=True, eq=False)
class _AtSliding:
    path: Sliding
    shares: Floats

    def along(self, direction: Floats) -> Floats:
        window = self.path.window
        sums = slide(direction.reshape(-1, *window.source), self.path.J, window)
        return gathered(sums, self.shares, window).reshape(len(direction), -1)

    def back(self, weights: Floats) -> Floats:
        back = slide_back(self._spread(weights), self.path.J, self.path.window)
        return back.reshape(len(weights), -1)

    def moments(self, direction: Floats, weights: Floats) -> Floats:
        images = direction.reshape(-1, *self.path.window.source)
        return correlate(images, self._spread(weights), self.path.window)

    def _spread(self, weights: Floats) -> Floats:
        window = self.path.window
        return spread(weights.reshape(-1, *window.target), self.shares, window)


@dataclass(frozen=True, eq=False)
class Arrows:
    """y_j = Σ a_i J over a list of arrows i → j, none twice.

    Args:
        shape: units of source and target (p, q).
        i: where each arrow starts (m,), counted in the source.
        j: where it ends (m,), counted in the target.
        J: parameters (m,).
    """

    shape: tuple[int, int]
    i: NDArray[np.integer]
    j: NDArray[np.integer]
    J: NDArray[np.floating]
    linear: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        if not self.i.shape == self.j.shape == self.J.shape or self.J.ndim != 1:
            raise ProblemError(
                f"arrows need i, j and J of one length, got {self.i.shape}, {self.j.shape}, {self.J.shape}"
            )
        p, q = self.shape
        if self.J.size and (
            min(self.i.min(), self.j.min()) < 0 or self.i.max() >= p or self.j.max() >= q
        ):
            raise ProblemError(
                f"arrows lead from units 0 to {p - 1} to units 0 to {q - 1}: one does not"
            )
        if np.unique(self.i.astype(np.int64) * q + self.j).size < self.i.size:
            raise ProblemError(
                "an arrow is listed twice: add its couplings up before they come here"
            )

    @property
    def sizes(self) -> tuple[int, int]:
        """Units of source and target."""
        return self.shape

    @cached_property
    def structure(self) -> tuple[object, ...]:
        """Name, sizes and arrows."""
        digest = blake2b(np.ascontiguousarray(self.i, np.int64).data)
        digest.update(np.ascontiguousarray(self.j, np.int64).data)
        return ("arrows", self.shape, digest.digest())

    @cached_property
    def _rows(self) -> sparse.csr_array:
        """J as sparse rows (q, p)."""
        return sparse.coo_array((self.J, (self.j, self.i)), shape=self.shape[::-1]).tocsr()

    def forces(self, seen: Floats) -> Floats:
        """Return Σ a_i J for a (b, p), shape (b, q)."""
        return np.asarray((self._rows @ seen.T).T)

    def at(self, seen: Floats) -> Tangent:
        """Return the tangent at a (b, p)."""
        return _AtArrows(self)


@dataclass(frozen=True, slots=True, eq=False)
class _AtArrows:
    path: Arrows

    def along(self, direction: Floats) -> Floats:
        return self.path.forces(direction)

    def back(self, weights: Floats) -> Floats:
        return np.asarray((self.path._rows.T @ weights.T).T)

    def moments(self, direction: Floats, weights: Floats) -> Floats:
        return np.einsum("bm,bm->m", direction[:, self.path.i], weights[:, self.path.j])


@dataclass(frozen=True, eq=False)
class Turned:
    """The transpose of a linear path: from its target back to its source, with parameters of the same shape."""

    of: Path
    linear: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        if not self.of.linear:
            raise ProblemError(
                'only a linear path can be turned: take pooling = "average", or pool = 1'
            )

    @property
    def J(self) -> NDArray[np.floating]:  # noqa: N802
        """Parameters of the path that is turned."""
        return self.of.J

    @property
    def sizes(self) -> tuple[int, int]:
        """Units of source and target."""
        return self.of.sizes[::-1]

    @property
    def structure(self) -> tuple[object, ...]:
        """That of the path, marked as turned."""
        return ("turned", self.of.structure)

    def forces(self, seen: Floats) -> Floats:
        """Return ∂P/∂aᵀ b for b (b, q of the path), shape (b, p of the path)."""
        return self._linear(seen).back(seen)

    def at(self, seen: Floats) -> Tangent:
        """Return the tangent at b (b, q of the path)."""
        return _AtTurned(self._linear(seen))

    def _linear(self, seen: Floats) -> Tangent:
        """Return the tangent of the path, the same everywhere."""
        return self.of.at(np.zeros((len(seen), self.of.sizes[0]), seen.dtype))


@dataclass(frozen=True, slots=True, eq=False)
class _AtTurned:
    tangent: Tangent

    def along(self, direction: Floats) -> Floats:
        return self.tangent.back(direction)

    def back(self, weights: Floats) -> Floats:
        return self.tangent.along(weights)

    def moments(self, direction: Floats, weights: Floats) -> Floats:
        return self.tangent.moments(weights, direction)
