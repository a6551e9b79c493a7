"""The commands of `isingeq`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from isingeq import __version__
from isingeq.cli.audit import audit
from isingeq.cli.calibrate import calibrate
from isingeq.cli.device import device
from isingeq.cli.devices import devices
from isingeq.cli.emulate import emulate
from isingeq.cli.options import Epochs, MappingOf, Out, Seed, Set, Spec, Threads
from isingeq.cli.output import Debug, Json, Output, Quiet, command
from isingeq.cli.profiles import profiles
from isingeq.cli.reproduce import reproduce
from isingeq.cli.show import show
from isingeq.cli.solve import solve
from isingeq.cli.study import study

app = typer.Typer(
    name="isingeq",
    help="Train Ising machines by equilibrium propagation: simulated, annealed or attached.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"isingeq {__version__}")
        raise typer.Exit


@app.callback()
def _start(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train Ising machines by equilibrium propagation: simulated, annealed or attached."""


@app.command()
def train(
    experiment: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|FILE.toml", help="A shipped experiment or a file; digits if left out."
        ),
    ] = None,
    backend: Spec = None,
    mapping: MappingOf = None,
    settings: Set = None,
    seed: Seed = None,
    epochs: Epochs = None,
    threads: Threads = None,
    out: Out = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume", metavar="DIR", help="Go on with a stopped run, as if it had never stopped."
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train a network, test it, and leave a folder with config, metrics, plots and checkpoint."""
    with command(json=json, quiet=quiet, debug=debug) as output:
        from isingeq.cli.progress import shown
        from isingeq.errors import ConfigError
        from isingeq.experiments import run
        from isingeq.experiments.reading import read_experiment
        from isingeq.experiments.run_folder import open_run_folder

        if resume and out:
            raise ConfigError("--resume goes on in its own folder: leave --out away")
        overrides = {
            "machine.backend": backend,
            "mapping.layers": mapping,
            "seed": seed,
            "learning.epochs": epochs,
            "threads": threads,
        }
        source = experiment or (
            open_run_folder(resume).path / "config.toml" if resume else "digits"
        )
        resolved = read_experiment(source, settings=settings or (), overrides=overrides)
        with shown(output) as watcher:
            outcome = (
                run.resume(resume, resolved, watcher=watcher)
                if resume
                else run.train(resolved, out=out, watcher=watcher)
            )
        _finish(output, outcome)


def _finish(output: Output, outcome: object) -> None:
    """Say what a run came to; a stopped one says how to go on."""
    from isingeq.experiments.map_plots import NAMES as MAP_NAMES
    from isingeq.experiments.plots import NAMES
    from isingeq.experiments.run import Stopped

    if isinstance(outcome, Stopped):
        output.answer(
            f"stopped after epoch {outcome.epochs}; "
            f"go on with: isingeq train --resume {outcome.run_dir}"
        )
        output.result(
            {"interrupted": True, "epochs": outcome.epochs, "run_dir": str(outcome.run_dir)}
        )
        raise typer.Exit(130)
    assert isinstance(outcome, dict)
    output.answer(
        f"test accuracy {outcome['test_accuracy']:.2%}{_jointly(outcome)} "
        f"(training {outcome['train_accuracy']:.2%}) "
        f"after {outcome['epochs']} epochs and {outcome['wall_s']:.1f} s"
    )
    drawn = [name for name in (*NAMES, *MAP_NAMES) if (Path(outcome["run_dir"]) / name).exists()]
    if drawn:
        output.line(f"plots in {outcome['run_dir']}: {', '.join(drawn)}")
    output.result(outcome)


def _jointly(outcome: Mapping[str, object]) -> str:
    """Return in words how often all examples are right at once, where that was tested."""
    if "joint_accuracy" not in outcome:
        return ""
    return f", all at once {outcome['joint_accuracy']:.2%} of {outcome['test_starts']} starts"


@app.command()
def evaluate(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder of a trained run.")],
    backend: Spec = None,
    mapping: MappingOf = None,
    settings: Set = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Test a trained run, on its own backend or on another one."""
    with command(json=json, quiet=quiet, debug=debug) as output:
        from isingeq.errors import ConfigError
        from isingeq.experiments import run
        from isingeq.experiments.reading import amended
        from isingeq.experiments.run_folder import open_run_folder

        for setting in settings or ():
            if not setting.startswith(("machine.", "mapping.")):
                raise ConfigError(
                    f"--set {setting} changes nothing in a test of a trained run: it takes machine.* and mapping.*"
                )
        on = amended(
            open_run_folder(run_dir).experiment,
            settings=settings or (),
            overrides={"machine.backend": backend, "mapping.layers": mapping},
        )
        record = run.evaluate(run_dir, on, warned=output.warning)
        output.answer(
            f"test accuracy {record['test_accuracy']:.2%}{_jointly(record)} of {record['num_samples']} samples "
            f"on {record['backend']} ({record['provenance']['kind']})"
        )
        output.result(record)


