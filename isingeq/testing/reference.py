"""Plain backends, slow and plainly right: the twins that fast backends are compared with.

`PlainRelaxation` (fixed points), `PlainSampler` (exact draws) and `PlainAnnealer` (heat bath)
follow the definitions in float64 numpy and use nothing but the problem's energy and gradient.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import (
    Capabilities,
    Claim,
    Equilibrium,
    Provenance,
    SettleRequest,
    Trace,
    check_request,
)
from isingeq.couplings import Injection
from isingeq.errors import BackendError
from isingeq.problem import Problem
from isingeq.schedule import Annealing, Schedule
from isingeq.terms import (
    Clamp,
    CosineNudge,
    LinearNudge,
    LogCosNudge,
    QuadraticNudge,
    total_energy,
    total_gradient,
)
from isingeq.testing.displacement import Displacement
from isingeq.testing.enumeration import boltzmann, energy_table, spin_states, spread
from isingeq.units import Phase, Spin

Floats = NDArray[np.floating]
TERMS: frozenset[type] = frozenset({LinearNudge, QuadraticNudge, Clamp})
ANGULAR: frozenset[type] = frozenset({LinearNudge, CosineNudge, LogCosNudge, Clamp})


@dataclass
class Door:
    """Open until closed."""

    open: bool = True

    def enter(self, name: str) -> None:
        """Raise BackendError when closed."""
        if not self.open:
            raise BackendError(f"{name} is closed: open a new one")


RELAXES = Capabilities(
    units=frozenset({"amplitude", "logistic", "quartic"}),
    couplings=frozenset({"edges", "convolution"}),
    claim=Claim.FIXED_POINT,
    terms=TERMS,
    complex_nudging=True,
    displacements=True,
    traces=True,
    concurrent=True,
)


TURNS = replace(
    RELAXES,
    units=frozenset({"phase"}),
    couplings=frozenset({"edges", "injection"}),
    terms=ANGULAR,
    complex_nudging=False,
    displacements=False,
)
"""The same on phases: `PlainRelaxation(capabilities=TURNS)`."""


@dataclass(frozen=True)
class PlainRelaxation:
    """Damped fixed-point iteration x ← ½ x + ½ rest(force of the others), all units at once.

    A phase has no rest: it moves down its slope, by steps that the largest curvature of the problem allows.
    """

    name: str = "plain-relaxation"
    door: Door = field(default_factory=Door)
    capabilities: Capabilities = RELAXES

    def suggest_schedule(self, problem: Problem) -> Schedule | None:
        """Return None: there is nothing to schedule."""
        return None

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Iterate every sample until its residual is within the tolerance."""
        self.door.enter(self.name)
        check_request(self.name, self.capabilities, request)
        if request.displacements:
            return self._displaced(request)
        shape = (request.problem.batch, request.reads, request.problem.n)
        kind = np.complex128 if request.precision == "complex128" else np.float64
        start = (
            np.broadcast_to(_middle(request.problem), shape)
            if request.initial is None
            else request.initial
        )
        x = _clamped(request, start.astype(kind))
        residual, rest = _look(request, x)
        steps = np.zeros(shape[:2], int)
        energies, residuals = [], []
        for _ in range(request.max_steps):
            moving = (residual > request.tolerance) | (request.tolerance == 0)
            if not moving.any():
                break
            x = np.where(moving[..., None], 0.5 * (x + rest), x)
            steps += moving
            residual, rest = _look(request, x)
            if request.trace:
                energies.append(total_energy(request.problem, request.terms, x).mean(axis=1))
                residuals.append(residual.max(axis=1))
        return Equilibrium(
            request,
            x,
            Provenance(self.name, "simulated", request.seed),
            residual=residual,
            steps=steps,
            trace=_trace(energies, residuals, request) if request.trace else None,
        )

    def _displaced(self, request: SettleRequest) -> Equilibrium:
        by = Displacement.of(request)
        moved, steps = by.settle(request.tolerance, request.max_steps)
        return Equilibrium(
            request,
            np.clip(by.start + moved, *request.problem.bounds),
            Provenance(self.name, "simulated", request.seed),
            residual=by.residual(moved),
            steps=steps,
            displacements=moved,
        )

    def close(self) -> None:
        """Close the door."""
        self.door.open = False


SAMPLES = Capabilities(
    units=frozenset({"spin"}),
    couplings=frozenset({"edges"}),
    claim=Claim.BOLTZMANN,
    terms=TERMS,
    schedules=frozenset({Annealing}),
    max_units=12,
    warm_start=False,
)


