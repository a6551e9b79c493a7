"""What every kind of coupling gives."""

from itertools import count
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
EdgeList = tuple[NDArray[np.integer], NDArray[np.integer], Floats]

next_version = count(1).__next__
"""Versions are unique in the process and only ever rise: a backend that holds one knows if it is current."""


def is_finite(values: NDArray[np.inexact]) -> bool:
    """Return whether no value is NaN or infinite.

    It is asked several times a training step, so their squares are summed first, which BLAS does at the speed of
    memory; only a sum that is not finite, overflow included, has them looked at one by one.
    """
    flat = values.ravel()
    return bool(np.isfinite(np.vdot(flat, flat)) or np.isfinite(flat).all())


class Coupling(Protocol):
    """An energy with parameters, shared by a whole batch: Σ_(i<j) J_ij s_i s_j where it is pairwise.

    A directed kind has a `field` and no energy: its `energy` raises ProblemError.
    """

    @property
    def pairwise(self) -> bool:
        """True where `edges` holds all of it; otherwise only backends that name the kind take it."""
        ...

    @property
    def version(self) -> int:
        """Monotonic: moves whenever the values may have changed."""
        ...

    @property
    def kind(self) -> str:
        """Name of the kind, as in `Capabilities.couplings`."""
        ...

    @property
    def structure(self) -> tuple[object, ...]:
        """Hashable shape of the coupling without its values."""
        ...

    def field(self, states: Floats) -> Floats:
        """Return ∂E/∂s for states (..., n), same shape: Σ_j J_ij s_j where pairwise."""
        ...

    def change(self, states: Floats, direction: Floats) -> Floats:
        """Return the derivative of `field` at states (..., n) along a direction (..., n), same shape."""
        ...

    def energy(self, states: Floats) -> Floats:
        """Return E for states (..., n), shape (...)."""
        ...

    def moments(self, states: Floats, weights: Floats) -> Floats:
        """Return Σ_b weights_b ∂E/∂J(states_b), states (b, n), weights (b,), shape of the parameters."""
        ...

    def moments_along(self, states: Floats, direction: Floats, weights: Floats) -> Floats:
        """Return the derivative of `moments` at states (b, n) along a direction (b, n), same weights and shape."""
        ...

    def edges(self) -> EdgeList:
        """Return (i, j, J), each (m,), with i < j, in the order in which `gather` takes them.

        Raises:
            CapabilityError: not pairwise.
        """
        ...

    def gather(self, edge_moments: Floats) -> Floats:
        """Sum moments per edge (m,) into moments per parameter: the transpose of lowering."""
        ...
