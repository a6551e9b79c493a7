"""The same network, data order and seeds on several backends, side by side."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy import stats

from isingeq.errors import IsingeqError
from isingeq.experiments.auditing import audit_experiment
from isingeq.experiments.config import Experiment, Machine
from isingeq.experiments.run import Stopped, Watcher, train
from isingeq.experiments.run_folder import Record, RunFolder, create_empty, fresh_path
from isingeq.registry import parse_spec

COLUMNS = (
    "backend",
    "test accuracy (95 %)",
    "gradient cosine",
    "steps free + nudged",
    "samples/s",
    "provenance",
    "failed because",
)
NOTE = (
    "gradient cosine: with the exact gradient at the initial parameters, at the nudging of the "
    "experiment; blank where no exact one is within reach"
)
FILES = ("comparison.md", "comparison.csv")


@dataclass(slots=True)
class Row:
    """One backend.

    Attributes:
        backend: SPEC.
        accuracies: on test data, one per seed that finished.
        cosine: between its gradient and the exact one, at the initial parameters.
        free_steps: mean per sample.
        nudged_steps: mean per sample.
        samples_per_s: training samples per second of wall time.
        provenance: kind of machine.
        problem: why it did not finish.
    """

    backend: str
    accuracies: list[float] = field(default_factory=list)
    cosine: float | None = None
    free_steps: float | None = None
    nudged_steps: float | None = None
    samples_per_s: float | None = None
    provenance: str = ""
    problem: str = ""

    @property
    def interval(self) -> float | None:
        """Half the width of the 95 % interval of the mean (Student's t); None below two seeds."""
        n = len(self.accuracies)
        if n < 2:
            return None
        return float(stats.t.ppf(0.975, n - 1) * np.std(self.accuracies, ddof=1) / np.sqrt(n))

    def cells(self) -> tuple[str, ...]:
        """Return one text per column."""
        accuracy = ""
        if self.accuracies:
            spread = "" if self.interval is None else f" ± {100 * self.interval:.2f}"
            accuracy = (
                f"{100 * np.mean(self.accuracies):.2f}{spread} % (n = {len(self.accuracies)})"
            )
        steps = (
            "" if self.free_steps is None else f"{self.free_steps:.1f} + {self.nudged_steps:.1f}"
        )
        return (
            self.backend,
            accuracy,
            "" if self.cosine is None else f"{self.cosine:.4f}",
            steps,
            "" if self.samples_per_s is None else f"{self.samples_per_s:.0f}",
            self.provenance,
            self.problem,
        )

    def as_dict(self) -> Record:
        """Return plain data for JSON and CSV."""
        return {
            "backend": self.backend,
            "test_accuracy": float(np.mean(self.accuracies)) if self.accuracies else None,
            "interval_95": self.interval,
            "num_seeds": len(self.accuracies),
            "gradient_cosine": self.cosine,
            "mean_free_steps": self.free_steps,
            "mean_nudged_steps": self.nudged_steps,
            "samples_per_s": self.samples_per_s,
            "provenance": self.provenance,
            "problem": self.problem,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows, and where they were written.

    Attributes:
        rows: one per backend, in the order given.
        path: folder with the tables and a run folder per backend and seed.
        interrupted: stopped before all runs were done.
    """

    rows: list[Row]
    path: Path
    interrupted: bool

    def as_dict(self) -> Record:
        """Return plain data for JSON."""
        rows = [row.as_dict() for row in self.rows]
        return {"rows": rows, "out": str(self.path), "interrupted": self.interrupted}


def split_specs(given: Sequence[str]) -> list[str]:
    """Return the SPECs that a user means.

    Several are taken as they stand. One text has commas between its SPECs; but the device paths and URLs that follow a
    pool's first, up to options, are boards of that pool.

    Raises:
        ConfigError: what is no SPEC.
    """
    found: list[str] = []
    for text in given if len(given) > 1 else given[0].split(","):
        spec = text.strip()
        is_device = parse_spec(spec).name == "serial"
        in_pool = bool(found) and found[-1].startswith("pool:") and "?" not in found[-1]
        if len(given) == 1 and is_device and in_pool:
            found[-1] += f",{spec}"
        else:
            found.append(spec)
    return found


def compare(
    experiment: Experiment, specs: Sequence[str], *, num_seeds: int = 1, out: Path | None = None,
    watcher: Watcher | None = None,
) -> Comparison:  # fmt: skip
    """Train on each backend with each seed; a backend that fails leaves the others alone.

    Initial parameters, data and their order depend on experiment and seed only: every backend gets
    the same.

    Args:
        experiment: resolved; its machine is replaced.
        specs: backends.
        num_seeds: seeds, counted up from the experiment's own.
        out: folder; None makes one under `runs`.
        watcher: is told what happens.

    Raises:
        ConfigError: the folder holds something already, or cannot be written.
    """
    path = out or fresh_path(f"compare-{experiment.name}")
    create_empty(path)
    rows = [Row(spec) for spec in specs]
    interrupted = False
    for number, row in enumerate(rows, 1):
        machine = Machine(backend=row.backend)
        records = []
        try:
            for seed in range(experiment.seed, experiment.seed + num_seeds):
                chosen = experiment.model_copy(update={"machine": machine, "seed": seed})
                where = path / f"{number}-{row.backend.partition('?')[0].replace('/', '-')}-{seed}"
                outcome = train(chosen, out=where, watcher=watcher, plots=False)
                if isinstance(outcome, Stopped):
                    interrupted = True
                    row.problem = "interrupted"
                    break
                records.append(outcome)
        except IsingeqError as error:
            row.problem = str(error)
        except Exception as error:  # a backend of others may fail in any way; its row says so
            row.problem = f"{type(error).__name__}: {error}"
        _fill(row, records)
        if records:
            row.cosine = _cosine(experiment.model_copy(update={"machine": machine}))
        _write(path, experiment, rows)
        if interrupted:
            break
    return Comparison(rows, path, interrupted)


def _fill(row: Row, records: Sequence[Record]) -> None:
    """Put the means over the runs that finished into a row."""
    if not records:
        return
    folders = [RunFolder(Path(record["run_dir"])) for record in records]
    walls = [epoch["wall_s"] for folder in folders for epoch in folder.epochs]
    row.accuracies = [record["test_accuracy"] for record in records]
    row.free_steps = float(np.mean([record["mean_free_steps"] for record in records]))
    row.nudged_steps = float(np.mean([record["mean_nudged_steps"] for record in records]))
    # The median leaves out the first epoch, which may compile.
    row.samples_per_s = folders[0].read("provenance")["data"]["train_size"] / float(
        np.median(walls)
    )
    row.provenance = records[0]["provenance"]["kind"]


def _cosine(experiment: Experiment) -> float | None:
    """Return the cosine with the exact gradient, None where that is out of reach."""
    try:
        return audit_experiment(experiment, num_samples=4, entries=12).cosine
    except IsingeqError:
        return None


def _write(path: Path, experiment: Experiment, rows: Sequence[Row]) -> None:
    """Write the table as Markdown and as CSV, after every backend anew."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(row.cells() for row in rows)]
    body = "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
    learning = experiment.learning
    title = f"# {experiment.name}: {learning.epochs} epochs, seeds from {experiment.seed}"
    (path / FILES[0]).write_text(f"{title}\n\n{body}\n\n{NOTE}.\n", encoding="utf-8")
    text = io.StringIO()
    records = [row.as_dict() for row in rows]
    writer = csv.DictWriter(text, records[0].keys())
    writer.writeheader()
    writer.writerows(records)
    (path / FILES[1]).write_text(text.getvalue(), encoding="utf-8")
