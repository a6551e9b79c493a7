"""How couplings are laid out for the kernels, chosen by what a flip costs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isingeq.kernels.events import BLOCK, WORD, Bits, Entries, Rows
from isingeq.machines.graph import Graph

MOST_BYTES = 1 << 25
"""Beyond this, rows of bits no longer stay near the processor."""


@dataclass(frozen=True, eq=False)
class Representation:
    """Couplings as a kernel wants them.

    Attributes:
        name: of the form, for the provenance.
        form: couplings, in their unit.
        unit: J = unit · what the form holds.
        rest: fields (n,) when all spins are down, as `events.absorb` keeps them.
        own: what those fields lack where a spin is up, and have too much where it is down.
    """

    name: str
    form: Bits | Rows | Entries
    unit: float
    rest: NDArray[Any]
    own: float


def followed(graph: Graph) -> Representation:
    """Return the form in which a flip costs least, for fields that follow flips.

    Nanoseconds per flip, fitted on one core between 256 and 4000 spins: bits 8 + 0.003 n k, int8 rows 0.025 n, float32
    rows 0.15 n, entries 7 + 1.1 neighbours. int16 fields are taken only where no state can overflow them.
    """
    n = graph.n
    costs = {"entries": 7 + 1.1 * graph.values.size / max(1, n), "float32 rows": 0.15 * n}
    whole = graph.integers
    per, scale = 0, 1
    if whole is not None and graph.values.size:
        unit, numbers = whole
        if graph.reach.max() / unit < 32768:
            costs["int8 rows"] = 0.025 * n
        most = int(np.abs(numbers).max())
        # A sum of k times ±1 is odd or even as k is, so zeros and mixed sizes take twice as many of half the unit.
        alike = graph.density == 1 and bool(((numbers - most) % 2 == 0).all())
        scale = 1 if alike else 2
        per = scale * most
        if n * per < 32768 and per * n * n // 8 <= MOST_BYTES and per <= 127:
            costs["bits"] = 8 + 0.003 * n * per
    name = min(costs, key=lambda form: costs[form])
    if name == "bits":
        assert whole is not None
        return _bits(graph, scale * whole[1].astype(np.int16), whole[0] / scale, per)
    # Of no values at all, bincount counts in whole numbers.
    down = -np.bincount(_row_of(graph), graph.values, n).astype(np.float64)
    if name == "int8 rows":
        assert whole is not None
        rows = np.zeros((n, n), np.int8)
        rows[_row_of(graph), graph.neighbours] = whole[1]
        return Representation(
            name, Rows(rows), whole[0], np.rint(down / whole[0]).astype(np.int16), 0.0
        )
    if name == "float32 rows":
        return Representation(name, Rows(graph.dense), 1.0, down, 0.0)
    return Representation(name, entries(graph), 1.0, down, 0.0)


def entries(graph: Graph) -> Entries:
    """Return the couplings other than 0."""
    return Entries(graph.starts, graph.neighbours, graph.values)


def _row_of(graph: Graph) -> NDArray[np.intp]:
    """Return the row of every entry (2m,)."""
    return np.repeat(np.arange(graph.n), np.diff(graph.starts))


def _bits(graph: Graph, numbers: NDArray[np.int16], unit: float, per: int) -> Representation:
    """Return couplings as `per` rows of ±1 per spin: (per + number) / 2 of them are +1, none on the diagonal."""
    n, columns = graph.n, -(-graph.n // BLOCK) * BLOCK
    ups = np.full((n, n), per // 2, np.int16)
    ups[_row_of(graph), graph.neighbours] = (per + numbers) // 2
    np.fill_diagonal(ups, 0)
    words = columns // WORD
    # Rows start where cache lines do: a vector of bits is then one line.
    raw = np.zeros((n * per + 1) * words + 8, np.uint64)
    start = -(raw.ctypes.data // 8) % 8
    rows = raw[start : start + (n * per + 1) * words].reshape(-1, words)
    for r in range(per):
        bits = np.zeros((n, columns), np.bool_)
        bits[:, :n] = ups > r
        rows[r:-1:per] = np.packbits(bits, axis=1, bitorder="little").view(np.uint64)
    rest = n * per - 2 * ups.sum(axis=0, dtype=np.int64)
    return Representation("bits", Bits(rows, per), unit, rest.astype(np.int16), float(per))
