"""Disjoint pairs and patterns of signs: many elements measured in one settle without a bias on each other.

Edges of one matching share no unit, so that each is a pair of its own. In patterns by colour, neighbours have different
columns of a Hadamard matrix: over all patterns, the sign of a unit is uncorrelated with that of any neighbour, and each
has as many + as −.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import hadamard

from isingeq.connectivity import Connectivity

Ints = NDArray[np.intp]
_FEWEST = 8
"""Patterns at least: columns differ by more than a sign then even where two colours do."""


def matchings(graph: Connectivity, edges: Ints) -> list[Ints]:
    """Return edges, by their numbers, in matchings: as few as units where all pairs are there, else about the degree.

    Args:
        graph: that they are edges of.
        edges: wanted.
    """
    i, j = graph.i[edges], graph.j[edges]
    units = np.unique(np.concatenate([i, j]))
    if edges.size and edges.size == units.size * (units.size - 1) // 2:
        return _round_robin(graph, units)
    found = []
    left = edges
    while left.size:
        i, j = graph.i[left], graph.j[left]
        degree = np.bincount(np.concatenate([i, j]), minlength=graph.n)
        # Units with most edges left go first: they decide on the number of matchings.
        order = np.argsort(
            -np.maximum(degree[i], degree[j]) * (graph.n + 1) - degree[i] - degree[j]
        )
        used = np.zeros(graph.n, np.bool_)
        taken = np.zeros(left.size, np.bool_)
        for at in order.tolist():
            if not (used[i[at]] or used[j[at]]):
                used[i[at]] = used[j[at]] = taken[at] = True
        found.append(left[taken])
        left = left[~taken]
    return found


def _round_robin(graph: Connectivity, units: Ints) -> list[Ints]:
    """Return all pairs of units as the rounds of a tournament: one stays, the others move on by one place."""
    players = np.append(units, -1) if units.size % 2 else units
    half, turns = players.size // 2, players.size - 1
    # In every round those that move on stand one place further.
    seats = players[1 + (np.arange(turns) - np.arange(turns)[:, None]) % turns]
    seats = np.insert(seats, 0, players[0], axis=1)
    a, b = seats[:, :half], seats[:, : half - 1 : -1]
    both = (a >= 0) & (b >= 0)
    edges = graph.find(np.minimum(a, b)[both], np.maximum(a, b)[both])
    return np.split(edges, np.cumsum(both.sum(axis=1))[:-1])


def patterns(graph: Connectivity) -> NDArray[np.int8]:
    """Return signs (b, n), b a power of two, neighbours in different columns."""
    colours = _colours(graph)
    size = max(_FEWEST, 1 << int(colours.max() + 1).bit_length())
    return hadamard(size, dtype=np.int8)[:, 1 + colours]


def _colours(graph: Connectivity) -> Ints:
    """Return a colour for every unit, neighbours apart, by first fit."""
    if graph.num_edges == graph.n * (graph.n - 1) // 2:
        return np.arange(graph.n)
    neighbours: list[list[int]] = [[] for _ in range(graph.n)]
    for i, j in zip(graph.i.tolist(), graph.j.tolist(), strict=True):
        neighbours[j].append(i)  # i < j: coloured before j is
    colours: list[int] = []
    for unit in range(graph.n):
        taken = {colours[other] for other in neighbours[unit]}
        colours.append(next(c for c in range(len(taken) + 1) if c not in taken))
    return np.array(colours, np.intp)
