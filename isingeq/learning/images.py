"""Images as inputs, and stacks of windows between layers of images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Floats
from isingeq.couplings import Window
from isingeq.couplings.window import Pooling, Shape
from isingeq.errors import ProblemError
from isingeq.kernels.image_windows import Chosen, correlate_pooled, sums_pooled
from isingeq.kernels.pool import Pool


class Images:
    """Inputs (b, rows · columns · channels) that a window slides over; like `Inputs`, with weights (k, k, c, o).

    `times` keeps which sum of every pool was taken, for `correlate` after it.
    """

    def __init__(self, x: Floats, window: Window) -> None:
        self.x, self.window = x, window
        self._images = x.reshape(-1, *window.source)
        self._chosen: Chosen | None = None

    def times(self, weights: Floats, pool: Pool) -> Floats:
        """Return P(W ∗ x), shape (b, units of the result)."""
        pooled, self._chosen = sums_pooled(self._images, weights, self.window, pool)
        return pooled.reshape(len(self.x), -1)

    def correlate(self, forces: Floats, out: Floats, pool: Pool) -> None:
        """Write the transpose in the weights, of forces (b, units of the result), into out (k, k, c, o)."""
        assert self._chosen is not None
        images = forces.reshape(-1, *self.window.target)
        out[:] = correlate_pooled(self._images, images, self._chosen, self.window, pool)

    def rows(self, part: NDArray[np.integer]) -> "Images":
        """Return some of the samples."""
        chosen = Images(self.x[part], self.window)
        chosen._chosen = None if self._chosen is None else self._chosen[part]
        return chosen


def stack_windows(
    source: Shape, channels: Sequence[int], *, kernel: Sequence[int], stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,), pool: Sequence[int] = (1,), pooling: Sequence[Pooling] = ("max",),
    sharpness: float = 4.0,
) -> tuple[Window, ...]:  # fmt: skip
    """Return windows that feed one another, the first over images of shape `source`.

    Args:
        source: rows, columns and channels of the inputs.
        channels: of each layer.
        kernel: one for all, or one per layer, as are the four that follow.
        stride: places that a window moves on.
        padding: zeros around the images.
        pool: rows and columns of the squares that are pooled.
        pooling: max, average or soft.
        sharpness: of soft pooling.

    Raises:
        ProblemError: a window that does not fit, its layer named; or lists of another length.
    """
    columns = {
        "kernel": kernel, "stride": stride, "padding": padding, "pool": pool, "pooling": pooling,
    }  # fmt: skip
    for name, given in columns.items():
        if len(given) not in (1, len(channels)):
            raise ProblemError(
                f"{len(given)} values of {name} for {len(channels)} convolutions: give one, or one for each"
            )
    each = [tuple(given) * (len(channels) // len(given)) for given in columns.values()]
    windows: list[Window] = []
    for number, (size, *row) in enumerate(zip(channels, *each, strict=True), 1):
        named = dict(zip(columns, row, strict=True))
        try:
            windows.append(Window(source, size, **named, sharpness=sharpness))
        except ProblemError as error:
            raise ProblemError(f"layer conv{number}: {error}") from error
        source = windows[-1].target
    return tuple(windows)


def skip_window(source: Shape, target: Shape) -> Window:
    """Return the window of a skip coupling: 1 × 1, over the mean of squares where the result is smaller.

    Raises:
        ProblemError: the result is no whole fraction of the source.
    """
    ratio = source[0] // max(1, target[0])
    if source[:2] != (ratio * target[0], ratio * target[1]):
        raise ProblemError(
            f"a skip from {source[0]} × {source[1]} to {target[0]} × {target[1]} needs whole squares: "
            "choose other layers"
        )
    return Window(source, target[2], kernel=1, pool=ratio, pooling="average")
