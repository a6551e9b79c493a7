"""Pictures of a lattice: response, couplings and what training changed, at one epoch and over all of them."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from isingeq.backend import Floats
from isingeq.experiments.maps import (
    ACTIVE,
    FAINTEST,
    Map,
    distances,
    pairs_of,
    screening_length,
)
from isingeq.experiments.plots import STYLE, animate
from isingeq.learning.network import Network

NAMES = ("lattice.png", "screening.png", "lattice.gif")


def draw_lattice(folder: Path, network: Network, maps: Sequence[Map]) -> tuple[str, ...]:
    """Draw the maps of a run into its folder, and return the names of the files.

    `lattice.png` shows response and couplings before, halfway and after, and which units are active; `screening.png`
    the response against the distance from the outputs, and the screening length by epoch; `lattice.gif` is the way from
    the first epoch to the last.
    """
    picture = _Picture(network, maps)
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        _panels(picture, folder / NAMES[0])
        _screening(network, maps, folder / NAMES[1])
        animate(folder / NAMES[2], len(maps), picture.respond, picture.couple)
    return NAMES


class _Picture:
    """Places and colours, the same for all epochs of a run."""

    def __init__(self, network: Network, maps: Sequence[Map]) -> None:
        wiring = network.wiring
        assert wiring is not None
        self.maps, self.wiring = maps, wiring
        self.units = self._at(wiring.units)
        self.inputs = self._at(wiring.held)
        self.outputs = self.units[slice(*network.spans[-1])]
        i, j = pairs_of(network)
        self.size = 240.0 * 25 / max(25, wiring.graph.n)
        self.lines = _bowed(self._at(i), self._at(j))
        self.responses = LogNorm(FAINTEST, 1.0)
        limit = max(float(np.abs(one.couplings).max()) for one in maps) or 1.0
        self.weights = Normalize(-limit, limit)
        change = max(float(np.abs(one.couplings - maps[0].couplings).max()) for one in maps)
        self.change = change or 1.0

    def _at(self, sites: NDArray[np.integer]) -> Floats:
        """Return where sites are drawn, x and y (k, 2); sheets stand side by side."""
        *sheet, row, column = np.unravel_index(sites, self.wiring.graph.shape)
        shift = sheet[0] * (self.wiring.graph.shape[-1] + 1) if sheet else 0
        return np.stack([column + shift, -row], axis=1).astype(float)

    def respond(self, axes: Axes, k: int) -> None:
        """Draw units by their response in map k, marginal ones hollow."""
        one = self.maps[k]
        largest = float(one.response.max())
        self._frame(axes, f"response, epoch {one.epoch}: up to {largest:.2g}")
        axes.add_collection(
            LineCollection(list(self.lines), colors="0.8", linewidths=0.8, zorder=1)
        )
        share = np.maximum(one.response / (largest or 1.0), FAINTEST)
        colour = mpl.colormaps["viridis"](self.responses(share))
        fill = np.where(one.active[:, None], colour, 1.0)
        x, y = self.units.T
        axes.scatter(x, y, self.size, fill, edgecolors=colour, linewidths=2, zorder=2)

    def couple(self, axes: Axes, k: int) -> None:
        """Draw couplings by their value in map k, as thick as what changed of them."""
        one = self.maps[k]
        self._frame(axes, f"couplings, epoch {one.epoch}")
        changed = np.abs(one.couplings - self.maps[0].couplings) / self.change
        axes.add_collection(
            LineCollection(
                list(self.lines), colors=mpl.colormaps["RdBu_r"](self.weights(one.couplings)),
                linewidths=0.8 + 5 * changed, capstyle="round", zorder=1,
            )
        )  # fmt: skip
        x, y = self.units.T
        axes.scatter(x, y, 6, "0.4", zorder=2)

    def _frame(self, axes: Axes, title: str) -> None:
        axes.clear()
        axes.axis("off")
        axes.set_aspect("equal")
        axes.set_title(title, fontsize=10)
        x, y = self.inputs.T
        axes.scatter(x, y, 0.3 * self.size, "0.25", marker="s", zorder=3, label="input")
        x, y = self.outputs.T
        axes.scatter(
            x, y, 1.7 * self.size, "none", edgecolors="C3", linewidths=2, zorder=3, label="output"
        )
        axes.autoscale_view()
        axes.margins(0.12)


def _bowed(start: Floats, end: Floats) -> Floats:
    """Return lines (m, points, 2), those that pass over other sites bowed to one side."""
    along = end - start
    far = np.hypot(*along.T) > 1.5
    aside = np.stack([-along[:, 1], along[:, 0]], axis=1) * 0.25 * far[:, None]
    t = np.linspace(0, 1, 9)[:, None]
    straight = start[:, None] + t * along[:, None]
    return straight + 4 * t * (1 - t) * aside[:, None]


def _panels(picture: _Picture, path: Path) -> None:
    """Draw first, middle and last epoch, responses over couplings."""
    chosen = 0, len(picture.maps) // 2, len(picture.maps) - 1
    figure = Figure(figsize=(9, 6.2), dpi=90, layout="constrained")
    grid = figure.subplots(2, 3, squeeze=False)
    for column, k in enumerate(chosen):
        picture.respond(grid[0, column], k)
        picture.couple(grid[1, column], k)
    figure.colorbar(
        mpl.cm.ScalarMappable(picture.responses, "viridis"), ax=grid[0], shrink=0.8,
        label=f"response R, as a share of the largest\nhollow: marginal, below {ACTIVE:.0%}",
    )  # fmt: skip
    figure.colorbar(
        mpl.cm.ScalarMappable(picture.weights, "RdBu_r"), ax=grid[1], shrink=0.8,
        label="coupling W, as thick as its change",
    )  # fmt: skip
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, markerscale=0.6)
    figure.savefig(path)


def _screening(network: Network, maps: Sequence[Map], path: Path) -> None:
    """Draw the response against the distance from the outputs, and the screening length by epoch."""
    away = distances(network)
    figure = Figure(figsize=(9, 3.4), dpi=90, layout="constrained")
    left, right = figure.subplots(1, 2)
    for one, colour in ((maps[0], "0.6"), (maps[-1], "C0")):
        length = screening_length(one.response, away)
        left.semilogy(
            away, np.maximum(one.response, 1e-12), "o", markersize=4, color=colour,
            label=f"epoch {one.epoch}, ξ = {length:.2g}",
        )  # fmt: skip
        seen = one.response[np.isfinite(away)]
        left.axhline(ACTIVE * seen.max(), color=colour, linestyle=":", linewidth=1)
    left.set_xlabel("couplings from the nearest output")
    left.set_ylabel("response R")
    left.legend()
    right.plot(
        [one.epoch for one in maps], [screening_length(one.response, away) for one in maps], "C0"
    )
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.set_xlabel("epoch")
    right.set_ylabel("screening length ξ (couplings)")
    share = right.twinx()
    share.spines["right"].set_visible(True)
    share.plot([one.epoch for one in maps], [100 * one.active.mean() for one in maps], "C1:")
    share.set_ylabel("active units (%), dotted")
    share.set_ylim(0, 105)
    figure.savefig(path)
