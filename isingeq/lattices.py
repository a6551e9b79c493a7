"""Lattices with open ends: site = row × columns + column."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from isingeq.connectivity import Connectivity
from isingeq.errors import ConfigError

STEPS: Mapping[str, tuple[tuple[int, int], ...]] = MappingProxyType(
    {
        "square": ((0, 1), (1, 0)),
        "kings": ((0, 1), (1, -1), (1, 0), (1, 1)),
    }
)
"""By rows and by columns to those neighbours of a site that come after it."""


def lattice(kind: str, rows: int, columns: int) -> Connectivity:
    """Return a lattice: `square` with 4 neighbours, `kings` with 8.

    Raises:
        ConfigError: a lattice that is not known, or without sites.
    """
    if kind not in STEPS:
        raise ConfigError(f"no lattice is called {kind!r}; there are {', '.join(STEPS)}")
    if rows < 1 or columns < 1:
        raise ConfigError(f"a lattice of {rows} × {columns} sites is empty")
    row, column = np.divmod(np.arange(rows * columns, dtype=np.int32), columns)
    ends = []
    for down, right in STEPS[kind]:
        inside = (row + down < rows) & (column + right >= 0) & (column + right < columns)
        i = (row * columns + column)[inside]
        ends.append(np.stack([i, i + down * columns + right]))
    i, j = np.concatenate(ends, axis=1)
    order = np.lexsort((j, i))
    return Connectivity(rows * columns, i[order], j[order], kind, (rows, columns))
