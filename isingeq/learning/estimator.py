"""Estimators: how equilibria become the gradient of a cost, by their contrast or otherwise.

    dL/dθ = Σ_k c_k ∂E/∂θ(s_k)          s_k settled under E + nudging_k C, from the free state

| estimator     | nudging_k          | c_k                       | error     |
|---------------|--------------------|---------------------------|-----------|
| centred       | +β, −β             | 1/2β, −1/2β               | O(β²)     |
| positive      | +β, 0              | 1/β, −1/β                 | O(β)      |
| negative      | −β, 0              | −1/β, 1/β                 | O(β)      |
| holomorphic   | β e^(2πik/N)       | e^(−2πik/N) / N β, real part | O(β^N) |
| coupled       | output held at s − β ∂C, s + β ∂C | as centred | O(β²), biased |
| recurrent     | none: the linear response of the free state, solved for | exact |
| bptt          | none: that response by as many steps as a nudged phase has | baseline |
| backprop      | none: the feedforward network of the same shape | | baseline |

Where forces have no energy, those of `nonconservative` stand in: asymmetric, dyadic, vector_field, plain, adjoint.

Scellier & Bengio 2017; Laborieux et al. 2021 (centred); Laborieux & Zenke 2022 (holomorphic); Stern et al. 2021
(coupled learning, in its centred form). `gradient` carries them out.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from isingeq.backend import Floats, Precision
from isingeq.errors import ConfigError
from isingeq.learning.nonconservative import METHODS

Method = Literal[
    "centred", "positive", "negative", "holomorphic", "coupled", "recurrent", "bptt", "backprop",
    "asymmetric", "dyadic", "vector_field", "plain", "adjoint",
]  # fmt: skip
Reads = Literal["mean", "best"]


@dataclass(frozen=True, slots=True)
class Estimator:
    """How equilibria become a gradient.

    Attributes:
        method: kind of contrast.
        nudging: β, > 0.
        points: nudged phases of the holomorphic method.
        free_steps: most steps of the free phase.
        nudged_steps: most steps of a nudged phase, and of the linear response.
        tolerance: residual at which a phase stops, and share of the push at which a response is solved; 0 runs all
            steps.
        reads: states per sample.
        select: contrast the mean over reads, or the read of lowest energy.
        tangent: nudge by the cost's slope at the free state, held as a constant force, and not by the cost itself.
        skip_correct: leave out samples whose free output equals its target (spins).
        reject: reads in which any unit moved further than this between the free and a nudged state, having left its
            basin, are left out of the mean; None keeps all.
        precision: of the arithmetic.
        displacements: settle nudged phases as displacements from the free state, to a tolerance times the nudging: a
            nudge may then be as small as one likes. In simulators alone; pools choose as in the free state.
        kolen_pollack: weights there and back share their gradients.
        homeostasis: strength of a penalty on what is not symmetric about forces.
    """

    method: Method = "centred"
    nudging: float = 0.1
    points: int = 2
    free_steps: int = 100
    nudged_steps: int = 50
    tolerance: float = 1e-3
    reads: int = 1
    select: Reads = "mean"
    tangent: bool = False
    skip_correct: bool = False
    reject: float | None = None
    precision: Precision = "float32"
    displacements: bool = False
    kolen_pollack: bool = False
    homeostasis: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.nudging) and self.nudging > 0):
            raise ConfigError(
                f"nudging {self.nudging} must be > 0; its direction is chosen by the method"
            )
        if self.method == "holomorphic" and self.points < 2:
            raise ConfigError(f"holomorphic nudging needs at least 2 points, got {self.points}")
        if self.method in METHODS and self.reads > 1:
            raise ConfigError(f"{self.method} takes one state per sample: set reads = 1")
        if self.method in ("recurrent", "bptt") and self.reads > 1 and self.select == "mean":
            raise ConfigError(
                f"{self.method} differentiates at one equilibrium, the mean over {self.reads} reads is none: "
                "set reads = 1, or select = best"
            )
        if self.reject is not None and (
            not self.reject > 0 or self.select != "mean" or not self.nudges
        ):
            raise ConfigError(
                f"reject {self.reject} must be > 0, and leaves reads out of a mean over nudged ones: "
                "set select = mean and an estimator that nudges, or reject = none"
            )

        small = ("centred", "positive", "negative")
        if self.displacements and self.nudges and self.method not in small:
            raise ConfigError(
                f"displacements are of free states under real nudges, {self.method} has others: "
                f"set displacements = false, or estimator to one of {', '.join(small)}"
            )
        if self.displacements and (self.reads > 1 or self.select == "best"):
            raise ConfigError(
                "displacements are from one free state per sample: set reads = 1 and select = mean"
            )

    @property
    def nudges(self) -> bool:
        """True where there are nudged phases that start from the free state."""
        return self.method not in ("recurrent", "bptt", "backprop", "dyadic", "adjoint")

    def phases(self) -> tuple[Floats, Floats]:
        """Return nudging and coefficient of every nudged phase, complex for the holomorphic method."""
        beta = self.nudging
        if self.method == "positive":
            return np.array([beta]), np.array([1 / beta])
        if self.method == "negative":
            return np.array([-beta]), np.array([-1 / beta])
        if self.method == "holomorphic" and self.points > 2:
            circle = np.exp(2j * np.pi * np.arange(self.points) / self.points)
            return beta * circle, 1 / (self.points * beta * circle)
        return np.array([beta, -beta]), np.array([0.5 / beta, -0.5 / beta])
