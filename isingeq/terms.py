"""Terms: what a phase adds to the energy of a problem.

F(s) = E(s) + Σ terms. A backend lists the terms it takes by class. Strengths may
differ per sample, so that one settle call holds the positive and the negative phase side by side.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isingeq.couplings.kind import is_finite
from isingeq.errors import ProblemError
from isingeq.problem import Problem

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
    """Constant force: −Σ_i f_i s_i, with `force` (b, n).

    The tangent nudge: f = −nudging · ∂C/∂s at the free state. Any backend that takes fields takes this.
    """

    force: Floats

    def energy(self, states: Floats) -> Floats:
        """Return −Σ f s for states (b, r, n), shape (b, r)."""
        return -np.einsum("bn,brn->br", self.force, states)

    def gradient(self, states: Floats) -> Floats:
        """Return −f for states (b, r, n), same shape."""
        return np.broadcast_to(-self.force[:, None, :], states.shape)

    def check(self, problem: Problem) -> None:
        """Refuse another shape than (b, n), NaN and infinity."""
        _expect_fit(self, problem, self.force.shape == (problem.batch, problem.n))
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
        k = self.units[1] - self.units[0]
        if (
            self.targets.ndim != 2
            or self.targets.shape[1] != k
            or self.strength.shape != self.targets.shape[:1]
        ):
            raise ProblemError(
                f"quadratic nudge needs targets (b, {k}) and strength (b,), "
                f"got {self.targets.shape} and {self.strength.shape}"
            )

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
        """Refuse another number of samples, units that are not there, NaN and infinity."""
        _expect_fit(
            self,
            problem,
            len(self.targets) == problem.batch and 0 <= self.units[0] < self.units[1] <= problem.n,
        )
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
