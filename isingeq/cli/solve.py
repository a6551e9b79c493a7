"""`isingeq solve`: a problem file in, the lowest states found out."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isingeq.cli.output import Debug, Json, Output, Quiet, command

if TYPE_CHECKING:
    from isingeq.backend import Backend
    from isingeq.problem import Problem
    from isingeq.schedule import Schedule
    from isingeq.solving.outcome import Solution
    from isingeq.solving.solver import Progress


def solve(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Max-cut, BQM, QUBO, npz or networkx file; .gz too."),
    ],
    backend: Annotated[
        str | None, typer.Option("--backend", metavar="SPEC", help="Solve on this backend.")
    ] = None,
    mapping: Annotated[
        str,
        typer.Option(
            "--mapping",
            metavar="auto|none",
            help="Scale and round to what the backend holds (auto), or refuse what it does not.",
        ),
    ] = "auto",
    reads: Annotated[int, typer.Option("--reads", help="Most reads.")] = 100,
    sweeps: Annotated[int | None, typer.Option("--sweeps", help="Sweeps of a read.")] = None,
    target_energy: Annotated[
        float | None, typer.Option("--target-energy", metavar="E", help="Stop at this energy.")
    ] = None,
    target_cut: Annotated[
        float | None, typer.Option("--target-cut", metavar="C", help="Stop at this cut.")
    ] = None,
    budget_s: Annotated[
        float, typer.Option("--budget-s", metavar="T", help="Stop after this time on the wall.")
    ] = math.inf,
    full_reads: Annotated[
        bool,
        typer.Option("--full-reads", help="Make all reads: success probabilities are unbiased."),
    ] = False,
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep",
            metavar="best|final|K",
            help="A read's best or its final state, or the K best distinct states of all reads.",
        ),
    ] = None,
    tune: Annotated[
        float | None,
        typer.Option("--tune", metavar="SECONDS", help="Look for a better schedule first."),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            "--schedule", metavar="JSON", help="Follow this schedule, as --json shows it."
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", help="Threads of the backend.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of all reads.")] = 0,
    form: Annotated[
        str | None,
        typer.Option("--format", help="Format of FILE, where its name does not tell."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the states kept to *.npz or *.txt."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Look for the lowest energy of a problem, and say how long it takes to find."""
    with command(json=json, quiet=quiet, debug=debug) as output:
        from calibration import MappingOptions, open_mapped
        from isingeq.errors import ConfigError
        from isingeq.experiments.stopping import stop_on_signal
        from isingeq.solving.files import read_labelled
        from isingeq.solving.maxcut import energy_of_cut
        from isingeq.solving.opening import default_spec, solver_spec
        from isingeq.solving.schedules import parse_schedule
        from isingeq.solving.solver import solve
        from isingeq.solving.states import check_writable, write_states

        if target_cut is not None and target_energy is not None:
            raise ConfigError("--target-cut and --target-energy say the same: give one")
        if schedule is not None and (tune is not None or sweeps is not None):
            raise ConfigError("--schedule says it all: leave --sweeps and --tune away")
        if out is not None:
            check_writable(out)
        per_read, count = _kept(keep)
        problem, labels = read_labelled(file, form=form)
        spec = solver_spec(
            backend or default_spec(problem),
            {"sweeps": sweeps, "keep": per_read, "threads": threads},
        )
        target = energy_of_cut(problem, target_cut) if target_cut is not None else target_energy
        followed = None if schedule is None else parse_schedule(schedule)
        say = output.warning
        with (
            closing(open_mapped(spec, mapping, options=MappingOptions(headroom=1))) as opened,
            stop_on_signal(
                lambda: say("stopping after these reads; again to stop at once")
            ) as stop,
        ):
            output.line(f"{file}: {problem.n} spins, {_couplings(problem)} couplings, on {spec}")
            if tune is not None:
                followed = _tune(output, problem, opened, tune, target, seed, stop)
            with _bar(output, budget_s) as watch:
                found = solve(
                    problem, opened, reads=reads, target_energy=target, budget_s=budget_s,
                    full_reads=full_reads, keep=count, schedule=followed, seed=seed, stop=stop,
                    watch=watch,
                )  # fmt: skip
        failure = None
        if out is not None:
            try:
                write_states(out, found, labels)
            except OSError as error:
                failure = error
        lost = _lost(found.provenance)
        _tell(output, found, spec)
        if any(lost.values()):
            output.line(
                f"rounded to 0 on the way to {spec}: {lost['couplings']} of {_couplings(problem)} couplings, "
                f"{lost['fields']} fields; the energies are of the problem as it is in {file}"
            )
        written = str(out) if out is not None and failure is None else None
        output.result(
            {
                **found.as_dict(),
                "backend": spec,
                "file": str(file),
                "spins": problem.n,
                "couplings": _couplings(problem),
                "rounded_to_zero": lost,
                "out": written,
            }
        )
        if failure is not None:
            raise OSError(failure.errno, failure.strerror, str(out))
        if written:
            output.line(f"states in {written}: {len(found.states)}")
        if found.stopped == "interrupted":
            raise typer.Exit(130)


