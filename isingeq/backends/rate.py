"""Backend `rate`: leaky rate dynamics of networks whose forces need no energy, in plain numpy."""

import time
from dataclasses import asdict, dataclass, field
from typing import Literal, cast

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
from isingeq.schedule import Order, Relaxation
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge

PACES = (0.7, 0.5, 0.35, 0.25, 0.15)
"""Time steps that are tried after 1, as long as they help: two at a time halve it."""

ORDERS: tuple[Order, Order] = ("synchronous", "asynchronous")


@dataclass
class Rate:
    """Relaxes amplitudes under any couplings, directed ones among them.

    Attributes:
        name: SPEC.
        dt: share of the way to its rest that a unit goes in a step; None to find it per network.
        order: layers all at once, one after the other, or whichever is faster; with corrections always all at once.
    """

    name: str = "rate"
    dt: float | None = None
    order: Order | Literal["auto"] = "auto"
    _closed: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        if self.dt is not None and not 0 < self.dt <= 1:
            raise ConfigError(
                f"option dt={self.dt:g} of backend 'rate' must be above 0 and at most 1"
            )
        if self.order not in ("auto", *ORDERS):
            raise ConfigError(
                f"option order={self.order} of backend 'rate' must be auto, {' or '.join(ORDERS)}"
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
        """Return order and time step as given, or those of a few which bring samples to rest with the fewest products.

        Time steps are compared synchronously, as phases with corrections need them.
        """
        probe = problem.with_fields(problem.fields[:32])
        start = _start(SettleRequest(probe), np.float64)
        forces = Forces.of(probe, (), np.float64)

        def cost(dt: float, order: Order) -> float:
            relaxed = relax(forces, start, dt=dt, steps=200, tolerance=1e-4, order=order)
            worst = float(relaxed.residual.max())
            # In turn a step takes two products, one to move and one to look; what is unsettled counts by how far.
            took = relaxed.steps.mean() * (1 if order == "synchronous" else 2)
            return took if worst <= 1e-4 else took + 1e3 * worst if np.isfinite(worst) else np.inf

        if self.dt and self.order != "auto":
            return _schedule(self.dt, self.order)
        dt, least = self.dt or 1.0, cost(self.dt or 1.0, "synchronous")
        for slower in () if self.dt else PACES:
            if (took := cost(slower, "synchronous")) > least:
                break  # slower than need be
            dt, least = slower, took
        if self.order != "auto":
            return _schedule(dt, self.order)
        return _schedule(dt, "asynchronous" if cost(dt, "asynchronous") < least else "synchronous")

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
        dtype = np.dtype(request.precision).type
        shape = (request.problem.batch, request.reads)
        relaxed = relax(
            Forces.of(request.problem, request.terms, dtype, reads=request.reads),
            _start(request, dtype),
            dt=schedule.dt,
            steps=request.max_steps,
            tolerance=request.tolerance,
            order=schedule.order,
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


def _schedule(dt: float, order: Order) -> Relaxation:
    return Relaxation(order, dt, (np.inf, np.inf))


def rate(argument: str = "", *, dt: float | None = None, order: str = "auto") -> Rate:
    """Open the leaky rate machine; SPEC `rate?dt=0.5&order=synchronous`.

    Raises:
        ConfigError: an argument, an order that is not known, or a time step outside (0, 1].
    """
    if argument:
        raise ConfigError(f"backend 'rate' takes no argument, got {argument!r}: give rate?dt=0.5")
    return Rate(dt=dt, order=cast("Order | Literal['auto']", order))
