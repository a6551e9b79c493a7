"""Backend `rate`: leaky rate dynamics of networks whose forces need no energy, in plain numpy."""

import time
from dataclasses import asdict, dataclass, field

import numpy as np

from isingeq.backend import (
    Capabilities,
    Claim,
    Equilibrium,
    Provenance,
    SettleRequest,
    Timing,
    check_request,
)
from isingeq.corrections import Reciprocal, Transposed
from isingeq.errors import BackendError, ConfigError, DivergenceError
from isingeq.machines.rate import RUNAWAY, Forces, relax
from isingeq.problem import Floats, Problem
from isingeq.schedule import Relaxation
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge

PACES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.15)
"""Time steps that are tried: two at a time halve it."""

DTYPES = {"float32": np.float32, "float64": np.float64}


@dataclass
class Rate:
    """Relaxes amplitudes under any couplings, directed ones among them.

    Attributes:
        name: SPEC.
        dt: share of the way to its rest that a unit goes in a step; None to find it per network.
    """

    name: str = "rate"
    dt: float | None = None
    _closed: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        if self.dt is not None and not 0 < self.dt <= 1:
            raise ConfigError(
                f"option dt={self.dt:g} of backend 'rate' must be above 0 and at most 1"
            )

    @property
    def capabilities(self) -> Capabilities:
        """Amplitudes, every coupling with a field, the terms of all estimators; fixed points."""
        return Capabilities(
            units=frozenset({"amplitude"}),
            couplings=frozenset({"dense", "edges", "convolution", "directed"}),
            claim=Claim.FIXED_POINT,
            terms=frozenset({LinearNudge, QuadraticNudge, Clamp, Reciprocal, Transposed}),
            schedules=frozenset({Relaxation}),
            concurrent=True,
        )

    def suggest_schedule(self, problem: Problem) -> Relaxation:
        """Return the time step given, or that of a few which brings samples to rest in fewest steps."""
        if self.dt is not None:
            return _schedule(self.dt)
        probe = problem.with_fields(problem.fields[:32])
        start = _start(SettleRequest(probe), np.float64)
        forces = Forces.of(probe, (), np.float64)
        best, found = np.inf, PACES[-1]
        for dt in PACES:
            relaxed = relax(forces, start, dt=dt, steps=200, tolerance=1e-4)
            # Unsettled ones are judged by how far they are from it.
            worst = float(relaxed.residual.max())
            took = relaxed.steps.mean() + (1e3 * worst if not worst <= 1e-4 else 0)
            if took < best:
                best, found = took, dt
        return _schedule(found)

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle a problem; see `Backend.settle`.

        Raises:
            DivergenceError: a state ran away.
        """
        check_request(self.name, self.capabilities, request)
        if self._closed:
            raise BackendError(f"{self.name} is closed: open it again")
        started = time.perf_counter()
        schedule = request.schedule or self.suggest_schedule(request.problem)
        assert isinstance(schedule, Relaxation)
        dtype = DTYPES[request.precision]
        shape = (request.problem.batch, request.reads)
        relaxed = relax(
            Forces.of(request.problem, request.terms, dtype, reads=request.reads),
            _start(request, dtype),
            dt=schedule.dt,
            steps=request.max_steps,
            tolerance=request.tolerance,
        )
        if not relaxed.residual.max(initial=0) < RUNAWAY:
            raise DivergenceError(
                f"{self.name} ran away within {request.max_steps} steps (dt {schedule.dt:g}): lower the initial gains, "
                "the learning rate or the nudging, or take an activation with bounds"
            )
        return Equilibrium(
            request=request,
            states=relaxed.states.reshape(*shape, -1),
            provenance=Provenance(
                self.name, "simulated", request.seed, {"schedule": asdict(schedule)}
            ),
            residual=relaxed.residual.reshape(shape),
            steps=relaxed.steps.reshape(shape),
            timing=Timing(host_s=time.perf_counter() - started),
        )

    def close(self) -> None:
        """Refuse to settle from now on."""
        self._closed = True


def _start(request: SettleRequest, dtype: type) -> Floats:
    """Return where each row starts (b·r, n): as asked or at 0, within the walls, clamped units at their values."""
    problem, reads = request.problem, request.reads
    rows = problem.batch * reads
    if request.initial is None:
        start = np.broadcast_to(np.clip(0.0, *problem.bounds), (rows, problem.n))
    else:
        start = request.initial.reshape(rows, problem.n)
    for term in request.terms:
        if isinstance(term, Clamp):
            start = np.where(term.mask, np.repeat(term.values, reads, axis=0), start)
    return start.astype(dtype)


def _schedule(dt: float) -> Relaxation:
    return Relaxation("synchronous", dt, (np.inf, np.inf))


def rate(argument: str = "", *, dt: float | None = None) -> Rate:
    """Open the leaky rate machine; SPEC `rate?dt=0.5`.

    Raises:
        ConfigError: an argument, or a time step outside (0, 1].
    """
    if argument:
        raise ConfigError(f"backend 'rate' takes no argument, got {argument!r}: give rate?dt=0.5")
    return Rate(dt=dt)
