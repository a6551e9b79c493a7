"""Directed links: trainable weights that lead one way, and the sets of them that networks are made of.

| backward | a network of layers is                                                         |
|----------|--------------------------------------------------------------------------------|
| none     | feedforward                                                                    |
| own      | recurrent, weights back that are trained apart from those forward              |
| tied     | recurrent, the same weights both ways; no energy all the same, see `couplings.directed` |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from isingeq.couplings import Directed, Given, Law, Matrix, Path, Sliding, Turned, Window
from isingeq.couplings.activation import Activation

Span = tuple[int, int]
Backward = Literal["none", "own", "tied"]


@dataclass(frozen=True, slots=True)
class DirectedLink:
    """Weights from units to units, all with all or by a window.

    Attributes:
        name: of the weights; links that share it share them.
        forward: units at the first and at the second end of the weights (p, q), or of the window.
        activation: what is seen of a state.
        window: that slides over the first end; None for all with all.
        turned: from the second end to the first.
        mutual: another link leads the other way.
    """

    name: str
    forward: tuple[Span, Span]
    activation: Activation = "tanh"
    window: Window | None = None
    turned: bool = False
    mutual: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weights."""
        if self.window is not None:
            return self.window.shape
        (a, b), (c, d) = self.forward
        return b - a, d - c

    @property
    def reach(self) -> float:
        """Weights that meet in a unit of either end, added."""
        return sum(self.shape if self.window is None else self.window.reach)

    def coupling(self, J: NDArray[np.floating]) -> Directed:
        """Return the coupling that weights in the problem's sign make."""
        path: Path = Matrix(J) if self.window is None else Sliding(self.window, J)
        ends = self.forward[::-1] if self.turned else self.forward
        return Directed(*ends, Turned(path) if self.turned else path, self.activation)


@dataclass(frozen=True, slots=True)
class GivenLink:
    """Trainable parameters of a field of one's own, which is a `couplings.given.Law`.

    Attributes:
        name: of the parameters; it ends in `.weight`.
        shape: of the parameters.
        law: how they make a force.
        reach: parameters that meet in a unit, in + out; sets the size of initial ones.
    """

    name: str
    shape: tuple[int, ...]
    law: Law
    reach: float = 2.0
    mutual: ClassVar[bool] = True

    def coupling(self, J: NDArray[np.floating]) -> Given:
        """Return the field that parameters in the problem's sign make."""
        return Given(self.law, J)


def layered_links(
    names: Sequence[str], sizes: Sequence[int], activation: Activation, backward: Backward,
    windows: Sequence[Window] = (),
) -> tuple[DirectedLink, ...]:  # fmt: skip
    """Return the links of a chain of layers.

    Args:
        names: of the layers.
        sizes: of the layers.
        activation: of all.
        backward: whether there are weights back.
        windows: of the first layers, that over the inputs first.
    """
    spans = list(pairwise(accumulate(sizes, initial=0)))
    links: list[DirectedLink] = []
    for k, (a, b) in enumerate(pairwise(range(len(names)))):
        ends = spans[a], spans[b]
        window = windows[b] if b < len(windows) else None
        mutual = backward != "none"
        name = f"{names[a]}-{names[b]}.weight"
        links.insert(k, DirectedLink(name, ends, activation, window, mutual=mutual))
        if mutual:
            back = name if backward == "tied" else f"{names[b]}-{names[a]}.weight"
            links.append(DirectedLink(back, ends, activation, window, turned=True, mutual=True))
    return tuple(links)


def full_link(size: int, activation: Activation) -> DirectedLink:
    """Return the link of a network in which every unit leads to every unit, itself included."""
    return DirectedLink("recurrent.weight", ((0, size), (0, size)), activation, mutual=True)


def skew_coupling(size: int, norm: float, seed: int = 0) -> Directed:
    """Return a fixed coupling K = −Kᵀ of all units, by the states themselves.

    Args:
        size: number of units.
        norm: largest singular value.
        seed: of its normal entries.
    """
    drawn = np.random.default_rng([seed, 4]).standard_normal((size, size))
    skew = drawn - drawn.T
    skew *= norm / np.linalg.norm(skew, 2)
    return Directed((0, size), (0, size), Matrix(skew.astype(np.float32)), "identity")
