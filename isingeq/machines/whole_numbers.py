"""Couplings and fields as whole numbers: sums of them come out the same in any order, on any lane."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isingeq.machines.graph import Graph

Whole = NDArray[np.signedinteger]

_TOP = 30
"""Bits that the largest field may take: int32 holds twice as much, so rounding cannot overflow it."""

_ROOM = 16.0
"""Largest field over largest sum of couplings up to which all samples of a batch share a unit."""

_INTEGER = 1e-6
"""Distance from a whole number, in units, that float32 couplings leave."""


@dataclass(frozen=True, eq=False)
class WholeNumbers:
    """Some samples of a task, counted in one unit.

    Attributes:
        unit: energy of one count.
        exact: couplings and fields are multiples of the unit; otherwise rounded to it, a power of two.
        samples: which of the task (g,).
        values: couplings along the graph (2m,), of the smallest type that holds every field a spin can feel.
        h: fields (g, n), of the same type.
    """

    unit: float
    exact: bool
    samples: NDArray[np.int64]
    values: Whole
    h: Whole

    @property
    def representation(self) -> str:
        """Type, and how couplings came to it."""
        return f"{self.h.dtype.name} {'exact' if self.exact else 'fixed point'}"


def whole_numbers(graph: Graph, h: NDArray[np.float64]) -> list[WholeNumbers]:
    """Write couplings and fields (b, n) in whole numbers, sample by sample in the coarsest of two units.

    Where everything is a multiple of one number, that is the unit. Otherwise it is 2^-30 of the largest field that any
    spin can feel, or of 16 times what couplings alone make, rounded up to a power of two: finer than float32 sums. The
    unit of a sample does not depend on the others, so a batch may be split anywhere.
    """
    felt = np.abs(h)
    felt += graph.reach
    most = felt.max(axis=1, initial=0.0)
    top = np.maximum(most, _ROOM * graph.reach.max(initial=0.0))
    units = np.exp2(np.ceil(np.log2(np.where(top > 0, top, 1.0))) - _TOP)
    exact = np.zeros(len(h), np.bool_)
    whole = np.zeros(0, np.int8)
    if graph.integers is not None:
        unit, whole = graph.integers
        gap = np.abs(h / unit - np.rint(h / unit)).max(axis=1, initial=0.0)
        exact = (gap < _INTEGER) & (most / unit < 2**_TOP)
        units[exact] = unit
    parts = []
    for unit, given in sorted(set(zip(units.tolist(), exact.tolist(), strict=True))):
        chosen = np.flatnonzero((units == unit) & (exact == given))
        dtype = _smallest(float(most[chosen].max()) / unit)
        values = whole if given else np.rint(graph.values.astype(np.float64) / unit)
        fields = h[chosen]
        fields /= unit
        np.rint(fields, out=fields)
        parts.append(WholeNumbers(unit, given, chosen, values.astype(dtype), fields.astype(dtype)))
    return parts


def _smallest(field: float) -> type[np.signedinteger]:
    """Return the smallest type for fields of that size, in units."""
    for kind in (np.int8, np.int16):
        if np.rint(field) <= np.iinfo(kind).max:
            return kind
    return np.int32