def _kept(keep: str | None) -> tuple[str | None, int]:
    """Return the SPEC option that `--keep` stands for, and the number of states to keep."""
    from isingeq.errors import ConfigError

    if keep in (None, "best", "final"):
        return keep, 1
    if not (keep.isascii() and keep.isdigit() and int(keep) > 0):
        raise ConfigError(f"--keep is best, final or a number of states, got {keep!r}")
    return None, int(keep)


def _couplings(problem: "Problem") -> int:
    return sum(coupling.edges()[2].size for coupling in problem.couplings)


def _lost(provenance: Mapping[str, Any]) -> dict[str, int]:
    """Return how many couplings and fields the layers of a mapping rounded to 0."""
    from calibration.report import MAPPING

    told = [layer for layer in provenance.get(MAPPING, ()) if layer["layer"] == "quantise"]
    return {
        what: sum(layer[what]["num_to_zero"] for layer in told if layer[what] is not None)
        for what in ("couplings", "fields")
    }


def _tune(
    output: Output, problem: "Problem", backend: "Backend", budget_s: float, target: float | None,
    seed: int, stop: Callable[[], bool],
) -> "Schedule":  # fmt: skip
    """Tune, and say what was chosen."""
    from json import dumps

    from isingeq.solving.schedules import schedule_words
    from isingeq.solving.tuning import tune

    tuned = tune(problem, backend, budget_s=budget_s, target_energy=target, seed=seed, stop=stop)
    output.line(f"tuned in {tuned.wall_s:.1f} s, {len(tuned.trials)} schedules tried; best:")
    output.line(f"  {tuned.schedule.summary}")
    output.line(f"  --schedule '{dumps(schedule_words(tuned.schedule))}'")
    return tuned.schedule


@contextmanager
def _bar(output: Output, budget_s: float) -> "Iterator[Callable[[Progress], None]]":
    """Yield a function that shows progress on a terminal."""
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

    bar = output.bar(
        TextColumn("best {task.fields[best]}"),
        BarColumn(),
        TextColumn("read {task.fields[done]}/{task.fields[reads]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with bar:
        task = bar.add_task("", total=1.0, best="?", done=0, reads="?")

        def show(now: "Progress") -> None:
            share = max(now.done / now.reads, now.elapsed_s / budget_s)
            best = f"{now.best_energy:.10g}"
            bar.update(task, completed=share, best=best, done=now.done, reads=now.reads)

        yield show


def _tell(output: Output, found: "Solution", spec: str) -> None:
    """Say what was found, in a few lines."""
    ends = {
        "target": "stopped at the target",
        "budget": "the budget ended: this is the best so far",
        "reads": "all reads made",
        "interrupted": "interrupted: this is the best so far",
    }

    def both(energy: float) -> str:
        cut = found.cut(energy)
        return f"{energy:.10g}" + ("" if cut is None else f" (cut {cut:.10g})")

    output.answer(
        f"best energy {both(found.best_energy)}, mean {found.mean_energy:.10g}, "
        f"{found.reads} read{'s' * (found.reads > 1)}; {ends[found.stopped]}"
    )
    low, high = found.success_interval
    goal = f"target {both(found.target)}" if found.target is not None else "best energy"
    biased = ", too high as reads stopped at the target" * (found.stopped == "target")
    output.line(
        f"{goal} reached by {found.hits} of {found.reads}: probability "
        f"{found.success_probability:.3g} ({low:.3g} to {high:.3g}{biased})"
    )
    tts, least = found.tts99_s, found.tts99_s_at_least
    shown = f"at least {least:.3g}" if tts is None else f"{tts:.3g}"
    output.line(
        f"time to solution at 99 % {shown} core-s, a read {found.read_cpu_s:.3g}; "
        f"took {found.cpu_s:.3g} core-s, {found.wall_s:.3g} s"
    )
    if found.schedule is not None:
        output.line(f"{spec}: {found.schedule.summary}, seed {found.seed}")
