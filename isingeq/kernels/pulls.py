"""Forces of convolutions within a step of `relax`; for networks without any, all of this compiles to nothing.

The choice that `up` makes in every pool is that of the source as it stood then. `down` takes it as it is, unless the
source has moved since: then the pools are looked at once more.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import DTypeLike, NDArray

from isingeq.kernels.convolve import Maps, Room, down, room, up
from isingeq.kernels.inner import copy, inner
from isingeq.kernels.lanes import LANES

SOURCE, TARGET, POOLED, BEFORE = range(4)
"""Columns of `Net.ends`: layers, 1 where `down` needs a choice, 1 where all is seen as it was before the step."""


class Work(NamedTuple):
    """Working memory of one thread.

    Attributes:
        z: panel of forces: what stays, and the convolutions.
        stale: 1 for convolutions whose source has moved since the choice was made.
        room: of the convolutions.
    """

    z: NDArray[np.floating]
    stale: NDArray[np.int64]
    room: Room


def workspace(maps: tuple[()] | Maps, units: int, dtype: DTypeLike) -> tuple[()] | Work:
    """Return the working memory for one thread, () where there are no convolutions."""
    if not isinstance(maps, Maps):
        return ()
    return Work(
        np.empty(units * LANES, dtype), np.ones(len(maps.table), np.int64), room(maps, dtype)
    )


@inner(cache=True)
def _sum(work, x, h, net, layer):  # type: ignore[no-untyped-def]
    """Sum the forces on one layer, or on all for −1; a pool looked at only for its choice adds to rows not in use.

    One call of `up` and one of `down` for all cases: every further one is compiled once more.
    """
    for row in range(net.sizes.size):
        if layer < 0 or row == layer:
            first, last = net.rows[row] * LANES, (net.rows[row] + net.sizes[row]) * LANES
            copy(work.z[first:last], h[first:last])
    for c in range(net.ends.shape[0]):
        source, target = net.ends[c, SOURCE], net.ends[c, TARGET]
        needed = target == layer or (layer < 0 and net.frozen[target] == 0)
        wanted = source == layer or (layer < 0 and net.frozen[source] == 0)
        if needed or (wanted and work.stale[c]):
            up(work.z, x, net.maps, c, work.room, net.frozen[source] == 0)
            work.stale[c] = 0
    for c in range(net.ends.shape[0]):
        source = net.ends[c, SOURCE]
        if source == layer or (layer < 0 and net.frozen[source] == 0):
            down(work.z, x, net.maps, c, work.room)


@inner
def _see(work, x, h, net):  # type: ignore[no-untyped-def]
    if net.ends[0, BEFORE]:
        _sum(work, x, h, net, -1)


@inner
def _pull(work, x, h, net, layer):  # type: ignore[no-untyped-def]
    if net.ends[0, BEFORE] == 0:
        _sum(work, x, h, net, layer)
    return work.z


@inner
def _moved(work, net, layer):  # type: ignore[no-untyped-def]
    for c in range(net.ends.shape[0]):
        if net.ends[c, SOURCE] == layer:
            work.stale[c] = net.ends[c, POOLED]


@inner
def _all_moved(work, net):  # type: ignore[no-untyped-def]
    for c in range(net.ends.shape[0]):
        work.stale[c] = net.ends[c, POOLED]


def see(work: Any, x: Any, h: Any, net: Any) -> None:
    """Before a step: sum the forces that are to be those of the states as they are now.

    Args:
        work: working memory.
        x: panel of states.
        h: panel of forces that stay.
        net: the network.
    """


def pull(work: Any, x: Any, h: Any, net: Any, layer: Any) -> Any:
    """Return the panel of forces on one layer without its dense links; see `see`."""


def moved(work: Any, net: Any, layer: Any) -> None:
    """After a layer has moved."""


def all_moved(work: Any, net: Any) -> None:
    """After all layers may have moved."""


@overload(see)
def _(work, x, h, net):  # type: ignore[no-untyped-def]
    if isinstance(work, types.BaseNamedTuple):
        return lambda work, x, h, net: _see(work, x, h, net)
    return lambda work, x, h, net: None


@overload(pull)
def _(work, x, h, net, layer):  # type: ignore[no-untyped-def]
    if isinstance(work, types.BaseNamedTuple):
        return lambda work, x, h, net, layer: _pull(work, x, h, net, layer)
    return lambda work, x, h, net, layer: h


@overload(moved)
def _(work, net, layer):  # type: ignore[no-untyped-def]
    if isinstance(work, types.BaseNamedTuple):
        return lambda work, net, layer: _moved(work, net, layer)
    return lambda work, net, layer: None


@overload(all_moved)
def _(work, net):  # type: ignore[no-untyped-def]
    if isinstance(work, types.BaseNamedTuple):
        return lambda work, net: _all_moved(work, net)
    return lambda work, net: None
