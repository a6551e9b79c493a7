"""Quadratic binary problems as text, in the format of qbsolv: minimise Σ a_i x_i + Σ w_ij x_i x_j over x of 0 and 1.

Lines that begin with `c` are comments. The first other line is `p qubo 0 N D E`: N variables counted from 0, D lines
`i i a`, E lines `i j w`. Each variable and each pair stands once at most.
"""

from pathlib import Path

import numpy as np

from isingeq.errors import ProblemError
from isingeq.problem import Problem
from isingeq.solving.pairs import binary_problem, edges_of
from isingeq.solving.tables import WEIGHTED_PAIRS, opened, read_table, whole_number

_TARGETS = ("0", "unconstrained")


def read_qubo(path: Path) -> Problem:
    """Read a QUBO file.

    Raises:
        DataError: the file cannot be read.
        ProblemError: it is no such file; says which line.
    """
    line, n, promised = _header(path)
    table = read_table(path, WEIGHTED_PAIRS, head=line, comment="c")
    i, j, w = (table.rows[name] for name in ("i", "j", "w"))
    alone = i == j
    found = (int(alone.sum()), int((~alone).sum()))
    if found != promised:
        raise ProblemError(
            f"{path}, line {line}: {promised[0]} diagonal and {promised[1]} other elements are "
            f"promised, {found[0]} and {found[1]} follow: is the file whole?"
        )
    single, pairs = np.flatnonzero(alone), np.flatnonzero(~alone)
    edges = edges_of(n, i[pairs], j[pairs], w[pairs], at=lambda k: table.at(int(pairs[k])))
    variables, values = i[single], w[single]
    _, first = np.unique(variables, return_index=True)
    again = np.ones(single.size, np.bool_)
    again[first] = False
    for wrong, text in (
        ((variables < 0) | (variables >= n), f"there is no such variable: they are 0 to {n - 1}"),
        (~np.isfinite(values), "the weight has to be finite"),
        (again, "the diagonal element is listed twice; each stands once"),
    ):
        if wrong.any():
            raise ProblemError(f"{table.at(int(single[np.argmax(wrong)]))}: {text}")
    return binary_problem(n, edges, np.bincount(variables, values, n).astype(np.float64))


def _header(path: Path) -> tuple[int, int, tuple[int, int]]:
    """Return the line of the header, the number of variables, and those of the two kinds of elements."""
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            words = line.split()
            if not words or words[0].startswith("c"):
                continue
            if words[:2] != ["p", "qubo"] or len(words) != 6 or words[2] not in _TARGETS:
                break
            n, d, e = (whole_number(word, lambda: f"{path}, line {number}") for word in words[3:])  # noqa: B023
            if n < 1:
                raise ProblemError(
                    f"{path}, line {number}: there are no spins; there is at least 1"
                )
            return number, n, (d, e)
    raise ProblemError(f"{path}: a QUBO file begins with `p qubo 0 variables diagonals elements`")
