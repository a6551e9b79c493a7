"""The null backend: takes anything, settles nothing. What is left is the cost of all around it."""

from dataclasses import dataclass, field

import numpy as np

from isingeq.backend import (
    Capabilities,
    Claim,
    Equilibrium,
    Provenance,
    SettleRequest,
    check_request,
)
from isingeq.corrections import Reciprocal, Transposed
from isingeq.errors import BackendError, ConfigError
from isingeq.problem import Floats, Problem
from isingeq.schedule import Annealing, Drive, Relaxation
from isingeq.terms import Clamp, CosineNudge, LinearNudge, LogCosNudge, QuadraticNudge
from isingeq.units import Layer, Phase, Spin


@dataclass(slots=True)
class Null:
    """Returns initial states as they came, or every unit where it rests without a force."""

    name: str = "null"
    _closed: bool = field(default=False, repr=False)

    @property
    def capabilities(self) -> Capabilities:
        """Everything, and no promise."""
        return Capabilities(
            units=frozenset({"spin", "amplitude", "logistic", "phase", "quartic"}),
            couplings=frozenset({"edges", "injection", "convolution", "directed"}),
            claim=Claim.NONE,
            terms=frozenset(
                {
                    LinearNudge,
                    QuadraticNudge,
                    CosineNudge,
                    LogCosNudge,
                    Clamp,
                    Reciprocal,
                    Transposed,
                }
            ),
            schedules=frozenset({Annealing, Relaxation, Drive}),
            complex_nudging=True,
            displacements=True,
        )

    def suggest_schedule(self, problem: Problem) -> None:
        """Return None: there is nothing to schedule."""

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Return the initial states; without them spins up, phases 0 and other units at rest.

        Clamped units stand where they are clamped. See `Backend.settle`.
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
            request=request,
            states=states.astype(request.precision),
            provenance=Provenance(self.name, "simulated", request.seed),
            displacements=np.zeros_like(states) if request.displacements else None,
        )

    def close(self) -> None:
        """Refuse to settle from now on."""
        self._closed = True


def _unforced(layer: Layer) -> Floats:
    """Return the states (size,) of a layer on which nothing pulls; a free spin counts as up, a free phase as 0."""
    if isinstance(layer.unit, Spin):
        return np.ones(layer.size)
    if isinstance(layer.unit, Phase):
        return np.zeros(layer.size)
    return layer.unit.rest(np.zeros(layer.size))


def null(argument: str = "") -> Null:
    """Open the null backend; SPEC `null`.

    Raises:
        ConfigError: an argument.
    """
    if argument:
        raise ConfigError(f"null takes no argument, got {argument!r}")
    return Null()
