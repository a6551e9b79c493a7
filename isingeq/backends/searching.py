"""Backends `partner`, `amplitude-error` and `state-adam`: a search in the free phase, then a relaxation."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property

import numpy as np

from isingeq.backend import (
    Capabilities,
    Equilibrium,
    Floats,
    SettleRequest,
    Timing,
    Trace,
    check_request,
)
from isingeq.backends.simulator import Simulator, conjugate, hopfield
from isingeq.couplings import Convolution, Coupling, Dense, Edges
from isingeq.errors import BackendError, ConfigError, DivergenceError
from isingeq.machines.amplitude_error import AmplitudeError
from isingeq.machines.landscape import Landscape
from isingeq.machines.partner import Partner
from isingeq.machines.state_adam import StateAdam
from isingeq.problem import Problem
from isingeq.schedule import Relaxation
from isingeq.terms import total_energy

Search = Partner | AmplitudeError | StateAdam

RELAXATIONS: dict[str, Callable[..., Simulator]] = {"conjugate": conjugate, "hopfield": hopfield}


@dataclass(eq=False)
class Searching:
    """A search stage in the free phase, and a relaxation from where it ends; a nudged phase relaxes from its start.

    Every step of either stage takes the product with every coupling once, and all are counted as steps: the
    tolerance stops the relaxation, not the search. So that there is a relaxation, a search takes no more than half of
    `max_steps`. Rest points are those of the relaxation, whatever the search does.

    Attributes:
        name: SPEC.
        search: where the free phase begins.
        relaxation: how every phase ends.
        steps: of the search.
    """

    name: str
    search: Search
    relaxation: Simulator
    steps: int = 60
    _held: tuple[object, tuple[Coupling, ...]] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"{self.name} needs a search of at least 1 step, got {self.steps}")

    @cached_property
    def capabilities(self) -> Capabilities:
        """What the relaxation takes, on amplitudes; the products of a search depend on the split in their rounding."""
        return replace(
            self.relaxation.capabilities,
            units=frozenset({"amplitude"}),
            split_invariant=False,
            complex_nudging=False,
        )

    def suggest_schedule(self, problem: Problem) -> Relaxation:
        """Return the schedule of the relaxation."""
        return self.relaxation.suggest_schedule(problem)

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle a problem; see `Backend.settle`.

        Raises:
            DivergenceError: a state is no longer finite.
        """
        if self.relaxation.pool is None:
            raise BackendError(f"{self.name} is closed: open it again")
        check_request(self.name, self.capabilities, request)
        if request.nudged or request.displacements or request.max_steps < 2:
            return self._told(self.relaxation.settle(request), request, 0)
        started = time.perf_counter()
        steps = min(self.steps, request.max_steps // 2)
        states, notes = self._searched(request, steps)
        rest = replace(request, initial=states, max_steps=request.max_steps - steps)
        found = self._told(self.relaxation.settle(rest), request, steps)
        trace = found.trace
        if trace is not None:
            energy, residual = (np.array(column) for column in zip(*notes, strict=True))
            trace = Trace(
                np.concatenate([energy, trace.energy]),
                residual=np.concatenate([residual, np.asarray(trace.residual)]),
            )
        return replace(found, trace=trace, timing=Timing(host_s=time.perf_counter() - started))

    def close(self) -> None:
        """Stop the threads."""
        self.relaxation.close()

    def _searched(
        self, request: SettleRequest, steps: int
    ) -> tuple[Floats, list[tuple[Floats, Floats]]]:
        """Return where a search ends (b, r, n); for a trace, energy and residual (b,) after each step."""
        problem = request.problem
        landscape = Landscape(
            Problem(problem.layers, self._couplings(problem, request.precision), problem.fields),
            request.precision,
        )
        start = landscape.confine(np.zeros(problem.n, request.precision))
        if request.initial is not None:
            start = request.initial.astype(request.precision)
        at = np.broadcast_to(start, (problem.batch, request.reads, problem.n))
        notes = []
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is reported below
            for states in self.search.walk(landscape, at, steps=steps, seed=request.seed):
                if request.trace:
                    notes.append((total_energy(problem, (), states).mean(axis=1),
                                  problem.residual(states).max(axis=1)))  # fmt: skip
        if not np.isfinite(states).all():
            raise DivergenceError(
                f"the search of {self.name} diverged within {steps} steps: lower its dt or strength, "
                "or the learning rate"
            )
        return states, notes

    def _couplings(self, problem: Problem, precision: str) -> tuple[Coupling, ...]:
        """Return the couplings in the type of the arithmetic, made once per version."""
        key = (problem.structure, problem.version, precision)
        if self._held is None or self._held[0] != key:
            kept = tuple(
                replace(k, J=k.J.astype(precision))
                if isinstance(k, Dense | Edges | Convolution) and k.J.dtype != precision
                else k
                for k in problem.couplings
            )
            self._held = (key, kept)
        return self._held[1]

    def _told(self, found: Equilibrium, request: SettleRequest, steps: int) -> Equilibrium:
        """Return the answer of the relaxation as one to the request, with the steps of the search in it."""
        assert found.steps is not None
        details = {
            **found.provenance.details,
            "search": {"machine": type(self.search).__name__, **asdict(self.search)},
            "stages": {"search": steps, "relaxation": self.relaxation.name},
        }
        provenance = replace(found.provenance, backend=self.name, details=details)
        return replace(found, request=request, provenance=provenance, steps=found.steps + steps)


def partner(
    argument: str = "", *, strength: float = 1.5, decay: float = 1.0, dt: float = 0.4, momentum: float = 0.0,
    steps: int = 60, relaxation: str = "conjugate", threads: int = 1,
) -> Searching:  # fmt: skip
    """Open the antisymmetric partner; SPEC `partner?strength=2&steps=100`.

    Raises:
        ConfigError: an option out of its range, or an argument, which this backend does not take.
    """
    return _open(
        "partner", argument, Partner(strength, decay, dt, momentum), steps, relaxation, threads
    )


def amplitude_error(
    argument: str = "", *, pump: float = 0.5, feedback: float = 0.5, rate: float = 0.05, target: float = 0.6,
    dt: float = 0.4, spread: float = 0.0, steps: int = 60, relaxation: str = "conjugate", threads: int = 1,
) -> Searching:  # fmt: skip
    """Open amplitude and error; SPEC `amplitude-error?rate=0.1&steps=100`.

    Raises:
        ConfigError: an option out of its range, or an argument, which this backend does not take.
    """
    search = AmplitudeError(pump, feedback, rate, target, dt, spread)
    return _open("amplitude-error", argument, search, steps, relaxation, threads)


def state_adam(
    argument: str = "", *, lr: float = 0.2, first: float = 0.9, second: float = 0.99,
    steps: int = 60, relaxation: str = "conjugate", threads: int = 1,
) -> Searching:  # fmt: skip
    """Open Adam on the state; SPEC `state-adam?lr=0.1&steps=100`.

    Raises:
        ConfigError: an option out of its range, or an argument, which this backend does not take.
    """
    return _open("state-adam", argument, StateAdam(lr, first, second), steps, relaxation, threads)


def _open(
    name: str, argument: str, search: Search, steps: int, relaxation: str, threads: int
) -> Searching:
    if argument:
        raise ConfigError(
            f"backend {name!r} takes no argument, got {argument!r}: give options as {name}?key=value"
        )
    if relaxation not in RELAXATIONS:
        raise ConfigError(f"relaxation {relaxation!r} is not one of {', '.join(RELAXATIONS)}")
    return Searching(name, search, RELAXATIONS[relaxation](threads=threads), steps)
