"""Fields of one's own: any force with parameters J, given as a law of four products, or of one and differences.

field(x; J)        G v = ∂field/∂x v        Gᵀ v        Σ_b w_b v_bᵀ ∂field/∂J
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, NoReturn, Protocol

import numpy as np

from isingeq.couplings.directed import KIND
from isingeq.couplings.kind import Floats, is_finite, next_version
from isingeq.errors import CapabilityError, ProblemError


class Law(Protocol):
    """How states and parameters make a force; states and directions are (b, n), in the problem's sign."""

    def field(self, states: Floats, J: Floats) -> Floats:
        """Return minus the force (b, n)."""
        ...

    def change(self, states: Floats, direction: Floats, J: Floats) -> Floats:
        """Return G v (b, n) for a direction v."""
        ...

    def change_back(self, states: Floats, direction: Floats, J: Floats) -> Floats:
        """Return Gᵀ v (b, n) for a direction v."""
        ...

    def moments_along(
        self, states: Floats, direction: Floats, weights: Floats, J: Floats
    ) -> Floats:
        """Return Σ_b weights_b v_bᵀ ∂field/∂J, shape of J."""
        ...


@dataclass(frozen=True, eq=False)
class Given:
    """A law with its parameters, as a coupling over all units of a problem.

    Args:
        law: four products.
        J: parameters in the problem's sign; made read-only.

    Raises:
        ProblemError: parameters that are not finite, or a law without one of the products.
    """

    law: Law
    J: Floats
    version: int = field(default_factory=next_version)
    kind: ClassVar[str] = KIND
    pairwise: ClassVar[bool] = False

    def __post_init__(self) -> None:
        wanted = ("field", "change", "change_back", "moments_along")
        missing = [name for name in wanted if not hasattr(self.law, name)]
        if missing:
            raise ProblemError(
                f"the law {type(self.law).__name__} has no {', '.join(missing)}: write them, or give its field alone "
                "to Differenced, which takes finite differences"
            )
        if not is_finite(self.J):
            raise ProblemError("a coupling is NaN or infinite: check weights and learning rate")
        self.J.flags.writeable = False

    @property
    def structure(self) -> tuple[object, ...]:
        """Kind, law and shape of the parameters."""
        return (self.kind, type(self.law), self.J.shape)

    def field(self, states: Floats) -> Floats:
        """Return minus the force for states (..., n), same shape."""
        return self.law.field(_rows(states), self.J).reshape(states.shape)

    def change(self, states: Floats, direction: Floats) -> Floats:
        """Return G v for states and direction v (..., n), same shape."""
        return self.law.change(_rows(states), _rows(direction), self.J).reshape(states.shape)

    def change_back(self, states: Floats, direction: Floats) -> Floats:
        """Return Gᵀ v for states and direction v (..., n), same shape."""
        return self.law.change_back(_rows(states), _rows(direction), self.J).reshape(states.shape)

    def moments_along(self, states: Floats, direction: Floats, weights: Floats) -> Floats:
        """Return Σ_b weights_b v_bᵀ ∂field/∂J at states and for directions v (b, n), shape of J."""
        return self.law.moments_along(states, direction, weights, self.J)

    def energy(self, states: Floats) -> NoReturn:
        """Refuse: raises ProblemError, as the force need not be a gradient."""
        raise ProblemError(
            "a given field has no energy: its force need not be a gradient; ask for fields and residuals"
        )

    def moments(self, states: Floats, weights: Floats) -> NoReturn:
        """Refuse: raises CapabilityError, as nothing is known of an energy."""
        raise CapabilityError(
            "a given field has no moments to contrast: take asymmetric, dyadic or vector_field, not plain"
        )

    def edges(self) -> NoReturn:
        """Refuse: raises CapabilityError, as it is no sum over pairs."""
        raise CapabilityError(
            "a given field is no sum over pairs: use a backend that names directed couplings, such as rate"
        )

    def gather(self, edge_moments: Floats) -> NoReturn:
        """Refuse: raises CapabilityError, as there are no edges to gather from."""
        self.edges()


@dataclass(frozen=True)
class Differenced:
    """A law from its field alone: products by central differences in double precision, to try a field with.

    `change_back` takes two fields per unit and `moments_along` two per parameter; what is to be trained for long has
    products of its own.

    Attributes:
        of: minus the force (b, n) of states (b, n) and parameters J.
        step: of the differences.
    """

    of: Callable[[Floats, Floats], Floats]
    step: float = 1e-5

    def field(self, states: Floats, J: Floats) -> Floats:
        """Return minus the force (b, n)."""
        return self.of(states, J)

    def change(self, states: Floats, direction: Floats, J: Floats) -> Floats:
        """Return G v (b, n) to second order in the step."""
        x, v, exact = (a.astype(np.float64) for a in (states, direction, J))
        moved = self.of(x + self.step * v, exact) - self.of(x - self.step * v, exact)
        return np.asarray(moved / (2 * self.step), states.dtype)

    def change_back(self, states: Floats, direction: Floats, J: Floats) -> Floats:
        """Return Gᵀ v (b, n), from the columns of G."""
        units = np.eye(states.shape[1])
        columns = [self.change(states, np.broadcast_to(u, states.shape), J) for u in units]
        return np.einsum("ibn,bn->bi", np.array(columns), direction)

    def moments_along(
        self, states: Floats, direction: Floats, weights: Floats, J: Floats
    ) -> Floats:
        """Return Σ_b weights_b v_bᵀ ∂field/∂J, parameter by parameter."""
        x, push = states.astype(np.float64), weights[:, None] * direction
        out = np.zeros(J.shape, states.dtype)
        for at in np.ndindex(*J.shape):
            ends = []
            for sign in (1, -1):
                moved = J.astype(np.float64)
                moved[at] += sign * self.step
                ends.append((push * self.of(x, moved)).sum())
            out[at] = (ends[0] - ends[1]) / (2 * self.step)
        return out


def _rows(states: Floats) -> Floats:
    return states.reshape(-1, states.shape[-1])
