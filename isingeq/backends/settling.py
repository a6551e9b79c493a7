"""One settle of a simulated machine: its arrays, its steps, and its trace."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Equilibrium, Provenance, SettleRequest, Trace
from isingeq.backends.layout import Folded, fold_terms
from isingeq.couplings import Convolution, Coupling, Dense, Edges
from isingeq.kernels.displaced import relax_displaced
from isingeq.kernels.lanes import LANES
from isingeq.kernels.panels import fixed
from isingeq.kernels.pulls import workspace
from isingeq.kernels.relax import Batch, Found, Motion, relax_tiles
from isingeq.kernels.relay import relax_in_turn
from isingeq.machines.conjugate import Conjugate
from isingeq.machines.hopfield import Hopfield
from isingeq.machines.machine import Grid, Noise
from isingeq.problem import Problem
from isingeq.schedule import Relaxation

if TYPE_CHECKING:
    from isingeq.backends.simulator import Simulator

Floats = NDArray[np.floating]

HEAVY = 400
"""Couplings per unit from which a step costs so much more than loading a sample that lanes are handed on."""

LARGE = 2048
"""Units above which no determinant is taken."""


class Settling:
    """One settle under way: positions, momenta and what was measured."""

    def __init__(self, simulator: Simulator, request: SettleRequest, schedule: Relaxation) -> None:
        problem, machine = request.problem, simulator.machine
        dtype = np.dtype(request.precision).type
        reads, rows = request.reads, problem.batch * request.reads
        folded = fold_terms(problem, request.terms, dtype)
        self.simulator, self.request, self.schedule = simulator, request, schedule
        random = 0.0 if request.nudged else getattr(machine, "momentum", 0.0)
        momentum = np.zeros((rows if request.trace or random > 0 else 0, problem.n), dtype)
        if machine.noise.weight > 0 or random > 0:
            rng = np.random.default_rng(request.seed)
            layout = simulator.layout(problem, schedule.order)
            net = layout.loaded(_perturbed(problem, machine.noise.weight, rng), dtype)
            momentum += random * rng.standard_normal(momentum.shape)
        else:
            net = simulator.loaded(problem, schedule.order, dtype)
        self.net = net._replace(springy=folded.springy, frozen=folded.frozen)
        springs = net.boxes[folded.springy > 0, 0].astype(dtype)
        self.batch = Batch(
            fields=fixed(_per_read(problem.fields.astype(dtype, copy=False), reads)),
            force=_per_read(folded.force, reads),
            spring=_per_read(folded.spring, reads),
            ease=_per_read(
                machine.ease(folded.spring / springs if springs.size else folded.spring), reads
            ),
            targets=_per_read(folded.targets, reads),
            start=fixed(_start(request, folded, dtype)),
            momentum=momentum,
        )
        self.found = Found(
            states=np.empty((rows, problem.n), dtype),
            steps=np.zeros(rows, np.int64),
            residual=np.zeros(rows, np.float64),
            two_cycle=np.zeros(rows, np.bool_),
        )
        self.grid = _grid(machine, schedule, request.max_steps, not request.nudged)

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
        net, found = self.net, self.found
        rows, units = found.states.shape
        alike = not (motion.ramp.any() or np.ptp(motion.keep)) and noise == Noise()
        heavy = bool(net.maps) or net.w.size >= HEAVY * units
        in_turn = alike and heavy and motion.tolerance > 0 and motion.keep.size > 1
        relax = relax_in_turn if in_turn else relax_tiles
        if self.request.displacements:
            relax = relax_displaced
            if not motion.synchronous:  # what nudges comes from the last layer
                net = net._replace(order=np.ascontiguousarray(net.order[::-1]))

        def tiles(a: int, b: int) -> None:
            work = workspace(net.maps, units, found.states.dtype)
            relax(a, b, net, motion, self.batch, found, work)

        assert self.simulator.pool is not None
        self.simulator.pool.split(-(-rows // LANES), tiles, least=1 if net.maps else 4)

    def moved(self, displacements: Floats) -> Floats:
        """Return the states (b, r, n) that displacements lead to."""
        assert self.request.initial is not None
        low, high = (bound.astype(displacements.dtype) for bound in self.request.problem.bounds)
        return np.clip(self.request.initial + displacements, low, high)

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
            self.batch = self.batch._replace(start=fixed(found.states.copy()))
            if (found.steps == 0).all():
                break
        found.steps[:] = total
        energy, kinetic, residual, contraction = (np.array(c) for c in zip(*rows, strict=True))
        return Trace(energy, kinetic, residual, contraction)

    def _contraction(self, before: Floats, step: int) -> Floats:
        """Return −ln |det| of the step per degree of freedom: γ dt with momentum, the map's own without.

        NaN where that takes the determinant of a network of more than LARGE units.
        """
        problem = self.request.problem
        if self.grid.keep[step] > 0:
            return np.full(problem.batch, -np.log(self.grid.keep[step]))
        if self.schedule.order == "synchronous" and problem.n > LARGE:
            return np.full(problem.batch, np.nan)
        low, high = problem.bounds
        sizes, net = [layer.size for layer in problem.layers], self.net
        springy, held = (np.repeat(flags > 0, sizes) for flags in (net.springy, net.frozen))
        stiffness = np.repeat(net.boxes[:, 0].astype(np.float64), sizes)
        together = self.schedule.order == "synchronous"
        out = np.empty(problem.batch)
        unit = np.eye(problem.n if together else 0)
        pairs = np.zeros_like(unit)
        if together:
            pairs += sum(k.field(unit) for k in problem.couplings if k.pairwise)
        for sample in range(problem.batch):
            row = sample * self.request.reads
            free = (before[row] > low) & (before[row] < high) & ~held
            ease = np.where(springy, self.batch.ease[row], 1)
            pull = self.grid.kick * self.grid.drift * ease / stiffness
            own = 1 - pull * (stiffness + springy * self.batch.spring[row] + self.grid.ramp[step])
            if together:
                at = np.broadcast_to(before[row].astype(np.float64), unit.shape)
                other = sum(k.change(at, unit) for k in problem.couplings if not k.pairwise)
                matrix = np.diag(own) - pull[:, None] * (pairs + other)
                volume = np.linalg.slogdet(matrix[np.ix_(free, free)])[1]
            else:  # a layer sees nothing of itself
                with np.errstate(divide="ignore"):
                    volume = np.log(np.abs(own[free])).sum()
            out[sample] = -volume / max(1, free.sum())
        return out


@functools.lru_cache(maxsize=64)
def _grid(machine: Hopfield | Conjugate, schedule: Relaxation, steps: int, free: bool) -> Grid:
    """Return the coefficients of a settle, which a training asks for again and again."""
    return machine.grid(schedule, steps, free=free)


def _perturbed(problem: Problem, sigma: float, rng: np.random.Generator) -> Problem:
    """Return the problem with every coupling J (1 + sigma ξ), the same in both directions."""
    couplings: list[Coupling] = []
    for coupling in problem.couplings:
        drawn = (
            coupling
            if isinstance(coupling, Dense | Convolution)
            else Edges(problem.n, *coupling.edges())
        )
        factor = 1 + sigma * rng.standard_normal(drawn.J.shape)
        couplings.append(replace(drawn, J=drawn.J * factor))
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
    return start.astype(dtype, copy=False)


def _per_read(rows: Floats, reads: int) -> Floats:
    """Return rows (b, …) as (b·r, …)."""
    return np.repeat(rows, reads, axis=0) if reads > 1 else rows
