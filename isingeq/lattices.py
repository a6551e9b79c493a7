"""Lattices with open ends, what is added to them, and windows: graphs whose sites have a place.

    site = (sheet × rows + row) × columns + column

| graph                        | pairs that are coupled                                                      |
|------------------------------|-----------------------------------------------------------------------------|
| `lattice` square, kings      | the 4 next sites, or those and the 4 across corners                           |
| `lattice` complete           | all: what a sparse graph of as many couplings is compared with               |
| `with_leaps`                 | sites so many steps apart along a row or a column, too                       |
| `with_shortcuts`             | pairs drawn at random, too (small world, Newman & Watts 1999)                |
| `stacked`                    | copies of a graph, every site with a square of sites in the next copy         |
| `windowed`                   | every place of an image with the square of the image before that lies under it |
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from isingeq.connectivity import Connectivity
from isingeq.couplings import Window
from isingeq.errors import ConfigError

Indices = NDArray[np.integer]

STEPS: Mapping[str, tuple[tuple[int, int], ...]] = MappingProxyType(
    {
        "square": ((0, 1), (1, 0)),
        "kings": ((0, 1), (1, -1), (1, 0), (1, 1)),
    }
)
"""By rows and by columns to those neighbours of a site that come after it."""


def lattice(kind: str, rows: int, columns: int) -> Connectivity:
    """Return a lattice: `square` with 4 neighbours, `kings` with 8, `complete` with all other sites.

    Raises:
        ConfigError: a lattice that is not known, or without sites.
    """
    if kind not in (*STEPS, "complete"):
        raise ConfigError(f"no lattice is called {kind!r}; there are {', '.join(STEPS)}, complete")
    if rows < 1 or columns < 1:
        raise ConfigError(f"a lattice of {rows} × {columns} sites is empty")
    if kind == "complete":
        i, j = np.triu_indices(rows * columns, 1)
        return Connectivity(rows * columns, i, j, kind, (rows, columns))
    ends = [_apart(rows, columns, *step) for step in STEPS[kind]]
    return _graph(rows * columns, ends, kind, (rows, columns))


def with_leaps(graph: Connectivity, leaps: Sequence[int]) -> Connectivity:
    """Return a lattice that couples sites so many steps apart along a row or a column as well.

    Raises:
        ConfigError: a leap of less than 2 steps, or one that leaves the lattice.
    """
    rows, columns = graph.shape
    for leap in leaps:
        if not 2 <= leap < max(rows, columns):
            raise ConfigError(
                f"a leap of {leap} does not fit a lattice of {rows} × {columns} sites: take 2 to "
                f"{max(rows, columns) - 1}"
            )
    ends = [_apart(rows, columns, *step) for leap in leaps for step in ((0, leap), (leap, 0))]
    return _graph(graph.n, [np.stack([graph.i, graph.j]), *ends], "edges", graph.shape)


def with_shortcuts(graph: Connectivity, number: int, seed: int) -> Connectivity:
    """Return a graph with `number` more pairs, drawn from those that it does not couple.

    Raises:
        ConfigError: fewer pairs are left.
    """
    every = np.stack(np.triu_indices(graph.n, 1))
    left = every[:, graph.find(*every) < 0]
    if number > left.shape[1]:
        raise ConfigError(
            f"{number} shortcuts are asked for, {left.shape[1]} pairs are left: lower their number"
        )
    drawn = np.random.default_rng([seed, 4]).choice(left.shape[1], number, replace=False)
    ends = [np.stack([graph.i, graph.j]), left[:, drawn]]
    return _graph(graph.n, ends, "edges", graph.shape)


def stacked(graph: Connectivity, sheets: int, kernel: int) -> Connectivity:
    """Return `sheets` copies of a lattice, each site coupled with kernel × kernel sites of the next copy.

    Raises:
        ConfigError: a kernel that is even, so that it has no middle, or no sheets.
    """
    rows, columns = graph.shape
    if kernel % 2 == 0 or sheets < 1:
        raise ConfigError(
            f"{sheets} sheets linked by windows of {kernel} × {kernel}: take at least 1 sheet and an odd window"
        )
    inside = [np.stack([graph.i, graph.j]) + sheet * graph.n for sheet in range(sheets)]
    around = range(-(kernel // 2), kernel // 2 + 1)
    between = np.concatenate(
        [_apart(rows, columns, down, right) for down in around for right in around], axis=1
    )
    up = [between + np.array([[s], [s + 1]]) * graph.n for s in range(sheets - 1)]
    return _graph(sheets * graph.n, [*inside, *up], "edges", (sheets, rows, columns))


def windowed(window: Window) -> tuple[Indices, Indices]:
    """Return the pairs (m,) of source and result that windows without shared weights couple, result by result.

    Raises:
        ConfigError: a window that pools.
    """
    if window.pool > 1:
        raise ConfigError(
            "windows without shared weights have no pools: set pool to 1, and the stride instead"
        )
    height, width, depth = window.source
    at = np.indices(window.target).reshape(3, -1, 1)
    under = np.indices((window.kernel, window.kernel, depth)).reshape(3, 1, -1)
    row, column = (at[k] * window.stride + under[k] - window.padding for k in (0, 1))
    result, kept = np.broadcast_arrays(
        np.arange(at.shape[1])[:, None],
        (row >= 0) & (row < height) & (column >= 0) & (column < width),
    )
    source = (row * width + column) * depth + under[2]
    return source[kept], result[kept]


def _apart(rows: int, columns: int, down: int, right: int) -> Indices:
    """Return the pairs (2, m) of sites that are so many rows and columns apart."""
    row, column = np.divmod(np.arange(rows * columns, dtype=np.int32), columns)
    inside = (row + down >= 0) & (row + down < rows)
    inside &= (column + right >= 0) & (column + right < columns)
    i = (row * columns + column)[inside]
    return np.stack([i, i + down * columns + right])


def _graph(n: int, ends: Sequence[Indices], kind: str, shape: tuple[int, ...]) -> Connectivity:
    """Return the graph of pairs (2, m) with i < j, each once and in canonical order."""
    i, j = np.unique(np.concatenate(ends, axis=1), axis=1)
    return Connectivity(n, i, j, kind, shape)
