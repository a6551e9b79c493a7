"""Fixed-point iteration in plain numpy, for units and numbers that the compiled kernel does not hold.

    x_layer ← rest(−(h + Σ J x) − ∂(terms)/∂x)          rest = (∂u/∂x)⁻¹, the minimiser of u(x) − z x

Logistic units, and complex nudging (holomorphic equilibrium propagation): where the self-energy is smooth, the
fixed point is a holomorphic function of the nudging.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isingeq.errors import CapabilityError
from isingeq.problem import Problem
from isingeq.schedule import Order
from isingeq.terms import Clamp, Term
from isingeq.units import Phase, Spin

States = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Rested:
    """Where the iteration ended: states (b, n), steps (b,), largest |x − rest(z)| (b,)."""

    states: States
    steps: NDArray[np.int64]
    residual: NDArray[np.float64]


def iterate(
    problem: Problem,
    terms: tuple[Term, ...],
    start: States,
    *,
    order: Order,
    steps: int,
    tolerance: float,
) -> Rested:
    """Iterate until no unit of a sample is further than the tolerance from its rest.

    Args:
        problem: units with a rest state.
        terms: nudges and clamps.
        start: (b, n), real or complex.
        order: layers one after the other on the newest values, or all at once.
        steps: at most.
        tolerance: on |x − rest(z)|.

    Raises:
        CapabilityError: spins and phases have no rest state.
    """
    states = start.copy()
    held = np.zeros(problem.n, np.bool_)
    for term in terms:
        if isinstance(term, Clamp):
            states[:, term.mask] = term.values[:, term.mask]
            held |= term.mask
    used = np.full(len(states), steps)
    for step in range(steps + 1):
        gap = np.abs(_rest(problem, terms, states) - states)
        gap[:, held] = 0
        worst = gap.max(axis=1)
        used[(worst <= tolerance) & (used == steps)] = step
        if (worst <= tolerance).all() or step == steps:
            break
        if order == "synchronous":
            states = np.where(held, states, _rest(problem, terms, states))
            continue
        for first, last in problem.spans:
            part = slice(first, last)
            states[:, part] = np.where(
                held[part], states[:, part], _rest(problem, terms, states)[:, part]
            )
    return Rested(states, used, worst)


def _rest(problem: Problem, terms: tuple[Term, ...], states: States) -> States:
    """Return where every unit would rest under the force on it as it is."""
    force = -problem.field(states[:, None, :])[:, 0]
    for term in terms:
        force = force - term.gradient(states[:, None, :])[:, 0]
    out = np.empty_like(states)
    for layer, (first, last) in zip(problem.layers, problem.spans, strict=True):
        if isinstance(layer.unit, Spin | Phase):
            raise CapabilityError(
                "spins and phases have no rest state: use a backend that takes them"
            )
        out[:, first:last] = layer.unit.rest(force[:, first:last])
    return out
