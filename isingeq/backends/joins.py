"""Joins: couplings of any pairwise kind as full matrices between whole layers, one per direction."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isingeq.couplings import Convolution, Coupling, Dense
from isingeq.errors import CapabilityError
from isingeq.problem import Problem

Floats = NDArray[np.floating]
Places = tuple[NDArray[np.integer], NDArray[np.integer], NDArray[np.integer]]


@dataclass(frozen=True, slots=True, eq=False)
class Join:
    """What one coupling sends from the units of a layer into those of another, or of the same one.

    Attributes:
        target: layer that the forces act on.
        source: layer that they come from.
        number: of the coupling.
        turned: a dense matrix J (p, q) is wanted the other way round, (q, p).
        edges: of the coupling that lie here, and the row and the column of each; None for a dense matrix.
    """

    target: int
    source: int
    number: int
    turned: bool = False
    edges: Places | None = None

    def forces(self, coupling: Coupling, shape: tuple[int, int], dtype: type) -> Floats:
        """Return the forces as a matrix (units of the target, units of the source): couplings with the sign turned."""
        if isinstance(coupling, Dense) and self.edges is None:
            return np.negative(coupling.J.T if self.turned else coupling.J, dtype=dtype)
        assert self.edges is not None
        chosen, rows, columns = self.edges
        values = -coupling.edges()[2][chosen]
        matrix: Floats = np.zeros(shape, dtype)
        np.add.at(matrix, (rows, columns), values.astype(dtype))
        if self.target == self.source:
            np.add.at(matrix, (columns, rows), values.astype(dtype))
        return matrix


def joins(problem: Problem) -> Iterator[Join]:
    """Yield the joins of all couplings that are no convolutions of whole layers."""
    for number, coupling in enumerate(problem.couplings):
        if not _slides(coupling, problem):
            yield from _joins(problem, number)


def convolutions(problem: Problem) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    """Return the numbers of the convolutions of whole layers into whole layers, and (source, target) of each."""
    numbers = tuple(c for c, k in enumerate(problem.couplings) if _slides(k, problem))
    slid: list[Any] = [problem.couplings[c] for c in numbers]
    return numbers, [(problem.spans.index(k.a), problem.spans.index(k.b)) for k in slid]


def inside_layers(problem: Problem) -> bool:
    """Return whether any unit is coupled with another of its own layer, so that all cannot step on newest values."""
    return any(join.target == join.source for join in joins(problem))


def _slides(coupling: Coupling, problem: Problem) -> bool:
    """Return whether a coupling is a convolution of whole layers.

    Raises:
        CapabilityError: it is one with pooling, of parts of layers.
    """
    if not isinstance(coupling, Convolution):
        return False
    whole = coupling.a in problem.spans and coupling.b in problem.spans
    if not (whole or coupling.pairwise):
        raise CapabilityError(
            f"a convolution with {coupling.window.pooling} pooling joins units {coupling.a} with {coupling.b}, which "
            "are not whole layers: split the layers there"
        )
    return whole


def _joins(problem: Problem, number: int) -> Iterator[Join]:
    """Yield the joins of one pairwise coupling: of a dense one between whole layers as it is, else edge by edge."""
    coupling, spans = problem.couplings[number], problem.spans
    if isinstance(coupling, Dense) and coupling.a in spans and coupling.b in spans:
        a, b = spans.index(coupling.a), spans.index(coupling.b)
        yield Join(a, b, number)
        yield Join(b, a, number, turned=True)
        return
    i, j, _ = coupling.edges()
    first = np.array([start for start, _ in spans])
    above, below = (np.searchsorted(first, ends, side="right") - 1 for ends in (i, j))
    pairs = above * len(spans) + below
    for pair in np.unique(pairs):
        chosen = np.flatnonzero(pairs == pair)
        a, b = divmod(int(pair), len(spans))
        rows, columns = i[chosen] - first[a], j[chosen] - first[b]
        yield Join(a, b, number, edges=(chosen, rows, columns))
        if a != b:
            yield Join(b, a, number, edges=(chosen, columns, rows))
