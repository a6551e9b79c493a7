"""Layouts of crossing lines: where on the chip the lines of a drawing go.

At every place of the chip the units that a drawing takes there are counted, without laying it out. From the best places
on it is laid out; lines that hit units or couplers that do not work are left out and the next ones taken. In the end
chains lose the ends that they do not need.
"""

import numpy as np

from calibration.embedding.bundle import FAR, Bundle
from calibration.embedding.chains import Embedding, Indices, Pairs, joins, parts
from calibration.embedding.choice import Choice
from calibration.embedding.drawing import Drawing
from calibration.embedding.finish import finished
from calibration.embedding.lines import Lines, lines_on
from isingeq.connectivity import Connectivity

_TRIES = 24
"""Places at which a drawing is laid out in full, as long as elements that do not work are in its way."""


def crossing(drawing: Drawing, pairs: Pairs, chip: Connectivity) -> Embedding | None:
    """Return the layout with the fewest units; None where the chip has no lines or not enough of them.

    Args:
        drawing: of the problem.
        pairs: of the problem.
        chip: its units and couplers that work.
    """
    lines = lines_on(chip)
    if lines is None:
        return None
    bundles = _bundles(lines, chip)
    for _, place, way in _tries(drawing, bundles):
        found = _laid(way, place, bundles, chip)
        if found is not None:
            return finished(found, pairs, chip, "lines")
    return None


def fewest_units(drawing: Drawing, lines: tuple[Lines, Lines] | None) -> int | None:
    """Return the units that a drawing takes along the lines of a whole chip, None where they do not suffice."""
    tries = [] if lines is None else _tries(drawing, _bundles(lines, None))
    return tries[0][0] if tries and tries[0][0] < FAR else None


def _bundles(lines: tuple[Lines, Lines], chip: Connectivity | None) -> tuple[Bundle, Bundle]:
    """Return the lines down and across of a chip as bundles across and down."""
    down, across = lines
    return Bundle.of(across, len(down.unit), chip), Bundle.of(down, len(across.unit), chip)


def _tries(
    drawing: Drawing, bundles: tuple[Bundle, Bundle]
) -> list[tuple[int, tuple[int, int], Drawing]]:
    """Return the best places, units counted and first line across and down, both ways round, best first."""
    tries = [
        (count, place, way)
        for way in (drawing, drawing.turned)
        for count, place in _places(way, *bundles)
    ]
    return sorted(tries, key=lambda one: one[:2])[:_TRIES]


def _places(drawing: Drawing, across: Bundle, down: Bundle) -> list[tuple[int, tuple[int, int]]]:
    """Return the best places, units counted and first line across and down, for a drawing."""
    rows, columns = _windows(drawing, across, down), _windows(drawing.turned, down, across)
    if rows is None or columns is None:
        return []
    counts = rows + columns.T
    best = np.argsort(counts, axis=None, kind="stable")[:_TRIES]
    y, x = np.unravel_index(best, counts.shape)
    return list(
        zip(counts.ravel()[best].tolist(), zip(y.tolist(), x.tolist(), strict=True), strict=True)
    )


def _windows(drawing: Drawing, own: Bundle, other: Bundle) -> Indices | None:
    """Return the units of all lines of one direction, for every first own and other line; None for too few lines."""
    (p, q), lines, crossing = drawing.needs.shape, own.unit.shape[0], other.unit.shape[0]
    if p > lines or q > crossing:
        return None
    counts = np.zeros((lines - p + 1, crossing - q + 1), np.intp)
    line, start = np.ogrid[:lines, : crossing - q + 1]
    low, high = drawing.spans
    ends = np.flatnonzero(np.append((np.diff(low) != 0) | (np.diff(high) != 0), True)) + 1
    for first, stop in zip([0, *ends[:-1]], ends, strict=True):
        per_line = own.count(line, start + low[first], start + high[first])
        sums = np.concatenate([np.zeros_like(per_line[:1]), np.cumsum(per_line, axis=0)])
        counts += sums[stop : stop + lines - p + 1] - sums[first : first + lines - p + 1]
    return counts


def _laid(
    drawing: Drawing, place: tuple[int, int], bundles: tuple[Bundle, Bundle], chip: Connectivity
) -> list[list[int]] | None:
    """Return chains for a drawing whose first lines are at a place, None where not enough lines work."""
    p, q = drawing.needs.shape
    i, j = np.nonzero(drawing.needs)
    wanted = Pairs(p + q, i, j + p)
    choice = Choice.at(drawing, bundles, place)
    while True:
        runs = choice.runs()
        wrong = _wrong(Embedding.of(runs, "lines"), wanted, chip)
        if not wrong.any():
            return _chains(drawing, runs)
        further = choice.without(int(np.argmax(wrong)))
        if further is None:
            return None
        choice = further


def _wrong(runs: Embedding, wanted: Pairs, chip: Connectivity) -> Indices:
    """Return how many crossings every line misses, more than all where it is not whole."""
    missing = joins(chip, runs, wanted) == 0
    ends = np.concatenate([wanted.i[missing], wanted.j[missing]])
    return np.bincount(ends, minlength=runs.n) + FAR * (parts(chip, runs) != 1)


def _chains(drawing: Drawing, runs: list[list[int]]) -> list[list[int]]:
    """Return the chain of every unit of the problem, of one run or two."""
    owners = [*drawing.across.tolist(), *drawing.down.tolist()]
    chains: list[list[int]] = [[] for _ in range(max(owners) + 1)]
    for unit, run in zip(owners, runs, strict=True):
        chains[unit] += run
    return chains
