"""Backends `hopfield` and `conjugate`: any relaxing machine, simulated on layered networks."""

import functools
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
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
    Trace,
    check_request,
)
from isingeq.backends.layout import Folded, Layout, fold_terms
from isingeq.couplings import Dense
from isingeq.errors import BackendError, CapabilityError, ConfigError, DivergenceError
from isingeq.kernels.lanes import LANES
from isingeq.kernels.pool import Pool
from isingeq.kernels.relax import Batch, Found, Motion, relax_tiles
from isingeq.machines.conjugate import Conjugate, critical
from isingeq.machines.curvature import smallest_curvature
from isingeq.machines.hopfield import Hopfield, Update
from isingeq.machines.machine import Noise
from isingeq.machines.rest import iterate
from isingeq.problem import Problem
from isingeq.schedule import Order, Relaxation
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge

Floats = NDArray[np.floating]

_DTYPES = {"float32": np.float32, "float64": np.float64}


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
    _pool: Pool | None = field(init=False, repr=False)
    _layout: tuple[object, Layout] | None = field(default=None, repr=False)
    _forces: tuple[tuple[object, ...], Floats] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._pool = Pool(self.threads)

    @functools.cached_property
    def capabilities(self) -> Capabilities:
        """Amplitudes, dense couplings between layers, every term; fixed points."""
        noisy = self.machine.noise != Noise()
        rests = (
            isinstance(self.machine, Hopfield) and self.machine.update != "gradient" and not noisy
        )
        return Capabilities(
            units=frozenset({"amplitude", "logistic"} if rests else {"amplitude"}),
            couplings=frozenset({"dense"}),
            claim=Claim.NONE if noisy else Claim.FIXED_POINT,
            terms=frozenset({LinearNudge, QuadraticNudge, Clamp}),
            schedules=frozenset({Relaxation}),
            split_invariant=not noisy,
            complex_nudging=rests,
            traces=True,
        )

    def suggest_schedule(self, problem: Problem) -> Relaxation:
        """Return the machine's own relaxation, or the one that fits the smallest curvature of the problem."""
        if self.machine.relaxation is not None:
            return self.machine.relaxation
        probe = problem.with_fields(problem.fields[:16])
        order: Order = "asynchronous" if self.machine.order == "auto" else self.machine.order
        request = SettleRequest(probe, schedule=critical(0.2, "asynchronous"), tolerance=1e-4, max_steps=1000)
        return critical(smallest_curvature(probe, self.settle(request).states[:, 0]), order)

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle a problem; see `Backend.settle`.

        Raises:
            DivergenceError: a state is no longer finite.
        """
        if self._pool is None:
            raise BackendError(f"{self.name} is closed: open it again")
        check_request(self.name, self.capabilities, request)
        started = time.perf_counter()
        schedule = request.schedule or self.suggest_schedule(request.problem)
        assert isinstance(schedule, Relaxation)
        if request.precision == "complex128" or any(
            k.unit.kind == "logistic" for k in request.problem.layers
        ):
            return self._iterate(request, schedule, started)
        run = _Run(self, request, schedule)
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
        return Equilibrium(
            request=request,
            states=run.found.states.reshape(*shape, -1),
            provenance=Provenance(
                self.name, "simulated", request.seed, _details(self.machine, schedule)
            ),
            residual=run.found.residual.reshape(shape),
            steps=run.found.steps.reshape(shape),
            two_cycle=run.found.two_cycle.reshape(shape),
            timing=Timing(host_s=time.perf_counter() - started),
            trace=trace,
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
        if self._pool is not None:
            self._pool.close()
        self._pool = None

    def layout(self, problem: Problem, order: Order) -> Layout:
        """Return the layout of a problem, made once per structure."""
        key = (problem.structure, order)
        if self._layout is None or self._layout[0] != key:
            self._layout = (key, Layout.of(problem, order))
        return self._layout[1]

    def forces(self, problem: Problem, layout: Layout, dtype: type) -> Floats:
        """Return the couplings as forces, made once per version."""
        key = (problem.structure, problem.version, dtype)
        if self._forces is None or self._forces[0] != key:
            self._forces = (key, layout.forces(problem, dtype))
        return self._forces[1]


class _Run:
    """One settle under way: positions, momenta and what was measured."""

    def __init__(self, simulator: Simulator, request: SettleRequest, schedule: Relaxation) -> None:
        problem, machine = request.problem, simulator.machine
        dtype = _DTYPES[request.precision]
        reads, rows = request.reads, problem.batch * request.reads
        folded = fold_terms(problem, request.terms, dtype)
        rng = np.random.default_rng(request.seed)
        self.simulator, self.request, self.schedule = simulator, request, schedule
        layout = simulator.layout(problem, schedule.order)
        if machine.noise.weight > 0:
            w = layout.forces(_perturbed(problem, machine.noise.weight, rng), dtype)
        else:
            w = simulator.forces(problem, layout, dtype)
        self.net = layout.net._replace(
            w=w, boxes=layout.net.boxes.astype(dtype), springy=folded.springy, frozen=folded.frozen
        )
        random = 0.0 if request.nudged else getattr(machine, "momentum", 0.0)
        momentum = np.zeros((rows if request.trace or random > 0 else 0, problem.n), dtype)
        if random > 0:
            momentum += random * rng.standard_normal(momentum.shape)
        springs = layout.net.boxes[folded.springy > 0, 0].astype(dtype)
        self.batch = Batch(
            fields=_per_read(problem.fields.astype(dtype, copy=False), reads),
            force=_per_read(folded.force, reads),
            spring=_per_read(folded.spring, reads),
            ease=_per_read(
                machine.ease(folded.spring / springs if springs.size else folded.spring), reads
            ),
            targets=_per_read(folded.targets, reads),
            start=_start(request, folded, dtype),
            momentum=momentum,
        )
        self.found = Found(
            states=np.empty((rows, problem.n), dtype),
            steps=np.zeros(rows, np.int64),
            residual=np.zeros(rows, np.float64),
            two_cycle=np.zeros(rows, np.bool_),
        )
        self.grid = machine.grid(schedule, request.max_steps, free=not request.nudged)

    def steps_to(self, last: int, first: int = 0) -> None:
        """Run the steps `first` … `last` − 1 on all samples."""
        noise, grid = self.simulator.machine.noise, self.grid
        motion = Motion(
            keep=grid.keep[first:last],
            ramp=grid.ramp[first:last],
            kick=grid.kick,
            drift=grid.drift,
            tolerance=self.request.tolerance,
            synchronous=int(self.schedule.order == "synchronous"),
            force_noise=noise.force,
            state_noise=noise.state,
            seed=(self.request.seed + 7919 * first) % 2**62,
        )
        assert self.simulator._pool is not None
        self.simulator._pool.split(
            -(-len(self.found.steps) // LANES),
            lambda a, b: relax_tiles(a, b, self.net, motion, self.batch, self.found),
        )

    def traced(self) -> Trace:
        """Run step by step and write down energy, kinetic energy, residual and contraction."""
        problem, request = self.request.problem, self.request
        shape = (problem.batch, request.reads, problem.n)
        rows = []
        found, total = self.found, np.zeros_like(self.found.steps)
        low, high = problem.bounds
        before = np.broadcast_to(np.clip(0.0, low, high), found.states.shape)
        for step in range(request.max_steps):
            if step or request.initial is not None:
                before = self.batch.start
            self.steps_to(step + 1, step)
            total += found.steps
            at = Equilibrium(
                request, found.states.reshape(shape).copy(), Provenance("", "simulated", 0)
            )
            kinetic = 0.5 * (self.batch.momentum.astype(np.float64) ** 2).sum(axis=1)
            rows.append((at.energies.mean(axis=1), kinetic.reshape(shape[:2]).mean(axis=1),
                         found.residual.reshape(shape[:2]).max(axis=1), self._contraction(before, step)))  # fmt: skip
            self.batch = self.batch._replace(start=found.states.copy())
            if (found.steps == 0).all():
                break
        found.steps[:] = total
        return Trace(*(np.array(column) for column in zip(*rows, strict=True)))

    def _contraction(self, before: Floats, step: int) -> Floats:
        """Return −ln |det| of the step per degree of freedom: γ dt with momentum, the map's own without."""
        problem = self.request.problem
        if self.grid.keep[step] > 0:
            return np.full(problem.batch, -np.log(self.grid.keep[step]))
        low, high = problem.bounds
        sizes, net = [layer.size for layer in problem.layers], self.net
        springy, held = (np.repeat(flags > 0, sizes) for flags in (net.springy, net.frozen))
        stiffness = np.repeat(net.boxes[:, 0].astype(np.float64), sizes)
        out = np.empty(problem.batch)
        coupling = np.zeros((problem.n, problem.n))
        if self.schedule.order == "synchronous":
            for kind in problem.couplings:
                coupling += kind.field(np.eye(problem.n))
        for sample in range(problem.batch):
            row = sample * self.request.reads
            free = (before[row] > low) & (before[row] < high) & ~held
            pull = (
                self.grid.kick
                * self.grid.drift
                * np.where(springy, self.batch.ease[row], 1)
                / stiffness
            )
            stiffened = stiffness + springy * self.batch.spring[row] + self.grid.ramp[step]
            matrix = np.diag(1 - pull * stiffened) - pull[:, None] * coupling
            out[sample] = -np.linalg.slogdet(matrix[np.ix_(free, free)])[1] / max(1, free.sum())
        return out


