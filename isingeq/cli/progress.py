"""A run as it goes: a bar on a terminal, a line per epoch everywhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from isingeq.cli.output import Output
from isingeq.experiments.config import Experiment
from isingeq.experiments.run import Watcher
from isingeq.learning.progress import Epoch, Position


@contextmanager
def shown(output: Output) -> Iterator[Watcher]:
    """Yield a watcher that shows a run on `output`."""
    bar = Progress(
        TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
        BarColumn(),
        TextColumn("batch {task.fields[batch]}/{task.fields[batches]}  {task.fields[accuracy]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=output.console,
        transient=True,
        disable=output.quiet or not output.console.is_terminal,
    )
    watcher = _Shown(output, bar)
    with bar:
        yield Watcher(watcher.started, watcher.batch, watcher.epoch, output.warning)


class _Shown:
    """Keeps what the bar and the lines need from one call to the next."""

    def __init__(self, output: Output, bar: Progress) -> None:
        self.output, self.bar = output, bar
        self.epochs = 0
        self.task = bar.add_task(
            "", total=None, epoch=1, epochs="?", batch=0, batches="?", accuracy="", visible=False
        )

    def started(self, experiment: Experiment, path: Path, done: int) -> None:
        learning = experiment.learning
        self.epochs = learning.epochs
        self.bar.update(
            self.task,
            epoch=min(done + 1, self.epochs),
            epochs=self.epochs,
            accuracy="",
            visible=True,
        )
        self.output.line(
            f"{experiment.name}: {experiment.data.name} on {experiment.settled_on}, "
            f"{learning.estimator}, {learning.epochs} epochs, seed {experiment.seed}"
        )
        self.output.line(
            f"writing {path}" if not done else f"going on in {path} after epoch {done}"
        )

    def batch(self, position: Position, batches: int) -> None:
        self.bar.update(
            self.task, epoch=position.epoch + 1, batch=position.batch, batches=batches,
            completed=position.epoch * batches + position.batch, total=self.epochs * batches,
        )  # fmt: skip

    def epoch(self, epoch: Epoch) -> None:
        validated = isfinite(epoch.validation_accuracy)
        accuracy = (
            f"validation {epoch.validation_accuracy:.2%}"
            if validated
            else f"training {epoch.train_accuracy:.2%}"
        )
        self.bar.update(self.task, accuracy=accuracy)
        steps = f"steps {epoch.mean_free_steps:.1f} + {epoch.mean_nudged_steps:.1f}"
        words = [f"epoch {epoch.epoch:>3}/{self.epochs}", f"training {epoch.train_accuracy:.2%}"]
        words += [accuracy] * validated + [f"cost {epoch.cost:.4g}", steps]
        words += [f"not settled {epoch.unsettled_fraction:.2%}"] * bool(epoch.unsettled_fraction)
        words += [f"{epoch.num_two_cycles} two-cycles"] * bool(epoch.num_two_cycles)
        words += [f"{epoch.num_clipped} fields clipped"] * bool(epoch.num_clipped)
        self.output.line("  ".join([*words, f"{epoch.wall_s:.2f} s"]))