@dataclass(frozen=True)
class PlainSampler:
    """Independent draws from exp(−beta F) by enumeration, `beta` the last of the schedule."""

    name: str = "plain-sampler"
    door: Door = field(default_factory=Door)
    capabilities: Capabilities = SAMPLES

    def suggest_schedule(self, problem: Problem) -> Annealing:
        """Return one sweep at 1 / (spread of the energies)."""
        return Annealing.constant(1 / spread(energy_table(SettleRequest(problem))), 1)

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Draw reads by inverting the cumulative distribution, one stream per sample."""
        self.door.enter(self.name)
        check_request(self.name, self.capabilities, request)
        schedule = request.schedule or self.suggest_schedule(request.problem)
        assert isinstance(schedule, Annealing)
        total = np.cumsum(boltzmann(energy_table(request), schedule.betas[-1]), axis=1)
        codes = np.array(
            [
                np.searchsorted(
                    row[:-1], np.random.default_rng([request.seed, b]).random(request.reads)
                )
                for b, row in enumerate(total)
            ]
        )
        details = {"beta": schedule.betas[-1]}
        return Equilibrium(
            request,
            spin_states(request.problem.n)[codes],
            Provenance(self.name, "simulated", request.seed, details),
        )

    def close(self) -> None:
        """Close the door."""
        self.door.open = False


ANNEALS = Capabilities(
    units=frozenset({"spin"}),
    couplings=frozenset({"edges"}),
    claim=Claim.GROUND_STATE,
    terms=TERMS,
    schedules=frozenset({Annealing}),
    max_units=12,
)


@dataclass(frozen=True)
class PlainAnnealer:
    """Heat bath, unit after unit: p(s_i = +1) = 1 / (1 + exp(beta (F(s_i = +1) − F(s_i = −1))))."""

    name: str = "plain-annealer"
    door: Door = field(default_factory=Door)
    capabilities: Capabilities = ANNEALS

    def suggest_schedule(self, problem: Problem) -> Annealing:
        """Return 40 sweeps from hot to cold on the scale of the energies."""
        scale = spread(energy_table(SettleRequest(problem)))
        return Annealing.geometric(0.3 / scale, 30 / scale, 40)

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Sweep every read through the betas, one stream per sample."""
        self.door.enter(self.name)
        check_request(self.name, self.capabilities, request)
        schedule = request.schedule or self.suggest_schedule(request.problem)
        assert isinstance(schedule, Annealing)
        table, n = energy_table(request), request.problem.n
        clamps = [term for term in request.terms if isinstance(term, Clamp)]
        free = [i for i in range(n) if not any(clamp.mask[i] for clamp in clamps)]
        streams = [np.random.default_rng([request.seed, b]) for b in range(request.problem.batch)]
        shape = (request.reads, n)
        start = (
            np.array([2.0 * rng.integers(0, 2, shape) - 1 for rng in streams])
            if request.initial is None
            else request.initial
        )
        codes = (_clamped(request, start) > 0) @ (1 << np.arange(n))
        rows = np.arange(request.problem.batch)[:, None]
        for beta in schedule.betas:
            uniform = np.array([rng.random(shape) for rng in streams])
            for i in free:
                up, down = codes | (1 << i), codes & ~(1 << i)
                gain = np.clip(beta * (table[rows, up] - table[rows, down]), -700, 700)
                codes = np.where(uniform[..., i] * (1 + np.exp(gain)) < 1, up, down)
        return Equilibrium(
            request, spin_states(n)[codes], Provenance(self.name, "simulated", request.seed)
        )

    def close(self) -> None:
        """Close the door."""
        self.door.open = False


def fixed_point(request: SettleRequest) -> Floats:
    """Return the equilibrium of a contracting problem to 1e-9, states (b, 1, n)."""
    exact = SettleRequest(
        request.problem, request.terms, tolerance=1e-9, max_steps=20_000, precision="float64"
    )
    return (
        PlainRelaxation(capabilities=TURNS if request.problem.angular else RELAXES)
        .settle(exact)
        .states
    )


def _look(request: SettleRequest, x: Floats) -> tuple[Floats, Floats]:
    """Return the residual (b, r) and where each unit would rest if the others stayed, (b, r, n).

    A unit rests under the force of the others, u'(x) − ∂F/∂x; a clamped one has no slope and stays.
    Complex states have no walls: their residual is |x − rest|.
    """
    problem = request.problem
    slope = total_gradient(problem, request.terms, x)
    if problem.angular:
        return problem.residual(x, slope), x - 2 * slope / _steepest(problem)
    rest = np.empty_like(x)
    for layer, (start, stop) in zip(problem.layers, problem.spans, strict=True):
        assert not isinstance(layer.unit, Spin | Phase)
        force = layer.unit.slope(x[..., start:stop]) - slope[..., start:stop]
        rest[..., start:stop] = layer.unit.rest(force)
    if np.iscomplexobj(x):
        return np.asarray(np.abs(x - rest).max(axis=-1)), rest
    return problem.residual(x, slope), rest


def _steepest(problem: Problem) -> Floats:
    """Return a bound on the curvature of phases (Gershgorin's), with room for nudges of strength 1, (b, 1, 1)."""
    total = np.linalg.norm(problem.fields, axis=-1) + 4.0
    for coupling in problem.couplings:
        if isinstance(coupling, Injection):
            total += 4 * np.abs(coupling.K)
        else:
            for i, j, J in zip(*coupling.edges(), strict=True):
                total[:, i] += 2 * abs(J)
                total[:, j] += 2 * abs(J)
    return np.asarray(total.max(axis=1)[:, None, None])


def _clamped(request: SettleRequest, x: Floats) -> Floats:
    for term in request.terms:
        if isinstance(term, Clamp):
            x = np.where(term.mask, term.values[:, None, :], x)
    return x


def _middle(problem: Problem) -> Floats:
    low, high = (np.clip(bound, -1.0, 1.0) for bound in problem.bounds)
    return np.asarray(0.5 * (low + high))


def _trace(energies: list[Floats], residuals: list[Floats], request: SettleRequest) -> Trace:
    shape = (len(energies), request.problem.batch)
    still = np.zeros(shape)
    return Trace(
        np.reshape(energies, shape), still, np.reshape(residuals, shape), np.full(shape, np.nan)
    )