def _perturbed(problem: Problem, sigma: float, rng: np.random.Generator) -> Problem:
    """Return the problem with every coupling J (1 + sigma ξ), the same in both directions."""
    couplings = []
    for coupling in problem.couplings:
        assert isinstance(coupling, Dense)
        couplings.append(
            replace(coupling, J=coupling.J * (1 + sigma * rng.standard_normal(coupling.J.shape)))
        )
    return replace(problem, couplings=tuple(couplings))


def _start(request: SettleRequest, folded: Folded, dtype: type) -> Floats:
    """Return where each read starts (b·r, n), clamped units at their values; (0, n) for the machine's own start."""
    problem = request.problem
    rows = problem.batch * request.reads
    if request.initial is None and folded.held is None:
        return np.zeros((0, problem.n), dtype)
    if request.initial is None:
        low, high = problem.bounds
        start = np.broadcast_to(np.clip(0.0, low, high), (rows, problem.n))
    else:
        start = request.initial.reshape(rows, problem.n)
    if folded.held is not None:
        clamped = np.repeat(folded.frozen.astype(bool), [layer.size for layer in problem.layers])
        start = np.where(clamped, _per_read(folded.held, request.reads), start)
    return np.ascontiguousarray(start, dtype)


@functools.lru_cache(maxsize=64)
def _details(machine: Hopfield | Conjugate, schedule: Relaxation) -> Mapping[str, object]:
    """Return what goes into the provenance."""
    return {
        "machine": type(machine).__name__,
        "schedule": asdict(schedule),
        "numba": numba.__version__,
    }


def _per_read(rows: Floats, reads: int) -> Floats:
    """Return rows (b, …) as (b·r, …)."""
    return np.repeat(rows, reads, axis=0) if reads > 1 else rows


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
    argument: str = "", *, damping: str = "auto", final_damping: float = 0.0, order: str = "auto", dt: float = 1.0,
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
        order=cast("Order | Literal['auto']", order),
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
