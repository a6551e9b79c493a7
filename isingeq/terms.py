"""Terms: what a phase adds to the energy of a problem.

F(s) = E(s) + Σ terms. A backend lists the terms it takes by class. Strengths may
differ per sample, so that one settle call holds the positive and the negative phase side by side.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from isingeq.couplings.kind import is_finite
from isingeq.errors import ProblemError
from isingeq.problem import Problem
from isingeq.units import Amplitude

Floats = NDArray[np.floating]


class Term(Protocol):
    """Something added to the energy of a problem, or to its force alone."""

    def energy(self, states: Floats) -> Floats:
        """Return the energy of states (b, r, n), shape (b, r).

        Raises:
            ProblemError: a force that has no energy.
        """
        ...

    def gradient(self, states: Floats) -> Floats:
        """Return ∂/∂s, minus the force, for states (b, r, n), same shape."""
        ...

    def check(self, problem: Problem) -> None:
        """Refuse a problem that the term does not fit.

        Raises:
            ProblemError: shapes that disagree, or a value that is not finite.
        """
        ...


@dataclass(frozen=True, eq=False)
class LinearNudge:
    """Constant force: −Σ_i f_i s_i, with `force` (b, n); −Σ_i f_i · (cos φ_i, sin φ_i) with (b, n, 2) on phases.

    The tangent nudge: f = −nudging · ∂C/∂s at the free state, on phases times (−sin φ, cos φ) there. Any backend that
    takes fields takes this.
    """

    force: Floats

    def energy(self, states: Floats) -> Floats:
        """Return −Σ f s for states (b, r, n), shape (b, r)."""
        if self.force.ndim == 3:
            at = np.stack([np.cos(states), np.sin(states)], axis=-1)
            return -np.einsum("bnc,brnc->br", self.force, at)
        return -np.einsum("bn,brn->br", self.force, states)

    def gradient(self, states: Floats) -> Floats:
        """Return −f for states (b, r, n), same shape; on phases f_x sin φ − f_y cos φ."""
        if self.force.ndim == 3:
            x, y = self.force[:, None, :, 0], self.force[:, None, :, 1]
            return x * np.sin(states) - y * np.cos(states)
        return np.broadcast_to(-self.force[:, None, :], states.shape)

    def check(self, problem: Problem) -> None:
        """Refuse another shape than that of the problem's fields, NaN and infinity."""
        _expect_fit(self, problem, self.force.shape == problem.fields.shape)
        _expect_finite(self, self.force)


@dataclass(frozen=True, eq=False)
class QuadraticNudge:
    """Spring to a target: ½ strength_b Σ_k (s_k − y_bk)² over the units `units`.

    Args:
        units: first unit and one past the last.
        targets: y (b, k).
        strength: (b,), each the nudging of its sample with its sign; complex for holomorphic nudging.
    """

    units: tuple[int, int]
    targets: Floats
    strength: NDArray[np.inexact]

    def __post_init__(self) -> None:
        _expect_targets("quadratic nudge", self.units, self.targets, self.strength)

    def energy(self, states: Floats) -> Floats:
        """Return ½ strength Σ (s − y)² for states (b, r, n), shape (b, r)."""
        gap = states[..., slice(*self.units)] - self.targets[:, None, :]
        out: Floats = 0.5 * self.strength[:, None] * (gap * gap).sum(axis=-1)
        return out

    def gradient(self, states: Floats) -> Floats:
        """Return strength (s − y) on its units, 0 elsewhere, for states (b, r, n), same shape."""
        out = np.zeros(states.shape, np.result_type(states, self.strength))
        gap = states[..., slice(*self.units)] - self.targets[:, None, :]
        out[..., slice(*self.units)] = self.strength[:, None, None] * gap
        return out

    def check(self, problem: Problem) -> None:
        """Refuse phases, another number of samples, units that are not there, NaN and infinity.

        Units without walls must stay stable: a strength of −stiffness or less leaves them without a lowest state.
        """
        _expect_outputs(self, problem, len(self.targets), self.units, angular=False)
        _expect_finite(self, self.targets, self.strength)
        lowest, end = float(self.strength.real.min(initial=0.0)), 0
        for layer in problem.layers:
            start, end = end, end + layer.size
            nudged, unit = start < self.units[1] and end > self.units[0], layer.unit
            if nudged and isinstance(unit, Amplitude) and unit.smooth and -lowest >= unit.stiffness:
                raise ProblemError(
                    f"layer {layer.name} has no walls and a stiffness of {unit.stiffness:g}: nudged by {lowest:g} it "
                    "has no lowest state; take a smaller nudging"
                )


@dataclass(frozen=True, eq=False)
class CosineNudge:
    """Spring between cosines and targets: ½ strength_b Σ_k (cos φ_k − y_bk)² over the phases `units`.

    The oscillator machine's nudge, read out by cosines against y = ±1 (Gower 2025).

    Args:
        units: first unit and one past the last.
        targets: y (b, k).
        strength: (b,), each the nudging of its sample with its sign.
    """

    units: tuple[int, int]
    targets: Floats
    strength: Floats

    def __post_init__(self) -> None:
        _expect_targets("cosine nudge", self.units, self.targets, self.strength)

    def energy(self, states: Floats) -> Floats:
        """Return ½ strength Σ (cos φ − y)² for states (b, r, n), shape (b, r)."""
        gap = np.cos(states[..., slice(*self.units)]) - self.targets[:, None, :]
        out: Floats = 0.5 * self.strength[:, None] * (gap * gap).sum(axis=-1)
        return out

    def gradient(self, states: Floats) -> Floats:
        """Return −strength (cos φ − y) sin φ on its units, 0 elsewhere, for states (b, r, n), same shape."""
        out, phi = np.zeros_like(states), states[..., slice(*self.units)]
        gap = np.cos(phi) - self.targets[:, None, :]
        out[..., slice(*self.units)] = -self.strength[:, None, None] * gap * np.sin(phi)
        return out

    def check(self, problem: Problem) -> None:
        """Refuse other units than phases, another number of samples, units that are not there, NaN and infinity."""
        _expect_outputs(self, problem, len(self.targets), self.units, angular=True)
        _expect_finite(self, self.targets, self.strength)


