"""Problems and terms as the arrays that the relaxation kernel takes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isingeq.backends.joins import Join, convolutions, joins
from isingeq.errors import CapabilityError
from isingeq.kernels.convolve import Maps, lay_out, pack
from isingeq.kernels.relax import Net
from isingeq.problem import Problem
from isingeq.schedule import Order
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge, Term

Floats = NDArray[np.floating]
LARGEST = 1 << 30
"""Bytes, in single precision, that couplings given one by one may fill as full matrices."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What depends on the structure of a problem alone, kept from settle to settle.

    Attributes:
        joins: the matrices in the kernel's order.
        convolutions: numbers of the couplings that are done as such.
        net: the kernel's network, its couplings left empty.
    """

    joins: tuple[Join, ...]
    convolutions: tuple[int, ...]
    net: Net

    @classmethod
    def of(cls, problem: Problem, order: Order) -> "Layout":
        """Lay out a layered problem for steps of one order.

        Asynchronous steps go colour by colour, no two layers of a colour being coupled. Synchronous ones go from
        the smallest layer to the largest, so that little has to be kept of the state before the step.

        Raises:
            CapabilityError: asynchronous steps of a layer whose units are coupled with each other; or couplings given
                one by one that are too far apart for full matrices.
        """
        found = sorted(joins(problem), key=lambda join: (join.target, join.number))
        slid, ends = convolutions(problem)
        count = len(problem.layers)
        sizes = np.array([layer.size for layer in problem.layers], np.int64)
        filled = 4 * sum(
            int(sizes[j.target] * sizes[j.source]) for j in found if j.edges is not None
        )
        if filled > LARGEST:
            raise CapabilityError(
                f"couplings given one by one would fill {filled >> 20} MiB as full matrices between layers, relaxing "
                f"machines take {LARGEST >> 20}: split the layers so that fewer of them are coupled"
            )
        neighbours: list[set[int]] = [set() for _ in range(count)]
        for target, source in (
            [(j.target, j.source) for j in found] + ends + [e[::-1] for e in ends]
        ):
            neighbours[target].add(source)
        inside = [layer.name for k, layer in enumerate(problem.layers) if k in neighbours[k]]
        if order == "asynchronous" and inside:
            raise CapabilityError(
                f"layer {inside[0]!r} has couplings between its own units, which asynchronous steps cannot take: "
                "use conjugate?order=synchronous or hopfield?update=gradient"
            )
        rank = _colours(neighbours) if order == "asynchronous" else sizes
        sequence = np.argsort(rank, kind="stable")
        place = np.argsort(sequence)
        table, start = np.zeros((max(1, len(found)), 5), np.int64), 0
        seen = np.zeros(count, np.int64)
        for row, join in enumerate(found):
            target, source = join.target, join.source
            before = int(order == "synchronous" and place[source] <= place[target])
            seen[source] |= before
            table[row] = start, sizes[source], sizes[source], problem.spans[source][0], before
            start += int(sizes[source] * sizes[target])
        zeros = np.zeros(count, np.int64)
        net = Net(
            w=np.zeros(0),
            links=table,
            first_link=np.searchsorted(
                [join.target for join in found], np.arange(count + 1)
            ).astype(np.int64),
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
            maps=lay_out(
                [
                    (problem.couplings[c].window, problem.spans[a][0], problem.spans[b][0])  # type: ignore[attr-defined]
                    for c, (a, b) in zip(slid, ends, strict=True)
                ]
            )
            if slid
            else (),
            ends=np.array(
                [
                    [a, b, not problem.couplings[c].pairwise, order == "synchronous"]
                    for c, (a, b) in zip(slid, ends, strict=True)
                ],
                np.int64,
            ).reshape(-1, 4),
            displaced=0,
        )
        return cls(tuple(found), slid, net)

    def loaded(self, problem: Problem, dtype: type) -> Net:
        """Return the network with the couplings of a problem."""
        maps = self.net.maps
        if isinstance(maps, Maps):
            weights = [np.negative(problem.couplings[c].J, dtype=dtype) for c in self.convolutions]  # type: ignore[attr-defined]
            maps = pack(maps, weights, dtype)
        return self.net._replace(
            w=self.forces(problem, dtype), maps=maps, boxes=self.net.boxes.astype(dtype)
        )

    def forces(self, problem: Problem, dtype: type) -> Floats:
        """Return the couplings as forces, flat in the kernel's order: the problem's with the sign turned."""
        sizes = [layer.size for layer in problem.layers]
        flat = [
            join.forces(
                problem.couplings[join.number], (sizes[join.target], sizes[join.source]), dtype
            ).ravel()
            for join in self.joins
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
