"""Gradient flow of a coherent Ising machine whose pump stays, to an equilibrium of its amplitudes.

    dx/dt = −∂F/∂x        F = Σ ½ (1 − p) x² + ¼ x⁴ + Σ h x + Σ J x x + terms

The mean-field machine of `coherent` without ramp and noise, its feedback ε being the scale of J and h. A step is
Euler's, linearly implicit in the unit's own force; the rest points are those of the flow whatever the step.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import SettleRequest
from isingeq.couplings import Coupling, Dense
from isingeq.errors import CapabilityError, ProblemError
from isingeq.kernels.descend import descend
from isingeq.problem import Problem
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge
from isingeq.units import Quartic

Floats = NDArray[np.floating]

LONGEST = 10.0
"""Longest time step: nearly every unit to its own rest."""


@dataclass(eq=False)
class Flow:
    """Amplitudes under way, rows (b·r, n).

    Attributes:
        x: states.
        h: fields with the constant part of nudges.
        stiffness: 1 − p with the springs of nudges, (b·r, n) or one row for all.
        held: clamped units (n,).
        couplings: J of the problem, in the type of the states.
    """

    x: Floats
    h: Floats
    stiffness: Floats
    held: NDArray[np.bool_]
    couplings: tuple[Coupling, ...]

    @classmethod
    def of(cls, request: SettleRequest, couplings: tuple[Coupling, ...]) -> "Flow":
        """Return the flow of a request at its start: where each unit rests in its own field, unless given.

        Raises:
            ProblemError: two clamps that hold one unit at different values.
        """
        problem, kind = request.problem, np.dtype(request.precision)
        h, held = problem.fields.astype(kind), np.zeros(problem.n, np.bool_)
        stiffness = own_stiffness(problem).astype(kind)[None]
        values = np.zeros(h.shape, kind)
        for term in request.terms:
            if isinstance(term, LinearNudge):
                h -= term.force.astype(kind)
            elif isinstance(term, QuadraticNudge):
                part, strength = slice(*term.units), term.strength.astype(kind)[:, None]
                if len(stiffness) == 1:
                    stiffness = np.repeat(stiffness, len(h), axis=0)
                stiffness[:, part] += strength
                h[:, part] -= strength * term.targets.astype(kind)
            elif isinstance(term, Clamp):
                both = held & term.mask
                if not np.array_equal(values[:, both], term.values[:, both].astype(kind)):
                    raise ProblemError(
                        "two clamps hold one unit at different values: leave one out"
                    )
                values[:, term.mask] = term.values[:, term.mask]
                held |= term.mask
        reads = request.reads
        if request.initial is None:
            x = np.repeat(own_rest(problem), reads, axis=0).astype(kind)
        else:
            x = request.initial.reshape(-1, problem.n).astype(kind)
        x[:, held] = np.repeat(values, reads, axis=0)[:, held]
        if len(stiffness) > 1:
            stiffness = np.repeat(stiffness, reads, axis=0)
        return cls(x, np.repeat(h, reads, axis=0), stiffness, held, couplings)

    def rows(self, chosen: slice | NDArray[np.bool_]) -> "Flow":
        """Return some of the rows, views where `chosen` is a slice."""
        stiffness = self.stiffness if len(self.stiffness) == 1 else self.stiffness[chosen]
        return Flow(self.x[chosen], self.h[chosen], stiffness, self.held, self.couplings)

    def step(self, dt: float, tolerance: float) -> Floats:
        """Step the rows that are steeper than the tolerance, all for 0; return the residuals before (rows,)."""
        field = self.h.copy()
        for coupling in self.couplings:
            if isinstance(coupling, Dense):
                a, b = slice(*coupling.a), slice(*coupling.b)
                field[:, a] += self.x[:, b] @ coupling.J.T
                field[:, b] += self.x[:, a] @ coupling.J
            else:
                field += coupling.field(self.x)
        residual = np.empty(len(self.x), self.x.dtype)
        kind = self.x.dtype.type
        descend(self.x, field, self.stiffness, self.held, kind(dt), kind(tolerance), residual)
        return residual

    def settle(
        self,
        dt: float,
        tolerance: float,
        max_steps: int,
        note: Callable[[Floats, Floats], None] | None = None,
    ) -> tuple[NDArray[np.int64], Floats]:
        """Step until every row rests or `max_steps`; return steps (rows,) and residuals at the end (rows,).

        Args:
            dt: time step.
            tolerance: residual at which a row rests; 0 runs all steps.
            max_steps: most steps.
            note: is told the states and the residuals found before each step.
        """
        steps, residual = np.zeros(len(self.x), np.int64), np.empty(len(self.x))
        running, part = np.arange(len(self.x)), self
        for step in range(max_steps + 1):
            # What overflows shows in the residual, and is the caller's to report.
            with np.errstate(over="ignore", invalid="ignore"):
                found = part.step(dt if step < max_steps else 0.0, tolerance)
            residual[running] = found
            if note is not None:
                note(self.x, residual)
            if step == max_steps:
                break
            busy = ~(found <= tolerance) | (tolerance == 0)
            steps[running[busy]] += 1
            if not busy.any():
                break
            # Rows that rest are left behind once they are half of what is stepped.
            if note is None and 2 * busy.sum() < len(busy):
                self.x[running] = part.x
                running, part = running[busy], part.rows(busy)
        self.x[running] = part.x
        return steps, residual


def own_stiffness(problem: Problem) -> Floats:
    """Return 1 − p of every unit (n,)."""
    return np.concatenate([np.full(k.size, 1 - _quartic(k.unit).pump) for k in problem.layers])


def own_rest(problem: Problem) -> Floats:
    """Return where every unit would rest in its field alone (b, n)."""
    out = np.empty(problem.fields.shape)
    for layer, (first, last) in zip(problem.layers, problem.spans, strict=True):
        out[:, first:last] = _quartic(layer.unit).rest(
            -problem.fields[:, first:last].astype(np.float64)
        )
    return out


def _quartic(unit: object) -> Quartic:
    if not isinstance(unit, Quartic):
        raise CapabilityError("amplitude readout takes quartic units")
    return unit


def stable_step(problem: Problem, couplings: tuple[Coupling, ...]) -> float:
    """Return a time step that is stable for the couplings: 1.4 / (their spectral norm), and at most `LONGEST`.

    A linearly implicit step with own curvature d and coupling curvature λ damps where dt (λ − d) < 2. A unit above
    its threshold also needs dt (p − 1) < 1 near 0. The norm is found by ten steps of power iteration.
    """
    vector = np.cos(np.arange(problem.n) + 1.0)[None]
    norm = 0.0
    for _ in range(10):
        vector = vector / np.linalg.norm(vector)
        vector = sum((k.field(vector) for k in couplings), start=np.zeros_like(vector))
        norm = max(norm, float(np.linalg.norm(vector)))
        if norm == 0:
            break
    above = max(0.0, -float(own_stiffness(problem).min()))
    return min(LONGEST, 1.4 / norm if norm > 0 else np.inf, 0.5 / above if above > 0 else np.inf)
