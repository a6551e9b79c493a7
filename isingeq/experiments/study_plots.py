"""Pictures of a study: accuracy against every swept key."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from isingeq.experiments.plots import STYLE
from isingeq.experiments.study_file import Study
from isingeq.experiments.study_outcomes import Group, interval

_MARKERS = "osD^vP*X"


def draw(path: Path, study: Study, found: Sequence[Group]) -> list[str]:
    """Draw test accuracy against every key with two values or more, a line for each combination of the others.

    Args:
        path: folder.
        study: that was run.
        found: its groups; those without an accuracy are left out.

    Returns:
        Names of the files.
    """
    shown = [group for group in found if group.accuracies]
    names = []
    for key, values in study.keys:
        if len(values) < 2 or not any(key in dict(group.point.values) for group in shown):
            continue
        names.append(f"accuracy-by-{key.replace('.', '-')}.png")
        with mpl.rc_context(STYLE):
            _against(key, values, shown).savefig(path / names[-1], dpi=130)
    return names


def _against(key: str, values: Sequence[object], found: Sequence[Group]) -> Figure:
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axes = figure.subplots()
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    places = {value: float(value) if numeric else at for at, value in enumerate(values)}  # type: ignore[arg-type]
    lines: dict[str, list[Group]] = {}
    for group in found:
        others = [f"{k.rpartition('.')[2]} {v}" for k, v in group.point.values if k != key]
        lines.setdefault(", ".join([group.method, *others]), []).append(group)
    width = max(places.values()) - min(places.values())
    for number, (label, groups) in enumerate(lines.items()):
        colour = f"C{number % 10}"
        if key not in dict(groups[0].point.values):
            mean = 100 * float(np.mean(groups[0].accuracies))
            axes.axhline(mean, linestyle="--", color="black", linewidth=1, label=label)
            continue
        groups.sort(key=lambda group: places[dict(group.point.values)[key]])
        apart = 0.008 * width * (number - len(lines) / 2)  # so that bars do not hide each other
        x = [apart + places[dict(group.point.values)[key]] for group in groups]
        y = [100 * float(np.mean(group.accuracies)) for group in groups]
        spread = [100 * (interval(group.accuracies) or 0) for group in groups]
        marker = _MARKERS[number % len(_MARKERS)]
        line = "-" if numeric else "none"
        axes.errorbar(
            x, y, spread, label=label, color=colour, marker=marker, linestyle=line, capsize=3, ms=4
        )
    axes.set_xlabel(key)
    axes.set_ylabel("test accuracy (%)")
    axes.set_xticks(list(places.values()), [str(value) for value in places])
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, 0), min(high, 100))
    axes.legend(fontsize=8)
    axes.set_title("bars: 95 % intervals of the mean over repeats", fontsize=9, loc="left")
    return figure
