"""Run a study: every point by every method, repeat after repeat; what is there already is not run again.

::

    study.toml        the study, resolved
    outcomes.jsonl    one line per finished task, as it comes
    runs/             a run folder for every training
    calibrations/     of every chip that was measured
    table.md, table.csv, accuracy-by-*.png
"""

import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from calibration.identity import identify
from calibration.measure import measure
from calibration.store import NAME, Calibration, save
from isingeq.errors import ConfigError, IsingeqError
from isingeq.experiments.config import Experiment
from isingeq.experiments.reading import amended
from isingeq.experiments.run import Stopped, evaluate, resume, train
from isingeq.experiments.run_folder import (
    Record,
    RunFolder,
    create_empty,
    fresh_path,
    write_text,
)
from isingeq.experiments.study_file import Study, slug
from isingeq.experiments.study_outcomes import Outcome, Task, keep, kept
from isingeq.registry import open_backend


@dataclass(frozen=True)
class Studied:
    """All outcomes so far, and where they were written.

    Attributes:
        study: that was run.
        path: folder.
        outcomes: in the order of the tasks.
        interrupted: stopped before all was done.
    """

    study: Study
    path: Path
    outcomes: list[Outcome]
    interrupted: bool


@dataclass(slots=True)
class StudyWatcher:
    """What a study tells while it works; each is optional.

    Attributes:
        started: called with the folder, the number of tasks done before and of all.
        task: called with what is begun.
        done: called with an outcome, the number of tasks done and the seconds that the rest may take.
    """

    started: Callable[[Path, int, int], None] = lambda path, done, total: None
    task: Callable[[Task], None] = lambda task: None
    done: Callable[[Outcome, int, float], None] = lambda outcome, done, left_s: None


class _StoppedError(Exception):
    """A signal stopped a training; its checkpoint is there."""


def tasks_of(study: Study) -> list[Task]:
    """Return all tasks, repeat after repeat, so that a study stopped early has something of every point."""
    found = (
        Task(study.ideal_point(point) if method == "ideal" else point, method, repeat)
        for repeat in range(study.file.repeats)
        for method in study.file.methods
        for point in study.points
    )
    return list(dict.fromkeys(found))


def run_study(
    study: Study, *, out: Path | None = None, watcher: StudyWatcher | None = None
) -> Studied:
    """Run what is not done yet; a task that fails leaves the others alone.

    Args:
        study: checked.
        out: folder, new or of this very study; None makes one under `runs`.
        watcher: is told what happens.

    Raises:
        ConfigError: the folder holds something else.
        CheckpointError: an outcome cannot be read or written.
    """
    watcher = watcher or StudyWatcher()
    path = _opened(out or fresh_path(f"study-{study.file.name}"), study)
    tasks, known = tasks_of(study), kept(path, study)
    outcomes = {task: known[task] for task in tasks if task in known}
    watcher.started(path, len(outcomes), len(tasks))
    spent: list[float] = []
    interrupted = False
    for task in (task for task in tasks if task not in known):
        started = time.perf_counter()
        try:
            watcher.task(task)
            outcome = _run(study, task, path)
        except (_StoppedError, KeyboardInterrupt):
            interrupted = True
            break
        except IsingeqError as error:
            outcome = Outcome(task, problem=str(error))
        spent.append(time.perf_counter() - started)
        outcome = outcomes[task] = replace(outcome, seconds=spent[-1])
        if not outcome.problem:
            keep(path, outcome)
        left = (len(tasks) - len(outcomes)) * sum(spent) / len(spent)
        watcher.done(outcome, len(outcomes), left)
    return Studied(study, path, [outcomes[task] for task in tasks if task in outcomes], interrupted)


def _opened(path: Path, study: Study) -> Path:
    """Make the folder, or take that of this very study."""
    file, text = path / "study.toml", study.text
    if file.is_file():
        if file.read_text(encoding="utf-8") != text:
            raise ConfigError(
                f"folder {path} holds another study ({file} differs): give another --out"
            )
        return path
    create_empty(path)
    write_text(file, text)
    return path


def _run(study: Study, task: Task, path: Path) -> Outcome:
    method, repeat = task.method, task.repeat
    if method == "ideal":
        return _outcome(task, _trained(path, "ideal", task, study.on_ideal(task.point, repeat)))
    chip = study.on_chip(task.point, repeat)
    if method.endswith("calibrated"):
        file = _calibrated(path / "calibrations", chip, study.file.precision)
        chip = amended(chip, overrides={"mapping.calibration": str(file)})
    if method.startswith("in-situ"):
        return _outcome(task, _trained(path, method, task, chip))
    learnt = replace(task, point=study.ideal_point(task.point))
    record = _trained(path, "ideal", learnt, study.on_ideal(learnt.point, repeat))
    return _outcome(task, evaluate(Path(record["run_dir"]), chip))


def _trained(path: Path, method: str, task: Task, experiment: Experiment) -> Record:
    """Train, go on with a training, or take what is there."""
    where = path / "runs" / method.replace(" ", "-") / slug(task.point) / str(task.repeat)
    folder = RunFolder(where)
    if (where / "result.json").is_file():
        return folder.read("result")
    if folder.checkpoint.is_file():
        found = resume(where, plots=False)
    else:
        if where.exists():  # stopped before its first checkpoint
            shutil.rmtree(where)
        found = train(experiment, out=where, plots=False)
    if isinstance(found, Stopped):
        raise _StoppedError
    return found


def _outcome(task: Task, record: Record) -> Outcome:
    layers: Sequence[Record] = record["provenance"].get("mapping") or ()
    told = {layer["layer"]: layer for layer in layers}
    rounded = told.get("quantise", {}).get("couplings")
    return Outcome(
        task,
        accuracy=record["test_accuracy"],
        effective_bits=rounded and rounded["effective_bits"],
        chip_units=told.get("embed", {}).get("units_per_unit"),
    )


def _calibrated(folder: Path, chip: Experiment, precision: float) -> Path:
    """Return the calibration of a chip, measured where it is not there yet."""
    spec = chip.machine.spec
    where = folder / re.sub(r"[^\w.=-]+", "-", spec)
    if not (where / NAME).is_file():
        with closing(open_backend(spec)) as backend:
            found = measure(backend, precision=precision, only=("fields", "couplings"))
            identity = identify(backend, spec, found.graph)
        save(Calibration(identity, found, datetime.now(UTC)), where)
    return where
