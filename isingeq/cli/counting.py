"""A bar over pieces of work done one after the other, and times as people say them."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from isingeq.cli.output import Output


class Counting:
    """What is under way, and how much is done."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar, self._task = bar, task

    def begin(self, name: str) -> None:
        """Show what is under way."""
        self._bar.update(self._task, description=name)

    def count(self, done: int, total: int | None = None) -> None:
        """Show how much is done, and of how much where that is new."""
        self._bar.update(self._task, completed=done, total=total)


@contextmanager
def counting(output: Output) -> Iterator[Counting]:
    """Yield a bar on a terminal; off it, nothing is shown."""
    bar = output.bar(
        TextColumn("{task.completed}/{task.total}"),
        BarColumn(),
        TextColumn("{task.description}"),
    )
    with bar:
        yield Counting(bar, bar.add_task("", total=None))


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"about {seconds / size:.0f} {unit}"
    return f"about {seconds:.0f} s"
