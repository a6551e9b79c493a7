"""The null backend: takes anything, settles nothing. What is left is the cost of everything around it."""

import numpy as np

from isingeq.backend import (
    Backend,
    Capabilities,
    Claim,
    Equilibrium,
    Provenance,
    SettleRequest,
    check_request,
)
from isingeq.backends.naming import spec_text
from isingeq.errors import BackendError
from isingeq.problem import Floats, Problem
from isingeq.schedule import Annealing, Relaxation
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge
from isingeq.units import Layer, Spin


class Null:
    """Returns initial states as they came, or every unit where it rests without a force."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.capabilities = Capabilities(
            units=frozenset({"spin", "amplitude", "logistic"}),
            couplings=frozenset({"edges"}),
            claim=Claim.NONE,
            terms=frozenset({LinearNudge, QuadraticNudge, Clamp}),
            schedules=frozenset({Annealing, Relaxation}),
            complex_nudging=True,
        )
        self._closed = False

    def suggest_schedule(self, problem: Problem) -> None:
        """Return None: there is nothing to schedule."""

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Return the initial states; without them spins up, other units at rest; clamped units as clamped.

        Raises:
            BackendError: closed.
        """
        check_request(self.name, self.capabilities, request)
        if self._closed:
            raise BackendError(f"{self.name} is closed: open it again")
        problem = request.problem
        if request.initial is None:
            unforced = np.concatenate([_unforced(layer) for layer in problem.layers])
            states = np.tile(unforced, (problem.batch, request.reads, 1))
        else:
            states = request.initial
        for term in request.terms:
            if isinstance(term, Clamp):
                states = np.where(term.mask, term.values[:, None, :], states)
        return Equilibrium(
            request,
            states.astype(request.precision),
            Provenance(self.name, "simulated", request.seed),
        )

    def close(self) -> None:
        """Refuse to settle from now on."""
        self._closed = True


def _unforced(layer: Layer) -> Floats:
    """Return the states (size,) of a layer on which nothing pulls; a free spin is taken as up."""
    return (
        np.ones(layer.size)
        if isinstance(layer.unit, Spin)
        else layer.unit.rest(np.zeros(layer.size))
    )


def null(argument: str = "") -> Backend:
    """Open the null backend."""
    return Null(spec_text(null, argument))
