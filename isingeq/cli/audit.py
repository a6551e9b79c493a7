"""The command `audit`."""

from pathlib import Path
from typing import Annotated

import typer

from isingeq.cli.options import MappingOf, Seed, Set, Spec
from isingeq.cli.output import Debug, Json, Quiet, command


def audit(
    experiment: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE.toml|RUN_DIR",
            help="A shipped experiment or a file, audited at its initial weights, or a run at those it has.",
        ),
    ] = "digits",
    backend: Spec = None,
    mapping: MappingOf = None,
    settings: Set = None,
    seed: Seed = None,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Training samples.")] = 8,
    entries: Annotated[
        int, typer.Option("--entries", min=1, help="Parameters compared per array.")
    ] = 20,
    beta: Annotated[
        float, typer.Option("--beta", help="Of the reference of a ground-state machine.")
    ] = 1.0,
    as_trained: Annotated[
        bool,
        typer.Option(
            "--as-trained",
            help="At the precision, tolerance and steps of training, not settled to the end.",
        ),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Compare the gradient, block by block, with finite differences or exact enumeration."""
    with command(json=json, quiet=quiet, debug=debug) as output:
        from dataclasses import asdict

        from isingeq.experiments.auditing import audit_experiment
        from isingeq.experiments.reading import amended, read_experiment, shipped
        from isingeq.experiments.run_folder import open_run_folder

        overrides = {
            "machine.backend": backend,
            "mapping.layers": mapping,
            "seed": seed,
        }
        folder = Path(experiment)
        run = open_run_folder(folder) if folder.is_dir() and experiment not in shipped() else None
        resolved = (
            amended(run.experiment, settings=settings or (), overrides=overrides)
            if run
            else read_experiment(experiment, settings=settings or (), overrides=overrides)
        )
        found = audit_experiment(
            resolved,
            run=run,
            num_samples=samples,
            entries=entries,
            beta=beta,
            as_trained=as_trained,
            warned=output.warning,
        )
        output.table(
            f"{run.path if run else resolved.name} on {resolved.machine.spec}, nudging {found.nudging:g}",
            (
                "parameters",
                "cosine",
                "relative error",
                "compared",
                "with recurrent backprop" if found.asymmetry is None else "with the adjoint",
            ),
            [
                (
                    b.name,
                    f"{b.cosine:.6f}" if b.num_compared else "-",
                    f"{b.relative_error:.2e}" if b.num_compared else "-",
                    f"{b.num_compared} of {b.num_compared + b.num_left_out}",
                    "-" if b.recurrent is None else f"{b.recurrent:.6f}",
                )
                for b in found.blocks
            ],
        )
        odd = "" if found.asymmetry is None else f"; asymmetry {found.asymmetry:.3f}"
        cosine = f"{found.cosine:.6f}" if any(b.num_compared for b in found.blocks) else "unknown"
        output.answer(f"cosine {cosine} with {found.reference}{odd}")
        output.result({"backend": resolved.machine.spec, **asdict(found)})
