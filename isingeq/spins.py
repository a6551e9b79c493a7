"""What terms come to on spins: fields, and units that do not move."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isingeq.errors import CapabilityError, ProblemError
from isingeq.problem import Problem, lower
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge, Term

Reals = NDArray[np.float64]


def spin_fields(problem: Problem, terms: tuple[Term, ...]) -> Reals:
    """Return the problem's fields with the nudges in them, (b, n).

    A spring is a field on a spin, exactly: ½ strength (s − y)² = −strength y s + constant, as
    s² = 1.

    Raises:
        CapabilityError: a complex nudging strength.
    """
    h = problem.fields.astype(np.float64)
    for term in terms:
        if isinstance(term, LinearNudge):
            h -= term.force
        elif isinstance(term, QuadraticNudge):
            if np.iscomplexobj(term.strength):
                raise CapabilityError("spins take a real nudging strength, got a complex one")
            strength = term.strength.astype(np.float64)
            h[:, slice(*term.units)] -= strength[:, None] * term.targets
    return h


def annealing_range(problem: Problem) -> tuple[float, float]:
    """Return the first and last beta of the published annealing schedule.

    From ln 2 / ΔE_max, where any spin flips half of the time, to ln 100 / ΔE_min, where one in 100 does: ΔE_max the
    largest |h_i| + Σ_j |J_ij|, ΔE_min the smallest |h| or |J| other than 0, both over the whole batch (Laydevant,
    Marković & Grollier 2024, simulated version). Without couplings and fields both are 1.
    """
    edges, h = lower(problem), np.abs(problem.fields)
    J = np.abs(edges.J)
    reach = h + np.bincount(edges.i, J, problem.n) + np.bincount(edges.j, J, problem.n)
    sizes = np.concatenate([h.ravel(), J])
    if not sizes.any():
        return 1.0, 1.0
    return math.log(2) / float(reach.max()), math.log(100) / float(sizes[sizes > 0].min())


def held_spins(problem: Problem, terms: tuple[Term, ...]) -> tuple[NDArray[np.bool_], Reals]:
    """Return which units clamps hold (n,) and at what (b, n), 0 where units are free.

    Raises:
        ProblemError: a value that is no spin, or two clamps that disagree.
    """
    mask = np.zeros(problem.n, np.bool_)
    values = np.zeros(problem.fields.shape)
    for term in terms:
        if not isinstance(term, Clamp):
            continue
        wanted = np.where(term.mask, term.values, 0.0)
        if not (np.abs(wanted[:, term.mask]) == 1).all():
            raise ProblemError("a clamp holds a spin at another value than -1 or +1: give it one")
        both = mask & term.mask
        if not np.array_equal(values[:, both], wanted[:, both]):
            raise ProblemError("two clamps hold one spin at different values: leave one out")
        mask, values = mask | term.mask, np.where(term.mask, wanted, values)
    return mask, values


class FreeSpins(NamedTuple):
    """What is left to settle once the clamped spins have become fields on the others.

    Attributes:
        held: which units clamps hold (n,).
        values: at what (b, n), 0 where units are free.
        i: first free spin of every edge between free spins (m,), counted among the free ones.
        j: second one (m,).
        J: couplings (m,).
        h: fields on the free spins (b, free spins).
    """

    held: NDArray[np.bool_]
    values: Reals
    i: NDArray[np.intp]
    j: NDArray[np.intp]
    J: Reals
    h: Reals


def free_spins(problem: Problem, terms: tuple[Term, ...]) -> FreeSpins:
    """Write a problem and its terms as edges and fields between the spins that move.

    Raises:
        CapabilityError: a complex nudging strength.
        ProblemError: clamped values that are no spins, or two clamps that disagree.
    """
    held, values = held_spins(problem, terms)
    h = spin_fields(problem, terms)
    for coupling in problem.couplings if held.any() else ():
        h += coupling.field(values)
    edges, free = lower(problem), ~held
    inner = free[edges.i] & free[edges.j]
    place = np.cumsum(free) - 1
    i, j, J = place[edges.i[inner]], place[edges.j[inner]], edges.J[inner].astype(np.float64)
    return FreeSpins(held, values, i, j, J, h[:, free])
