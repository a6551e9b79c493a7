"""The folder of a run, and what stands where in it.

::

    config.toml       the experiment, resolved: enough to run it again
    metrics.jsonl     one line per epoch, as it comes
    checkpoint.npz    parameters and position; checkpoint.previous.npz the one before
    result.json       what the run came to
    provenance.json   backend, versions and kind of machine
    *.png             accuracy, residual, steps, weights
"""

import errno
import json
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from isingeq.errors import CheckpointError, ConfigError
from isingeq.experiments.config import Experiment
from isingeq.experiments.reading import parse, validate
from isingeq.experiments.toml import dumps
from isingeq.learning.progress import Epoch

Record = dict[str, Any]
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """An existing folder of a run."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """File of the checkpoint."""
        return self.path / "checkpoint.npz"

    @property
    def experiment(self) -> Experiment:
        """The experiment that was run.

        Raises:
            ConfigError: the resolved config was changed into something that is not understood.
        """
        file = self.path / "config.toml"
        return validate(parse(file.read_text(encoding="utf-8"), str(file)))

    @property
    def epochs(self) -> list[Record]:
        """What every epoch came to, so far."""
        file = self.path / "metrics.jsonl"
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        # A last line without its end was cut off as it was written, and no checkpoint knows of it.
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def write_experiment(self, experiment: Experiment) -> None:
        """Write the resolved config."""
        write_text(self.path / "config.toml", dumps(experiment.model_dump(mode="json")))

    def add_epoch(self, epoch: Epoch) -> None:
        """Write down an epoch at once.

        Raises:
            CheckpointError: it cannot be written.
        """
        append_line(self.path / "metrics.jsonl", asdict(epoch))

    def forget_epochs_after(self, last: int) -> None:
        """Drop epochs that a checkpoint does not know of: they are trained again.

        Raises:
            CheckpointError: epochs that the checkpoint knows of are missing.
        """
        kept = [record for record in self.epochs if record["epoch"] <= last]
        if len(kept) != last:
            raise CheckpointError(
                f"{self.path / 'metrics.jsonl'} has {len(kept)} of the {last} epochs of the "
                "checkpoint: bring the file back, or start a new run"
            )
        write_text(self.path / "metrics.jsonl", "".join(to_json(record) + "\n" for record in kept))

    def forget_result(self) -> None:
        """Drop what an earlier end came to: the run goes on."""
        (self.path / "result.json").unlink(missing_ok=True)

    def read(self, name: str) -> Record:
        """Return what `name`.json holds."""
        record: Record = json.loads((self.path / f"{name}.json").read_text(encoding="utf-8"))
        return record

    def write(self, name: str, record: Mapping[str, object]) -> None:
        """Write `name`.json, whole or not at all."""
        write_text(self.path / f"{name}.json", to_json(record, indent=2) + "\n")


def create_run_folder(experiment: Experiment, path: Path | None = None) -> RunFolder:
    """Make a folder for a new run.

    Args:
        experiment: resolved.
        path: where; None makes one under `runs`, named by experiment, backend, seed and time.

    Raises:
        ConfigError: the folder holds something already, or cannot be written.
    """
    backend = re.sub(r"[^A-Za-z0-9]+", "-", experiment.settled_on.partition("?")[0]).strip("-")
    folder = RunFolder(path or fresh_path(f"{experiment.name}-{backend}-{experiment.seed}"))
    create_empty(folder.path)
    folder.write_experiment(experiment)
    return folder


def create_empty(path: Path) -> None:
    """Make a folder, or take one that is empty.

    Raises:
        ConfigError: it holds something already, or cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        is_run, is_empty = (path / "config.toml").exists(), not any(path.iterdir())
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise ConfigError(
            f"folder {path} cannot be written ({error.strerror}): give one that can, with --out"
        ) from error
    if is_run:
        found, way = "", f"go on with --resume {path}"
        if not RunFolder(path).checkpoint.exists():
            found, way = " without a checkpoint", "remove it"
        raise ConfigError(f"folder {path} holds a run{found}: {way}, or give another --out")
    if not is_empty:
        raise ConfigError(f"folder {path} is not empty: give another --out")


def open_run_folder(path: Path) -> RunFolder:
    """Open the folder of an earlier run.

    Raises:
        CheckpointError: it is no run folder.
    """
    if not (path / "config.toml").is_file():
        raise CheckpointError(
            f"{path} is no run folder (it has no config.toml): give one that isingeq train wrote"
        )
    return RunFolder(path)


def to_json(record: Mapping[str, object], *, indent: int | None = None) -> str:
    """Return strict JSON: a number that is not finite becomes null."""
    return json.dumps(_plain(record), indent=indent, ensure_ascii=False, allow_nan=False)


def fresh_path(stem: str) -> Path:
    """Return a path under `runs` that does not exist yet, `stem` and the time."""
    stem = f"{stem}-{datetime.now():%Y%m%d-%H%M%S}"
    path, number = Path("runs") / stem, 1
    while path.exists():
        number += 1
        path = Path("runs") / f"{stem}-{number}"
    return path


def append_line(path: Path, record: Mapping[str, object]) -> None:
    """Append a record to a file of lines.

    Raises:
        CheckpointError: it cannot be written.
    """
    with _told(path), path.open("a", encoding="utf-8") as stream:
        stream.write(to_json(record) + "\n")


def kept_lines(file: Path, read: Callable[[Record], tuple[K, V]]) -> dict[K, V]:
    """Return the outcomes in a file of lines; a last line that was cut off as it was written is taken out of it.

    Args:
        file: that may not be there yet.
        read: makes key and outcome of a record, and fails with a ValueError, KeyError, TypeError or AttributeError
            where it is none.

    Raises:
        CheckpointError: a line that is no outcome.
    """
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        write_text(file, whole)
    found = {}
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            key, outcome = read(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CheckpointError(
                f"line {number} of {file} is no outcome: take it out, and it is run again"
            ) from None
        found[key] = outcome
    return found


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all; see `write_bytes`."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; its folder is made where there is none.

    Raises:
        CheckpointError: it cannot be written.
    """
    fresh = path.with_name(path.name + ".new")
    with _told(path):
        path.parent.mkdir(exist_ok=True)
        try:
            with fresh.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except OSError:
            with suppress(OSError):
                fresh.unlink()
            raise


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say in one line which file cannot be written, and what is left."""
    try:
        yield
    except OSError as error:
        way = "start again, it has no checkpoint yet"
        if RunFolder(path.parent).checkpoint.exists():
            way = f"go on from the last checkpoint with --resume {path.parent}"
        raise CheckpointError(
            f"{path} cannot be written ({error.strerror}): mend that, then {way}"
        ) from error
