"""What the tasks of a study came to: kept line by line, and brought into one table."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from isingeq.experiments.run_folder import Record, append_line, kept_lines, write_text
from isingeq.experiments.study_file import Method, Point, Study

FILES = ("table.md", "table.csv")
_OUTCOMES = "outcomes.jsonl"


@dataclass(frozen=True, slots=True)
class Task:
    """One method at one point, once; what is ideal has no values that say which chip it is."""

    point: Point
    method: Method
    repeat: int

    @property
    def name(self) -> str:
        """It in a few words."""
        return " ".join(filter(None, (self.method, self.point.label, f"repeat {self.repeat}")))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a task came to.

    Attributes:
        task: that was done.
        accuracy: on test data; None where it failed.
        effective_bits: of the couplings, log2 of the steps that they span; None where nothing is rounded.
        chip_units: per unit of the network; None where nothing is embedded.
        seconds: that it took.
        problem: why it failed.
    """

    task: Task
    accuracy: float | None = None
    effective_bits: float | None = None
    chip_units: float | None = None
    seconds: float = 0.0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """All repeats of one method at one point.

    Attributes:
        point: swept values.
        method: of training and test.
        accuracies: of the repeats that finished.
        losses: accuracy of the ideal machine less that of the chip, repeat by repeat, where both are there.
        outcomes: all of them.
    """

    point: Point
    method: Method
    accuracies: tuple[float, ...]
    losses: tuple[float, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def problem(self) -> str:
        """Why a repeat failed, empty where none did."""
        return next((outcome.problem for outcome in self.outcomes if outcome.problem), "")

    def mean_of(self, name: str) -> float | None:
        """Return the mean of a number of the outcomes, None where it is nowhere."""
        values = [getattr(outcome, name) for outcome in self.outcomes]
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known else None


def interval(values: Sequence[float]) -> float | None:
    """Return half the width of the 95 % interval of a mean (Student's t); None below two values."""
    n = len(values)
    if n < 2:
        return None
    return float(stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))


def groups(study: Study, outcomes: Sequence[Outcome]) -> list[Group]:
    """Return outcomes by method and point, in the order of the tasks."""
    ideal = {
        (outcome.task.point, outcome.task.repeat): outcome.accuracy
        for outcome in outcomes
        if outcome.task.method == "ideal" and outcome.accuracy is not None
    }
    found: dict[tuple[Method, Point], list[Outcome]] = {}
    for outcome in outcomes:
        found.setdefault((outcome.task.method, outcome.task.point), []).append(outcome)
    out = []
    for (method, point), members in found.items():
        finished = [o for o in members if o.accuracy is not None]
        twins = [(ideal.get((study.ideal_point(point), o.task.repeat)), o) for o in finished]
        losses = [
            best - o.accuracy for best, o in twins if best is not None and o.accuracy is not None
        ]
        accuracies = tuple(o.accuracy for o in finished if o.accuracy is not None)
        out.append(Group(point, method, accuracies, tuple(losses), tuple(members)))
    return out


def table(study: Study, found: Sequence[Group]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return heads and rows, a text per column; columns that say nothing in any row are left out."""
    heads = (
        *(key for key, _ in study.keys), "method", "test accuracy (95 %)", "points lost to ideal",
        "effective bits", "chip units per unit", "seconds", "failed because",
    )  # fmt: skip
    rows = [_cells(study, group) for group in found]
    said = [k for k in range(len(heads)) if any(row[k] for row in rows)]
    return tuple(heads[k] for k in said), [tuple(row[k] for k in said) for row in rows]


def _cells(study: Study, group: Group) -> tuple[str, ...]:
    values = dict(group.point.values)
    is_ideal = group.method == "ideal"
    return (
        *(_shown(values.get(key, "")) for key, _ in study.keys),
        group.method,
        _percent(group.accuracies, f" (n = {len(group.accuracies)})"),
        "" if is_ideal else _percent(group.losses),
        _number(group.mean_of("effective_bits")),
        _number(group.mean_of("chip_units")),
        f"{np.mean([outcome.seconds for outcome in group.outcomes]):.3g}",
        group.problem,
    )


def write_tables(path: Path, study: Study, found: Sequence[Group]) -> None:
    """Write the table as Markdown and as CSV.

    Raises:
        CheckpointError: they cannot be written.
    """
    heads, rows = table(study, found)
    lines = [heads, ("---",) * len(heads), *rows]
    body = "\n".join(
        "| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines
    )
    title = f"# {study.file.name}: {study.file.experiment}, {study.file.repeats} repeats"
    write_text(path / FILES[0], f"{title}\n\n{body}\n")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*(key for key, _ in study.keys), *_RECORD])
    for group in found:
        values, record = dict(group.point.values), as_dict(group)
        swept = [values.get(key, "") for key, _ in study.keys]
        writer.writerow([*swept, *(record[name] for name in _RECORD)])
    write_text(path / FILES[1], text.getvalue())


_RECORD = (
    "method", "accuracy", "interval_95", "num_repeats", "lost", "lost_interval_95", "effective_bits",
    "chip_units", "seconds", "problem",
)  # fmt: skip


def as_dict(group: Group) -> Record:
    """Return plain data for JSON and CSV."""
    return {
        "values": dict(group.point.values),
        "method": group.method,
        "accuracy": float(np.mean(group.accuracies)) if group.accuracies else None,
        "interval_95": interval(group.accuracies),
        "num_repeats": len(group.accuracies),
        "lost": float(np.mean(group.losses)) if group.losses else None,
        "lost_interval_95": interval(group.losses),
        "effective_bits": group.mean_of("effective_bits"),
        "chip_units": group.mean_of("chip_units"),
        "seconds": group.mean_of("seconds"),
        "problem": group.problem,
    }


def keep(path: Path, outcome: Outcome) -> None:
    """Write an outcome down at once.

    Raises:
        CheckpointError: it cannot be written.
    """
    task = outcome.task
    append_line(
        path / _OUTCOMES,
        {
            "method": task.method, "values": dict(task.point.values), "repeat": task.repeat,
            "accuracy": outcome.accuracy, "effective_bits": outcome.effective_bits,
            "chip_units": outcome.chip_units, "seconds": outcome.seconds,
        },
    )  # fmt: skip


def kept(path: Path, study: Study) -> dict[Task, Outcome]:
    """Return the outcomes that are there; raises CheckpointError for a line that is none."""

    def read(record: Record) -> tuple[Task, Outcome]:
        point = study.point(record.pop("values"))
        task = Task(point, record.pop("method"), record.pop("repeat"))
        return task, Outcome(task, **record)

    return kept_lines(path / _OUTCOMES, read)


def _percent(values: Sequence[float], more: str = "") -> str:
    if not values:
        return ""
    spread = interval(values)
    around = "" if spread is None else f" ± {100 * spread:.2f}"
    return f"{100 * float(np.mean(values)):.2f}{around}{more}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
