"""Costs: what the output layer is compared with, and the force that nudges it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Floats
from isingeq.errors import ProblemError
from isingeq.learning.parameters import Parameters
from isingeq.terms import LinearNudge, QuadraticNudge, Term

Labels = NDArray[np.int64]


class Cost(Protocol):
    """Compares states of the output layer (b, k) with labels (b,)."""

    def shapes(self, outputs: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Return parameters of its own for `outputs` units."""
        ...

    def values(self, parameters: Parameters, outputs: Floats, labels: Labels) -> Floats:
        """Return the cost per sample (b,)."""
        ...

    def slope(self, parameters: Parameters, outputs: Floats, labels: Labels) -> Floats:
        """Return ∂C/∂outputs (b, k)."""
        ...

    def nudge(self, strength: Floats, labels: Labels, units: tuple[int, int]) -> Term | None:
        """Return the term strength · C, or None when only its tangent will do."""
        ...

    def explicit(
        self, parameters: Parameters, outputs: Floats, labels: Labels, gradient: Parameters
    ) -> None:
        """Write the mean ∂C/∂θ over its own parameters into `gradient`."""
        ...

    def scores(self, parameters: Parameters, outputs: Floats) -> Floats:
        """Return one number per class (b, classes), the largest for the class meant."""
        ...


@dataclass(frozen=True, slots=True)
class SquaredError:
    """C = ½ Σ_k (s_k − y_k)², y = `high` on the units of the right class and `low` elsewhere.

    Attributes:
        classes: number of classes.
        replicas: output units per class, one after the other; the class is read from their sum.
        low: target of the other classes; −1 for spins, 0 for amplitudes.
        high: target of the right class.
        single: two classes on one unit and its replicas, y = `low` for class 0 and `high` for class 1.
    """

    classes: int
    replicas: int = 1
    low: float = 0.0
    high: float = 1.0
    single: bool = False

    def __post_init__(self) -> None:
        if self.single and self.classes != 2:
            raise ProblemError(f"one output unit tells 2 classes apart, not {self.classes}")

    def shapes(self, outputs: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """No parameters.

        Raises:
            ProblemError: the output layer has another size than classes × replicas.
        """
        kinds = 1 if self.single else self.classes
        if outputs != kinds * self.replicas:
            raise ProblemError(
                f"the output layer has {outputs} units, {self.classes} classes × {self.replicas} replicas "
                f"need {kinds * self.replicas}"
            )
        return ()

    def targets(self, labels: Labels, dtype: type | np.dtype[np.floating] = np.float32) -> Floats:
        """Return y (b, k)."""
        if self.single:
            y = np.where(labels == 1, self.high, self.low).astype(dtype)
            return np.repeat(y[:, None], self.replicas, axis=1)
        y = np.full((len(labels), self.classes * self.replicas), self.low, dtype)
        y.reshape(len(labels), self.classes, self.replicas)[np.arange(len(labels)), labels] = (
            self.high
        )
        return y

    def values(self, parameters: Parameters, outputs: Floats, labels: Labels) -> Floats:
        """Return ½ Σ (s − y)² (b,)."""
        gap = outputs - self.targets(labels, outputs.dtype)
        return 0.5 * np.einsum("bk,bk->b", gap, gap)

    def slope(self, parameters: Parameters, outputs: Floats, labels: Labels) -> Floats:
        """Return s − y (b, k)."""
        return outputs - self.targets(labels, outputs.dtype)

    def nudge(self, strength: Floats, labels: Labels, units: tuple[int, int]) -> Term:
        """Return a spring to the targets."""
        return QuadraticNudge(units, self.targets(labels, strength.real.dtype), strength)

    def explicit(
        self, parameters: Parameters, outputs: Floats, labels: Labels, gradient: Parameters
    ) -> None:
        """Nothing to write: no parameters."""

    def scores(self, parameters: Parameters, outputs: Floats) -> Floats:
        """Return the sum over replicas (b, classes); on one unit, by how much it is above or below the middle."""
        if self.single:
            above = outputs.mean(axis=1) - 0.5 * (self.low + self.high)
            return np.stack([-above, above], axis=1)
        return outputs.reshape(len(outputs), self.classes, self.replicas).sum(axis=2)


@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """C = −ln softmax(s V + c)[label], the readout V, c outside the system and trained by its own gradient.

    The nudge is the tangent force −nudging V (p − y) at the free state (Laborieux et al. 2021, section 3.3).
    """

    classes: int

    def shapes(self, outputs: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Readout weights (k, classes) and biases (classes,)."""
        return (("readout.weight", (outputs, self.classes)), ("readout.bias", (self.classes,)))

    def _probabilities(self, parameters: Parameters, outputs: Floats) -> Floats:
        z = self.scores(parameters, outputs)
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def values(self, parameters: Parameters, outputs: Floats, labels: Labels) -> Floats:
        """Return −ln p[label] (b,)."""
        z = self.scores(parameters, outputs)
        top = z.max(axis=1)
        return np.log(np.exp(z - top[:, None]).sum(axis=1)) + top - z[np.arange(len(z)), labels]

    def slope(self, parameters: Parameters, outputs: Floats, labels: Labels) -> Floats:
        """Return (p − y) Vᵀ (b, k)."""
        return self._gap(parameters, outputs, labels) @ parameters["readout.weight"].T

    def _gap(self, parameters: Parameters, outputs: Floats, labels: Labels) -> Floats:
        gap = self._probabilities(parameters, outputs)
        gap[np.arange(len(gap)), labels] -= 1
        return gap

    def nudge(self, strength: Floats, labels: Labels, units: tuple[int, int]) -> None:
        """Return None: the softmax is not a term that a backend holds, so its tangent is used."""
        return

    def explicit(
        self, parameters: Parameters, outputs: Floats, labels: Labels, gradient: Parameters
    ) -> None:
        """Write the readout's own gradient, the mean over the batch."""
        gap = self._gap(parameters, outputs, labels) / len(outputs)
        gradient["readout.weight"][:] = outputs.T @ gap
        gradient["readout.bias"][:] = gap.sum(axis=0)

    def scores(self, parameters: Parameters, outputs: Floats) -> Floats:
        """Return the logits s V + c (b, classes)."""
        return outputs @ parameters["readout.weight"] + parameters["readout.bias"]


def tangent(
    slope: Floats, strength: Floats, units: tuple[int, int], states: Floats, *, phases: bool
) -> LinearNudge:
    """Return the constant force −strength ∂C/∂s at the free state.

    On phases it is a field at right angles to them there: of the same slope, and bounded wherever they turn.

    Args:
        slope: ∂C/∂s (b, k).
        strength: nudging (b,).
        units: that the slope is of.
        states: free states (b, n).
        phases: states are phases.
    """
    force = np.zeros(states.shape, slope.dtype)
    force[:, slice(*units)] = -strength[:, None] * slope
    if phases:
        return LinearNudge(force[..., None] * np.stack([-np.sin(states), np.cos(states)], axis=-1))
    return LinearNudge(force)
