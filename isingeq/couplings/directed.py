"""Directed couplings: forces without an energy. The target feels the source and does not act back.

    field_q(x) = P(ρ(x_source); J)_q        on the target, 0 elsewhere; dx/dt = −u'(x) − h − Σ field

ρ is an activation and P a path. Where a backward coupling with the same weights stands beside a forward one, the
forces still have no energy unless ρ is the identity: the Jacobian is W ρ'(x), which W = Wᵀ does not make symmetric.
"""

from dataclasses import dataclass, field
from typing import ClassVar, NoReturn, Protocol, runtime_checkable

import numpy as np

from isingeq.couplings.activation import Activation, activated, slope
from isingeq.couplings.kind import Coupling, Floats, is_finite, next_version
from isingeq.couplings.paths import Path, Tangent
from isingeq.errors import CapabilityError, ProblemError

KIND = "directed"
"""What every coupling that is a field without an energy calls itself; a backend that names it takes any of them."""


@runtime_checkable
class VectorField(Protocol):
    """What a `Coupling` gives besides where it is a field alone, whose Jacobian G = ∂field/∂x need not be symmetric.

    Its `kind` is "directed", `change` is G v, and `moments_along` is Σ_b weights_b v_bᵀ ∂field/∂J. `energy`, `edges`
    and `gather` refuse.
    """

    def change_back(self, states: Floats, direction: Floats) -> Floats:
        """Return Gᵀ v at states for a direction v (..., n), same shape."""
        ...


class Response(Protocol):
    """The derivative of a coupling's field at given states (b, n), and its transpose."""

    def change(self, direction: Floats) -> Floats:
        """Return G v for a direction v (b, n), same shape."""
        ...

    def change_back(self, direction: Floats) -> Floats:
        """Return Gᵀ v for a direction v (b, n), same shape."""
        ...


def response(coupling: Coupling, states: Floats) -> Response:
    """Return the response of a coupling at states (b, n), with what is found once per state kept.

    Raises:
        ProblemError: a field without an energy that has no `change_back`.
    """
    if isinstance(coupling, Directed):
        return coupling.at(states)
    if coupling.kind == KIND and not isinstance(coupling, VectorField):
        raise ProblemError(
            f"the field {type(coupling).__name__} has no change_back(states, direction), the product with its "
            "transposed Jacobian: write one, or train by the estimator vector_field"
        )
    return _Plain(coupling, states)


@dataclass(frozen=True, slots=True, eq=False)
class _Plain:
    coupling: Coupling
    states: Floats

    def change(self, direction: Floats) -> Floats:
        return self.coupling.change(self.states, direction)

    def change_back(self, direction: Floats) -> Floats:
        if isinstance(self.coupling, VectorField):
            return self.coupling.change_back(self.states, direction)
        return self.coupling.change(self.states, direction)  # of an energy: symmetric


