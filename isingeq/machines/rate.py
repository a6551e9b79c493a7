"""Leaky rate dynamics: every unit leaks towards 0 and follows the forces on it, whether these have an energy or not.

    dx/dt = −u'(x) − h − Σ field(x) − Σ terms            u'(x) = k x
    x ← clip(x + dt (rest − x))                          rest = x − (∂u + h + field + terms) / (k + spring)

With dt = 1 that is the fixed-point iteration, which settles a feedforward network in as many steps as it has layers
where all step at once, and in one where they step in turn; feedback that turns (skew couplings) needs less. A row stops
where its residual is small.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isingeq.corrections import Reciprocal, Transposed
from isingeq.couplings import Coupling, Directed
from isingeq.problem import Problem
from isingeq.schedule import Order
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge, Term
from isingeq.units import Amplitude

Floats = NDArray[np.floating]

RUNAWAY = 1e8
"""State beyond which the dynamics have run away: squares of it still fit single precision."""


@dataclass(frozen=True, slots=True, eq=False)
class Relaxed:
    """Where a settle ended: states (b, n), steps (b,), residual (b,), NaN where it ran away."""

    states: Floats
    steps: NDArray[np.int64]
    residual: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Forces:
    """All that pulls at the units during one settle, what is constant already added up; rows are reads of samples.

    Attributes:
        reads: rows of each sample, one after the other.
        spans: first unit and one past the last, per layer.
        constant: fields and constant nudges (b, n).
        leak: stiffness of each unit (n,).
        stiff: leak and springs (b, n), or (n,) without springs.
        springs: units, strength (b, 1) and targets of quadratic nudges.
        couplings: of the problem.
        corrections: terms that turn a Jacobian round.
        held: clamped units (n,).
        low: lowest values (n,).
        high: highest values (n,).
        walls: whether there are any.
    """

    reads: int
    spans: tuple[tuple[int, int], ...]
    constant: Floats
    leak: Floats
    stiff: Floats
    springs: tuple[tuple[slice, Floats, Floats], ...]
    couplings: tuple[Coupling, ...]
    corrections: tuple[Reciprocal | Transposed, ...]
    held: NDArray[np.bool_]
    low: Floats
    high: Floats
    walls: bool

    @classmethod
    def of(
        cls, problem: Problem, terms: tuple[Term, ...], dtype: type, *, reads: int = 1
    ) -> "Forces":
        """Add up what is constant; amplitudes alone have a leak."""
        leak: Floats = np.empty(problem.n, dtype)
        for layer, (first, last) in zip(problem.layers, problem.spans, strict=True):
            assert isinstance(layer.unit, Amplitude)
            leak[first:last] = layer.unit.stiffness
        constant = _rows(problem.fields, reads, dtype)
        stiff, held = leak, np.zeros(problem.n, np.bool_)
        springs = []
        for term in terms:
            if isinstance(term, LinearNudge):
                constant = constant - _rows(term.force, reads, dtype)
            elif isinstance(term, QuadraticNudge):
                strength, units = (
                    _rows(term.strength.real[:, None], reads, dtype),
                    slice(*term.units),
                )
                springs.append((units, strength, _rows(term.targets, reads, dtype)))
                stiff = np.broadcast_to(stiff, constant.shape).copy()
                stiff[:, units] += strength
            elif isinstance(term, Clamp):
                held |= term.mask
        turned = tuple(term for term in terms if isinstance(term, Reciprocal | Transposed))
        low, high = problem.bounds
        return cls(
            reads,
            problem.spans,
            constant,
            leak,
            stiff,
            tuple(springs),
            problem.couplings,
            turned,
            held,
            low.astype(dtype),
            high.astype(dtype),
            bool(np.isfinite(low).any() or np.isfinite(high).any()),
        )

    def slope(self, states: Floats) -> Floats:
        """Return minus the force (b, n) at states (b, n), 0 on clamped units."""
        total = self.leak * states
        total += self.constant
        for coupling in self.couplings:
            if isinstance(coupling, Directed):
                total[:, slice(*coupling.target)] += coupling.onto(states)
            else:
                total += coupling.field(states)
        self._nudge(total, states)
        return total

    def slope_of(self, number: int, states: Floats) -> Floats:
        """Return minus the force on one layer (b, size), corrections left out."""
        span = self.spans[number]
        total = np.zeros_like(states)
        part = slice(*span)
        total[:, part] = self.leak[part] * states[:, part] + self.constant[:, part]
        for coupling in self.couplings:
            if not isinstance(coupling, Directed):
                total += coupling.field(states)
            elif max(coupling.target[0], span[0]) < min(coupling.target[1], span[1]):
                total[:, slice(*coupling.target)] += coupling.onto(states)
        self._nudge(total, states)
        return total[:, part]

    def _nudge(self, total: Floats, states: Floats) -> None:
        for units, strength, targets in self.springs:
            total[:, units] += strength * (states[:, units] - targets)
        for term in self.corrections:
            by_read = states.reshape(-1, self.reads, states.shape[1])
            total += term.gradient(by_read).reshape(states.shape)
        if self.held.any():
            total[:, self.held] = 0

    def move(self, states: Floats, part: slice, slope: Floats) -> None:
        """Move units of states (b, n) down a slope (b, units), over what stiffens them, up to their walls."""
        states[:, part] -= slope / self.stiff[..., part]
        if self.walls:
            np.clip(states[:, part], self.low[part], self.high[part], out=states[:, part])

    def residual(self, states: Floats, slope: Floats) -> Floats:
        """Return max over units of |x − clip(x − slope)| for states and slope (b, n), shape (b,)."""
        if self.walls:
            slope = states - np.clip(states - slope, self.low, self.high)
        return np.abs(slope).max(axis=1)


def relax(
    forces: Forces, start: Floats, *, dt: float, steps: int, tolerance: float, order: Order = "synchronous"
) -> Relaxed:  # fmt: skip
    """Step until every row has settled, at most `steps` times.

    Args:
        forces: on the units.
        start: (b, n).
        dt: share of the way to its rest that a unit goes in a step.
        steps: at most.
        tolerance: residual at which a row stops; 0 runs all steps.
        order: all layers at once, or one after the other on the newest values; corrections are of all states at one
            time, and with them all layers step at once in any case.
    """
    states, used = start.copy(), np.full(len(start), steps)
    going = np.ones((len(start), 1), np.bool_)
    in_turn = order == "asynchronous" and not forces.corrections
    for step in range(steps + 1):
        slope = forces.slope(states)
        residual = forces.residual(states, slope)
        done = going[:, 0] & (residual <= tolerance if tolerance > 0 else False)
        used[done] = step
        going[done] = False
        if step == steps or not going.any() or not residual.max() < RUNAWAY:
            break
        pace = (dt * going).astype(states.dtype)
        if in_turn:
            for number, span in enumerate(forces.spans):
                part = slice(*span)
                own = forces.slope_of(number, states) if number else slope[:, part]
                forces.move(states, part, pace * own)
        else:
            forces.move(states, slice(None), pace * slope)
    return Relaxed(states, used, residual.astype(np.float64))


def _rows(values: Floats, reads: int, dtype: type) -> Floats:
    """Return values per sample (b, …) as values per row (b·r, …)."""
    return np.repeat(values, reads, axis=0).astype(dtype, copy=False)
