"""Windows over batches of images outside a settle: sums, their largest, and the transposes of both.

    y, choice = P(W ∗ a)        sums_pooled       the largest of every pool, and which it was
    y = choice of W ∗ a         chosen_sums       the sums that a choice names
    a' = Wᵀ ∗ spread(y')        back_pooled
    W' = a ⋆ spread(y')         correlate_pooled

Where the largest is taken, one sum of a pool takes part and of those many have a weight of 0, at walls or in both
phases alike: all but the first go over what is left, a run of the window at a time, and not over products with zeros.
Without pooling every sum is its own largest. Means and soft maxima keep shares and go through `couplings.sliding`.
"""

from functools import partial
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isingeq.couplings import Window, sliding
from isingeq.kernels.inner import inner
from isingeq.kernels.lanes import LANES
from isingeq.kernels.pool import Pool
from isingeq.kernels.runs import add_runs, dot_four

Floats = NDArray[np.floating]
Chosen = NDArray[Any]
"""Of every pooled sum the number of the largest in its pool (int16), or every sum's share in its pool (floating)."""

_ROOM = 2**17
"""Numbers that are gone over again and again at a time: they stay in the cache meanwhile."""

_kernel = partial(njit, nogil=True, cache=True, boundscheck=False, error_model="numpy")


def by_choice(window: Window) -> bool:
    """Return whether of every pool one sum counts: then `Chosen` holds which."""
    return window.pool == 1 or window.pooling == "max"


