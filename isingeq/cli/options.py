"""Options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set a dotted key, such as learning.nudging=0.2; none unsets.",
    ),
]
Spec = Annotated[
    str | None,
    typer.Option(
        "--backend",
        metavar="SPEC",
        help="Settle here, as in neal?sweeps=200; replaces the machine table.",
    ),
]
MappingOf = Annotated[
    str | None,
    typer.Option(
        "--mapping",
        metavar="auto|none",
        help="Scale and round to what the backend holds (auto), or refuse what it does not.",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of weights, order and settles.")]
Epochs = Annotated[int | None, typer.Option("--epochs", help="Passes over the training part.")]
Threads = Annotated[
    int | None, typer.Option("--threads", help="Threads of kernels and matrix products.")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Folder to write; a new one under runs/ otherwise."),
]
