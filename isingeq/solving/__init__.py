"""Solving: problem files in, the lowest states that a backend finds out, with what they took.

Example:
    >>> problem = read_problem("G22.txt.gz")
    >>> found = solve(problem, backend, reads=1000, target_energy=energy_of_cut(problem, 13359))
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isingeq.solving.files import read_problem
    from isingeq.solving.graphs import from_networkx
    from isingeq.solving.maxcut import cut_of_energy, energy_of_cut
    from isingeq.solving.outcome import Solution
    from isingeq.solving.solver import solve
    from isingeq.solving.tuning import tune

__all__ = [
    "Solution",
    "cut_of_energy",
    "energy_of_cut",
    "from_networkx",
    "read_problem",
    "solve",
    "tune",
]

_HOMES = {
    "Solution": "outcome",
    "cut_of_energy": "maxcut",
    "energy_of_cut": "maxcut",
    "from_networkx": "graphs",
    "read_problem": "files",
    "solve": "solver",
    "tune": "tuning",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
