"""Problem files, by format: which one a file is in follows from its name, or is said."""

from collections.abc import Callable, Hashable
from pathlib import Path

from isingeq.errors import ConfigError, DataError, ProblemError
from isingeq.problem import Problem
from isingeq.solving.arrays import read_npz
from isingeq.solving.coo import read_coo
from isingeq.solving.graphs import Labelled, read_edge_list, read_graphml, read_node_link
from isingeq.solving.qubo import read_qubo
from isingeq.solving.rudy import read_rudy


def read_problem(path: Path | str, *, form: str | None = None) -> Problem:
    """Read a problem file.

    Args:
        path: of the file.
        form: one of FORMATS; None goes by the name of the file.

    Raises:
        ConfigError: the format is not known.
        DataError: the file cannot be read.
        ProblemError: what it holds makes no sense; says where.
    """
    return read_labelled(path, form=form)[0]


def read_labelled(path: Path | str, *, form: str | None = None) -> tuple[Problem, list[Hashable]]:
    """Read a problem file, and what each spin is called in it."""
    path = Path(path)
    chosen = form or _form_of(path)
    if chosen not in FORMATS:
        raise ConfigError(f"format {chosen!r} is not known; there are {', '.join(FORMATS)}")
    if not path.is_file():
        raise DataError(f"{path} is {'no file' if path.exists() else 'missing'}")
    return FORMATS[chosen](path)


def _read_bqm(path: Path) -> Labelled:
    """Read a binary quadratic model as dimod writes it."""
    import dimod

    from isingeq.interop import from_bqm

    try:
        with path.open("rb") as file:
            model = dimod.BinaryQuadraticModel.from_file(file)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # dimod raises what its parsers raise
        raise ProblemError(f"{path} is no file of dimod: {' '.join(str(error).split())}") from error
    if not model.num_variables:
        raise ProblemError(f"{path}: there are no variables; a problem has at least 1")
    try:
        return from_bqm(model)
    except ProblemError as error:
        raise ProblemError(f"{path}: {error}") from None


def _numbered(read: Callable[[Path], Problem], first: int) -> Callable[[Path], Labelled]:
    def labelled(path: Path) -> Labelled:
        problem = read(path)
        return problem, list(range(first, first + problem.n))

    return labelled


FORMATS: dict[str, Callable[[Path], Labelled]] = {
    "rudy": _numbered(read_rudy, 1),
    "qubo": _numbered(read_qubo, 0),
    "coo": _numbered(read_coo, 0),
    "bqm": _read_bqm,
    "npz": _numbered(read_npz, 0),
    "node-link": read_node_link,
    "graphml": read_graphml,
    "edges": read_edge_list,
}
"""Readers by format."""

_SUFFIXES = {
    "": "rudy", ".txt": "rudy", ".rud": "rudy", ".rudy": "rudy", ".mc": "rudy", ".sg": "rudy",
    ".qubo": "qubo", ".coo": "coo", ".bqm": "bqm", ".npz": "npz",
    ".json": "node-link", ".graphml": "graphml", ".edges": "edges", ".edgelist": "edges",
}  # fmt: skip


def _form_of(path: Path) -> str:
    """Return the format that a name stands for."""
    name = path.with_suffix("") if path.suffix == ".gz" else path
    if name.suffix not in _SUFFIXES:
        known = ", ".join(sorted(suffix for suffix in _SUFFIXES if suffix))
        raise ConfigError(
            f"{path}: what format is that? Known are {known}, and --format {'|'.join(FORMATS)}"
        )
    return _SUFFIXES[name.suffix]
