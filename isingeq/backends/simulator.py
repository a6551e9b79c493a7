"""Backends `hopfield` and `conjugate`: any relaxing machine, simulated on layered networks."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

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
from isingeq.backends.layout import Layout, fold_terms
from isingeq.errors import BackendError, DivergenceError
from isingeq.kernels.lanes import LANES
from isingeq.kernels.pool import Pool
from isingeq.kernels.relax import Motion, relax_tiles
from isingeq.machines.conjugate import Conjugate, critical
from isingeq.machines.curvature import smallest_curvature
from isingeq.machines.hopfield import Hopfield, Update
from isingeq.machines.machine import Machine, Noise
from isingeq.problem import Problem
from isingeq.schedule import Relaxation
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge

Floats = NDArray[np.floating]

_DTYPES = {"float32": np.float32, "float64": np.float64}


@dataclass(slots=True)
class Simulator:
    """A relaxing machine, simulated in numba; samples are split over threads.

    Attributes:
        name: SPEC.
        machine: the dynamics.
        threads: number of threads.
    """

    name: str
    machine: Machine
    threads: int = 1
    _pool: Pool | None = field(init=False, repr=False)
    _layout: tuple[tuple[object, ...], Layout] | None = field(default=None, repr=False)
    _forces: tuple[tuple[object, ...], Floats] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._pool = Pool(self.threads)

    @property
    def capabilities(self) -> Capabilities:
        """Amplitudes, dense couplings between layers, every term; fixed points."""
        noisy = self.machine.noise != Noise()
        return Capabilities(
            units=frozenset({"amplitude"}),
            couplings=frozenset({"dense"}),
            claim=Claim.NONE if noisy else Claim.FIXED_POINT,
            terms=frozenset({LinearNudge, QuadraticNudge, Clamp}),
            schedules=frozenset({Relaxation}),
            split_invariant=not noisy,
            traces=True,
        )

    def suggest_schedule(self, problem: Problem) -> Relaxation:
        """Return the machine's own relaxation, or the one that fits the smallest curvature of the problem."""
        if self.machine.relaxation is not None:
            return self.machine.relaxation
        assert isinstance(self.machine, Conjugate)
        probe = problem.with_fields(problem.fields[:8])
        order = "asynchronous" if self.machine.order == "auto" else self.machine.order
        settled = self.settle(SettleRequest(probe, schedule=critical(0.2, order), tolerance=1e-3, max_steps=300))
        return critical(smallest_curvature(probe, settled.states[:, 0]), order)

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
        run = _Run(self, request, schedule)
        trace = run.traced() if request.trace else run.steps_to(request.max_steps)
        if not np.isfinite(run.residual).all():
            raise DivergenceError(
                f"{self.name} diverged within {request.max_steps} steps (dt {schedule.dt:g}): "
                "lower dt, the nudging or the learning rate"
            )
        shape = (request.problem.batch, request.reads)
        return Equilibrium(
            request=request,
            states=run.states.reshape(*shape, -1),
            provenance=Provenance(self.name, "simulated", request.seed, self._details(schedule)),
            residual=run.residual.reshape(shape),
            steps=run.steps.reshape(shape),
            two_cycle=run.two_cycle.reshape(shape),
            timing=Timing(host_s=time.perf_counter() - started),
            trace=trace,
        )

    def close(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.close()
        self._pool = None

    def layout(self, problem: Problem) -> Layout:
        """Return the layout of a problem, made once per structure."""
        if self._layout is None or self._layout[0] != problem.structure:
            self._layout = (problem.structure, Layout.of(problem))
        return self._layout[1]

    def forces(self, problem: Problem, dtype: type) -> Floats:
        """Return the couplings as forces, made once per version."""
        key = (problem.structure, problem.version, dtype)
        if self._forces is None or self._forces[0] != key:
            self._forces = (key, self.layout(problem).forces(problem, dtype))
        return self._forces[1]

    def _details(self, schedule: Relaxation) -> Mapping[str, object]:
        return {"machine": type(self.machine).__name__, "schedule": asdict(schedule), "numba": numba.__version__}


class _Run:
    """One settle under way: positions, momenta and what was measured."""

    def __init__(self, simulator: Simulator, request: SettleRequest, schedule: Relaxation) -> None:
        problem, machine = request.problem, simulator.machine
        dtype = _DTYPES[request.precision]
        folded = fold_terms(problem, request.terms, dtype)
        rng = np.random.default_rng(request.seed)
        rows = problem.batch * request.reads
        self.simulator, self.request, self.schedule = simulator, request, schedule
        w = simulator.forces(problem, dtype)
        if machine.noise.weight > 0:
            w = (w * (1 + machine.noise.weight * rng.standard_normal(w.shape))).astype(dtype)
        layout = simulator.layout(problem)
        self.net = layout.net._replace(
            w=w, boxes=layout.net.boxes.astype(dtype), springy=folded.springy, frozen=folded.frozen
        )
        self.forces = np.repeat(folded.forces, request.reads, axis=0)
        self.spring = np.repeat(folded.spring, request.reads)
        if request.initial is None:
            low, high = problem.bounds
            start = np.broadcast_to(np.clip(0.0, low, high), (rows, problem.n))
        else:
            start = request.initial.reshape(rows, problem.n)
        if folded.held is not None:
            held = np.repeat(folded.held, request.reads, axis=0)
            clamped = np.repeat(folded.frozen.astype(bool), [layer.size for layer in problem.layers])
            start = np.where(clamped, held, start)
        self.states = np.array(start, dtype=dtype, order="C")
        random = getattr(machine, "momentum", 0.0) if not request.nudged else 0.0
        keep_momentum = request.trace or random > 0
        self.momentum = np.zeros((rows if keep_momentum else 0, problem.n), dtype)
        if random > 0:
            self.momentum += random * rng.standard_normal(self.momentum.shape)
        self.steps = np.zeros(rows, np.int64)
        self.residual = np.zeros(rows, np.float64)
        self.two_cycle = np.zeros(rows, np.bool_)
        self.grid = machine.grid(schedule, request.max_steps, free=not request.nudged)

    def steps_to(self, last: int, first: int = 0) -> None:
        """Run the steps `first` … `last` − 1 on all samples."""
        noise, grid, rows = self.simulator.machine.noise, self.grid, len(self.states)
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
            -(-rows // LANES),
            lambda a, b: relax_tiles(
                a, b, self.net, motion, self.forces, self.states, self.momentum, self.spring,
                self.states, self.steps, self.residual, self.two_cycle,
            ),
        )  # fmt: skip

    def traced(self) -> Trace:
        """Run step by step and write down energy, kinetic energy, residual and contraction."""
        problem, request = self.request.problem, self.request
        shape = (problem.batch, request.reads, problem.n)
        rows = []
        total = np.zeros_like(self.steps)
        for step in range(request.max_steps):
            before = self.states.copy()
            self.steps_to(step + 1, step)
            total += self.steps
            at = Equilibrium(request, self.states.reshape(shape).copy(), Provenance("", "simulated", 0))
            kinetic = 0.5 * (self.momentum.astype(np.float64) ** 2).sum(axis=1)
            rows.append((at.energies.mean(axis=1), kinetic.reshape(shape[:2]).mean(axis=1),
                         self.residual.reshape(shape[:2]).max(axis=1), self._contraction(before, step)))  # fmt: skip
            if (self.steps == 0).all():
                break
        self.steps[:] = total
        return Trace(*(np.array(column) for column in zip(*rows, strict=True)))

    def _contraction(self, before: Floats, step: int) -> Floats:
        """Return −ln |det| of the step per degree of freedom: γ dt with momentum, the map's own without."""
        problem = self.request.problem
        if self.grid.keep[step] > 0:
            return np.full(problem.batch, -np.log(self.grid.keep[step]))
        low, high = problem.bounds
        factor = self.grid.kick * self.grid.drift
        out = np.empty(problem.batch)
        coupling = np.zeros((problem.n, problem.n))
        if self.schedule.order == "synchronous":
            for kind in problem.couplings:
                coupling += kind.field(np.eye(problem.n))
        for sample, state in enumerate(before[:: self.request.reads]):
            free = (state > low) & (state < high)
            matrix = (np.eye(problem.n) * (1 - factor) - factor * coupling)[np.ix_(free, free)]
            out[sample] = -np.linalg.slogdet(matrix)[1] / max(1, free.sum())
        return out


def hopfield(
    argument: str = "", *, update: Update = "asynchronous", dt: float = 0.5, threads: int = 1,
    force_noise: float = 0.0, state_noise: float = 0.0, weight_noise: float = 0.0,
) -> Simulator:  # fmt: skip
    """Open the dissipative Hopfield machine; SPEC `hopfield?update=gradient&dt=0.5`."""
    machine = Hopfield(update, dt, Noise(force_noise, state_noise, weight_noise))
    return Simulator("hopfield", machine, threads)


def conjugate(
    argument: str = "", *, damping: str = "auto", final_damping: float = 0.0, order: str = "auto", dt: float = 1.0,
    ramp: float = 0.0, ramp_share: float = 0.6, momentum: float = 0.0, threads: int = 1,
    force_noise: float = 0.0, state_noise: float = 0.0, weight_noise: float = 0.0,
) -> Simulator:  # fmt: skip
    """Open the Ising-dynamics machine; SPEC `conjugate?damping=0.5&ramp=1`."""
    machine = Conjugate(
        damping="auto" if damping == "auto" else float(damping),
        final_damping=final_damping or None,
        order=order,  # type: ignore[arg-type]
        dt=dt,
        ramp=ramp,
        ramp_share=ramp_share,
        momentum=momentum,
        noise=Noise(force_noise, state_noise, weight_noise),
    )
    return Simulator("conjugate", machine, threads)
