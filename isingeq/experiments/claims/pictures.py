"""Pictures of a claim."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from isingeq.experiments.claims.claim import Picture
from isingeq.experiments.plots import STYLE

_MARKERS = "osD^vP*X<>"


def draw(path: Path, pictures: Sequence[Picture]) -> list[str]:
    """Draw all pictures into a folder.

    Returns:
        Names of the files.
    """
    with mpl.rc_context(STYLE):
        for picture in pictures:
            _figure(picture).savefig(path / f"{picture.name}.png", dpi=130)
    return [f"{picture.name}.png" for picture in pictures]


def _figure(picture: Picture) -> Figure:
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    for number, line in enumerate(picture.lines):
        marker = _MARKERS[number % len(_MARKERS)] if line.marks else ""
        axes.errorbar(
            line.x, line.y, line.spread or None, label=line.label, color=f"C{number % 10}",
            marker=marker, linestyle="-" if number < 10 else "--", capsize=3, markersize=4,
        )  # fmt: skip
    if picture.log:
        axes.set_yscale("log")
    axes.tick_params(axis="x", labelsize=8)
    axes.set_xlabel(picture.x)
    axes.set_ylabel(picture.y)
    axes.set_title(picture.title, fontsize=9, loc="left")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
