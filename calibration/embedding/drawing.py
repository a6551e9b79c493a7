"""What a problem is as lines that cross: every unit has a line across or down, or one of each.

dense layers    units of one side across, those of the other down; deeper stacks in turn, as a staircase
anything else   unit k both across and down, joined where the two cross: a triangle
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from calibration.embedding.chains import Indices, Pairs


@dataclass(frozen=True, eq=False)
class Drawing:
    """Lines across and down, and which of them have to cross.

    Attributes:
        across: units of the problem that the lines across stand for (p,).
        down: units that the lines down stand for (q,).
        needs: whether two lines have to cross (p, q).
    """

    across: Indices
    down: Indices
    needs: NDArray[np.bool_]

    @classmethod
    def of(cls, pairs: Pairs) -> "Drawing":
        """Draw a problem by sides where it has two, else as a triangle; units without a neighbour are left out."""
        coupled = np.zeros((pairs.n, pairs.n), np.bool_)
        coupled[pairs.i, pairs.j] = coupled[pairs.j, pairs.i] = True
        if (sides := sides_of(pairs)) is not None:
            return cls(*sides, coupled[np.ix_(*sides)])
        np.fill_diagonal(coupled, True)
        units = np.flatnonzero(pairs.degrees)
        return cls(units, units, np.tril(coupled)[np.ix_(units, units)])

    @cached_property
    def turned(self) -> "Drawing":
        """The same with across and down swapped."""
        return Drawing(self.down, self.across, self.needs.T)

    @cached_property
    def spans(self) -> tuple[Indices, Indices]:
        """First and last line down that every line across has to cross, each (p,)."""
        last = self.needs.shape[1] - 1
        return np.argmax(self.needs, axis=1), last - np.argmax(self.needs[:, ::-1], axis=1)

    @property
    def filled(self) -> float:
        """Share of the crossings between first and last ones that are needed: 1 where layers are complete."""
        low, high = self.spans
        return float(self.needs.sum() / max(1, (high - low + 1).sum()))


def sides_of(pairs: Pairs) -> tuple[Indices, Indices] | None:
    """Return the units of even and of odd distance to the first, nearest first; None where there is an odd cycle."""
    from scipy.sparse.csgraph import breadth_first_order  # slow to import

    graph = coo_array(
        (np.ones(pairs.i.size, np.int8), (pairs.i, pairs.j)), shape=(pairs.n,) * 2
    ).tocsr()
    distance = np.full(pairs.n, -1)
    order: list[int] = []
    for root in np.flatnonzero(pairs.degrees):
        if distance[root] < 0:
            reached, before = breadth_first_order(graph, root, directed=False)
            distance[root] = 0
            for unit in reached[1:]:
                distance[unit] = distance[before[unit]] + 1
            order += reached.tolist()
    every = np.array(order, np.intp)
    odd = distance % 2 == 1
    return None if (odd[pairs.i] == odd[pairs.j]).any() else (every[~odd[every]], every[odd[every]])
