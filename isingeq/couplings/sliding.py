"""Arithmetic of sliding windows over batches of images: convolution, pooling, and the transposes of both.

z = W ∗ a          slide            a (b, rows, columns, c), W (k, k, c, o), z (b, rows', columns', o)
a' = Wᵀ ∗ z'       slide_back       <slide(a), z'> = <a, slide_back(z')>
W' = a ⋆ z'        correlate        <slide(a; W), z'> = <W, correlate(a, z')>
y = P(z)           pool             and the share ∂P/∂z that every sum has in its pool
z' = ∂P/∂zᵀ y'     spread
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from isingeq.couplings.kind import Floats
from isingeq.couplings.window import Window
from isingeq.errors import CapabilityError

_ROOM = 2**23
"""Numbers that are unrolled at a time, so that large batches of large images fit in the memory."""


def slide(images: Floats, weights: Floats, window: Window) -> Floats:
    """Return the sums of the window over images (b, rows, columns, c), shape (b, rows', columns', o)."""
    out = np.empty((len(images), *window.swept), np.result_type(images, weights))
    matrix = weights.reshape(-1, window.channels)
    for part, patches in _unrolled(images, window):
        np.matmul(patches, matrix, out=out[part].reshape(-1, window.channels))
    return out


def slide_back(sums: Floats, weights: Floats, window: Window) -> Floats:
    """Return the transpose of `slide` on sums (b, rows', columns', o), shape (b, rows, columns, c)."""
    rows, columns, channels = window.source
    out = np.zeros((len(sums), *_padded(window)), np.result_type(sums, weights))
    matrix = weights.reshape(-1, window.channels).T
    for part in _parts(len(sums), window):
        patches = (sums[part].reshape(-1, window.channels) @ matrix).reshape(
            -1, *window.swept[:2], window.kernel, window.kernel, channels
        )
        for (dy, dx), place in _taps(window):
            out[part][place] += patches[..., dy, dx, :]
    edge = window.padding
    return out[:, edge : edge + rows, edge : edge + columns]


def correlate(images: Floats, sums: Floats, window: Window) -> Floats:
    """Return what of `sums` (b, rows', columns', o) meets `images` (b, rows, columns, c), shape (k, k, c, o)."""
    out = np.zeros((np.prod(window.shape[:3]), window.channels), np.result_type(images, sums))
    for part, patches in _unrolled(images, window):
        out += patches.T @ sums[part].reshape(-1, window.channels)
    return out.reshape(window.shape)


def pool(sums: Floats, window: Window) -> tuple[Floats, Floats]:
    """Return the pooled sums (b, rows'', columns'', o), and each sum's share in its pool, shaped as the squares.

    Shares (b, rows'', columns'', p·p, o): 1 at the largest and 0 elsewhere (of equals at the first), 1 / p², or the
    softmax of sharpness · z.

    Raises:
        CapabilityError: the largest of complex numbers.
    """
    squares = _squares(sums, window)
    if window.pool == 1:
        return sums, np.ones_like(squares)
    if window.pooling == "average":
        return squares.mean(axis=3), np.full_like(squares, 1 / window.pool**2)
    if np.iscomplexobj(sums):
        raise CapabilityError(
            f"{window.pooling} pooling has no meaning for complex nudging: use average"
        )
    if window.pooling == "max":
        largest = squares.argmax(axis=3)[:, :, :, None]
        shares = np.zeros_like(squares)
        np.put_along_axis(shares, largest, 1, axis=3)
        return np.take_along_axis(squares, largest, axis=3)[:, :, :, 0], shares
    top = squares.max(axis=3, keepdims=True)
    shares = np.exp(window.sharpness * (squares - top))
    total = shares.sum(axis=3, keepdims=True)
    pooled = top + np.log(total / window.pool**2) / window.sharpness
    return pooled[:, :, :, 0], shares / total


def spread(pooled: Floats, shares: Floats, window: Window) -> Floats:
    """Return the transpose of pooling at given shares: pooled (b, rows'', columns'', o) to (b, rows', columns', o)."""
    squares = pooled[:, :, :, None] * shares
    rows, columns, channels = window.target
    p = window.pool
    return (
        squares.reshape(-1, rows, columns, p, p, channels).swapaxes(2, 3).reshape(-1, *window.swept)
    )


def gathered(sums: Floats, shares: Floats, window: Window) -> Floats:
    """Return Σ shares · sums over every pool, sums (b, rows', columns', o), shape (b, rows'', columns'', o)."""
    return (_squares(sums, window) * shares).sum(axis=3)


def fold(weights: Floats, window: Window) -> Floats:
    """Return weights (k, k, c, o) as those of `window.folded`, which takes the mean over squares along."""
    folded = np.zeros(window.folded.shape, weights.dtype)
    for place in _shifts(window):
        folded[place] += weights
    return folded / window.pool**2


def unfold(weights: Floats, window: Window) -> Floats:
    """Return the transpose of `fold`: the folded window's gradient as the window's, shape (k, k, c, o)."""
    total = np.zeros(window.shape, weights.dtype)
    for place in _shifts(window):
        total += weights[place]
    return total / window.pool**2


def taps(window: Window) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return unit of the source, unit of the result and number of the weight of every product, each (m,).

    Of a window without pooling; products with the padding are left out.
    """
    rows, columns, channels = window.source
    at = np.indices((*window.swept[:2], *window.shape)).reshape(6, -1)
    y, x, dy, dx, c, o = at
    row = y * window.stride + dy - window.padding
    column = x * window.stride + dx - window.padding
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    source = (row * columns + column) * channels + c
    target = (y * window.swept[1] + x) * window.channels + o
    weight = ((dy * window.kernel + dx) * channels + c) * window.channels + o
    return source[inside], target[inside], weight[inside]


