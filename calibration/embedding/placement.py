"""A problem on chains: where its couplings and fields go, and how states come back.

    E'(s) = Σ_(edges between two chains a, b) (J_ab / number of them) s s' + Σ_(units of a chain a) (h_a / length) s
          − strength Σ_(edges inside a chain) (s s' − 1)

so E' of intact chains is E of the problem, and every bond broken costs twice the strength.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.embedding.chains import Embedding, Indices, Pairs, pair_of_edges
from calibration.spins import pull_of
from isingeq.backend import SettleRequest
from isingeq.connectivity import Connectivity
from isingeq.couplings import Edges
from isingeq.problem import Lowered, Problem
from isingeq.terms import Clamp, LinearNudge, Term
from isingeq.units import Layer, Spin

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Placement:
    """All that does not change with values.

    Attributes:
        embedding: chains.
        pairs: of the problem.
        pair_of: pair that every edge of the lowered problem is of (m,).
        n: units of a problem below: the chip's, up to the last one used.
        i: first unit of every edge used on the chip (m',), in the chip's order.
        j: second unit (m',).
        source: pair of the problem whose coupling an edge carries (m',), 0 inside a chain.
        share: of it (m',), 0 inside a chain.
        inside: whether an edge is inside a chain (m',).
    """

    embedding: Embedding
    pairs: Pairs
    pair_of: Indices
    n: int
    i: NDArray[np.int32]
    j: NDArray[np.int32]
    source: Indices
    share: NDArray[np.float64]
    inside: NDArray[np.bool_]

    @classmethod
    def of(
        cls, embedding: Embedding, chip: Connectivity, pairs: Pairs, pair_of: Indices
    ) -> "Placement":
        """Lay a problem out on a chip."""
        places = pair_of_edges(chip, embedding, pairs)
        used = np.flatnonzero(places != -1)
        places = places[used]
        i, j = (ends[used].astype(np.int32) for ends in (chip.i, chip.j))  # as Edges has them
        inside = places == -2
        joins = np.bincount(places[~inside], minlength=pairs.i.size)
        source = np.where(inside, 0, places)
        share = np.zeros(used.size)
        share[~inside] = 1 / joins[source[~inside]]
        n = int(embedding.units.max()) + 1
        return cls(embedding, pairs, pair_of, n, i, j, source, share, inside)

    def values(self, lowered: Lowered) -> NDArray[np.float64]:
        """Return the coupling of every pair (m,): the sum of all edges that are of it."""
        return np.asarray(np.bincount(self.pair_of, lowered.J, self.pairs.i.size), np.float64)

    def couplings(self, J: NDArray[np.float64], strength: float, like: Edges | None) -> Edges:
        """Return couplings on the chip.

        Args:
            J: of every pair (m,).
            strength: of every edge inside a chain.
            like: those before: returned where the values are the same, so that no version moves.
        """
        values = J[self.source] * self.share if J.size else np.zeros(self.share.size)
        values[self.inside] = -strength
        if like is not None and like.i is self.i and np.array_equal(like.J, values):
            return like
        return Edges(self.n, self.i, self.j, values)

    def request(self, asked: SettleRequest, below: Edges, strength: float) -> SettleRequest:
        """Return a request for the chip under these couplings."""
        problem = asked.problem
        offset = problem.offset + strength * int(self.inside.sum())
        fields = self._shared(problem.fields)
        start = None if asked.initial is None else self._spread(asked.initial, 1)
        return replace(
            asked,
            problem=Problem((Layer("chip", self.n, Spin()),), (below,), fields, offset),
            terms=self._terms(problem, asked.terms),
            initial=start,
        )

    def logical(self, states: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Return states (..., n) for those of the chip, and which chains are broken, same shape.

        A chain goes with most of its units; where as many stand against as for, with its first one.
        """
        starts, lengths = self.embedding.starts[:-1], self.embedding.lengths
        up = np.take((states > 0).view(np.int8), self.embedding.units, axis=-1)
        num_up = np.add.reduceat(up, starts, axis=-1, dtype=np.int32)
        twice = 2 * num_up
        first = up[..., starts] > 0
        repaired = np.where((twice > lengths) | ((twice == lengths) & first), 1, -1)
        return repaired.astype(states.dtype), (num_up > 0) & (num_up < lengths)

    def _terms(self, problem: Problem, terms: tuple[Term, ...]) -> tuple[Term, ...]:
        """Return clamps of whole chains, and all nudges as one linear one."""
        below: list[Term] = []
        for term in terms:
            if isinstance(term, Clamp):
                mask = self._spread(term.mask, False)
                below.append(Clamp(mask, self._spread(term.values, 1)))
        if (pull := pull_of(problem, terms)) is not None:
            force = np.zeros_like(problem.fields)
            force[:, pull.units] = pull.force
            below.append(LinearNudge(self._shared(force)))
        return tuple(below)

    def _shared(self, values: Floats) -> Floats:
        """Return fields (b, n) as those of the chip (b, n'), the units of a chain with equal shares."""
        return self._spread(values / self.embedding.lengths.astype(values.dtype), 0)

    def _spread(self, values: NDArray[Any], rest: float) -> NDArray[Any]:
        """Return values (..., n) on all units of a chain (..., n'), `rest` where there is none."""
        known = np.concatenate(
            [values, np.full_like(values, rest, shape=(*values.shape[:-1], 1))], axis=-1
        )
        return np.take(known, self._owners, axis=-1)

    @cached_property
    def _owners(self) -> Indices:
        """Unit of the problem that every unit of the chip stands for (n',), n for none."""
        out = np.full(self.n, self.pairs.n, np.intp)
        out[self.embedding.units] = self.embedding.owner
        return out
