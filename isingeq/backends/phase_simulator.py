"""Phase simulator: what all machines of phases that settle share as backends."""

import time
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Protocol, runtime_checkable

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
from isingeq.errors import BackendError, CapabilityError, ConfigError
from isingeq.kernels.panels import Batch, fixed, no_pulls
from isingeq.kernels.phases import Flow, Found
from isingeq.kernels.pool import Pool
from isingeq.kernels.streams import scatter, streams
from isingeq.machines.wiring import Wiring
from isingeq.problem import Problem
from isingeq.terms import Clamp, CosineNudge, LinearNudge, LogCosNudge

Floats = NDArray[np.floating]


class PhaseMachine(Protocol):
    """A dynamics of phases, a frozen dataclass of its numbers."""

    @property
    def ideal(self) -> bool:
        """True where it comes to rest where the energy does."""
        ...

    @property
    def carries(self) -> bool:
        """True where phases have a velocity."""
        ...

    def settle(
        self, wiring: Wiring, batch: Batch, steps: int, *, tolerance: float, seed: int, pool: Pool
    ) -> Found:
        """Move a batch, at most `steps` steps or until the residual is within the tolerance; return both, each (b,)."""
        ...


@runtime_checkable
class Stepping(Protocol):
    """A machine that moves all samples in the same steps, which can be looked at one by one."""

    def flow(self, wiring: Wiring, steps: int, *, tolerance: float, seed: int) -> Flow:
        """Return how phases move."""
        ...


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
    machine: PhaseMachine
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
            traces=isinstance(self.machine, Stepping),
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
        trace = None
        if request.trace:
            trace, steps, residual = self._traced(request, wiring, batch)
        else:
            steps, residual = self.machine.settle(
                wiring, batch, request.max_steps,
                tolerance=request.tolerance, seed=request.seed, pool=self.pool,
            )  # fmt: skip
        shape = (request.problem.batch, request.reads)
        exact = self.capabilities.claim is Claim.FIXED_POINT
        details = {
            "machine": type(self.machine).__name__,
            **asdict(self.machine),  # type: ignore[call-overload]
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
            held = (key, Wiring.of(problem, np.dtype(request.precision).type))
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
        problem, dtype = request.problem, np.dtype(request.precision).type
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
        self, request: SettleRequest, wiring: Wiring, batch: Batch
    ) -> tuple[Trace, NDArray[np.int64], Floats]:
        """Move step by step and write down the energy of what would be read, and the residual."""
        assert isinstance(self.machine, Stepping)
        flow = self.machine.flow(
            wiring, request.max_steps, tolerance=request.tolerance, seed=request.seed
        )
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
