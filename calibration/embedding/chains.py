"""An embedding: for every unit of a problem a chain of the chip's units, coupled to act as one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from isingeq.connectivity import Connectivity
from isingeq.errors import CapabilityError
from isingeq.problem import Lowered

Indices = NDArray[np.intp]


class Pairs(NamedTuple):
    """Which units of a problem are coupled, whatever the values: each pair once, in canonical order.

    Attributes:
        n: units.
        i: first unit of every pair (m,).
        j: second unit (m,), i < j.
    """

    n: int
    i: Indices
    j: Indices

    @classmethod
    def of(cls, n: int, lowered: Lowered) -> tuple["Pairs", Indices]:
        """Return the pairs of a lowered problem, and for each of its edges the place of its pair."""
        keys = lowered.i.astype(np.int64) * n + lowered.j
        known, places = np.unique(keys, return_inverse=True)
        return cls(n, known // n, known % n), places

    @property
    def degrees(self) -> Indices:
        """Neighbours of every unit (n,)."""
        return np.bincount(np.concatenate([self.i, self.j]), minlength=self.n)


@dataclass(frozen=True, eq=False)
class Embedding:
    """Chains, one after the other.

    Attributes:
        units: of the chip, chain by chain (k,), made read-only.
        starts: where the chain of every unit starts, and k (n + 1,), made read-only.
        found: way in which it was found: identity, sites, lines, transposition or search.
    """

    units: Indices
    starts: Indices
    found: str

    def __post_init__(self) -> None:
        for kept in (self.units, self.starts):
            kept.flags.writeable = False

    @classmethod
    def of(cls, chains: Sequence[Sequence[int]], found: str) -> "Embedding":
        """Return the embedding of these chains, each in the order given."""
        flat = [unit for chain in chains for unit in chain]
        starts = np.cumsum([0, *map(len, chains)])
        return cls(np.array(flat, np.intp), starts.astype(np.intp), found)

    @property
    def n(self) -> int:
        """Units of the problem."""
        return self.starts.size - 1

    @property
    def lengths(self) -> Indices:
        """Units of every chain (n,)."""
        return np.diff(self.starts)

    @property
    def units_per_unit(self) -> float:
        """Units of the chip for every unit of the problem."""
        return self.units.size / max(1, self.n)

    @property
    def chains(self) -> list[list[int]]:
        """The chip's units of every unit of the problem."""
        return [part.tolist() for part in np.split(self.units, self.starts[1:-1])]

    @cached_property
    def owner(self) -> Indices:
        """Which unit of the problem every one of `units` stands for (k,)."""
        return np.repeat(np.arange(self.n), self.lengths)

    def owners(self, chip: Connectivity) -> Indices:
        """Return which unit of the problem every unit of the chip stands for, −1 for none."""
        out = np.full(chip.n, -1, np.intp)
        out[self.units] = self.owner
        return out

    def check(self, chip: Connectivity, pairs: Pairs) -> None:
        """Refuse chains that do not stand for a problem on a chip.

        Raises:
            CapabilityError: a chain that is empty, not connected or shares a unit; a pair that no coupler joins.
        """
        if self.n != pairs.n:
            raise CapabilityError(f"an embedding of {self.n} units does not fit {pairs.n} units")
        if (self.lengths == 0).any():
            raise CapabilityError(f"the chain of unit {np.argmin(self.lengths)} is empty")
        uses = np.bincount(self.units, minlength=chip.n)
        if uses.size > chip.n or uses.max() > 1:
            raise CapabilityError(
                f"unit {np.argmax(uses)} of the chip stands in {uses.max()} chains"
            )
        apart = parts(chip, self)
        if (apart > 1).any():
            wrong = int(np.argmax(apart > 1))
            raise CapabilityError(f"the chain of unit {wrong} falls into {apart[wrong]} parts")
        joined = joins(chip, self, pairs)
        if (joined == 0).any():
            e = int(np.argmin(joined))
            raise CapabilityError(
                f"no coupler joins the chains of units {pairs.i[e]} and {pairs.j[e]} "
                f"({(joined == 0).sum()} of {joined.size} pairs are missing)"
            )


def pair_of_edges(chip: Connectivity, embedding: Embedding, pairs: Pairs) -> Indices:
    """Return which pair of the problem every edge of the chip joins (m,): −1 for none, −2 inside a chain."""
    owner = embedding.owners(chip)
    a, b = owner[chip.i], owner[chip.j]
    low, high = np.minimum(a, b), np.maximum(a, b)
    known = pairs.i.astype(np.int64) * pairs.n + pairs.j
    if not known.size:
        return np.where((a == b) & (low >= 0), -2, -1)
    keys = low * pairs.n + high
    places = np.minimum(np.searchsorted(known, keys), known.size - 1)
    there = (known[places] == keys) & (low >= 0)
    return np.where((a == b) & (low >= 0), -2, np.where(there, places, -1))


def joins(chip: Connectivity, embedding: Embedding, pairs: Pairs) -> Indices:
    """Return how many couplers join every pair of the problem (m,)."""
    places = pair_of_edges(chip, embedding, pairs)
    return np.bincount(places[places >= 0], minlength=pairs.i.size)


def parts(chip: Connectivity, embedding: Embedding) -> Indices:
    """Return into how many connected parts every chain falls (n,)."""
    from scipy.sparse.csgraph import connected_components  # slow to import

    owner = embedding.owners(chip)
    inside = (owner[chip.i] == owner[chip.j]) & (owner[chip.i] >= 0)
    ends = chip.i[inside], chip.j[inside]
    graph = coo_array((np.ones(int(inside.sum()), np.int8), ends), shape=(chip.n, chip.n))
    _, labels = connected_components(graph, directed=False)
    seen = np.unique(np.stack([embedding.owner, labels[embedding.units]]), axis=1)
    return np.bincount(seen[0], minlength=embedding.n)
