"""Second-harmonic injection, a signal at twice the frequency: E = Σ_i K_i cos 2φ_i.

In the problem's sign, as J and h are: negative K pulls phases to 0 and π, positive K to ±π/2. Papers on oscillator
Ising machines write −½ Σ K cos 2φ with K > 0; theirs is −2 times this one.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from isingeq.couplings.kind import EdgeList, Floats, is_finite, next_version
from isingeq.errors import CapabilityError, ProblemError


@dataclass(frozen=True, slots=True, eq=False)
class Injection:
    """K (n,) on every unit of a problem, a parameter like any other; made read-only."""

    K: Floats
    pairwise: ClassVar[bool] = False
    kind: ClassVar[str] = "injection"
    version: int = field(default_factory=next_version)

    def __post_init__(self) -> None:
        if self.K.ndim != 1 or not is_finite(self.K):
            raise ProblemError(
                f"an injection needs one finite strength per unit, got shape {self.K.shape}"
            )
        self.K.flags.writeable = False

    @property
    def structure(self) -> tuple[object, ...]:
        """Kind and number of units."""
        return (self.kind, self.K.size)

    def field(self, states: Floats) -> Floats:
        """Return ∂E/∂φ = −2 K sin 2φ for states (..., n), same shape."""
        return -2 * self.K.astype(states.dtype, copy=False) * np.sin(2 * states)

    def change(self, states: Floats, direction: Floats) -> Floats:
        """Return −4 K cos 2φ v for states φ and direction v (..., n), same shape."""
        return -4 * self.K.astype(states.dtype, copy=False) * np.cos(2 * states) * direction

    def energy(self, states: Floats) -> Floats:
        """Return Σ K cos 2φ for states (..., n), shape (...)."""
        return np.cos(2 * states) @ self.K

    def moments(self, states: Floats, weights: Floats) -> Floats:
        """Return Σ_b weights_b cos 2φ_b, states (b, n), weights (b,), shape (n,)."""
        return weights @ np.cos(2 * states)

    def moments_along(self, states: Floats, direction: Floats, weights: Floats) -> Floats:
        """Return −Σ_b 2 weights_b sin 2φ_b v_b, states φ and direction v (b, n), shape (n,)."""
        return -2 * (weights @ (np.sin(2 * states) * direction))

    def edges(self) -> EdgeList:
        """Refuse: raises CapabilityError, as no pair of units is joined."""
        raise CapabilityError("an injection is not pairwise: use a backend that names it")

    def gather(self, edge_moments: Floats) -> Floats:
        """Refuse: raises CapabilityError, as there are no edges to gather from."""
        raise CapabilityError("an injection is not pairwise: use a backend that names it")
