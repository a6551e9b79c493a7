"""Backends `oscillator` and `xy`: phases, as a solver of spins or as they settle."""

import time
from dataclasses import asdict, dataclass, field
from functools import cached_property

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
from isingeq.backends.spin_simulator import SpinSimulator
from isingeq.errors import BackendError, CapabilityError, ConfigError
from isingeq.kernels.panels import Batch, fixed, no_pulls
from isingeq.kernels.phases import Flow
from isingeq.kernels.pool import Pool
from isingeq.kernels.streams import scatter, streams
from isingeq.machines.oscillator import DTYPES, Oscillator, OscillatorSolver
from isingeq.machines.wiring import Wiring
from isingeq.machines.xy import XY
from isingeq.problem import Problem
from isingeq.terms import Clamp, CosineNudge, LinearNudge, LogCosNudge

Floats = NDArray[np.floating]


@dataclass(eq=False)
class PhaseSimulator:
    """Phases that settle; samples are split over threads.

    Attributes:
        name: as in a SPEC.
        machine: the dynamics.
        start: "random", or the angle in radians at which all phases start.
        readout_bits: phases are read in steps of 2π / 2^bits; 0 reads them as they are.
        threads: number of threads.
    """

    name: str
    machine: Oscillator | XY
    start: str = "random"
    readout_bits: int = 0
    threads: int = 1
    pool: Pool | None = field(init=False, repr=False)
    _wiring: tuple[object, Wiring] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.readout_bits <= 24:
            raise ConfigError(f"readout_bits {self.readout_bits} must be 0 (exact) to 24")
        if self.start != "random":
            try:
                finite = np.isfinite(float(self.start))
            except ValueError:
                finite = False
            if not finite:
                raise ConfigError(f"start {self.start!r} must be random or an angle in radians")
        self.pool = Pool(self.threads)

    @cached_property
    def capabilities(self) -> Capabilities:
        """Phases, cosine couplings, injection and every term on phases; fixed points where nothing blurs them."""
        exact = self.machine.ideal and not self.readout_bits
        return Capabilities(
            units=frozenset({"phase"}),
            couplings=frozenset({"edges", "injection"}),
            claim=Claim.FIXED_POINT if exact else Claim.NONE,
            terms=frozenset({LinearNudge, CosineNudge, LogCosNudge, Clamp}),
            split_invariant=False,
            traces=True,
            concurrent=True,
        )

    def suggest_schedule(self, problem: Problem) -> None:
        """Return None: there is nothing to schedule."""

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle a problem; see `Backend.settle`.

        Phases start at random unless told otherwise: with many equilibria it is the start that chooses.

        Raises:
            CapabilityError: two nudges of one kind.
        """
        check_request(self.name, self.capabilities, request)
        if self.pool is None:
            raise BackendError(f"{self.name} is closed: open it again")
        started = time.perf_counter()
        wiring = self._wiring_of(request)
        held = np.zeros(request.problem.n, np.bool_)
        for term in request.terms:
            if isinstance(term, Clamp):
                held |= term.mask
        if held.any():
            wiring = wiring.holding(held)
        batch = self._batch(request)
        flow = self.machine.flow(
            wiring, request.max_steps, tolerance=request.tolerance, seed=request.seed
        )
        trace = None
        if request.trace:
            trace, steps, residual = self._traced(request, wiring, flow, batch)
        else:
            steps, residual = wiring.move(flow, batch, self.pool)
        shape = (request.problem.batch, request.reads)
        exact = self.capabilities.claim is Claim.FIXED_POINT
        details = {
            "machine": type(self.machine).__name__,
            **asdict(self.machine),
            "start": self.start,
            "readout_bits": self.readout_bits,
            "kernel": wiring.kernel,
            "numba": numba.__version__,
        }
        return Equilibrium(
            request=request,
            states=self._read(batch.phases).reshape(*shape, -1),
            provenance=Provenance(self.name, "simulated", request.seed, details),
            residual=residual.reshape(shape) if exact else None,
            steps=steps.reshape(shape),
            timing=Timing(host_s=time.perf_counter() - started),
            trace=trace,
        )

    def close(self) -> None:
        """Stop the threads."""
        if self.pool is not None:
            self.pool.close()
        self.pool = None

    def _wiring_of(self, request: SettleRequest) -> Wiring:
        """Return the couplings as arrays, made once per version."""
        problem = request.problem
        key = (problem.structure, problem.version, request.precision)
        held = self._wiring
        if held is None or held[0] != key:
            held = (key, Wiring.of(problem, DTYPES[request.precision]))
            self._wiring = held
        return held[1]

    def _read(self, phases: Floats) -> Floats:
        """Return phases as the machine reads them."""
        if not self.readout_bits:
            return phases
        step = phases.dtype.type(2 * np.pi / 2**self.readout_bits)
        return np.rint(phases / step) * step

    def _batch(self, request: SettleRequest) -> Batch:
        """Return samples and reads as rows: fields with constant nudges in them, springs and pulls, starts."""
        problem, dtype = request.problem, DTYPES[request.precision]
        b, r, n = problem.batch, request.reads, problem.n
        keys = streams(request.seed, b, r)
        phases = np.empty((b * r, n), dtype)
        if request.initial is not None:
            phases[:] = request.initial.reshape(phases.shape)
        elif self.start == "random":
            scatter(keys, phases)
        else:
            phases[:] = float(self.start)
        fields = problem.fields.astype(dtype, copy=False)
        pulls, seen = no_pulls(b * r, dtype)._replace(floor=LogCosNudge.floor), set()
        for term in request.terms:
            if isinstance(term, LinearNudge):
                fields = fields - term.force.astype(dtype)
            elif isinstance(term, Clamp):
                phases[:, term.mask] = np.repeat(term.values[:, term.mask], r, axis=0)
            elif isinstance(term, CosineNudge | LogCosNudge):
                if type(term) in seen:
                    raise CapabilityError(f"{self.name} takes one {type(term).__name__} at a time")
                seen.add(type(term))
                y, strength = (
                    _per_read(part.astype(dtype), r) for part in (term.targets, term.strength)
                )
                if isinstance(term, CosineNudge):
                    pulls = pulls._replace(first_spring=term.units[0], spring=strength, targets=y)
                else:
                    pulls = pulls._replace(first_pull=term.units[0], pull=strength, aims=y)
        return Batch(
            fields=fixed(_per_read(fields.reshape(b, 2 * n), r)),
            keys=keys,
            pulls=pulls,
            phases=phases,
            velocity=np.zeros((b * r if self.machine.carries else 0, n), dtype),
        )

    def _traced(
        self, request: SettleRequest, wiring: Wiring, flow: Flow, batch: Batch
    ) -> tuple[Trace, NDArray[np.int64], Floats]:
        """Move step by step and write down the energy of what would be read, and the residual."""
        shape = (request.problem.batch, request.reads)
        total, rows = np.zeros(shape[0] * shape[1], np.int64), []
        assert self.pool is not None
        for t in range(flow.gain.size):
            now = flow._replace(
                gain=flow.gain[:1], pump=flow.pump[:1], sigma=flow.sigma[t : t + 1], first=t
            )
            found = wiring.move(now, batch, self.pool)
            total += found.steps
            states = self._read(batch.phases).reshape(*shape, -1).copy()
            at = Equilibrium(request, states, Provenance(self.name, "simulated", request.seed))
            rows.append((at.energies.mean(axis=1), found.residual.reshape(shape).max(axis=1)))
            if not found.steps.any():
                break
        energy, residual = (np.array(column) for column in zip(*rows, strict=True))
        return Trace(energy, residual=residual), total, found.residual


def _per_read(rows: Floats, reads: int) -> Floats:
    """Return rows (b, …) as (b·r, …)."""
    return np.repeat(rows, reads, axis=0) if reads > 1 else rows


def oscillator(
    argument: str = "", *, readout: str = "spin", threads: int = 1, spread: float = 0.0, dt: float = 0.0,
    noise: float = 0.0, sweeps: int = 1000, injection: float = 0.5, heat: float = 0.4,
    start: str = "random", readout_bits: int = 0,
) -> SpinSimulator | PhaseSimulator:  # fmt: skip
    """Open the oscillator Ising machine: `oscillator` solves for spins, `oscillator?readout=phase` settles phases.

    Args:
        argument: none is taken.
        readout: "spin" (ground states of spins) or "phase" (fixed points of phases).
        threads: reads and samples are split over them.
        spread: standard deviation of the oscillators' own frequencies.
        dt: time step; 0 for 0.4 (spins) or 0.1 (phases).
        noise: temperature of the phase noise.
        sweeps: of spins alone, steps of the suggested schedule.
        injection: of spins alone, pump at its end.
        heat: of spins alone, temperature added at its beginning, falling to 0 at its end.
        start: of phases alone, "random" or an angle.
        readout_bits: of phases alone, 0 reads them exactly.

    Raises:
        ConfigError: an option out of its range or of the other readout, or an argument.
    """
    _no_argument("oscillator", argument)
    if readout == "spin":
        if start != "random" or readout_bits:
            raise ConfigError("oscillator takes start and readout_bits with readout=phase only")
        solver = OscillatorSolver(sweeps, injection, dt or 0.4, spread, noise, heat)
        return SpinSimulator("oscillator", solver, threads)
    if readout != "phase":
        raise ConfigError(f"readout {readout!r} of oscillator must be spin or phase")
    if (sweeps, injection, heat) != (1000, 0.5, 0.4):
        raise ConfigError(
            "oscillator takes sweeps, injection and heat with readout=spin only: phases have the steps of the "
            "request and the injection of the problem"
        )
    machine = Oscillator(dt or 0.1, spread, noise)
    return PhaseSimulator("oscillator", machine, start, readout_bits, threads)


def xy(
    argument: str = "", *, momentum: float = 0.8, dt: float = 1.5, start: str = "random", readout_bits: int = 0,
    threads: int = 1,
) -> PhaseSimulator:  # fmt: skip
    """Open the XY machine; SPEC `xy?momentum=0.9`.

    Raises:
        ConfigError: an option out of its range, or an argument.
    """
    _no_argument("xy", argument)
    return PhaseSimulator("xy", XY(momentum, dt), start, readout_bits, threads)


def _no_argument(name: str, argument: str) -> None:
    if argument:
        raise ConfigError(
            f"backend {name!r} takes no argument, got {argument!r}: give options as {name}?key=value"
        )
