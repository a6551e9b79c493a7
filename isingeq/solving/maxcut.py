"""Cuts and energies: cut = (Σ w − E) / 2 where there are no fields, E without the constant."""

import numpy as np

from isingeq.errors import ConfigError
from isingeq.problem import Problem, lower


def total_weight(problem: Problem) -> float | None:
    """Return Σ w, None where fields leave nothing that is called a cut."""
    if problem.fields.any():
        return None
    return float(lower(problem).J.sum(dtype=np.float64))


def cut_of_energy(problem: Problem, energy: float) -> float | None:
    """Return the cut of a state with this energy, None where the problem has fields."""
    total = total_weight(problem)
    return None if total is None else (total - (energy - problem.offset)) / 2


def energy_of_cut(problem: Problem, cut: float) -> float:
    """Return the energy of a state with this cut.

    Raises:
        ConfigError: the problem has fields.
    """
    total = total_weight(problem)
    if total is None:
        raise ConfigError("a problem with fields has no cut: give a target energy instead")
    return total - 2 * cut + problem.offset
