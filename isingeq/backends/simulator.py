"""Backends `hopfield` and `conjugate`: any relaxing machine, simulated on layered networks."""

import functools
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, cast

import numba
import numpy as np
from numpy.typing import NDArray

from isingeq.backend import (
    Capabilities,
    Claim,
    Equilibrium,
    Provenance,
    SettleRequest,
    Timing,
    check_request,
)
from isingeq.backends.joins import inside_layers
from isingeq.backends.layout import Layout
from isingeq.backends.settling import Settling
from isingeq.errors import BackendError, CapabilityError, ConfigError, DivergenceError
from isingeq.kernels.pool import Pool
from isingeq.kernels.relax import Net
from isingeq.machines.conjugate import Conjugate, critical
from isingeq.machines.curvature import largest_curvature, smallest_curvature
from isingeq.machines.hopfield import Hopfield, Update
from isingeq.machines.machine import Noise
from isingeq.machines.rest import iterate
from isingeq.problem import Problem
from isingeq.schedule import Order, Relaxation
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge

Floats = NDArray[np.floating]


@dataclass
class Simulator:
    """A relaxing machine, simulated in numba; samples are split over threads.

    Attributes:
        name: SPEC.
        machine: the dynamics.
        threads: number of threads.
    """

    name: str
    machine: Hopfield | Conjugate
    threads: int = 1
    pool: Pool | None = field(init=False, repr=False)
    _layouts: dict[Order, tuple[object, Layout]] = field(default_factory=dict, repr=False)
    _loaded: dict[Order, tuple[tuple[object, ...], Net]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.pool = Pool(self.threads)

    @functools.cached_property
    def capabilities(self) -> Capabilities:
        """Amplitudes, convolutions and every pairwise coupling, every term; fixed points."""
        noisy = self.machine.noise != Noise()
        rests = (
            isinstance(self.machine, Hopfield) and self.machine.update != "gradient" and not noisy
        )
        return Capabilities(
            units=frozenset({"amplitude", "logistic"} if rests else {"amplitude"}),
            couplings=frozenset({"dense", "edges", "convolution"}),
            claim=Claim.NONE if noisy else Claim.FIXED_POINT,
            terms=frozenset({LinearNudge, QuadraticNudge, Clamp}),
            schedules=frozenset({Relaxation}),
            split_invariant=not noisy,
            complex_nudging=rests,
            displacements=not noisy,
            traces=True,
            concurrent=True,
        )

    def suggest_schedule(self, problem: Problem) -> Relaxation:
        """Return the machine's own relaxation, or the one that fits the smallest curvature of the problem."""
        if self.machine.relaxation is not None:
            return self.machine.relaxation
        # a sample is as good as another; those of networks of images cost more
        pooled = any(k.kind == "convolution" for k in problem.couplings)
        probe = problem.with_fields(problem.fields[: 4 if pooled else 16])
        free: Order = "synchronous" if inside_layers(probe) else "asynchronous"
        order: Order = free if self.machine.order == "auto" else self.machine.order
        request = SettleRequest(probe, schedule=critical(0.2, free), tolerance=1e-4, max_steps=1000)
        states = self.settle(request).states[:, 0]
        largest = largest_curvature(probe, states[:1]) if free == "synchronous" else 2.0
        return critical(smallest_curvature(probe, states), order, largest=largest)

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle a problem; see `Backend.settle`.

        Raises:
            DivergenceError: a state is no longer finite.
        """
        if self.pool is None:
            raise BackendError(f"{self.name} is closed: open it again")
        check_request(self.name, self.capabilities, request)
        started = time.perf_counter()
        schedule = request.schedule or self.suggest_schedule(request.problem)
        assert isinstance(schedule, Relaxation)
        schedule = self.machine.phase(schedule, free=not request.nudged)
        if request.precision == "complex128" or any(
            k.unit.kind == "logistic" for k in request.problem.layers
        ):
            return self._iterate(request, schedule, started)
        run = Settling(self, request, schedule)
        trace = None
        if request.trace:
            trace = run.traced()
        else:
            run.steps_to(request.max_steps)
        if not np.isfinite(run.found.residual).all():
            raise DivergenceError(
                f"{self.name} diverged within {request.max_steps} steps (dt {schedule.dt:g}): "
                "lower dt, the nudging or the learning rate"
            )
        shape = (request.problem.batch, request.reads)
        states = run.found.states.reshape(*shape, -1)
        displacements = None
        if request.displacements:
            states, displacements = run.moved(states), states
        return Equilibrium(
            request=request,
            states=states,
            provenance=Provenance(
                self.name, "simulated", request.seed, _details(self.machine, schedule)
            ),
            residual=run.found.residual.reshape(shape),
            steps=run.found.steps.reshape(shape),
            two_cycle=run.found.two_cycle.reshape(shape),
            timing=Timing(host_s=time.perf_counter() - started),
            trace=trace,
            displacements=displacements,
        )

    def _iterate(self, request: SettleRequest, schedule: Relaxation, started: float) -> Equilibrium:
        """Settle in plain numpy: logistic units and complex nudging."""
        problem = request.problem
        if request.trace:
            raise CapabilityError(
                f"{self.name} traces amplitudes in real numbers, not logistic or complex ones"
            )
        dtype = np.complex128 if request.precision == "complex128" else np.float64
        if request.precision == "complex128" and not all(
            layer.unit.smooth for layer in problem.layers
        ):
            raise CapabilityError(
                "complex nudging needs smooth units: logistic, or amplitudes without walls"
            )
        start = np.full((problem.batch, request.reads, problem.n), 0.5, dtype)
        if request.initial is not None:
            start[:] = request.initial
        reads = [
            iterate(
                problem, request.terms, start[:, read], order=schedule.order, steps=request.max_steps,
                tolerance=request.tolerance,
            )
            for read in range(request.reads)
        ]  # fmt: skip
        states, steps, residual = (
            np.stack([getattr(read, part) for read in reads], axis=1)
            for part in ("states", "steps", "residual")
        )
        if not np.isfinite(residual).all():
            raise DivergenceError(f"{self.name} diverged: lower the nudging or the learning rate")
        return Equilibrium(
            request=request,
            states=states,
            provenance=Provenance(
                self.name, "simulated", request.seed, _details(self.machine, schedule)
            ),
            residual=residual,
            steps=steps,
            two_cycle=np.zeros(steps.shape, np.bool_),
            timing=Timing(host_s=time.perf_counter() - started),
        )

    def close(self) -> None:
        """Stop the threads."""
        if self.pool is not None:
            self.pool.close()
        self.pool = None

    def layout(self, problem: Problem, order: Order) -> Layout:
        """Return the layout of a problem, made once per structure."""
        found = self._layouts.get(order)
        if found is None or found[0] != problem.structure:
            found = self._layouts[order] = (problem.structure, Layout.of(problem, order))
        return found[1]

    def loaded(self, problem: Problem, order: Order, dtype: type) -> Net:
        """Return the network with its couplings, made once per version of them."""
        layout = self.layout(problem, order)
        key = (layout, problem.version, dtype)
        found = self._loaded.get(order)
        if found is None or found[0] != key:
            found = self._loaded[order] = (key, layout.loaded(problem, dtype))
        return found[1]


@functools.lru_cache(maxsize=64)
def _details(machine: Hopfield | Conjugate, schedule: Relaxation) -> Mapping[str, object]:
    """Return what goes into the provenance."""
    return {
        "machine": type(machine).__name__,
        "schedule": asdict(schedule),
        "numba": numba.__version__,
    }


def hopfield(
    argument: str = "", *, update: str = "asynchronous", dt: float = 0.5, threads: int = 1,
    force_noise: float = 0.0, state_noise: float = 0.0, weight_noise: float = 0.0,
) -> Simulator:  # fmt: skip
    """Open the dissipative Hopfield machine; SPEC `hopfield?update=gradient&dt=0.5`.

    Raises:
        ConfigError: an option out of its range, or an argument, which this backend does not take.
    """
    _no_argument("hopfield", argument)
    machine = Hopfield(cast(Update, update), dt, Noise(force_noise, state_noise, weight_noise))
    return Simulator("hopfield", machine, threads)


def conjugate(
    argument: str = "", *, damping: str = "auto", final_damping: float = 0.0, nudged_damping: float = 0.0,
    order: str = "auto", nudged_order: str = "", dt: float = 1.0,
    ramp: float = 0.0, ramp_share: float = 0.6, momentum: float = 0.0, threads: int = 1,
    force_noise: float = 0.0, state_noise: float = 0.0, weight_noise: float = 0.0,
) -> Simulator:  # fmt: skip
    """Open the Ising-dynamics machine; SPEC `conjugate?damping=0.5&ramp=1`.

    Raises:
        ConfigError: an option out of its range, or an argument, which this backend does not take.
    """
    _no_argument("conjugate", argument)
    try:
        friction: float | Literal["auto"] = "auto" if damping == "auto" else float(damping)
    except ValueError:
        raise ConfigError(
            f"option damping={damping} of backend 'conjugate' must be a number or auto"
        ) from None
    machine = Conjugate(
        damping=friction,
        final_damping=final_damping or None,
        nudged_damping=nudged_damping or None,
        order=cast("Order | Literal['auto']", order),
        nudged_order=cast("Order | None", nudged_order or None),
        dt=dt,
        ramp=ramp,
        ramp_share=ramp_share,
        momentum=momentum,
        noise=Noise(force_noise, state_noise, weight_noise),
    )
    return Simulator("conjugate", machine, threads)


def _no_argument(name: str, argument: str) -> None:
    if argument:
        raise ConfigError(
            f"backend {name!r} takes no argument, got {argument!r}: give options as {name}?key=value"
        )