@dataclass(frozen=True, slots=True, eq=False)
class Directed:
    """Forces on the units `target` from what is seen of the units `source`; the two may overlap.

    Args:
        source: first unit that acts and one past the last.
        target: the same for those that feel it.
        path: how; its J is made read-only.
        activation: what is seen of a state.

    Raises:
        ProblemError: sizes that disagree, or a coupling that is not finite.
    """

    source: tuple[int, int]
    target: tuple[int, int]
    path: Path
    activation: Activation = "tanh"
    version: int = field(default_factory=next_version)
    kind: ClassVar[str] = KIND
    pairwise: ClassVar[bool] = False

    def __post_init__(self) -> None:
        sizes = self.source[1] - self.source[0], self.target[1] - self.target[0]
        if sizes != self.path.sizes:
            raise ProblemError(
                f"a directed coupling leads from {sizes[0]} units to {sizes[1]}, its path from "
                f"{self.path.sizes[0]} to {self.path.sizes[1]}"
            )
        if not is_finite(self.path.J):
            raise ProblemError("a coupling is NaN or infinite: check weights and learning rate")
        self.path.J.flags.writeable = False

    @property
    def structure(self) -> tuple[object, ...]:
        """Kind, both runs of units, path and activation."""
        return (self.kind, self.source, self.target, self.path.structure, self.activation)

    def onto(self, states: Floats) -> Floats:
        """Return the field on the target alone, states (b, n), shape (b, q)."""
        return self.path.forces(activated(self.activation, states[:, slice(*self.source)]))

    def field(self, states: Floats) -> Floats:
        """Return P(ρ(x)) on the target and 0 elsewhere, for states (..., n), same shape."""
        out = np.zeros_like(states)
        forces = self.onto(states.reshape(-1, states.shape[-1]))
        out[..., slice(*self.target)] = forces.reshape(*states.shape[:-1], -1)
        return out

    def at(self, states: Floats) -> "At":
        """Return the response at states (b, n)."""
        source = states[:, slice(*self.source)]
        tangent = self.path.at(activated(self.activation, source))
        return At(self.source, self.target, slope(self.activation, source), tangent)

    def change(self, states: Floats, direction: Floats) -> Floats:
        """Return G v for states and direction v (..., n), same shape."""
        n = states.shape[-1]
        along = np.broadcast_to(direction, states.shape).reshape(-1, n)
        return self.at(states.reshape(-1, n)).change(along).reshape(states.shape)

    def change_back(self, states: Floats, direction: Floats) -> Floats:
        """Return Gᵀ v for states and direction v (..., n), same shape."""
        n = states.shape[-1]
        along = np.broadcast_to(direction, states.shape).reshape(-1, n)
        return self.at(states.reshape(-1, n)).change_back(along).reshape(states.shape)

    def energy(self, states: Floats) -> NoReturn:
        """Refuse: raises ProblemError, as the forces are no gradient."""
        raise ProblemError(
            "a directed coupling has no energy: its forces are no gradient; ask for fields and residuals"
        )

    def moments(self, states: Floats, weights: Floats) -> Floats:
        """Return Σ_b weights_b ∂⟨ρ(x_target), P(ρ(x_source))⟩/∂J: of the energy there would be, were it mutual."""
        seen = activated(self.activation, states)
        source, target = seen[:, slice(*self.source)], seen[:, slice(*self.target)]
        return self.path.at(source).moments(source, target * weights[:, None])

    def moments_along(self, states: Floats, direction: Floats, weights: Floats) -> Floats:
        """Return Σ_b weights_b v_bᵀ ∂field/∂J at states and for directions v (b, n), shape of J."""
        seen = activated(self.activation, states[:, slice(*self.source)])
        return self.path.at(seen).moments(
            seen, direction[:, slice(*self.target)] * weights[:, None]
        )

    def edges(self) -> NoReturn:
        """Refuse: raises CapabilityError, as an edge acts both ways."""
        raise CapabilityError(
            "a directed coupling acts one way, an edge both: use a backend that names directed couplings, such as rate"
        )

    def gather(self, edge_moments: Floats) -> NoReturn:
        """Refuse: raises CapabilityError, as there are no edges to gather from."""
        self.edges()


@dataclass(frozen=True, slots=True, eq=False)
class At:
    """A directed coupling at given states: G = ∂P ρ', from the source to the target."""

    source: tuple[int, int]
    target: tuple[int, int]
    steep: Floats
    tangent: Tangent

    def change(self, direction: Floats) -> Floats:
        """Return G v for a direction v (b, n), same shape."""
        out = np.zeros_like(direction)
        out[:, slice(*self.target)] = self.tangent.along(
            self.steep * direction[:, slice(*self.source)]
        )
        return out

    def change_back(self, direction: Floats) -> Floats:
        """Return Gᵀ v for a direction v (b, n), same shape."""
        out = np.zeros_like(direction)
        out[:, slice(*self.source)] = self.steep * self.tangent.back(
            direction[:, slice(*self.target)]
        )
        return out

    def moments(self, direction: Floats, weights: Floats) -> Floats:
        """Return Σ_b weights_bᵀ ∂G/∂J v_b for weights and directions v (b, n), ρ' held, shape of J."""
        along = self.steep * direction[:, slice(*self.source)]
        return self.tangent.moments(along, weights[:, slice(*self.target)])
