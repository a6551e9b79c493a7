"""Costs of phases: what an output angle is compared with, by its cosine or as an angle."""

from dataclasses import dataclass

import numpy as np

from isingeq.backend import Floats
from isingeq.learning.cost import Labels, SquaredError
from isingeq.learning.parameters import Parameters
from isingeq.terms import CosineNudge, LogCosNudge, Term


@dataclass(frozen=True, slots=True)
class CosineError:
    """C = ½ Σ_k (cos φ_k − y_k)², y = +1 on the units of the right class and −1 elsewhere (Gower 2025).

    Attributes:
        classes: number of classes.
        replicas: output units per class, one after the other.
        single: two classes on one unit and its replicas.
    """

    classes: int
    replicas: int = 1
    single: bool = False

    @property
    def _error(self) -> SquaredError:
        return SquaredError(self.classes, self.replicas, low=-1.0, single=self.single)

    def shapes(self, outputs: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """No parameters; raises ProblemError for an output layer of another size."""
        return self._error.shapes(outputs)

    def values(self, parameters: Parameters, outputs: Floats, labels: Labels) -> Floats:
        """Return C per sample (b,) for phases (b, k)."""
        return self._error.values(parameters, np.cos(outputs), labels)

    def slope(self, parameters: Parameters, outputs: Floats, labels: Labels) -> Floats:
        """Return ∂C/∂φ = −sin φ (cos φ − y), (b, k)."""
        return -np.sin(outputs) * self._error.slope(parameters, np.cos(outputs), labels)

    def nudge(self, strength: Floats, labels: Labels, units: tuple[int, int]) -> Term:
        """Return a spring between cosines and targets."""
        return CosineNudge(units, self._error.targets(labels, strength.dtype), strength)

    def explicit(
        self, parameters: Parameters, outputs: Floats, labels: Labels, gradient: Parameters
    ) -> None:
        """Nothing to write: no parameters."""

    def scores(self, parameters: Parameters, outputs: Floats) -> Floats:
        """Return the sum of cosines over replicas (b, classes)."""
        return self._error.scores(parameters, np.cos(outputs))


@dataclass(frozen=True, slots=True)
class LogCosine:
    """C = −Σ_k ln(1 + ε + cos(φ_k − y_k)), y = +π/2 for the right class and −π/2 elsewhere (Wang et al. 2024).

    The logarithm keeps the unstable point φ = y + π from trapping the nudge.

    Attributes:
        classes: number of classes, one output unit each.
        single: two classes on one unit, y = −π/2 for class 0 and +π/2 for class 1.
    """

    classes: int
    single: bool = False

    @property
    def _error(self) -> SquaredError:
        return SquaredError(self.classes, low=-np.pi / 2, high=np.pi / 2, single=self.single)

    def shapes(self, outputs: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """No parameters; raises ProblemError for an output layer of another size."""
        return self._error.shapes(outputs)

    def values(self, parameters: Parameters, outputs: Floats, labels: Labels) -> Floats:
        """Return C per sample (b,) for phases (b, k)."""
        gap = self._error.slope(parameters, outputs, labels)
        return -np.log1p(LogCosNudge.floor + np.cos(gap)).sum(axis=1)

    def slope(self, parameters: Parameters, outputs: Floats, labels: Labels) -> Floats:
        """Return ∂C/∂φ = sin(φ − y) / (1 + ε + cos(φ − y)), (b, k)."""
        gap = self._error.slope(parameters, outputs, labels)
        return np.sin(gap) / (1 + LogCosNudge.floor + np.cos(gap))

    def nudge(self, strength: Floats, labels: Labels, units: tuple[int, int]) -> Term:
        """Return the cost itself as a term."""
        return LogCosNudge(units, self._error.targets(labels, strength.dtype), strength)

    def explicit(
        self, parameters: Parameters, outputs: Floats, labels: Labels, gradient: Parameters
    ) -> None:
        """Nothing to write: no parameters."""

    def scores(self, parameters: Parameters, outputs: Floats) -> Floats:
        """Return the sine of every output (b, classes); of a single one with either sign."""
        return self._error.scores(parameters, np.sin(outputs))