def _padded(window: Window) -> tuple[int, int, int]:
    rows, columns, channels = window.source
    return rows + 2 * window.padding, columns + 2 * window.padding, channels


def _parts(batch: int, window: Window) -> Iterator[slice]:
    """Give portions of a batch whose patches are not too many."""
    each = window.swept[0] * window.swept[1] * window.kernel**2 * window.source[2]
    size = max(1, _ROOM // each)
    for first in range(0, batch, size):
        yield slice(first, min(batch, first + size))


def _unrolled(images: Floats, window: Window) -> Iterator[tuple[slice, Floats]]:
    """Give portions of a batch as patches (places of the window, its entries), a row of the window in one run."""
    edge, step, (rows, columns, channels) = window.padding, window.stride, window.source
    for part in _parts(len(images), window):
        piece = images[part]
        if edge:
            padded = np.zeros((len(piece), *_padded(window)), piece.dtype)
            padded[:, edge : edge + rows, edge : edge + columns] = piece
            piece = padded
        piece = np.ascontiguousarray(piece)
        sample, row, column, one = piece.strides
        view = np.lib.stride_tricks.as_strided(
            piece,
            (len(piece), *window.swept[:2], window.kernel, window.kernel * channels),
            (sample, step * row, step * column, row, one),
            writeable=False,
        )
        yield part, view.reshape(-1, window.kernel**2 * channels)


def _taps(window: Window) -> Iterator[tuple[tuple[int, int], tuple[slice, ...]]]:
    """Give every place in the window, and what of the padded image it meets."""
    (rows, columns, _), step = window.swept, window.stride
    for dy in range(window.kernel):
        for dx in range(window.kernel):
            down = slice(dy, dy + step * (rows - 1) + 1, step)
            across = slice(dx, dx + step * (columns - 1) + 1, step)
            yield (dy, dx), (slice(None), down, across)


def _squares(sums: Floats, window: Window) -> Floats:
    """Return sums (b, rows', columns', o) as pools (b, rows'', columns'', p·p, o), row by row."""
    rows, columns, channels = window.target
    p = window.pool
    parted = sums.reshape(-1, rows, p, columns, p, channels).swapaxes(2, 3)
    return parted.reshape(-1, rows, columns, p * p, channels)


def _shifts(window: Window) -> Iterator[tuple[slice, slice]]:
    """Give where the window lies in the folded one, for every place in a pool."""
    k, step = window.kernel, window.stride
    for y in range(0, step * window.pool, step):
        for x in range(0, step * window.pool, step):
            yield slice(y, y + k), slice(x, x + k)
