"""`isingeq study`: how much a chip may be worse than ideal."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isingeq.cli.counting import counting, duration
from isingeq.cli.output import Debug, Json, Output, Quiet, command

if TYPE_CHECKING:
    from isingeq.experiments.study import StudyWatcher
    from isingeq.experiments.study_outcomes import Outcome, Task


def study(
    file: Annotated[
        str | None,
        typer.Argument(metavar="NAME|FILE.toml", help="A shipped study or a file."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder to write; a new one under runs/ otherwise."
        ),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="DIR", help="Go on with a stopped study.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Sweep bits, connectivity, mismatch, noise or any other key, and tabulate what each costs in accuracy."""
    with command(json=json, quiet=quiet, debug=debug) as output:
        from isingeq.errors import ConfigError
        from isingeq.experiments import study_plots
        from isingeq.experiments.reading import shipped
        from isingeq.experiments.study import run_study
        from isingeq.experiments.study_file import read_study
        from isingeq.experiments.study_outcomes import (
            FILES,
            as_dict,
            groups,
            table,
            write_tables,
        )

        if (file is None) == (resume is None) or (resume and out):
            raise ConfigError(
                f"give a study ({', '.join(shipped('study'))}, or a .toml file) or --resume DIR"
            )
        if resume and not (resume / "study.toml").is_file():
            raise ConfigError(f"{resume} is no folder of a study: it has no study.toml")
        chosen = read_study(file or str(resume / "study.toml" if resume else ""))
        with _shown(output) as watcher:
            studied = run_study(chosen, out=resume or out, watcher=watcher)
        found = groups(chosen, studied.outcomes)
        write_tables(studied.path, chosen, found)
        names = [*FILES, *study_plots.draw(studied.path, chosen, found)]
        output.table(
            f"{chosen.file.name}: {chosen.file.experiment}, {chosen.file.repeats} repeats",
            *table(chosen, found),
        )
        output.answer(f"in {studied.path}: {', '.join(names)}")
        if studied.interrupted:
            output.answer(f"stopped; go on with: isingeq study --resume {studied.path}")
        output.result(
            {
                "groups": [as_dict(group) for group in found],
                "out": str(studied.path),
                "interrupted": studied.interrupted,
            }
        )
        if studied.interrupted:
            raise typer.Exit(130)
        if not any(group.accuracies for group in found):
            raise typer.Exit(6)


@contextmanager
def _shown(output: Output) -> "Iterator[StudyWatcher]":
    """Yield a watcher that shows a study on `output`: a bar on a terminal, a line per task everywhere."""
    from isingeq.experiments.study import StudyWatcher

    with counting(output) as bar:

        def started(path: Path, done: int, total: int) -> None:
            bar.count(done, total)
            output.line(f"writing {path}: {total - done} of {total} tasks to do")

        def begun(task: "Task") -> None:
            bar.begin(task.name)

        def finished(outcome: "Outcome", done: int, left_s: float) -> None:
            bar.count(done)
            came = outcome.problem if outcome.accuracy is None else f"{outcome.accuracy:.2%}"
            output.line(
                f"{outcome.task.name}: {came}, {outcome.seconds:.1f} s; {duration(left_s)} left"
            )

        yield StudyWatcher(started, begun, finished)
