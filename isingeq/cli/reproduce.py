"""`isingeq reproduce`: the claims of a paper as experiments, each with a verdict."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isingeq.cli.counting import counting, duration
from isingeq.cli.output import Debug, Json, Output, Quiet, command

if TYPE_CHECKING:
    from isingeq.experiments.claims.claim import Case
    from isingeq.experiments.claims.reproduction import ClaimWatcher, Reproduced


def reproduce(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME|all", help="A claim; left out, all are listed."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="In seconds: shows that it runs, not what is true.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR",
            help="Folder to write, or of this claim to go on in; a new one under runs/ otherwise.",
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Test a claim of the paper: a table, plots, and whether it held."""
    with command(json=json, quiet=quiet, debug=debug) as output:
        from isingeq.experiments.claims.catalogue import CLAIMS, chosen
        from isingeq.experiments.claims.reproduction import reproduce as run

        if name is None:
            rows = [(kind.name, kind.summary) for kind in CLAIMS.values()]
            output.table("claims", ("name", "what is tested"), rows)
            output.result({"claims": [{"name": n, "summary": text} for n, text in rows]})
            return
        found: list[Reproduced] = []
        for claim in chosen(name, quick=quick):
            where = out / claim.name if out and name == "all" else out
            output.line(f"{claim.name}, claimed: {claim.paper}")
            output.line(f"criterion: {claim.criterion}")
            with _shown(output) as watcher:
                found.append(run(claim, out=where, watcher=watcher))
            _tell(output, found[-1], name, quick, out)
            if found[-1].conclusion is None:
                break
        output.result({"claims": [one.as_dict() for one in found]})
        if found[-1].conclusion is None:
            raise typer.Exit(130)


def _tell(output: Output, found: "Reproduced", name: str, quick: bool, out: Path | None) -> None:
    if found.conclusion is None:
        words = ["isingeq reproduce", name, *(["--quick"] if quick else [])]
        again = out if out and name == "all" else found.path
        output.answer(f"stopped; go on with: {' '.join(words)} --out {again}")
        return
    for table in found.conclusion.tables:
        output.table(table.title, table.columns, table.rows)
    for remark in found.conclusion.remarks:
        output.line(remark)
    for part in found.conclusion.parts:
        output.answer(part.text)
    small = ", in small: it runs, and no more is shown" if quick else ""
    verdict = found.conclusion.verdict
    output.answer(f"{found.claim.name}: {verdict}{small}; in {found.path}: report.md")


@contextmanager
def _shown(output: Output) -> Iterator["ClaimWatcher"]:
    """Yield a watcher that shows a claim on `output`: a bar on a terminal, and a line per case."""
    from isingeq.experiments.claims.reproduction import ClaimWatcher

    with counting(output) as bar:

        def started(path: Path, done: int, total: int) -> None:
            bar.count(done, total)
            output.line(f"writing {path}: {total - done} of {total} cases to do")

        def begun(case: "Case") -> None:
            bar.begin(case.label)

        def finished(case: "Case", seconds: float, done: int, left_s: float) -> None:
            bar.count(done)
            output.line(f"{case.label}: {seconds:.1f} s; {duration(left_s)} left")

        yield ClaimWatcher(started, begun, finished)
