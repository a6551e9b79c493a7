"""Pictures of a calibration: gains and offsets, transfer curves, noise and settling."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from calibration.measure import Measured, Quantity

_STYLE: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "font.size": 9,
}
_SHOWN = {
    "coupling_gain": "coupling gain (relative)",
    "coupling_offset": "coupling offset (units of couplings)",
    "field_gain": "field gain (relative)",
    "field_offset": "field offset (units of fields)",
}
_MOST_CURVES = 60
Reals = NDArray[np.float64]


def draw(found: Measured, folder: Path) -> list[str]:
    """Draw what was measured into a folder, and return the names of the files."""
    pictures = {
        "elements.png": _elements,
        "map.png": _maps,
        "transfer.png": _transfer,
        "noise.png": _noise,
    }
    names = []
    with mpl.rc_context(_STYLE):
        for name, of in pictures.items():
            figure = of(found)
            if figure is not None:
                figure.savefig(folder / name, dpi=110)
                names.append(name)
    return names


def _elements(found: Measured) -> Figure | None:
    """Histograms of values above, of values over their errors below, beside what errors alone would give."""
    shown = [k for k in _SHOWN if k in found.quantities and found.quantities[k].good.any()]
    if not shown:
        return None
    figure = Figure(figsize=(3.2 * len(shown), 5), layout="constrained")
    axes = figure.subplots(2, len(shown), squeeze=False)
    for column, name in enumerate(shown):
        q = found.quantities[name]
        value, error = q.value[q.good], q.error[q.good]
        _histogram(axes[0, column], value, float(np.median(error)), _SHOWN[name])
        _histogram(axes[1, column], value / error, 1.0, "value over standard error")
    axes[0, 0].set_ylabel("elements")
    axes[1, 0].set_ylabel("elements")
    axes[0, 0].legend(loc="upper left")
    return figure


def _histogram(axes: Axes, values: Reals, error: float, label: str) -> None:
    bins = np.histogram_bin_edges(values, bins=40)
    if bins[-1] - bins[0] < 8 * error:
        bins = np.linspace(-4 * error, 4 * error, 41)
    axes.hist(values, bins=list(bins), color="C0", label="measured")
    x = np.linspace(-4 * error, 4 * error, 200)
    density = np.exp(-0.5 * (x / error) ** 2) / (error * np.sqrt(2 * np.pi))
    width = float(bins[1] - bins[0])
    axes.plot(x, values.size * width * density, color="black", linewidth=1, label="errors alone")
    axes.set_ylim(top=1.15 * float(np.histogram(values, bins)[0].max()))
    axes.set_xlabel(label)


def _maps(found: Measured) -> Figure:
    """Every unit in its place: offset, gain, mean gain of its couplers, faults."""
    graph = found.graph
    rows, columns = _grid(graph.n, graph.kind, graph.shape)
    shown: list[tuple[str, Reals]] = []
    for name, label in (("field_gain", "field gain"), ("field_offset", "field offset")):
        if name in found.quantities:
            shown.append((label, _good(found.quantities[name])))
    if "coupling_gain" in found.quantities:
        gain = np.nan_to_num(_good(found.quantities["coupling_gain"]))
        good = found.quantities["coupling_gain"].good.astype(float)
        total, number = (
            np.bincount(graph.i, of, graph.n) + np.bincount(graph.j, of, graph.n)
            for of in (gain, good)
        )
        mean = np.where(number > 0, total / np.maximum(number, 1), np.nan)
        shown.append(("mean gain of a unit's couplers", mean))
    dead = np.bincount(graph.i[found.dead_edges], minlength=graph.n)
    dead = dead + np.bincount(graph.j[found.dead_edges], minlength=graph.n)
    figure = Figure(figsize=(3.4 * (len(shown) + 1), 3.2), layout="constrained")
    axes = figure.subplots(1, len(shown) + 1, squeeze=False)[0]
    for ax, (label, values) in zip(axes, shown, strict=False):
        limit = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
        drawn = ax.imshow(_placed(values, rows, columns), cmap="RdBu_r", vmin=-limit, vmax=limit)
        figure.colorbar(drawn, ax=ax, shrink=0.8)
        ax.set_title(label, fontsize=9)
    drawn = axes[-1].imshow(_placed(dead.astype(float), rows, columns), cmap="Greys", vmin=0)
    figure.colorbar(drawn, ax=axes[-1], shrink=0.8)
    for units, mark, label in (
        (np.flatnonzero(found.dead_units), "x", "dead unit"),
        (np.flatnonzero(found.stuck_units), "s", "stuck unit"),
    ):
        if units.size:
            axes[-1].scatter(
                units % columns, units // columns, marker=mark, color="C3", label=label
            )
    if (~found.works).any():
        axes[-1].legend(loc="upper right", frameon=True)
    axes[-1].set_title("dead couplers of a unit", fontsize=9)
    for ax in axes:
        ax.set_xticks([])
        ax.set_yticks([])
    return figure


def _good(q: Quantity) -> Reals:
    return np.where(q.good, q.value, np.nan)


def _grid(n: int, kind: str, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return rows and columns: those of the graph where it has them, else about a square in order."""
    if kind in ("kings", "square") and len(shape) == 2:
        return shape[0], shape[1]
    columns = int(np.ceil(np.sqrt(n)))
    return -(-n // columns), columns


def _placed(values: Reals, rows: int, columns: int) -> Reals:
    whole = np.full(rows * columns, np.nan)
    whole[: values.size] = values
    return whole.reshape(rows, columns)


def _transfer(found: Measured) -> Figure | None:
    """Means against fields: units thin, their mean with the curve of its β and noise; what is left below."""
    curves = found.curves
    if "transfer_field" not in curves:
        return None
    h, mean, error = curves["transfer_field"], curves["transfer_mean"], curves["transfer_error"]
    figure = Figure(figsize=(5, 5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    works = np.flatnonzero(found.works)
    some = works[:: max(1, works.size // _MOST_CURVES)]
    upper.plot(h, curves["transfer_units"][:, some], color="C0", alpha=0.15, linewidth=0.8)
    upper.errorbar(h, mean, error, color="black", marker="o", markersize=3, linestyle="none")
    beta, sigma = found.quantities["beta_without_noise"], found.quantities["noise"]
    kept = 1 - 2 * float(found.quantities["mean_readout_error"].value[0])
    x, w = np.polynomial.hermite_e.hermegauss(24)

    def curve(field: Reals) -> Reals:
        noisy = field[:, None] + sigma.value[0] * x
        return -kept * np.tanh(beta.value[0] * noisy) @ w / w.sum()

    fine = np.linspace(h[0], h[-1], 200)
    words = f"β {beta.value[0]:.4g}" + f", noise {sigma.value[0]:.3g}" * bool(sigma.good[0])
    upper.plot(fine, curve(fine), color="C3", linewidth=1, label=words)
    upper.set_ylabel("mean of a spin")
    upper.legend()
    lower.errorbar(
        h, mean - curve(h), error, color="black", marker="o", markersize=3, linestyle="none"
    )
    lower.axhline(0, color="C3", linewidth=1)
    lower.set_ylabel("off the curve")
    lower.set_xlabel("field, offsets taken out (units of fields)")
    return figure


def _noise(found: Measured) -> Figure:
    """Spectrum of offsets, how far they move, and how statistics settle."""
    curves = found.curves
    count = 1 + 2 * ("drift_lag_s" in curves)
    figure = Figure(figsize=(4 * count, 3.2), layout="constrained")
    axes = figure.subplots(1, count, squeeze=False)[0]
    if "settling_sweeps" in curves:
        axes[0].errorbar(
            curves["settling_sweeps"], curves["settling_mean"], curves["settling_error"], marker="o", markersize=3
        )  # fmt: skip
    axes[0].set_xscale("log", base=2)
    axes[0].set_xlabel("sweeps")
    axes[0].set_ylabel("mean along the field")
    if count > 1:
        axes[1].loglog(curves["spectrum_hz"], curves["spectrum_power"], linewidth=1)
        axes[1].axhline(
            curves["spectrum_of_counting"][0], color="black", linestyle="--", linewidth=1
        )
        axes[1].set_xlabel("frequency (Hz); dashed: counting alone")
        axes[1].set_ylabel("power of offsets (field² per Hz)")
        axes[2].errorbar(
            curves["drift_lag_s"], curves["drift_moved"], 2 * curves["drift_error"], marker="o", markersize=3
        )  # fmt: skip
        axes[2].axhline(0, color="black", linestyle="--", linewidth=1)
        axes[2].set_xscale("log")
        axes[2].xaxis.set_minor_formatter(NullFormatter())
        axes[2].set_xlabel("time apart (s)")
        axes[2].set_ylabel("½ mean square move of offsets (field²)")
    return figure
