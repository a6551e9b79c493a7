"""Problems and terms as the arrays that the relaxation kernel takes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isingeq.couplings import Dense
from isingeq.errors import CapabilityError
from isingeq.kernels.relax import Net
from isingeq.problem import Problem
from isingeq.schedule import Order
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge, Term

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Layout:
    """What depends on the structure of a problem alone, kept from settle to settle.

    Attributes:
        links: (target layer, number of the coupling, transposed or not, source layer) in the kernel's order.
        net: the kernel's network, its couplings left empty.
    """

    links: tuple[tuple[int, int, bool, int], ...]
    net: Net

    @classmethod
    def of(cls, problem: Problem, order: Order) -> "Layout":
        """Lay out a layered problem for steps of one order.

        Asynchronous steps go colour by colour, no two layers of a colour being coupled. Synchronous ones go from
        the smallest layer to the largest, so that little has to be kept of the state before the step.

        Raises:
            CapabilityError: a coupling that does not join two whole layers.
        """
        spans = {span: layer for layer, span in enumerate(problem.spans)}
        found = []
        for number, coupling in enumerate(problem.couplings):
            assert isinstance(coupling, Dense)
            if coupling.a not in spans or coupling.b not in spans:
                raise CapabilityError(
                    f"coupling {number} joins units {coupling.a} and {coupling.b}, which are not whole layers"
                )
            a, b = spans[coupling.a], spans[coupling.b]
            found += [(a, number, False, b), (b, number, True, a)]
        found.sort()
        count = len(problem.layers)
        sizes = np.array([layer.size for layer in problem.layers], np.int64)
        neighbours: list[set[int]] = [
            {s for t, _, _, s in found if t == layer} for layer in range(count)
        ]
        rank = _colours(neighbours) if order == "asynchronous" else sizes
        sequence = np.argsort(rank, kind="stable")
        place = np.argsort(sequence)
        table, start = np.zeros((max(1, len(found)), 5), np.int64), 0
        seen = np.zeros(count, np.int64)
        for row, (target, _, _, source) in enumerate(found):
            before = int(order == "synchronous" and place[source] < place[target])
            seen[source] |= before
            table[row] = start, sizes[source], sizes[source], problem.spans[source][0], before
            start += int(sizes[source] * sizes[target])
        zeros = np.zeros(count, np.int64)
        net = Net(
            w=np.zeros(0),
            links=table,
            first_link=np.searchsorted([t for t, *_ in found], np.arange(count + 1)).astype(
                np.int64
            ),
            rows=np.array([first for first, _ in problem.spans], np.int64),
            sizes=sizes,
            order=sequence.astype(np.int64),
            seen=seen,
            boxes=np.array(
                [
                    [getattr(k.unit, "stiffness", 1.0), k.unit.low, k.unit.high]
                    for k in problem.layers
                ]
            ),
            springy=zeros,
            frozen=zeros,
        )
        return cls(tuple(found), net)

    def forces(self, problem: Problem, dtype: type) -> Floats:
        """Return the couplings as forces, flat in the kernel's order: the problem's with the sign turned."""
        matrices = [problem.couplings[number].J for _, number, _, _ in self.links]  # type: ignore[attr-defined]
        flat = [
            np.negative(J.T if turned else J, dtype=dtype).ravel()
            for J, (_, _, turned, _) in zip(matrices, self.links, strict=True)
        ]
        return np.concatenate(flat) if flat else np.zeros(1, dtype)


def _colours(neighbours: list[set[int]]) -> NDArray[np.int64]:
    """Give each layer the first colour that none of its neighbours has."""
    colours: list[int] = []
    for layer, near in enumerate(neighbours):
        taken = {colours[other] for other in near if other < layer}
        colours.append(next(c for c in range(len(neighbours)) if c not in taken))
    return np.array(colours, np.int64)


@dataclass(frozen=True, slots=True)
class Folded:
    """Terms as what the kernel knows.

    Attributes:
        force: added (b, n), or (0, n).
        spring: stiffness added on the springy layer (b,).
        targets: of the springs (b, k), or (0, 1).
        springy: 1 for that layer.
        frozen: 1 for layers that are clamped.
        held: values of clamped units (b, n), or None.
    """

    force: Floats
    spring: Floats
    targets: Floats
    springy: NDArray[np.int64]
    frozen: NDArray[np.int64]
    held: Floats | None


def fold_terms(problem: Problem, terms: tuple[Term, ...], dtype: type) -> Folded:
    """Fold terms into a force, one spring layer and frozen layers.

    Raises:
        CapabilityError: springs on two layers or on part of one, or a clamp on part of a layer.
    """
    force: Floats = np.zeros((0, problem.n), dtype)
    targets: Floats = np.zeros((0, 1), dtype)
    spring: Floats = np.zeros(problem.batch, dtype)
    springy, frozen = (np.zeros(len(problem.layers), np.int64) for _ in range(2))
    held = None
    for term in terms:
        if isinstance(term, LinearNudge):
            force = term.force.astype(dtype) + (force if len(force) else 0)
        elif isinstance(term, QuadraticNudge):
            if term.units not in problem.spans or springy.any():
                raise CapabilityError(
                    "a quadratic nudge acts on one whole layer here: use one, over the output layer"
                )
            springy[problem.spans.index(term.units)] = 1
            spring, targets = term.strength.astype(dtype), term.targets.astype(dtype)
        elif isinstance(term, Clamp):
            share = [term.mask[first:last].mean() for first, last in problem.spans]
            if any(0 < s < 1 for s in share):
                raise CapabilityError(
                    "a clamp holds whole layers here: split the layer, or clamp all of it"
                )
            frozen |= np.array(share, dtype=np.int64)
            held = term.values
    return Folded(force, spring, targets, springy, frozen, held)
