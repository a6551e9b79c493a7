"""Pictures of layers of images that share no weights: response, what training changed, and which units are active."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from isingeq.backend import Floats
from isingeq.experiments.maps import ACTIVE, FAINTEST, Map, unit_changes
from isingeq.experiments.plots import STYLE, animate
from isingeq.learning.network import Network

NAMES = ("images.png", "images.gif")


def draw_images(folder: Path, network: Network, maps: Sequence[Map]) -> tuple[str, ...]:
    """Draw the maps of a run into its folder, and return the names of the files.

    `images.png` shows the response before, halfway and after, active units within the white line, what training
    changed by then, and the share of active units by epoch; `images.gif` is the way from the first epoch to the last.
    """
    picture = _Picture(network, maps)
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        _panels(picture, folder / NAMES[0])
        animate(folder / NAMES[1], len(maps), picture.respond, picture.change)
    return NAMES


class _Picture:
    """Images and colours, the same for all epochs of a run."""

    def __init__(self, network: Network, maps: Sequence[Map]) -> None:
        self.network, self.maps = network, maps
        self.changes = [unit_changes(network, maps[0], one) for one in maps]
        self.responses = LogNorm(FAINTEST, 1.0)
        self.changed = Normalize(0, max(float(change.max()) for change in self.changes) or 1.0)

    def respond(self, axes: Axes, k: int) -> None:
        """Draw the response of map k."""
        one = self.maps[k]
        largest = float(one.response.max())
        share = np.maximum(one.response / (largest or 1.0), FAINTEST)
        self._frame(axes, f"response, epoch {one.epoch}: up to {largest:.2g}")
        image = mosaic(self.network, share)
        axes.imshow(image, norm=self.responses, cmap="viridis")
        active = np.nan_to_num(image) >= ACTIVE
        if active.any() and not active.all():
            axes.contour(active, [0.5], colors="white", linewidths=1)

    def change(self, axes: Axes, k: int) -> None:
        """Draw how far the couplings of every unit are from where they began, in map k."""
        self._frame(axes, f"change of couplings, epoch {self.maps[k].epoch}")
        axes.imshow(mosaic(self.network, self.changes[k]), norm=self.changed, cmap="magma")

    def _frame(self, axes: Axes, title: str) -> None:
        axes.clear()
        axes.axis("off")
        axes.set_title(title, fontsize=10)


def mosaic(network: Network, values: Floats) -> Floats:
    """Return values per unit (n,) as one image: layers side by side, the channels of each in a square, NaN between."""
    squares = []
    for window, (first, last) in zip(network.windows, network.spans, strict=False):
        rows, columns, channels = window.target
        across = int(np.ceil(np.sqrt(channels)))
        down = -(-channels // across)
        square = np.full((down * (rows + 1), across * (columns + 1)), np.nan)
        images = values[first:last].reshape(rows, columns, channels)
        for channel in range(channels):
            y, x = (rows + 1) * (channel // across), (columns + 1) * (channel % across)
            square[y : y + rows, x : x + columns] = images[:, :, channel]
        squares.append(square)
    tallest = max(len(square) for square in squares)
    padded = [
        np.pad(square, ((0, tallest - len(square)), (0, 0)), constant_values=np.nan)
        for square in squares
    ]
    return np.concatenate(padded, axis=1)[:-1, :-1]


def _panels(picture: _Picture, path: Path) -> None:
    """Draw first, middle and last epoch: responses over changes, and the share of active units."""
    maps = picture.maps
    first, middle, last = 0, len(maps) // 2, len(maps) - 1
    figure = Figure(figsize=(9, 6.2), dpi=90, layout="constrained")
    grid = figure.subplots(2, 3, squeeze=False)
    for axes, k in zip(grid[0], (first, middle, last), strict=True):
        picture.respond(axes, k)
    for axes, k in zip(grid[1, 1:], (middle, last), strict=True):
        picture.change(axes, k)
    share = grid[1, 0]
    units = slice(0, picture.network.spans[len(picture.network.windows) - 1][1])
    share.plot([one.epoch for one in maps], [100 * one.active[units].mean() for one in maps])
    share.xaxis.set_major_locator(MaxNLocator(integer=True))
    share.set_xlabel("epoch")
    share.set_ylabel("active units of images (%)")
    share.set_ylim(0, 105)
    figure.colorbar(
        mpl.cm.ScalarMappable(picture.responses, "viridis"), ax=grid[0], shrink=0.8,
        label=f"response R, as a share of the largest\nwhite line: active, {ACTIVE:.0%} and more",
    )  # fmt: skip
    figure.colorbar(
        mpl.cm.ScalarMappable(picture.changed, "magma"), ax=grid[1], shrink=0.8,
        label="change of a unit's couplings (rms)",
    )  # fmt: skip
    figure.savefig(path)
