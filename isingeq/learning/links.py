"""Links: trainable weights between layers of units, each the shape of a coupling."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isingeq.couplings import Convolution, Coupling, Dense, Edges, Window
from isingeq.learning.wiring import Wiring

Span = tuple[int, int]


class Link(Protocol):
    """Weights between units."""

    @property
    def name(self) -> str:
        """Name of the weights, as in `Parameters`."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weights."""
        ...

    @property
    def reach(self) -> float:
        """Weights that a unit of either end sums over, the two ends added: in + out."""
        ...

    def coupling(self, J: NDArray[np.floating]) -> Coupling:
        """Return the coupling that weights in the problem's sign make."""
        ...


@dataclass(frozen=True, slots=True)
class DenseLink:
    """All units of one layer with all of another."""

    name: str
    a: Span
    b: Span

    @property
    def shape(self) -> tuple[int, int]:
        """Units of either layer."""
        return self.a[1] - self.a[0], self.b[1] - self.b[0]

    @property
    def reach(self) -> float:
        """Units of both layers."""
        return sum(self.shape)

    def coupling(self, J: NDArray[np.floating]) -> Coupling:
        """Return a `Dense`."""
        return Dense(self.a, self.b, J)


@dataclass(frozen=True, slots=True)
class ConvolvedLink:
    """A window that slides over one layer into another."""

    name: str
    a: Span
    b: Span
    window: Window

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, columns and channels of the window, and channels of the result."""
        return self.window.shape

    @property
    def reach(self) -> float:
        """Weights that meet in a unit of the result and of the source."""
        return sum(self.window.reach)

    def coupling(self, J: NDArray[np.floating]) -> Coupling:
        """Return a `Convolution`."""
        return Convolution(self.a, self.b, self.window, J)


@dataclass(frozen=True, slots=True)
class WiredLink:
    """The pairs of a wiring."""

    name: str
    wiring: Wiring

    @property
    def shape(self) -> tuple[int]:
        """Number of pairs."""
        return (self.wiring.i.size,)

    @property
    def reach(self) -> float:
        """Twice the neighbours of a unit, on average."""
        return 2 * self.wiring.mean_degree

    def coupling(self, J: NDArray[np.floating]) -> Coupling:
        """Return `Edges`."""
        return Edges(len(self.wiring.sites), self.wiring.i, self.wiring.j, J)
