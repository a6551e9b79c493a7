"""Backend `coherent`: a coherent Ising machine read out as spins, or as the amplitudes that it settles at."""

import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, cast

import numba
import numpy as np
from numpy.typing import NDArray

from isingeq.backend import (
    Backend,
    Capabilities,
    Claim,
    Equilibrium,
    Provenance,
    SettleRequest,
    Timing,
    Trace,
    check_request,
)
from isingeq.backends.spin_simulator import SpinSimulator
from isingeq.couplings import Coupling, Dense
from isingeq.errors import BackendError, CapabilityError, ConfigError, DivergenceError
from isingeq.kernels.pool import Pool
from isingeq.machines.amplitude_control import Variant
from isingeq.machines.coherent import Coherent
from isingeq.machines.flow import Flow, stable_step
from isingeq.problem import Problem
from isingeq.schedule import Relaxation, schedule_data
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge, total_energy

Floats = NDArray[np.floating]


@dataclass(eq=False)
class AmplitudeReadout:
    """Settles quartic units by the gradient flow of a machine whose pump stays.

    Attributes:
        dt: time step; None for one that fits the couplings.
        threads: samples are split over them.
        name: SPEC.
    """

    dt: float | None = None
    threads: int = 1
    name: str = "coherent?readout=amplitude"
    pool: Pool | None = field(init=False, repr=False)
    _held: tuple[object, tuple[Coupling, ...], float] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.dt is not None and not self.dt > 0:
            raise ConfigError(f"dt {self.dt} must be > 0")
        self.pool = Pool(self.threads)

    @cached_property
    def capabilities(self) -> Capabilities:
        """Quartic units, pairwise couplings of any kind, every term; fixed points."""
        return Capabilities(
            units=frozenset({"quartic"}),
            couplings=frozenset({"edges"}),
            claim=Claim.FIXED_POINT,
            terms=frozenset({LinearNudge, QuadraticNudge, Clamp}),
            schedules=frozenset({Relaxation}),
            split_invariant=False,
            traces=True,
            concurrent=True,
        )

    def suggest_schedule(self, problem: Problem) -> Relaxation:
        """Return the flow, with a step that is stable for these couplings."""
        dt = self.dt or self._prepared(problem, "float64")[1]
        return Relaxation("synchronous", dt, (np.inf, np.inf))

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle a problem; see `Backend.settle`.

        Raises:
            CapabilityError: a schedule with an order of layers or with momentum.
            DivergenceError: a state is no longer finite.
        """
        check_request(self.name, self.capabilities, request)
        if self.pool is None:
            raise BackendError(f"{self.name} is closed: open it again")
        started = time.perf_counter()
        problem, pool = request.problem, self.pool
        couplings, longest = self._prepared(problem, request.precision)
        schedule = request.schedule or Relaxation(
            "synchronous", self.dt or longest, (np.inf, np.inf)
        )
        assert isinstance(schedule, Relaxation)
        if schedule.order != "synchronous" or not np.isinf(schedule.damping).all():
            raise CapabilityError(
                f"{self.name} flows without momentum, all units at once: its damping is infinite, its order synchronous"
            )
        flow = Flow.of(request, couplings)
        steps, residual = np.empty(len(flow.x), np.int64), np.empty(len(flow.x))
        rows: list[tuple[Floats, Floats]] = []
        if request.trace:
            steps[:], residual[:] = flow.settle(
                schedule.dt, request.tolerance, request.max_steps,
                lambda x, r: rows.append((_energy(request, x), r.copy())),
            )  # fmt: skip
        else:

            def piece(first: int, last: int) -> None:
                part = flow.rows(slice(first, last))
                steps[first:last], residual[first:last] = part.settle(
                    schedule.dt, request.tolerance, request.max_steps
                )

            pool.split(len(flow.x), piece, least=32)
        if not np.isfinite(residual).all():
            raise DivergenceError(
                f"{self.name} diverged within {request.max_steps} steps (dt {schedule.dt:g}): "
                "lower dt, the nudging or the learning rate"
            )
        shape = (problem.batch, request.reads)
        details = {
            "machine": "Flow",
            "schedule": schedule_data(schedule),
            "numba": numba.__version__,
        }
        return Equilibrium(
            request=request,
            states=flow.x.reshape(*shape, -1),
            provenance=Provenance(self.name, "simulated", request.seed, details),
            residual=residual.reshape(shape),
            steps=steps.reshape(shape),
            timing=Timing(host_s=time.perf_counter() - started),
            trace=_trace(rows, shape, request.max_steps) if request.trace else None,
        )

    def close(self) -> None:
        """Stop the threads."""
        if self.pool is not None:
            self.pool.close()
        self.pool = None

    def _prepared(self, problem: Problem, precision: str) -> tuple[tuple[Coupling, ...], float]:
        """Return the couplings in the type of the arithmetic and a stable step, made once per version."""
        key = (problem.structure, problem.version, precision)
        if self._held is None or self._held[0] != key:
            kind = np.dtype(precision)
            couplings = tuple(
                replace(k, J=k.J.astype(kind)) if isinstance(k, Dense) and k.J.dtype != kind else k
                for k in problem.couplings
            )
            self._held = (key, couplings, stable_step(problem, problem.couplings))
        return self._held[1], self._held[2]


def _energy(request: SettleRequest, x: Floats) -> Floats:
    """Return F of rows (b·r, n), mean over reads (b,)."""
    shape = (request.problem.batch, request.reads, request.problem.n)
    return total_energy(request.problem, request.terms, x.reshape(shape)).mean(axis=1)


def _trace(rows: list[tuple[Floats, Floats]], shape: tuple[int, int], most: int) -> Trace:
    """Return what was noted; residuals were found a step before the states they stand beside."""
    return Trace(
        np.array([energy for energy, _ in rows])[-most:],
        residual=np.array([residual.reshape(shape).max(axis=1) for _, residual in rows])[-most:],
    )


def coherent(
    argument: str = "",
    *,
    variant: str = "cac",
    sweeps: int = 1000,
    dt: float = 0.0,
    keep: str = "best",
    noise: float = 0.0,
    readout: str = "spin",
    threads: int = 1,
) -> Backend:
    """Open a coherent Ising machine; SPEC `coherent?variant=ahc&sweeps=2000`, `coherent?readout=amplitude`.

    Args:
        argument: none is taken.
        variant: mean-field, ahc (amplitude-heterogeneity correction) or cac (chaotic amplitude control).
        sweeps: steps, where the backend is to suggest the schedule.
        dt: time step in decay times; 0 for one that is stable.
        keep: best, the lowest state seen, or final.
        noise: of measurement feedback, the square root of the saturation.
        readout: spin, or amplitude: equilibria of quartic units, to train on; takes dt and threads alone.
        threads: reads or samples are split over them.

    Raises:
        ConfigError: an argument, or an option out of its range.
    """
    if argument:
        raise ConfigError(f"coherent takes no argument, got {argument!r}")
    if readout == "amplitude":
        if (variant, sweeps, keep, noise) != ("cac", 1000, "best", 0.0):
            raise ConfigError(
                "coherent?readout=amplitude is the mean field under a steady pump: it takes dt and threads alone"
            )
        return AmplitudeReadout(dt or None, threads)
    if readout != "spin":
        raise ConfigError(f"readout {readout!r} is neither spin nor amplitude")
    machine = Coherent(
        cast(Variant, variant), sweeps, dt or None, cast(Literal["best", "final"], keep), noise
    )
    return SpinSimulator("coherent", machine, threads)
