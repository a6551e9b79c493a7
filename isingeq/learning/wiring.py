"""Wiring: which units of a network are coupled, where that is not layer to layer, and where they sit on a chip.

A network on a lattice has one unit per site. Output units sit off the edge and apart from each other, so that each has
all the neighbours that a lattice gives and all of them hidden; those of a class are spread over the whole lattice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isingeq.errors import ConfigError
from isingeq.lattices import lattice


@dataclass(frozen=True, eq=False)
class Wiring:
    """Edges between units, hidden ones first.

    Attributes:
        i: first unit of every edge (m,).
        j: second unit (m,), i < j.
        sites: row and column of every unit (n, 2).
    """

    i: NDArray[np.integer]
    j: NDArray[np.integer]
    sites: NDArray[np.intp]

    @property
    def mean_degree(self) -> float:
        """Neighbours of a unit, on average."""
        return 2 * self.i.size / len(self.sites)


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
    row, column = np.divmod(np.arange(graph.n), columns)
    apart = (row % 2 == 1) & (column % 2 == 1) if kind == "kings" else (row + column) % 2 == 1
    inside = (row > 0) & (row < rows - 1) & (column > 0) & (column < columns - 1)
    room, outputs = np.flatnonzero(apart & inside), classes * replicas
    if outputs > room.size:
        raise ConfigError(
            f"a {kind} lattice of {rows} × {columns} sites has room for {room.size} output units off its edge and "
            f"apart from each other, {classes} classes × {replicas} replicas are {outputs}: give it more sites or "
            "fewer replicas"
        )
    chosen = room[np.linspace(0, room.size - 1, outputs).round().astype(np.intp)]
    by_class = chosen.reshape(replicas, classes).T.ravel()
    hidden = np.setdiff1d(np.arange(graph.n), chosen)
    sites = np.concatenate([hidden, by_class])
    unit = np.empty(graph.n, np.intp)
    unit[sites] = np.arange(graph.n)
    ends = np.sort(np.stack([unit[graph.i], unit[graph.j]]), axis=0)
    if not lateral:
        ends = ends[:, ends[1] >= graph.n - outputs]
    order = np.lexsort((ends[1], ends[0]))
    i, j = ends[:, order]
    return Wiring(i, j, np.stack([row[sites], column[sites]], axis=1))