def sums_pooled(
    images: Floats, weights: Floats, window: Window, pool: Pool
) -> tuple[Floats, Chosen]:
    """Return the pooled sums (b, rows'', columns'', o) over images (b, rows, columns, c), and what was chosen."""
    if not by_choice(window):
        return sliding.pool(sliding.slide(images, weights, window), window)
    images, weights = _alike(images, weights)
    images, matrix = _padded(images, window), weights.reshape(-1, window.channels)
    rows, columns, channels = window.swept
    kernel, stride, _ = _geometry(window)
    pooled = np.empty((len(images), *window.target), images.dtype)
    chosen = np.empty(pooled.shape, np.int16)
    most = max(1, _ROOM // (rows * columns * len(matrix)))

    def work(first: int, last: int) -> None:
        size = min(most, last - first)
        patches = np.empty((size * rows * columns, len(matrix)), images.dtype)
        sums = np.empty((len(patches), channels), images.dtype)
        for start in range(first, last, most):
            stop = min(start + most, last)
            used = (stop - start) * rows * columns
            _unroll(images[start:stop], kernel, stride, patches)
            np.matmul(patches[:used], matrix, out=sums[:used])
            part = sums[:used].reshape(-1, rows, columns, channels)
            _choose(part, pooled[start:stop], chosen[start:stop])

    pool.split(len(images), work, least=4)
    return pooled, chosen


def chosen_sums(
    images: Floats, weights: Floats, chosen: Chosen, window: Window, pool: Pool
) -> Floats:
    """Return the sums (b, rows'', columns'', o) over images (b, rows, columns, c) that others have chosen."""
    if not by_choice(window):
        return sliding.gathered(sliding.slide(images, weights, window), chosen, window)
    images, weights = _alike(images, weights)
    images, flat = _padded(images, window), _by_channel(weights, window)
    out = np.empty(chosen.shape, images.dtype)

    def work(first: int, last: int) -> None:
        _chosen(images[first:last], chosen[first:last], flat, *_geometry(window), out[first:last])

    pool.split(len(out), work, least=4)
    return out


def back_pooled(
    pulled: Floats, chosen: Chosen, weights: Floats, window: Window, pool: Pool
) -> Floats:
    """Return the transpose of `sums_pooled` on pulled (b, rows'', columns'', o), shape (b, rows, columns, c)."""
    if not by_choice(window):
        return sliding.slide_back(sliding.spread(pulled, chosen, window), weights, window)
    pulled, weights = _alike(pulled, weights)
    rows, columns, channels = window.source
    edge = window.padding
    out = np.zeros((len(pulled), rows + 2 * edge, columns + 2 * edge, channels), weights.dtype)
    flat = _by_channel(weights, window)

    def work(first: int, last: int) -> None:
        _back(pulled[first:last], chosen[first:last], flat, *_geometry(window), out[first:last])

    pool.split(len(out), work, least=4)
    return out[:, edge : edge + rows, edge : edge + columns]


def correlate_pooled(
    images: Floats, pulled: Floats, chosen: Chosen, window: Window, pool: Pool
) -> Floats:
    """Return what of `pulled` (b, rows'', columns'', o) meets images (b, rows, columns, c), shape (k, k, c, o)."""
    if not by_choice(window):
        return sliding.correlate(images, sliding.spread(pulled, chosen, window), window)
    images, pulled = _alike(images, pulled)
    images, pulled = _padded(images, window), _channels_first(pulled)
    chosen = _channels_first(chosen)
    entries = int(np.prod(window.shape[:3]))
    whole = window.kernel * window.source[2] % LANES == 0
    width = entries if whole else -(-entries // LANES) * LANES
    flat = np.zeros((window.channels, width), images.dtype)
    each = images[0].size if whole else window.swept[0] * window.swept[1] * width
    most = max(1, _ROOM // each)

    def work(first: int, last: int) -> None:
        place = np.zeros((0 if whole else most * each // width, width), images.dtype)
        for start in range(0, len(images), most):
            part = slice(start, start + most)
            _correlate(
                images[part], place, pulled[:, part], chosen[:, part], *_geometry(window), window.target[1],
                first, last, flat,
            )  # fmt: skip

    pool.split(window.channels, work, least=8)
    return np.ascontiguousarray(flat[:, :entries].T).reshape(window.shape)


def _geometry(window: Window) -> tuple[int, int, int]:
    return window.kernel, window.stride, window.pool


def _alike(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """Return both in the wider of their types, each in one run of memory."""
    dtype = np.result_type(one, other)
    return np.ascontiguousarray(one, dtype), np.ascontiguousarray(other, dtype)


def _padded(images: Floats, window: Window) -> Floats:
    """Return images (b, rows, columns, c) with zeros around."""
    if not window.padding:
        return images
    edge = window.padding
    return np.pad(images, ((0, 0), (edge, edge), (edge, edge), (0, 0)))


def _by_channel(weights: Floats, window: Window) -> Floats:
    """Return weights (k, k, c, o) as (o, k·k·c), followed by zeros up to whole vectors."""
    matrix = weights.reshape(-1, window.channels).T
    out = np.zeros((len(matrix), -(-matrix.shape[1] // LANES) * LANES), weights.dtype)
    out[:, : matrix.shape[1]] = matrix
    return out


def _channels_first(pooled: NDArray[Any]) -> NDArray[Any]:
    """Return pooled sums (b, rows'', columns'', o) as (o, b, rows''·columns'')."""
    count, channels = len(pooled), pooled.shape[3]
    return np.ascontiguousarray(pooled.reshape(count, -1, channels).transpose(2, 0, 1))


@inner
def _patch(flat, start, line, kernel, run, out, at):  # type: ignore[no-untyped-def]
    """Copy one place of the window, run by run."""
    for _ in range(kernel):
        source, target = flat[start : start + run], out[at : at + run]
        for e in range(run):
            target[e] = source[e]
        start += line
        at += run


@_kernel()
def _unroll(images, kernel, stride, patches):  # type: ignore[no-untyped-def]
    """Write every place of the window as the beginning of a row of `patches`."""
    count, rows, columns, channels = images.shape
    run, line = kernel * channels, columns * channels
    flat, out = images.reshape(-1), patches.reshape(-1)
    at = 0
    for b in range(count):
        for y in range((rows - kernel) // stride + 1):
            for x in range((columns - kernel) // stride + 1):
                start = ((b * rows + y * stride) * columns + x * stride) * channels
                _patch(flat, start, line, kernel, run, out, at)
                at += patches.shape[1]


@_kernel()
def _choose(sums, pooled, chosen):  # type: ignore[no-untyped-def]
    """Write the largest of every pool and its number, the first of equals."""
    count, rows, columns, channels = pooled.shape
    p = sums.shape[1] // rows
    for b in range(count):
        for y in range(rows):
            for x in range(columns):
                best, which = pooled[b, y, x], chosen[b, y, x]
                first = sums[b, y * p, x * p]
                for o in range(channels):
                    best[o] = first[o]
                    which[o] = 0
                for q in range(1, p * p):
                    other = sums[b, y * p + q // p, x * p + q % p]
                    for o in range(channels):
                        more = other[o] > best[o]
                        best[o] = other[o] if more else best[o]
                        which[o] = q if more else which[o]


@inner
def _named(which, q, pull, width, values, starts):  # type: ignore[no-untyped-def]
    """List the channels that chose place q and pull: their pull and where their weights begin; return their number."""
    found = 0
    for o in range(which.size):
        values[found], starts[found] = pull[o], o * width
        found += (which[o] == q) & (pull[o] != 0)
    return found


@_kernel()
def _back(pulled, chosen, weights, kernel, stride, p, out):  # type: ignore[no-untyped-def]
    """Add every pooled sum's pull, times its weights (o, width), to the place of out that it was chosen at."""
    count, rows, columns, channels = pulled.shape
    wide, depth, width = out.shape[2], out.shape[3], weights.shape[1]
    run, line = kernel * depth, wide * depth
    flat, matrix = out.reshape(-1), weights.reshape(-1)
    values, starts = np.empty(channels + 1, pulled.dtype), np.empty(channels + 1, np.int64)
    patch = np.empty(width, out.dtype)
    for b in range(count):
        for y in range(rows):
            for x in range(columns):
                for q in range(p * p):
                    found = _named(chosen[b, y, x], q, pulled[b, y, x], width, values, starts)
                    if found == 0:
                        continue
                    for e in range(width):
                        patch[e] = 0
                    add_runs(patch, 0, width, values, starts, found, matrix, 0)
                    row, column = (y * p + q // p) * stride, (x * p + q % p) * stride
                    corner = ((b * out.shape[1] + row) * wide + column) * depth
                    for dy in range(kernel):
                        place = flat[corner + dy * line : corner + dy * line + run]
                        part = patch[dy * run : dy * run + run]
                        for e in range(run):
                            place[e] += part[e]


@_kernel()
def _chosen(images, chosen, weights, kernel, stride, p, out):  # type: ignore[no-untyped-def]
    """Write the sums at the places that were chosen."""
    count, rows, columns, channels = chosen.shape
    wide, depth, width = images.shape[2], images.shape[3], weights.shape[1]
    run, line = kernel * depth, wide * depth
    flat, matrix = images.reshape(-1), weights.reshape(-1)
    names, starts = np.empty(channels + 4, np.int64), np.empty(channels + 4, np.int64)
    patch, sums = np.zeros(width, images.dtype), np.empty(4, images.dtype)
    for b in range(count):
        for y in range(rows):
            for x in range(columns):
                which, result = chosen[b, y, x], out[b, y, x]
                for q in range(p * p):
                    found = 0
                    for o in range(channels):
                        names[found], starts[found] = o, o * width
                        found += which[o] == q
                    if found == 0:
                        continue
                    for e in range(found, found + 3):
                        starts[e] = 0
                    row, column = (y * p + q // p) * stride, (x * p + q % p) * stride
                    corner = ((b * images.shape[1] + row) * wide + column) * depth
                    _patch(flat, corner, line, kernel, run, patch, 0)
                    for at in range(0, found, 4):
                        dot_four(patch, starts, at, matrix, width // LANES, sums)
                        for e in range(at, min(at + 4, found)):
                            result[names[e]] = sums[e - at]


@_kernel()
def _correlate(images, patches, pulled, chosen, kernel, stride, p, columns, first, last, out):  # type: ignore[no-untyped-def]
    """Add to rows first … last − 1 of out (o, width) the places that were chosen, times their pull (o, b, pools).

    With room for patches, zeros at the ends of its rows, they are unrolled first; else runs are those of the images.
    """
    _, count, pools = pulled.shape
    depth, width = images.shape[3], out.shape[1]
    runs, run, line = kernel, kernel * depth, images.shape[2] * depth
    tall, wide, each, step = images.shape[1], images.shape[2], depth, stride
    source = images.reshape(-1)
    if patches.size:
        _unroll(images, kernel, stride, patches)
        runs, run, line = 1, width, 0
        tall, wide = (tall - kernel) // stride + 1, (wide - kernel) // stride + 1
        each, step = width, 1
        source = patches.reshape(-1)
    inside, corners = np.empty(p * p, np.int64), np.empty(pools, np.int64)
    for q in range(p * p):
        inside[q] = (q // p * wide + q % p) * step * each
    for n in range(pools):
        corners[n] = (n // columns * wide + n % columns) * p * step * each
    room = count * pools + 1
    values, starts = np.empty(room, pulled.dtype), np.empty(room, np.int64)
    flat = out.reshape(-1)
    for o in range(first, last):
        found = 0
        for b in range(count):
            pull, which = pulled[o, b], chosen[o, b]
            corner = b * tall * wide * each
            for n in range(pools):
                values[found] = pull[n]
                starts[found] = corner + corners[n] + inside[which[n]]
                found += pull[n] != 0
        for dy in range(runs):
            add_runs(flat, o * width + dy * run, run, values, starts, found, source, dy * line)