@app.command()
def compare(
    experiment: Annotated[
        str, typer.Argument(metavar="EXPERIMENT", help="A shipped experiment or a file.")
    ],
    backends: Annotated[
        list[str],
        typer.Option(
            "--backends",
            metavar="A,B,C",
            help="SPECs to compare, with commas between; URLs after pool: are of that pool. "
            "Given several times: one SPEC each, commas and all.",
        ),
    ],
    mapping: MappingOf = None,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, help="Runs per backend, each with its own seed.")
    ] = 1,
    settings: Set = None,
    seed: Seed = None,
    epochs: Epochs = None,
    threads: Threads = None,
    out: Out = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train the same network on several backends, same data order and seeds, side by side."""
    with command(json=json, quiet=quiet, debug=debug) as output:
        from isingeq.cli.progress import shown
        from isingeq.experiments import comparison
        from isingeq.experiments.reading import read_experiment

        overrides = {
            "mapping.layers": mapping,
            "seed": seed,
            "learning.epochs": epochs,
            "threads": threads,
        }
        resolved = read_experiment(experiment, settings=settings or (), overrides=overrides)
        specs = comparison.split_specs(backends)
        with shown(output) as watcher:
            result = comparison.compare(resolved, specs, num_seeds=seeds, out=out, watcher=watcher)
        output.table(
            f"{resolved.name}, {seeds} seeds",
            comparison.COLUMNS,
            [row.cells() for row in result.rows],
        )
        output.line(comparison.NOTE)
        output.line(f"tables in {result.path}: {', '.join(comparison.FILES)}")
        output.result(result.as_dict())
        if result.interrupted:
            raise typer.Exit(130)
        if not any(row.accuracies for row in result.rows):
            raise typer.Exit(6)


@app.command()
def backends(json: Json = False, quiet: Quiet = False, debug: Debug = False) -> None:
    """List the backends that are there, what they claim, and why one is missing."""
    with command(json=json, quiet=quiet, debug=debug) as output:
        from isingeq.cli.listing import COLUMNS, list_backends

        found = list_backends()
        output.table("backends", COLUMNS, [entry.cells() for entry in found])
        for entry in found:
            if entry.missing:
                output.line(f"{entry.name} is missing: {entry.missing}")
        output.result({"backends": [entry.as_dict() for entry in found]})


@app.command()
def conformance(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="Backend, as in neal?beta=1.")],
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Test a backend for everything that it claims."""
    with command(json=json, quiet=quiet, debug=debug) as output:
        from isingeq.registry import open_backend
        from isingeq.testing import run_conformance

        checks = run_conformance(open_backend(spec))
        counts = {
            kind: sum(c.outcome == kind for c in checks)
            for kind in ("passed", "failed", "not applicable")
        }
        output.table(
            f"conformance of {spec}",
            ("check", "outcome", "why"),
            [(c.name, c.outcome, c.message) for c in checks],
        )
        output.answer(", ".join(f"{count} {kind}" for kind, count in counts.items()))
        output.result(
            {
                "backend": spec,
                "passed": counts["passed"],
                "failed": counts["failed"],
                "not_applicable": counts["not applicable"],
                "checks": [
                    {"name": c.name, "outcome": c.outcome, "message": c.message} for c in checks
                ],
            }
        )
        if counts["failed"]:
            raise typer.Exit(1)


app.command()(audit)
app.command()(show)
app.command()(calibrate)
app.command()(solve)
app.command()(study)
app.command()(reproduce)
app.command()(devices)
app.command()(emulate)
app.command()(profiles)
app.add_typer(device)
