"""Links: trainable weights between layers of units, each the shape of a coupling."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isingeq.couplings import Convolution, Coupling, Dense, Edges, Window
from isingeq.lattices import lattice, windowed

Span = tuple[int, int]
Indices = NDArray[np.integer]


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


@dataclass(frozen=True, slots=True, eq=False)
class WiredLink:
    """Pairs that are listed, each with its own weight.

    Attributes:
        name: of the weights.
        n: units of the network.
        i: first unit of every pair (m,).
        j: second unit (m,), i < j.
        reach: as in `Link`, on average.
    """

    name: str
    n: int
    i: Indices
    j: Indices
    reach: float

    @property
    def shape(self) -> tuple[int]:
        """Number of pairs."""
        return (self.i.size,)

    def coupling(self, J: NDArray[np.floating]) -> Coupling:
        """Return `Edges`."""
        return Edges(self.n, self.i, self.j, J)


def local_link(name: str, n: int, a: Span, b: Span, window: Window) -> WiredLink:
    """Return a window from units `a` to units `b` that has weights of its own at every place."""
    source, result = windowed(window)
    return WiredLink(name, n, source + a[0], result + b[0], sum(window.reach))


def within(name: str, n: int, first: int, kind: str, window: Window) -> WiredLink:
    """Return couplings of neighbours on a lattice, in every channel of the images that a window results in.

    Args:
        name: of the weights.
        n: units of the network.
        first: unit of the images.
        kind: of lattice.
        window: that results in the images.
    """
    rows, columns, channels = window.target
    graph = lattice(kind, rows, columns)
    of_channel = first + np.arange(channels)
    i, j = ((end[:, None] * channels + of_channel).ravel() for end in (graph.i, graph.j))
    return WiredLink(name, n, i, j, 2 * float(graph.degrees.mean()))
