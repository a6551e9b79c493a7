"""Wiring: which units of a network are coupled, where that is not layer to layer, and where they sit on a lattice.

A network on a lattice has one unit per site. Output units that are given no site sit off the edge and apart from each
other, so that each has all the neighbours that a lattice gives and all of them hidden; those of a class are spread over
the whole lattice. Inputs act on all hidden units, or are given sites: there they are units that are held, and each acts
on its neighbours alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isingeq.connectivity import Connectivity
from isingeq.errors import ConfigError
from isingeq.lattices import lattice
from isingeq.learning.pairs import Pairs

Indices = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Wiring:
    """Edges between units, hidden ones first.

    Attributes:
        i: first unit of every edge (m,).
        j: second unit (m,), i < j.
        sites: row and column of every unit (n, 2); of stacked lattices sheet, row and column (n, 3).
        graph: of the sites, inputs among them.
        inputs: pairs of inputs and units; None where inputs act on all hidden units.
        held: site of every input (inputs,), empty where they have none.
    """

    i: Indices
    j: Indices
    sites: NDArray[np.intp]
    graph: Connectivity
    inputs: Pairs | None = None
    held: Indices = field(default_factory=lambda: np.zeros(0, np.intp))

    @property
    def units(self) -> NDArray[np.intp]:
        """Site of every unit (n,)."""
        return np.ravel_multi_index(tuple(self.sites.T), self.graph.shape)

    @property
    def mean_degree(self) -> float:
        """Neighbours of a unit, on average."""
        return 2 * self.i.size / len(self.sites)

    @property
    def num_couplings(self) -> int:
        """Couplings between sites that are trained, those of inputs included."""
        return self.i.size + (0 if self.inputs is None else self.inputs.source.size)


def on_lattice(
    kind: str, rows: int, columns: int, classes: int, replicas: int, *, lateral: bool = True
) -> Wiring:
    """Wire one unit per site, `classes` × `replicas` of them outputs, replicas of a class one after the other.

    Args:
        kind: of lattice.
        rows: of sites.
        columns: of sites.
        classes: of outputs.
        replicas: of each class.
        lateral: couple hidden units among themselves too; only to outputs otherwise.

    Raises:
        ConfigError: a lattice that is not known, or one with too few sites that are apart.
    """
    graph = lattice(kind, rows, columns)
    return wired(graph, spread_outputs(graph, classes, replicas), lateral=lateral)


def spread_outputs(graph: Connectivity, classes: int, replicas: int) -> Indices:
    """Return sites for outputs (classes × replicas,): off the edge, apart, those of a class spread.

    Raises:
        ConfigError: too few such sites.
    """
    rows, columns = graph.shape[-2:]
    row, column = np.divmod(np.arange(rows * columns), columns)
    apart = (row % 2 == 1) & (column % 2 == 1) if graph.kind == "kings" else (row + column) % 2 == 1
    inside = (row > 0) & (row < rows - 1) & (column > 0) & (column < columns - 1)
    room, outputs = np.flatnonzero(apart & inside), classes * replicas
    if outputs > room.size:
        raise ConfigError(
            f"a {graph.kind} lattice of {rows} × {columns} sites has room for {room.size} output units off its edge "
            f"and apart from each other, {classes} classes × {replicas} replicas are {outputs}: give it more sites or "
            "fewer replicas"
        )
    chosen = room[np.linspace(0, room.size - 1, outputs).round().astype(np.intp)]
    return chosen.reshape(replicas, classes).T.ravel()


def wired(
    graph: Connectivity, outputs: Indices, inputs: Sequence[int] = (), *, lateral: bool = True
) -> Wiring:
    """Wire one unit per site, but for the sites of inputs.

    Couplings between two inputs, which nothing could change, are left out.

    Args:
        graph: of the sites, its shape rows and columns, or sheets, rows and columns.
        outputs: site of every output unit.
        inputs: site of every input; none where they act on all hidden units.
        lateral: couple hidden units among themselves too.

    Raises:
        ConfigError: a site that is not there, or given twice.
    """
    taken = np.concatenate([np.asarray(inputs, np.intp), outputs])
    if np.unique(taken).size < taken.size or taken.min() < 0 or taken.max() >= graph.n:
        raise ConfigError(
            f"inputs at {list(map(int, inputs))} and outputs at {outputs.tolist()} need sites of their own, "
            f"numbered row by row from 0 to {graph.n - 1}"
        )
    hidden = np.setdiff1d(np.arange(graph.n), taken)
    units, held = np.concatenate([hidden, outputs]), np.asarray(inputs, np.intp)
    n = units.size
    number = np.empty(graph.n, np.intp)  # units, and inputs after them
    number[np.concatenate([units, held])] = np.arange(graph.n)
    ends = np.sort(np.stack([number[graph.i], number[graph.j]]), axis=0)
    ends = ends[:, np.lexsort((ends[1], ends[0]))]
    between = ends[:, ends[1] < n]
    if not lateral:
        between = between[:, between[1] >= hidden.size]
    into = ends[:, (ends[0] < n) & (ends[1] >= n)]
    pairs = Pairs(into[1] - n, into[0], n) if held.size else None
    places = np.stack(np.unravel_index(units, graph.shape), axis=1)
    return Wiring(between[0], between[1], places, graph, pairs, held)
