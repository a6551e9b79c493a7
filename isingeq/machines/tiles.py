"""Replicas of a machine side by side in lanes: how many to a tile, and couplings in the form that suits them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from isingeq.kernels.gaussian import streams
from isingeq.kernels.lanes import LANES
from isingeq.kernels.replicas import MIDDLE, NARROW, WIDE, Bonds
from isingeq.machines.graph import Graph

CROWDED = 0.35
"""Share of all pairs that are coupled above which a whole matrix is faster than its entries (measured: they meet
near 0.4 for 500 spins and between 0.3 and 0.4 for 2000)."""


def bonds_of(graph: Graph, dtype: DTypeLike) -> tuple[str, Bonds]:
    """Return the name of the form chosen, and the couplings in it."""
    if graph.density < CROWDED:
        return "sparse", Bonds(
            graph.starts, graph.neighbours, graph.values.astype(dtype, copy=False)
        )
    rows = np.arange(graph.n + 1, dtype=np.int64) * graph.n
    matrix = graph.dense.reshape(-1).astype(dtype, copy=False)
    return "dense", Bonds(rows, np.zeros(0, np.int32), matrix)


@dataclass(frozen=True)
class Lanes:
    """A run of replicas that share a tile.

    Attributes:
        samples: of the replicas, those beyond the last repeat it (lanes,).
        reads: likewise.
        count: lanes that are wanted.
    """

    samples: NDArray[np.int64]
    reads: NDArray[np.int64]
    count: int

    @property
    def width(self) -> int:
        """Number of lanes."""
        return self.samples.size

    def keys(self, seed: int) -> NDArray[np.uint64]:
        """Return the keys of the lanes' random numbers (lanes,)."""
        return streams(np.uint64(seed), self.samples, self.reads)


def tiles(samples: NDArray[np.int64], reads: int, threads: int) -> list[Lanes]:
    """Return the replicas of samples (k,) in order as tiles.

    The widest of which every thread gets one come first, narrower ones last; no tile stands half empty but the last.
    No result depends on the choice.
    """
    total, out, first = samples.size * reads, [], 0
    widths = [vectors * LANES for vectors in (WIDE, MIDDLE, NARROW)]
    widths = [width for width in widths if total >= width * threads] or widths[-1:]
    while first < total:
        width = next((width for width in widths if total - first > width // 2), widths[-1])
        places = np.minimum(np.arange(first, first + width), total - 1)
        out.append(Lanes(samples[places // reads], places % reads, min(width, total - first)))
        first += width
    return out


def aligned(size: int, dtype: DTypeLike) -> NDArray[np.floating]:
    """Return an empty array that starts on a cache line: a vector that straddles two takes two loads."""
    kind = np.dtype(dtype)
    raw = np.empty(size * kind.itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size * kind.itemsize].view(kind)
