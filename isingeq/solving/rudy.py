"""Max-cut files as rudy writes them, the G-set among them.

The first line is `n m`; then come m lines `i j w`, spins counted from 1. The cut of a state is the sum of the weights
between spins that differ, (Σ w − E) / 2 with E = Σ w_ij s_i s_j. Weights may be any finite numbers.
"""

from pathlib import Path

from isingeq.errors import ProblemError
from isingeq.problem import Problem
from isingeq.solving.pairs import edges_of, spin_problem
from isingeq.solving.tables import WEIGHTED_PAIRS, opened, read_table, whole_number


def read_rudy(path: Path) -> Problem:
    """Read a max-cut file.

    Raises:
        DataError: the file cannot be read.
        ProblemError: it is no such file; says which line.
    """
    with opened(path) as file:
        words = file.readline(1000).split()
    if len(words) != 2:
        raise ProblemError(
            f"{path}, line 1: a max-cut file begins with `n m`, the numbers of spins and edges"
        )
    n, m = (whole_number(word, lambda: f"{path}, line 1") for word in words)
    if n < 1 or m < 0:
        raise ProblemError(f"{path}, line 1: there are no spins; a problem has at least 1, got {n}")
    table = read_table(path, WEIGHTED_PAIRS, head=1, comment=None)
    if table.rows.size != m:
        raise ProblemError(
            f"{path}, line 1: {m} edges are promised, {table.rows.size} follow: is the file whole?"
        )
    i, j, w = (table.rows[name] for name in ("i", "j", "w"))
    return spin_problem(n, edges_of(n, i, j, w, at=table.at, first=1))
