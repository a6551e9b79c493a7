"""Pictures of a run: accuracy, residual, steps and weights."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from isingeq.backend import Floats
from isingeq.experiments.run_folder import Record, RunFolder
from isingeq.learning.model import Model
from isingeq.learning.parameters import Parameters
from isingeq.tasks import Dataset

NAMES = ("accuracy.png", "residual.png", "steps.png", "weights.png")
STYLE: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "font.size": 10,
}
_MANY = 500
"""Weights from which on a histogram shows its tails by a logarithm."""

_MOST_IMAGES = 40
_MOST_FRAMES = 60


def draw(
    folder: RunFolder,
    data: Dataset,
    network: Model,
    parameters: Parameters,
    test_accuracy: float | None,
) -> None:
    """Draw all pictures of a run into its folder.

    Args:
        folder: of the run, with its metrics.
        data: its examples, for the shape of an image.
        network: that was trained.
        parameters: its result.
        test_accuracy: of the result; None where there is none yet.
    """
    epochs = folder.epochs
    with mpl.rc_context(STYLE):
        _accuracy(epochs, test_accuracy, folder.path / NAMES[0])
        _residual(epochs, folder.path / NAMES[1])
        _steps(epochs, folder.path / NAMES[2])
        _weights(data, network, parameters, folder.path / NAMES[3])


def animate(
    path: Path, number: int, left: Callable[[Axes, int], None], right: Callable[[Axes, int], None]
) -> None:
    """Write an animation of two pictures side by side, each drawn by its number from 0 to `number` − 1."""
    figure = Figure(figsize=(6.4, 3.4), dpi=70, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2)
    at = np.unique(np.linspace(0, number - 1, _MOST_FRAMES).round().astype(int))

    def show(frame: int) -> None:
        left(axes[0], at[frame])
        right(axes[1], at[frame])

    FuncAnimation(figure, show, frames=len(at)).save(str(path), PillowWriter(fps=6))


def _accuracy(epochs: Sequence[Record], test_accuracy: float | None, path: Path) -> None:
    figure, axes = _by_epoch("accuracy (%)")
    for key, label in (
        ("train_accuracy", "training, while it learns"),
        ("validation_accuracy", "validation"),
    ):
        _line(axes, epochs, key, label, factor=100)
    if test_accuracy is not None:
        axes.axhline(
            100 * test_accuracy,
            linestyle="--",
            color="black",
            label=f"test, at the end: {test_accuracy:.2%}",
        )
    axes.legend(loc="lower right")
    figure.savefig(path)


def _residual(epochs: Sequence[Record], path: Path) -> None:
    figure, axes = _by_epoch("largest residual (force)")
    if any(record["max_residual"] for record in epochs):
        _line(axes, epochs, "max_residual", "largest of all settles")
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        if high < 10 * low:  # where every epoch ends at the tolerance
            axes.set_ylim(low / 3, 3 * high)
        right = axes.twinx()
        right.grid(visible=False)
        right.set_ylabel("settles above the tolerance (%)")
        right.plot(
            [record["epoch"] for record in epochs],
            [100 * record["unsettled_fraction"] for record in epochs],
            ":s",
            markersize=3,
            color="C1",
            label="not settled",
        )
        right.set_ylim(bottom=0)
        right.spines["right"].set_visible(True)
        axes.legend(handles=[*axes.get_lines(), *right.get_lines()], loc="best")
    else:
        axes.text(
            0.5, 0.5, "this backend reports no residual", transform=axes.transAxes, ha="center"
        )
    figure.savefig(path)


def _steps(epochs: Sequence[Record], path: Path) -> None:
    figure, axes = _by_epoch("steps per settle, mean")
    _line(axes, epochs, "mean_free_steps", "free phase")
    _line(axes, epochs, "mean_nudged_steps", "nudged phases")
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(path)


def _weights(data: Dataset, network: Model, parameters: Parameters, path: Path) -> None:
    """Draw input weights of the first units, where inputs are an image, and all as histograms."""
    names = [name for name in parameters if name.endswith(".weight")]
    filters = _filters(data, network, parameters)
    count = min(_MOST_IMAGES, len(filters))
    columns = 8 if count % 8 == 0 else 10
    rows = -(-count // columns)
    figure = Figure(figsize=(8, 0.8 * rows + 2.8), layout="constrained")
    lower: Figure | SubFigure = figure
    if count:
        halves = figure.add_gridspec(2, 1, height_ratios=[0.8 * rows, 2.8])
        upper, lower = figure.add_subfigure(halves[0]), figure.add_subfigure(halves[1])
        limit = float(np.abs(filters[:count]).max()) or 1.0
        grid = upper.subplots(rows, columns, squeeze=False)
        colours = ScalarMappable(Normalize(-limit, limit), "RdBu_r")
        for index, axes in enumerate(grid.flat):
            axes.axis("off")
            if index < count:
                axes.imshow(filters[index], cmap=colours.cmap, norm=colours.norm)
        what = "channels" if network.windows else "units"
        upper.suptitle(
            f"input weights of the first {count} {what} of {network.layers[0].name}", fontsize=10
        )
        upper.colorbar(colours, ax=grid, label="weight", shrink=0.9)
    below = lower.subplots(1, len(names), squeeze=False).flat
    below[0].set_ylabel("number of weights")
    for axes, name in zip(below, names, strict=True):
        values = parameters[name].ravel()
        axes.hist(values, bins=int(np.clip(np.sqrt(values.size), 5, 60)), color="C0")
        if values.size > _MANY:
            axes.set_yscale("log")
        axes.set_title(name, fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.ticklabel_format(axis="x", scilimits=(-2, 3))
    figure.savefig(path, dpi=110)


def _filters(data: Dataset, network: Model, parameters: Parameters) -> Floats:
    """Return input weights as images (number, rows, columns), mean over colours; (0,) where inputs are none."""
    weights = parameters[network.input_name]
    if weights.ndim == 1:  # one per pair
        return np.zeros(0)
    if network.windows:
        return np.moveaxis(weights.mean(axis=2), -1, 0)
    if len(data.shape) == 2 or data.shape[-1:] == (1,):
        return weights.T.reshape(-1, *data.shape[:2])
    return np.zeros(0)


def _by_epoch(ylabel: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6, 3.6), dpi=110, layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel("epoch")
    axes.set_ylabel(ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure, axes


def _line(
    axes: Axes, epochs: Sequence[Record], key: str, label: str, *, factor: float = 1.0
) -> None:
    """Draw one quantity over the epochs that have it."""
    points = [
        (record["epoch"], factor * record[key]) for record in epochs if record[key] is not None
    ]
    if points:
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=label)
