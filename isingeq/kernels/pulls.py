"""Forces of convolutions within a step of `relax`.

The choice that `up` makes in every pool is that of the source as it stood then. `down` takes it as it is, unless the
source has moved since: then the pools are looked at once more. Displacements leave every choice as it is.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import DTypeLike, NDArray

from isingeq.kernels.convolve import Maps, Room, aligned, down, held, lay_out, pack, room, up
from isingeq.kernels.inner import inline
from isingeq.kernels.lanes import LANES
from isingeq.kernels.pooling import FORGET, KEEP, OBEY

SOURCE, TARGET, POOLED, BEFORE = range(4)
"""Columns of `Net.ends`: layers, 1 where `down` needs a choice, 1 where all is seen as it was before the step."""


class Work(NamedTuple):
    """Convolutions and the working memory of one thread for them.

    Attributes:
        z: panel of forces: what stays, and the convolutions.
        stale: 1 for convolutions whose source has moved since the choice was made.
        maps: the convolutions.
        room: theirs.
    """

    z: NDArray[np.floating]
    stale: NDArray[np.int64]
    maps: Maps
    room: Room


def workspace(maps: tuple[()] | Maps, units: int, dtype: DTypeLike) -> tuple[()] | Work:
    """Return the working memory for one thread, () where there are no convolutions."""
    if not isinstance(maps, Maps):
        return ()
    stale = np.ones(len(maps.table), np.int64)
    return Work(aligned(units * LANES, dtype), stale, maps, room(maps, dtype))


@cache
def nothing(dtype: np.dtype[Any]) -> Work:
    """Return what stands for the working memory where there are no convolutions."""
    maps = pack(lay_out([]), [], dtype)
    return Work(np.empty(0, dtype), np.empty(0, np.int64), maps, room(maps, dtype))


def work_type(kind: Any) -> Any:
    """Return the type of `Work`."""
    return types.NamedTuple((types.Array(kind, 1, "C"), types.int64[::1], *held(kind)), Work)


@inline
def pull(work, x, h, net, layer):  # type: ignore[no-untyped-def]
    """Sum the forces on one layer without its dense links, or on all for −1; where others are wanted, do nothing.

    A pool looked at only for its choice adds to rows not in use.

    Args:
        work: working memory, `z` changed.
        x: panel of states.
        h: panel of forces that stay.
        net: the network.
        layer: whose turn it is, −1 before the first.
    """
    ends, frozen = net.ends, net.frozen
    z, stale, maps, room = work
    if ends.shape[0] and (ends[0, BEFORE] == 1) == (layer < 0):
        for row in range(net.sizes.size):
            if layer < 0 or row == layer:
                for e in range(net.rows[row] * LANES, (net.rows[row] + net.sizes[row]) * LANES):
                    z[e] = h[e]
        for c in range(ends.shape[0]):
            source, target = ends[c, SOURCE], ends[c, TARGET]
            needed = target == layer or (layer < 0 and frozen[target] == 0)
            wanted = source == layer or (layer < 0 and frozen[source] == 0)
            if needed or (wanted and stale[c]):
                how = OBEY if net.displaced else KEEP if frozen[source] == 0 else FORGET
                up(z, x, maps, c, room, how)
                stale[c] = 0
        for c in range(ends.shape[0]):
            source = ends[c, SOURCE]
            if source == layer or (layer < 0 and frozen[source] == 0):
                down(z, x, maps, c, room)


@inline
def moved(work, net, layer):  # type: ignore[no-untyped-def]
    """After a layer has moved."""
    for c in range(net.ends.shape[0]):
        if net.ends[c, SOURCE] == layer and not net.displaced:
            work.stale[c] = net.ends[c, POOLED]


@inline
def all_moved(work, net):  # type: ignore[no-untyped-def]
    """After all layers may have moved."""
    for c in range(net.ends.shape[0]):
        work.stale[c] = 0 if net.displaced else net.ends[c, POOLED]
