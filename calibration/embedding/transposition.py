"""Complete graphs on King's graphs: lines that run down a square and change places, until each has met every other.

Odd-even transposition turns n columns round in n rows: neighbours change places, at even and odd columns in turn, and
every two stand side by side once. On a King's graph they change places along the diagonals.
"""

import numpy as np

from calibration.embedding.chains import Embedding, Indices, Pairs, joins, parts
from calibration.embedding.finish import finished
from isingeq.connectivity import Connectivity

_TRIES = 24
"""Squares without a dead unit that are tried, as long as dead couplers are in the way."""


def transposition(pairs: Pairs, chip: Connectivity) -> Embedding | None:
    """Return a layout of any problem as a complete one; None where no square of the chip holds it."""
    units = np.flatnonzero(pairs.degrees)
    n, (rows, columns) = units.size, chip.shape
    if n > min(rows, columns):
        return None
    order = turned_round(n)
    cells = np.arange(rows * columns).reshape(rows, columns)
    dead = np.zeros((rows + 1, columns + 1), np.intp)
    dead[1:, 1:] = np.cumsum(np.cumsum((chip.degrees == 0).reshape(rows, columns), axis=0), axis=1)
    within = dead[n:, n:] - dead[:-n, n:] - dead[n:, :-n] + dead[:-n, :-n]
    for top, left in np.argwhere(within == 0)[:_TRIES]:
        square = cells[top : top + n, left : left + n]
        chains: list[list[int]] = [[] for _ in range(pairs.n)]
        for row, who in zip(square, order, strict=True):
            for unit, place in zip(row.tolist(), units[who].tolist(), strict=True):
                chains[place].append(unit)
        laid = Embedding.of(chains, "transposition")
        if (joins(chip, laid, pairs) > 0).all() and (parts(chip, laid) <= 1).all():
            return finished(chains, pairs, chip, "transposition")
    return None


def turned_round(n: int) -> Indices:
    """Return which line stands in every column of every row (n, n)."""
    order = np.tile(np.arange(n), (n, 1))
    for row in range(1, n):
        order[row] = order[row - 1]
        first = np.arange((row - 1) % 2, n - 1, 2)
        order[row, first], order[row, first + 1] = order[row - 1, first + 1], order[row - 1, first]
    return order
