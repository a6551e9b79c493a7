"""A run as it goes: a bar on a terminal, a line per epoch everywhere."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from math import isfinite
from pathlib import Path
from time import monotonic

from rich.progress import BarColumn, Progress, TextColumn

from isingeq.cli.output import Output
from isingeq.experiments.config import Experiment
from isingeq.experiments.run import Watcher
from isingeq.learning.progress import Epoch, Position


@contextmanager
def shown(output: Output) -> Iterator[Watcher]:
    """Yield a watcher that shows a run on `output`."""
    bar = output.bar(
        TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
        BarColumn(bar_width=None),
        TextColumn("batch {task.fields[batch]}/{task.fields[batches]}  {task.fields[accuracy]}"),
        TextColumn("{task.fields[left]}"),
        expand=True,
    )
    watcher = _Shown(output, bar)
    with bar:
        yield Watcher(watcher.started, watcher.batch, watcher.epoch, output.warning)


class _Pace:
    """Time left, from how long the last epoch's worth of updates took: one validation is always among them."""

    def __init__(self) -> None:
        self.times = deque([monotonic()])

    def update(self, batches: int) -> None:
        """Take note of an update, the latest of an epoch's number of them."""
        self.times.append(monotonic())
        if len(self.times) > batches + 1:
            self.times.popleft()

    def epoch(self) -> None:
        """Take note of an epoch's end: its last update is not over before its validation is."""
        self.times[-1] = monotonic()

    def left(self, updates: int) -> str:
        """Return in words how long so many more updates will take."""
        seconds = updates * (self.times[-1] - self.times[0]) / max(1, len(self.times) - 1)
        return f"{timedelta(seconds=round(seconds))} left"


class _Shown:
    """Keeps what the bar and the lines need from one call to the next."""

    def __init__(self, output: Output, bar: Progress) -> None:
        self.output, self.bar = output, bar
        self.epochs = self.batches = 0
        self.pace = _Pace()
        self.task = bar.add_task(
            "",
            total=None,
            epoch=1,
            epochs="?",
            batch=0,
            batches="?",
            accuracy="",
            left="",
            visible=False,
        )

    def started(self, experiment: Experiment, path: Path, done: int) -> None:
        learning = experiment.learning
        self.epochs = learning.epochs
        self.pace = _Pace()
        self.bar.update(
            self.task,
            epoch=min(done + 1, self.epochs),
            epochs=self.epochs,
            accuracy="",
            left="",
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
        self.pace.update(batches)
        self.batches, total = batches, self.epochs * batches
        done = position.epoch * batches + position.batch
        self.bar.update(
            self.task, epoch=position.epoch + 1, batch=position.batch, batches=batches,
            completed=done, total=total, left=self.pace.left(total - done),
        )  # fmt: skip

    def epoch(self, epoch: Epoch) -> None:
        validated = isfinite(epoch.validation_accuracy)
        accuracy = (
            f"validation {epoch.validation_accuracy:.2%}"
            if validated
            else f"training {epoch.train_accuracy:.2%}"
        )
        self.pace.epoch()
        left = self.pace.left((self.epochs - epoch.epoch) * self.batches)
        self.bar.update(self.task, accuracy=accuracy, left=left)
        steps = f"steps {epoch.mean_free_steps:.1f} + {epoch.mean_nudged_steps:.1f}"
        words = [f"epoch {epoch.epoch:>3}/{self.epochs}", f"training {epoch.train_accuracy:.2%}"]
        words += [accuracy] * validated + [f"cost {epoch.cost:.4g}", steps]
        words += [f"not settled {epoch.unsettled_fraction:.2%}"] * bool(epoch.unsettled_fraction)
        words += [f"{epoch.num_two_cycles} two-cycles"] * bool(epoch.num_two_cycles)
        words += [f"{epoch.num_clipped} fields clipped"] * bool(epoch.num_clipped)
        words += [f"{epoch.num_rejected} reads rejected"] * bool(epoch.num_rejected)
        clipped = epoch.clipped_gradients
        words += [f"gradients clipped {clipped:.2%}"] * bool(clipped)
        words += [f"{epoch.wall_s:.2f} s"] + [left] * (epoch.epoch < self.epochs)
        self.output.line("  ".join(words))
