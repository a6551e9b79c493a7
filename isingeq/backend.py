"""The seam: whatever settles a problem is a Backend, and a trainer knows nothing else.

Writing one takes `capabilities`, `suggest_schedule` and `settle`; `docs/backends.md` walks through it and
`isingeq conformance SPEC` tests it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from isingeq.connectivity import Connectivity
from isingeq.couplings import Convolution
from isingeq.errors import CapabilityError, ProblemError
from isingeq.problem import Problem
from isingeq.ranges import check_values
from isingeq.schedule import Schedule
from isingeq.terms import (
    Clamp,
    CosineNudge,
    LogCosNudge,
    QuadraticNudge,
    Term,
    total_energy,
    total_gradient,
)

Floats = NDArray[np.floating]
Precision = Literal["float32", "float64", "complex128"]


class Claim(StrEnum):
    """What a backend promises about the states it returns; the conformance suite tests it."""

    FIXED_POINT = "fixed point"
    """Stationary points of the energy, to the residual reported."""
    BOLTZMANN = "boltzmann"
    """Samples of exp(−β E), β the last beta of the schedule."""
    GROUND_STATE = "ground state"
    """Low energies, without a stated distribution."""
    NONE = "none"
    """Nothing: a reference for overheads and plumbing."""


Kind = Literal["exact", "simulated", "emulated", "real"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can hold and do, as data.

    Attributes:
        units: kinds of unit, by name.
        couplings: kinds of coupling; "edges" means that any pairwise one will do, "directed" any field at all.
        claim: promise about the states.
        terms: terms taken natively.
        schedules: schedules taken; empty when there is nothing to schedule.
        max_units: most units, None for as many as memory holds.
        connectivity: pairs that are coupled, None for every pair.
        field_range: lowest and highest field, None for any.
        coupling_range: lowest and highest coupling, None for any.
        field_step: fields are multiples of this, None for real numbers.
        coupling_step: couplings are multiples of this, None for real numbers.
        coupling_levels: the only values that couplings have, ascending, where they are not the multiples of a step.
        warm_start: takes initial states.
        split_invariant: the same numbers for any batch split and thread count.
        complex_nudging: takes complex nudging strengths (holomorphic equilibrium propagation).
        displacements: settles displacements from initial states.
        traces: can return a trace.
        concurrent: settles of the same couplings may run in several threads at once.
    """

    units: frozenset[str]
    couplings: frozenset[str]
    claim: Claim
    terms: frozenset[type]
    schedules: frozenset[type] = frozenset()
    max_units: int | None = None
    connectivity: Connectivity | None = None
    field_range: tuple[float, float] | None = None
    coupling_range: tuple[float, float] | None = None
    field_step: float | None = None
    coupling_step: float | None = None
    coupling_levels: tuple[float, ...] | None = None
    warm_start: bool = True
    split_invariant: bool = True
    complex_nudging: bool = False
    displacements: bool = False
    traces: bool = False
    concurrent: bool = False


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a result comes from; simulated, emulated and real are never confused.

    Attributes:
        backend: SPEC of the backend.
        kind: exact, simulated, emulated or real.
        seed: seed of the request.
        details: versions, parameters, and for devices uid, firmware, calibration id and mapping report.
    """

    backend: str
    kind: Kind
    seed: int
    details: Mapping[str, object] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Return plain data for JSON."""
        return {**self.details, "backend": self.backend, "kind": self.kind, "seed": self.seed}


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds spent on the host, on the link and in the device."""

    host_s: float = 0.0
    link_s: float = 0.0
    device_s: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One settle step by step, each array (steps, b): energies of the total F, mean over reads.

    Attributes:
        energy: of the states as they would be read out.
        kinetic: energy of the momenta; None where there are none.
        residual: largest over reads; None where residuals have no meaning.
        contraction: −ln |det ∂(next)/∂(now)| per phase-space step and unit, averaged over units off the walls.
        details: what else the machine shows, by name: best energy so far, amplitudes, error variables, acceptance.
    """

    energy: Floats
    kinetic: Floats | None = None
    residual: Floats | None = None
    contraction: Floats | None = None
    details: Mapping[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class SettleRequest:
    """One call of a backend: settle this problem, with these terms, from here, this way.

    Attributes:
        problem: energy, couplings shared and fields (b, n).
        terms: what a nudged phase adds; empty in the free phase.
        reads: states wanted per sample.
        schedule: None lets the backend use its own parameters, written into the provenance.
        seed: every (request, sample, read) has its own stream of random numbers.
        initial: states (b, r, n) to start from; None for the backend's own start.
        tolerance: residual at which a relaxing machine stops; 0 runs all `max_steps`.
        max_steps: most steps; one step updates every layer once.
        precision: of the arithmetic.
        trace: return a trace too.
        displacements: settle the displacement from `initial`, which counts as at rest: what a nudge moves is found to
            all its digits, however little that is. What forces are left there on units off their walls is taken away,
            and every pool goes by the choice it makes there. The tolerance is on |δ − clip(δ − ∂F/∂δ)|.
    """

    problem: Problem
    terms: tuple[Term, ...] = ()
    reads: int = 1
    schedule: Schedule | None = None
    seed: int = 0
    initial: Floats | None = None
    tolerance: float = 1e-4
    max_steps: int = 200
    precision: Precision = "float32"
    trace: bool = False
    displacements: bool = False

    @property
    def nudged(self) -> bool:
        """True when terms are added: no ramp and no random momentum then."""
        return bool(self.terms)


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """What a settle call returns.

    Attributes:
        request: the question, so that energies are of the problem *asked for*.
        states: (b, r, n) in the order drawn.
        provenance: where this comes from.
        weights: (b, r) summing to 1 over reads, None for equal weights.
        residual: (b, r) max over units of |x − clip(x − ∂F/∂x)| at the states returned, where it has a meaning.
        steps: (b, r) steps used.
        two_cycle: (b, r) True where the state flips between two values instead of settling.
        timing: seconds.
        trace: when asked for.
        displacements: (b, r, n) from the initial states, when asked for; `states` are those to the digits they have.
    """

    request: SettleRequest
    states: Floats
    provenance: Provenance
    weights: Floats | None = None
    residual: Floats | None = None
    steps: NDArray[np.integer] | None = None
    two_cycle: NDArray[np.bool_] | None = None
    timing: Timing = Timing()
    trace: Trace | None = None
    displacements: Floats | None = None

    @cached_property
    def energies(self) -> Floats:
        """Total energies F (b, r), recomputed on the host in float64."""
        return total_energy(self.request.problem, self.request.terms, self.states)

    @property
    def settled(self) -> NDArray[np.bool_] | None:
        """(b, r) True where the residual is within the tolerance; None where residuals have no meaning."""
        return None if self.residual is None else self.residual <= self.request.tolerance

    def mean(self) -> Floats:
        """Return the mean state over reads, (b, n); of phases the angle of their mean point in the plane."""
        if self.states.shape[1] == 1:
            return self.states[:, 0]
        if self.request.problem.angular:
            s, c = (
                _mean(part, self.weights) for part in (np.sin(self.states), np.cos(self.states))
            )
            return np.arctan2(s, c)
        return _mean(self.states, self.weights)


def _mean(states: Floats, weights: Floats | None) -> Floats:
    return states.mean(axis=1) if weights is None else np.einsum("br,brn->bn", weights, states)


@runtime_checkable
class Backend(Protocol):
    """Anything that settles problems."""

    @property
    def name(self) -> str:
        """SPEC of the backend, as written into results."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can hold and do."""
        ...

    def suggest_schedule(self, problem: Problem) -> Schedule | None:
        """Return the default schedule for a problem, None where there is nothing to schedule."""
        ...

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle a problem.

        Raises:
            CapabilityError: the request is outside the capabilities; nothing was done.
            BackendError: it failed while it worked.
        """
        ...

    def close(self) -> None:
        """Give back what the backend holds; settling afterwards raises BackendError."""
        ...


def check_request(name: str, capabilities: Capabilities, request: SettleRequest) -> None:
    """Refuse, before any work, what a backend does not have.

    Raises:
        CapabilityError: units, couplings, size, range, step, terms, schedule, start or trace.
        ProblemError: a start, mask or target of the wrong shape, counts below 1, a NaN tolerance.
    """
    problem, c = request.problem, capabilities

    def refuse(what: str, allowed: str) -> CapabilityError:
        return CapabilityError(f"{name} cannot take {what}; it takes {allowed}")

    kinds = {layer.unit.kind for layer in problem.layers}
    if extra := kinds - c.units:
        raise refuse(f"{', '.join(sorted(extra))} units", f"{', '.join(sorted(c.units)) or 'none'}")
    lowers = "edges" in c.couplings
    if odd := [
        k for k in problem.couplings if k.kind not in c.couplings and not (lowers and k.pairwise)
    ]:
        pooled = [k.window.pooling for k in odd if isinstance(k, Convolution) and not k.pairwise]
        hint = f"; of convolutions those with average pooling, not {pooled[0]}" if pooled else ""
        one_way = (
            "; forces without an energy are for rate"
            if any(k.kind == "directed" for k in odd)
            else ""
        )
        raise refuse(
            f"{', '.join(sorted({k.kind for k in odd}))} couplings",
            ", ".join(sorted(c.couplings)) + hint * lowers + one_way,
        )
    if c.max_units is not None and problem.n > c.max_units:
        raise refuse(f"{problem.n} units", f"at most {c.max_units}")
    if extra_terms := {type(t) for t in request.terms} - c.terms:
        raise refuse(
            f"the terms {', '.join(sorted(t.__name__ for t in extra_terms))}",
            ", ".join(sorted(t.__name__ for t in c.terms)) or "none",
        )
    if request.schedule is not None and type(request.schedule) not in c.schedules:
        raise refuse(
            f"a schedule of the kind {type(request.schedule).__name__}",
            ", ".join(sorted(s.__name__ for s in c.schedules)) or "none",
        )
    if request.trace and not c.traces:
        raise refuse("a request for a trace", "requests without one")
    if request.displacements:
        _check_displacements(name, c, request)
    nudges = (CosineNudge, LogCosNudge, QuadraticNudge)
    strengths = [term.strength for term in request.terms if isinstance(term, nudges)]
    turned = request.precision == "complex128" or any(np.iscomplexobj(part) for part in strengths)
    if turned and not c.complex_nudging:
        raise refuse("complex nudging", "real nudging")
    if turned and request.precision != "complex128":
        raise ProblemError(
            f"a complex strength needs precision complex128, asked was {request.precision}"
        )
    if request.precision not in get_args(Precision) or request.seed < 0:
        raise ProblemError(
            f"precision {request.precision!r} must be one of {', '.join(get_args(Precision))}, seed {request.seed} >= 0"
        )
    if request.reads < 1 or request.max_steps < 1 or not request.tolerance >= 0:
        raise ProblemError(
            f"reads {request.reads} and max_steps {request.max_steps} must be >= 1, tolerance {request.tolerance} >= 0"
        )
    if request.initial is not None:
        if not c.warm_start:
            raise refuse("initial states", "requests without them")
        wanted = (problem.batch, request.reads, problem.n)
        if request.initial.shape != wanted:
            raise ProblemError(
                f"initial states have shape {request.initial.shape}, need (b, r, n) = {wanted}"
            )
        problem.check_states("initial states", request.initial)
    for term in request.terms:
        term.check(problem)
    if c.connectivity is not None:
        c.connectivity.places(name, problem)
    check_values(name, c, problem)


def _check_displacements(name: str, c: Capabilities, request: SettleRequest) -> None:
    """Refuse displacements where there are none to be had."""
    hint = "set learning.displacements=false"
    if not c.displacements:
        raise CapabilityError(
            f"{name} settles states, not displacements from them as simulators without noise do: {hint}"
        )
    if request.initial is None:
        raise ProblemError("displacements need the initial states that they are counted from")
    if request.trace:
        raise CapabilityError(f"{name} traces states, not displacements: ask for one of the two")
    if any(isinstance(term, Clamp) for term in request.terms):
        raise CapabilityError(f"{name} holds states in a clamp, not displacements: {hint}")
    if any(layer.unit.kind != "amplitude" for layer in request.problem.layers):
        raise CapabilityError(f"{name} settles displacements of amplitudes: {hint}")
    if any(
        isinstance(k, Convolution) and not k.pairwise and k.window.pooling == "soft"
        for k in request.problem.couplings
    ):
        raise CapabilityError(
            f"{name} settles no displacements behind a soft maximum, which has no choice to go by: {hint}"
        )


def residual_of(request: SettleRequest, states: Floats) -> Floats:
    """Return the exact residual (b, r) of states (b, r, n), terms included."""
    return request.problem.residual(states, total_gradient(request.problem, request.terms, states))
