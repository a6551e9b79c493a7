"""The command `show`."""

from pathlib import Path
from typing import Annotated

import typer

from isingeq.cli.output import Debug, Json, Quiet, command


def show(
    run_dir: Annotated[
        Path, typer.Argument(metavar="RUN_DIR", help="Folder of a run, finished or not.")
    ],
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Draw the pictures of a run; of units with places also their response, couplings and an animation."""
    with command(json=json, quiet=quiet, debug=debug) as output:
        from isingeq.experiments.showing import show

        record = show(run_dir, warned=output.warning)
        output.answer(f"drawn in {run_dir}: {', '.join(record['pictures'])}")
        if "active_units" in record:
            line = (
                f"epoch {record['epoch']}: {record['active_units']} of {record['num_units']} units are active "
                f"(response of at least {record['active_from']:.0%} of the largest)"
            )
            if "screening_length" in record:
                line += f", screening length {record['screening_length']:.2g} couplings"
            output.answer(line)
        output.result(record)
