"""Convolutions with pooling and their transposes, on panels of sample lanes.

    up      z[target] += P(W * x[source])
    down    z[source] += Wᵀ * (x[target] spread over its pool by the choice that `up` kept)

`couplings.window` has the geometry. A mean over a pool is folded into a larger window with a larger stride. Windows
that minimal filtering suits go through `winograd`, the others through `sliding`.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import from_dtype, types
from numpy.typing import DTypeLike, NDArray

from isingeq.couplings.window import Window
from isingeq.kernels import sliding, winograd
from isingeq.kernels.addresses import address, caller
from isingeq.kernels.inner import inline
from isingeq.kernels.lanes import LANES
from isingeq.kernels.pooling import OBEY
from isingeq.kernels.products import FOUR
from isingeq.kernels.winograd import BLOCK, TILES, matrices, span

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


class Map(NamedTuple):
    """One convolution.

    Attributes:
        sharpness: of soft pooling, or 0.
        source: first row of the source in a panel.
        target: first row of the target.
        height: rows of the source.
        width: columns of the source.
        channels: of the source.
        rows: of the target.
        columns: of the target.
        outputs: channels of the target.
        kernel: rows and columns of the window.
        stride: of the window.
        padding: zeros around the source.
        pool: rows and columns of a pool.
        folds: rows and columns of the pool whose mean is folded into the window.
        tile: of minimal filtering, or 0.
        framed: 1 where the source is copied into a frame of zeros.
        frame_rows: of the source with its frame.
        frame_columns: of it.
        up: first weight.
        down: first weight of the transpose.
        choice: first row of the choices.
        share: first row of the shares.
    """

    sharpness: float
    source: int
    target: int
    height: int
    width: int
    channels: int
    rows: int
    columns: int
    outputs: int
    kernel: int
    stride: int
    padding: int
    pool: int
    folds: int
    tile: int
    framed: int
    frame_rows: int
    frame_columns: int
    up: int
    down: int
    choice: int
    share: int


ROW = np.dtype([(name, np.float64 if name == "sharpness" else np.int64) for name in Map._fields])
"""A `Map` as kernels see it: they read its numbers where they stand."""


class Maps(NamedTuple):
    """Convolutions as arrays.

    Attributes:
        table: of `ROW`, a row per convolution.
        weights: flat, packed for both directions.
    """

    table: NDArray[np.void]
    weights: Floats


class Room(NamedTuple):
    """Working memory of one thread, in rows of lanes.

    Attributes:
        ways: addresses of the ways up and down of every convolution.
        choices: which place of its pool was the largest, for every unit of every target.
        shares: of every place in a soft maximum.
        image: a source with its frame, or a target spread over its pools.
        before: numbers of four tiles that weights multiply.
        after: the products.
        sums: of a tile or a pool.
        scratch: of a transform.
    """

    ways: Ints
    choices: NDArray[np.int8]
    shares: Floats
    image: Floats
    before: Floats
    after: Floats
    sums: Floats
    scratch: Floats


def _groups(channels: int) -> int:
    return -(-channels // FOUR)


def minimal_tile(seen: Window) -> int:
    """Return the tile of minimal filtering that needs fewest products, or 0 where the plain sum does."""
    rows, columns, o = seen.swept
    c = seen.source[2]
    best, least = 0, float(rows * columns * seen.kernel**2 * c * o)
    for tile, kernel in TILES:
        if kernel != seen.kernel or seen.stride > 1 or tile % seen.pool:
            continue
        numbers = (tile + kernel - 1) ** 2
        tiles = -(-rows // tile) * -(-columns // tile)
        cost = numbers * (_groups(tiles) * FOUR * c * o + 8.0 * tiles * (c + o))
        if cost < least:
            best, least = tile, cost
    return best


def lay_out(places: Sequence[tuple[Window, int, int]]) -> Maps:
    """Return convolutions without weights, from windows with the first rows of their sources and targets."""
    table, at, choice, share = [], 0, 0, 0
    for window, source, target in places:
        seen = window.folded if window.linear else window
        soft = seen.pool > 1 and seen.pooling == "soft"
        tile = minimal_tile(seen)
        height, width, c = seen.source
        numbers = (tile + seen.kernel - 1) ** 2 if tile else seen.kernel**2
        frame = [height + 2 * seen.padding, width + 2 * seen.padding]
        if tile:
            frame = [-(-size // tile) * tile + seen.kernel - 1 for size in seen.swept[:2]]
        down = at + numbers * c * _groups(seen.channels) * FOUR
        m = Map(
            seen.sharpness if soft else 0.0, source, target, *seen.source, *seen.target,
            seen.kernel, seen.stride, seen.padding, seen.pool, window.pool if window.linear else 1,
            tile, int(frame != [height, width]), frame[0], frame[1], at, down,
            choice, share,
        )  # fmt: skip
        table.append(tuple(m))
        at = down + numbers * seen.channels * _groups(c) * FOUR
        units = m.rows * m.columns * m.outputs
        if soft:
            share += units * m.pool**2
        elif m.pool > 1:
            choice += units
    return Maps(np.array(table, ROW), np.empty(0))


def _maps(maps: Maps) -> list[Map]:
    return [Map(*row) for row in maps.table.tolist()]


def pack(maps: Maps, weights: Sequence[Floats], dtype: DTypeLike) -> Maps:
    """Return the convolutions with weights (k, k, c, o) as forces."""
    known = [(m, np.asarray(w, dtype)) for m, w in zip(_maps(maps), weights, strict=True)]
    parts = [part for m, w in known for part in (_minimal(m, w) if m.tile else _plain(m, w))]
    return maps._replace(weights=np.concatenate([*parts, np.empty(0, dtype)]))


def _minimal(m: Map, w: Floats) -> Iterator[Floats]:
    """Yield G w Gᵀ, flat, for the way up and for the way down."""
    change = matrices(m.tile, m.kernel).weights
    both = np.kron(change, change).astype(w.dtype)
    for ordered in (w, w.swapaxes(2, 3)):
        yield (both @ _by_group(ordered.reshape(m.kernel**2, *ordered.shape[2:]))).ravel()


def _plain(m: Map, w: Floats) -> Iterator[Floats]:
    """Yield weights, flat, for the way up and for each way that a place can lie on the stride on the way down."""
    if m.folds > 1:
        narrow, stride, k = w / m.folds**2, m.stride // m.folds, len(w)
        w = np.zeros((m.kernel, m.kernel, *w.shape[2:]), w.dtype)
        for y in range(0, m.stride, stride):
            for x in range(0, m.stride, stride):
                w[y : y + k, x : x + k] += narrow
    yield _by_group(w.reshape(1, -1, m.outputs)).ravel()
    turned = w.swapaxes(2, 3)
    for y in range(min(m.stride, m.kernel)):
        for x in range(min(m.stride, m.kernel)):
            part = turned[y :: m.stride, x :: m.stride][::-1, ::-1]
            yield _by_group(part.reshape(1, -1, m.channels)).ravel()


def _by_group(u: Floats) -> Floats:
    """Return (f, k, j) as (f, numbers in order of group of four j, k, place in the group)."""
    f, k, j = u.shape
    full = np.zeros((f, _groups(j), k, FOUR), u.dtype)
    whole = j // FOUR
    full[:, :whole] = u[:, :, : whole * FOUR].reshape(f, k, whole, FOUR).swapaxes(1, 2)
    if j % FOUR:
        full[:, whole, :, : j % FOUR] = u[:, :, whole * FOUR :]
    return full.reshape(f, -1)


def aligned(size: int, kind: DTypeLike) -> Floats:
    """Return zeros that start at a multiple of 64 bytes: rows that lie across two lines of the cache cost double."""
    wide = np.zeros(size + 64, kind)
    first = -(wide.ctypes.data // wide.itemsize) % 64
    return wide[first : first + size]


def room(maps: Maps, dtype: DTypeLike) -> Room:
    """Return working memory for one thread."""
    choices, shares, image, before, after, sums, scratch = 1, 0, 0, 0, 0, 0, 0
    spare = 0
    for m in _maps(maps):
        units = m.rows * m.columns * m.outputs
        if m.sharpness:
            shares, spare = shares + units * m.pool**2, max(spare, m.pool**2)
        elif m.pool > 1:
            choices += units
        image = max(image, m.framed * m.frame_rows * m.frame_columns * m.channels)
        sums = max(sums, -(-(m.pool**2) // FOUR) * FOUR * FOUR)
        if m.tile:
            n = m.tile + m.kernel - 1
            before = max(before, n * n * span(max(m.channels, m.outputs)))
            after = max(after, n * n * span(BLOCK * FOUR))
            scratch, sums = max(scratch, n * n), max(sums, m.tile**2)
        else:
            reach = (m.kernel - 1) // m.stride + 1
            spread = [(size - 1 + m.padding) // m.stride + reach for size in (m.height, m.width)]
            image = max(image, spread[0] * spread[1] * m.outputs)
    return Room(
        _ways(maps, dtype),
        np.zeros(choices * LANES, np.int8),
        *(
            aligned(rows * LANES, dtype)
            for rows in (shares + spare, image, before, after, sums, scratch)
        ),
    )


def held(kind: Any) -> tuple[Any, Any]:
    """Return the types of `Maps` and `Room`."""
    floats, rows = types.Array(kind, 1, "C"), types.Array(from_dtype(ROW), 1, "C")
    return (
        types.NamedTuple((rows, floats), Maps),
        types.NamedTuple((types.int64[:, ::1], types.int8[::1], *[floats] * 6), Room),
    )


def _arguments(kind: Any) -> tuple[Any, ...]:
    """Return the types of what both ways take."""
    floats = types.Array(kind, 1, "C")
    return floats, floats, from_dtype(ROW), floats, held(kind)[1], types.int64


_call = caller(_arguments)


def _ways(maps: Maps, dtype: DTypeLike) -> Ints:
    """Return addresses (num, 2), for which no more is compiled than these convolutions need."""
    kinds = [winograd if m.tile else sliding for m in _maps(maps)]
    rows = [[address(way, _arguments, dtype) for way in (k.up, k.down)] for k in kinds]
    return np.array(rows, np.int64).reshape(-1, 2)


@inline
def up(z, x, maps, number, room, how):  # type: ignore[no-untyped-def]
    """Add the pooled convolution of a source to its target.

    Args:
        z: panel of forces, changed.
        x: panel of states.
        maps: the convolutions.
        number: which of them.
        room: working memory; holds the choice of every pool afterwards.
        how: FORGET, KEEP or OBEY; see `pooling`.
    """
    _call(room.ways[number, 0], z, x, maps.table[number], maps.weights, room, how)


@inline
def down(z, x, maps, number, room):  # type: ignore[no-untyped-def]
    """Add the transposed convolution of a target, spread over its pools, to its source; see `up`."""
    _call(room.ways[number, 1], z, x, maps.table[number], maps.weights, room, OBEY)
