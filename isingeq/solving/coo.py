"""Coordinate files of dimod: `# vartype=SPIN` or BINARY, then lines `i j bias`, variables counted from 0.

A line `i i bias` is linear. Lines for one pair or variable add up, as dimod has it. Variables that no line names
are free.
"""

import re
from pathlib import Path

import numpy as np

from isingeq.errors import ProblemError
from isingeq.problem import Problem
from isingeq.solving.pairs import binary_problem, edges_of, spin_problem, summed
from isingeq.solving.tables import WEIGHTED_PAIRS, opened, read_table

_VARTYPE = re.compile(r"#\s*vartype\s*=\s*(\w+)")


def read_coo(path: Path) -> Problem:
    """Read a coordinate file.

    Raises:
        DataError: the file cannot be read.
        ProblemError: it is no such file; says which line.
    """
    with opened(path) as file:
        found = [m[1] for line in file if line.startswith("#") and (m := _VARTYPE.match(line))]
    if len(set(found)) != 1 or found[0] not in ("SPIN", "BINARY"):
        raise ProblemError(
            f"{path}: a coordinate file says `# vartype=SPIN` or `# vartype=BINARY` on a line of its own"
        )
    table = read_table(path, WEIGHTED_PAIRS, head=0, comment="#")
    i, j, w = (table.rows[name] for name in ("i", "j", "w"))
    if not i.size:
        raise ProblemError(f"{path}: there are no variables; a problem has at least 1")
    for wrong, text in (
        ((i < 0) | (j < 0), "variables are counted from 0"),
        (~np.isfinite(w), "the bias has to be finite"),
    ):
        if wrong.any():
            raise ProblemError(f"{table.at(int(np.argmax(wrong)))}: {text}")
    n, alone = int(max(i.max(), j.max())) + 1, i == j
    h = np.bincount(i[alone], w[alone], n).astype(np.float64)
    edges = edges_of(n, *summed(i[~alone], j[~alone], w[~alone]), at=lambda _: str(path))
    if found[0] == "BINARY":
        return binary_problem(n, edges, h)
    return spin_problem(n, edges, h=h)
