"""Chips as lines that cross: what Chimera, Pegasus, Zephyr and King's graphs have in common.

A line is a run of units, each coupled to the next; every unit also crosses, and is coupled to, an interval of the lines
of the other direction. Down are the vertical units of D-Wave's graphs and across the horizontal ones (Boothby et al.
2020, arXiv:2003.00133, and 2021, D-Wave report 14-1056A). On a King's graph lines are diagonals: units with an even sum
of row and column make those that fall, the others those that rise, and on every square of four units one of each cross.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from calibration.embedding.chains import Indices
from isingeq.connectivity import Connectivity

_DOWN = (2, 10, 6)
_ACROSS = (6, 2, 10)
"""By how much units of Pegasus begin late, by fours of twelve lines: those of `pegasus_graph` as it comes."""


@dataclass(frozen=True, eq=False)
class Lines:
    """The lines of one direction.

    Attributes:
        unit: of the chip, at every place of a line (lines, places), −1 where there is none.
        low: first crossing line (lines, places).
        high: last one (lines, places).
    """

    unit: Indices
    low: Indices
    high: Indices

    def runs(self, crossing: int) -> tuple[Indices, Indices]:
        """Return between which places a line crosses all between two others, each (lines, crossing lines).

        These are the last place that begins at or before the one, and the first that ends at or after the other;
        beyond all places, or below −1, where there is none.

        Args:
            crossing: lines of the other direction.
        """
        at, places = np.arange(crossing), self.unit.shape[1]
        first = np.full((len(self.unit), crossing), places)
        last = np.full((len(self.unit), crossing), -places)
        for line, unit in enumerate(self.unit):
            known = np.flatnonzero(unit >= 0)
            begun = np.searchsorted(self.low[line, known], at, side="right") - 1
            ended = np.searchsorted(self.high[line, known], at)
            first[line, begun >= 0] = known[begun[begun >= 0]]
            last[line, ended < known.size] = known[ended[ended < known.size]]
        return first, last


def lines_of(kind: str, shape: tuple[int, ...]) -> tuple[Lines, Lines] | None:
    """Return the lines down and across of a chip; None of one that has none."""
    known: dict[str, Callable[..., tuple[Lines, Lines]]] = {
        "chimera": _chimera,
        "pegasus": _pegasus,
        "zephyr": _zephyr,
        "kings": _kings,
    }
    return known[kind](*shape) if kind in known else None


def lines_on(chip: Connectivity) -> tuple[Lines, Lines] | None:
    """Return the lines of a chip, without the units that have no coupler."""
    found = lines_of(chip.kind, chip.shape)
    if found is None or max(int(lines.unit.max()) for lines in found) >= chip.n:
        return None
    works = np.append(chip.degrees > 0, False)
    down, across = (Lines(np.where(works[k.unit], k.unit, -1), k.low, k.high) for k in found)
    return down, across


def _chimera(rows: int, columns: int, shore: int) -> tuple[Lines, Lines]:
    def lines(cells: Indices, side: int) -> Lines:  # cells (bundles, places)
        k = np.arange(shore)[:, None]
        unit = (2 * cells[:, None, :] + side) * shore + k
        low = np.broadcast_to(shore * np.arange(cells.shape[1]), unit.shape)
        flat = (-1, cells.shape[1])
        return Lines(unit.reshape(flat), low.reshape(flat), low.reshape(flat) + shore - 1)

    cells = np.arange(rows * columns).reshape(rows, columns)
    return lines(cells.T, 0), lines(cells, 1)


def _pegasus(m: int) -> tuple[Lines, Lines]:
    def lines(side: int, late: tuple[int, ...]) -> Lines:
        line, place = np.ogrid[: 12 * m, : m - 1]
        low = 12 * place + np.repeat(late, 4)[line % 12]
        return Lines((side * 12 * m + line) * (m - 1) + place, low, low + 11)

    return lines(0, _DOWN), lines(1, _ACROSS)


def _zephyr(m: int, tile: int) -> tuple[Lines, Lines]:
    """Return lines bundle by bundle; of two neighbouring bundles those that begin alike are neighbours."""

    def lines(side: int) -> Lines:
        bundle, nth, place = np.ogrid[: 2 * m + 1, : 2 * tile, :m]
        k, late = nth % tile, (nth // tile + bundle + 1) % 2
        low = 2 * tile * (2 * place + late) + 0 * (bundle + k)
        unit = (((side * (2 * m + 1) + bundle) * tile + k) * 2 + late) * m + place
        return Lines(unit.reshape(-1, m), low.reshape(-1, m), low.reshape(-1, m) + 4 * tile - 1)

    return lines(0), lines(1)


def _kings(rows: int, columns: int) -> tuple[Lines, Lines]:
    row, column = np.divmod(np.arange(rows * columns), columns)
    along, apart = row + column, row - column + columns - 1
    down = along % 2 == 0
    shift = (columns - 1) % 2  # of `apart` at units with an even sum
    return (
        _diagonals((apart[down] - shift) // 2, along[down] // 2, np.flatnonzero(down), 1),
        _diagonals(along[~down] // 2, (apart[~down] + 1 - shift) // 2, np.flatnonzero(~down), 1),
    )


def _diagonals(line: Indices, place: Indices, units: Indices, overlap: int) -> Lines:
    """Return lines of units, each of which crosses the lines numbered `place − overlap` to `place`."""
    unit = np.full((int(line.max(initial=0)) + 1, int(place.max(initial=0)) + 1), -1)
    unit[line, place] = units
    high = np.broadcast_to(np.arange(unit.shape[1]), unit.shape)
    return Lines(unit, high - overlap, high)