@dataclass(frozen=True, eq=False)
class LogCosNudge:
    """Pull of phases to angles: −strength_b Σ_k ln(1 + ε + cos(φ_k − y_bk)) over the phases `units`.

    The force grows towards the point opposite to the target, so that nothing rests there (Wang, Wanjura & Marquardt
    2024, whose ε it is too).

    Args:
        units: first unit and one past the last.
        targets: angles y (b, k).
        strength: (b,), each the nudging of its sample with its sign.
    """

    units: tuple[int, int]
    targets: Floats
    strength: Floats
    floor: ClassVar[float] = 1e-5

    def __post_init__(self) -> None:
        _expect_targets("log-cosine nudge", self.units, self.targets, self.strength)

    def energy(self, states: Floats) -> Floats:
        """Return −strength Σ ln(1 + ε + cos(φ − y)) for states (b, r, n), shape (b, r)."""
        gap = states[..., slice(*self.units)] - self.targets[:, None, :]
        out: Floats = -self.strength[:, None] * np.log1p(self.floor + np.cos(gap)).sum(axis=-1)
        return out

    def gradient(self, states: Floats) -> Floats:
        """Return strength sin(φ − y) / (1 + ε + cos(φ − y)) on its units, 0 elsewhere, for states (b, r, n)."""
        out = np.zeros_like(states)
        gap = states[..., slice(*self.units)] - self.targets[:, None, :]
        pull = np.sin(gap) / (1 + self.floor + np.cos(gap))
        out[..., slice(*self.units)] = self.strength[:, None, None] * pull
        return out

    def check(self, problem: Problem) -> None:
        """Refuse other units than phases, another number of samples, units that are not there, NaN and infinity."""
        _expect_outputs(self, problem, len(self.targets), self.units, angular=True)
        _expect_finite(self, self.targets, self.strength)


@dataclass(frozen=True, eq=False)
class Clamp:
    """Units held at given values: `mask` (n,) says which, `values` (b, n) where. Coupled learning's term."""

    mask: NDArray[np.bool_]
    values: Floats

    def energy(self, states: Floats) -> Floats:
        """Return 0 for states (b, r, n), shape (b, r): a clamp does no work."""
        return np.zeros(states.shape[:2])

    def gradient(self, states: Floats) -> Floats:
        """Return 0 for states (b, r, n), same shape; clamped units take no part in residuals."""
        return np.zeros_like(states)

    def check(self, problem: Problem) -> None:
        """Refuse other shapes than (n,) and (b, n), and held values outside their walls."""
        fits = self.mask.shape == (problem.n,) and self.values.shape == (problem.batch, problem.n)
        _expect_fit(self, problem, fits)
        problem.check_states("clamped values", self.values, self.mask)


def _expect_targets(
    name: str, units: tuple[int, int], targets: Floats, strength: NDArray[np.inexact]
) -> None:
    k = units[1] - units[0]
    if targets.ndim != 2 or targets.shape[1] != k or strength.shape != targets.shape[:1]:
        raise ProblemError(
            f"{name} needs targets (b, {k}) and strength (b,), got {targets.shape} and {strength.shape}"
        )


def _expect_outputs(
    term: Term, problem: Problem, samples: int, units: tuple[int, int], *, angular: bool
) -> None:
    if problem.angular != angular:
        raise ProblemError(
            f"a {type(term).__name__} acts on {'phases' if angular else 'other units than phases'}, "
            "which this problem does not have: phases take CosineNudge or LogCosNudge, others QuadraticNudge"
        )
    inside = 0 <= units[0] < units[1] <= problem.n
    _expect_fit(term, problem, samples == problem.batch and inside)


def _expect_fit(term: Term, problem: Problem, fits: bool) -> None:
    if not fits:
        raise ProblemError(
            f"a {type(term).__name__} does not fit a problem of b = {problem.batch} samples and n = {problem.n} units"
        )


def _expect_finite(term: Term, *arrays: NDArray[np.inexact]) -> None:
    if not all(is_finite(array) for array in arrays):
        raise ProblemError(
            f"a {type(term).__name__} holds NaN or infinity: check targets, costs and nudging"
        )


def total_energy(problem: Problem, terms: tuple[Term, ...], states: Floats) -> Floats:
    """Return F = E + Σ terms for states (b, r, n), shape (b, r)."""
    energy = problem.energy(states)
    for term in terms:
        energy = energy + term.energy(states)
    return energy


def total_gradient(problem: Problem, terms: tuple[Term, ...], states: Floats) -> Floats:
    """Return ∂F/∂s for states (b, r, n), same shape, 0 on clamped units."""
    slope = problem.gradient(states)
    for term in terms:
        slope = slope + term.gradient(states)
    for term in terms:
        if isinstance(term, Clamp):
            slope = np.where(term.mask, 0.0, slope)
    return slope
