"""`isingeq calibrate`: measure a chip, keep what was found, and see later whether it still holds."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isingeq.cli.output import Debug, Json, Output, Quiet, command

if TYPE_CHECKING:
    from calibration.measure import Estimated, Measured, Progress
    from calibration.measure.comparison import Moved
    from isingeq.backend import Backend

_MOVED = 9
_MOST_NAMED = 20


def calibrate(
    spec: Annotated[
        str, typer.Argument(metavar="SPEC|URL", help="Chip, as in profile:kings-256?seed=3.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder of the calibration; calibrations/NAME."),
    ] = None,
    precision: Annotated[
        float, typer.Option("--precision", help="Standard error of gains to reach.")
    ] = 0.01,
    reads: Annotated[
        int | None, typer.Option("--reads", help="Most reads; gains get what is left of them.")
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--only", metavar="A,B", help="Of fields, couplings, transfer and drift; all else."
        ),
    ] = None,
    units: Annotated[int | None, typer.Option("--units", help="Measure the first N units.")] = None,
    beta: Annotated[
        float | None, typer.Option("--beta", help="Inverse temperature, in the chip's units.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of all reads.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Measure again, and compare with what --out has.")
    ] = False,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="Measure again, and compare with this file."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Measure gains, offsets, faults, noise and drift of a chip, element by element."""
    with command(json=json, quiet=quiet, debug=debug) as output:
        from calibration.identity import identify
        from calibration.measure import PROCEDURES, StoppedError, measure
        from calibration.store import load
        from isingeq.errors import ConfigError
        from isingeq.experiments.stopping import stop_on_signal
        from isingeq.registry import open_backend

        if verify and check is not None:
            raise ConfigError(
                "--verify compares with what --out has, --check with a file: give one"
            )
        say = output.warning
        with (
            closing(open_backend(spec)) as chip,
            stop_on_signal(lambda: say("stopping; again to stop at once")) as stop,
        ):
            before = load(check or _folder(out, spec)) if verify or check is not None else None
            if before is not None:
                graph = before.measured.graph
                before.check(identify(chip, spec, graph))
                units, beta = graph.n, beta or _beta(before.measured)
            try:
                with _bar(output) as watch:
                    found = measure(
                        chip, precision=precision, reads=reads, only=only.split(",") if only else PROCEDURES,
                        units=units, beta=beta, seed=int(before is not None) if seed is None else seed,
                        watch=watch, told=lambda plan: _foretell(output, spec, plan), stop=stop,
                    )  # fmt: skip
            except StoppedError:
                output.answer("stopped: nothing was written, and what was there is as it was")
                raise typer.Exit(130) from None
            if before is None:
                _keep(output, chip, spec, found, _folder(out, spec))
                return
        from calibration.measure.comparison import compare

        moved = compare(before.measured, found)
        _verified(output, spec, check or _folder(out, spec), moved)


def _folder(out: Path | None, spec: str) -> Path:
    """Return where the calibration of a SPEC stands: its options are part of the name."""
    from re import sub

    return out or Path("calibrations") / sub(r"[^\w.=-]+", "-", spec).strip("-")


def _beta(before: "Measured") -> float | None:
    """Return the inverse temperature that a calibration was measured at."""
    schedule = before.conditions["schedule"]
    return schedule["betas"][-1] if isinstance(schedule, dict) and "betas" in schedule else None


def _foretell(output: Output, spec: str, plan: "Estimated") -> None:
    time = f"{plan.seconds:.0f} s" if plan.seconds < 600 else f"{plan.seconds / 60:.0f} minutes"
    output.line(f"{spec}: about {plan.reads:.3g} reads, {time} to go")


def _keep(output: Output, chip: "Backend", spec: str, found: "Measured", folder: Path) -> None:
    """Write a calibration with its plots, and tell it."""
    from datetime import UTC, datetime

    from calibration.identity import identify
    from calibration.store import Calibration, save
    from calibration.summary import faults_of, summary_of
    from isingeq.experiments.calibration_plots import draw

    made = Calibration(identify(chip, spec, found.graph), found, datetime.now(UTC))
    file = save(made, folder)
    names = draw(found, folder)
    _tell(output, made.id, found)
    output.line(f"plots in {folder}: {', '.join(names)}")
    output.answer(f"calibration in {file}")
    output.result(
        {
            "backend": spec,
            "file": str(file),
            "id": made.id,
            "conditions": found.conditions,
            "summary": summary_of(found),
            "faults": faults_of(found),
        }
    )


def _tell(output: Output, name: str, found: "Measured") -> None:
    """Show a table, and name what does not work."""
    from calibration.summary import faults_of

    rows = []
    for key, q in found.quantities.items():
        label = key.replace("_", " ")
        good = q.value[q.good]
        if not good.size:
            rows.append((label, "not measured", "", "", q.why))
        elif q.value.size == 1:
            rows.append((label, f"{good[0]:.4g}", "", f"{q.error[0]:.2g}", q.unit))
        else:
            failed = f", {q.num_failed} of {q.value.size} without" * bool(q.num_failed)
            cells = (f"{round(good.mean(), 12):.4g}", f"{q.spread():.2g}", f"{q.median_error:.2g}")
            rows.append((label, *cells, f"{q.unit}{failed}"))
    output.table(name, ("quantity", "mean", "spread", "standard error", ""), rows)
    faults = faults_of(found)
    dead, stuck, couplers = (faults[k] for k in ("dead_units", "stuck_units", "dead_couplers"))
    assert isinstance(dead, list)
    assert isinstance(stuck, dict)
    assert isinstance(couplers, list)
    for what, those in (
        ("dead units", [str(unit) for unit in dead]),
        ("stuck units", [f"{unit} ({'up' if way > 0 else 'down'})" for unit, way in stuck.items()]),
        ("dead couplers", [f"{i}-{j}" for i, j in couplers]),
    ):
        output.answer(f"{what}: {_named(those)}")


def _named(those: list[str]) -> str:
    more = f" and {len(those) - _MOST_NAMED} more" * (len(those) > _MOST_NAMED)
    return (", ".join(those[:_MOST_NAMED]) or "none") + more


def _verified(output: Output, spec: str, path: Path, moved: "list[Moved]") -> None:
    """Say what moved, write it into the calibration, and leave with an exit code if anything did."""
    from datetime import UTC, datetime

    from calibration.store import load, save

    before = load(path)
    words = [str(one) for one in moved]
    record = {"made": datetime.now(UTC).isoformat(), "holds": not moved, "moved": words}
    save(before.with_verification(record), path if path.is_dir() else path.parent)
    for word in words[:_MOST_NAMED]:
        output.answer(word)
    if len(words) > _MOST_NAMED:
        output.answer(f"and {len(words) - _MOST_NAMED} more")
    output.answer(f"{before.id}: " + (f"{len(moved)} elements moved" if moved else "still holds"))
    output.result({"backend": spec, "id": before.id, **record})
    if moved:
        raise typer.Exit(_MOVED)


@contextmanager
def _bar(output: Output) -> "Iterator[Callable[[Progress], None]]":
    """Yield a function that shows progress on a terminal."""
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

    bar = output.bar(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.3g} reads"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with bar:
        task = bar.add_task("", total=None)

        def show(now: "Progress") -> None:
            bar.update(
                task,
                description=now.procedure,
                completed=now.reads,
                total=max(now.planned, now.reads) or None,
            )

        yield show
