"""Any spin machine as a backend: terms become fields, clamped spins become fields on the others."""

import time
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from functools import cached_property

import numba
import numpy as np
from numpy.typing import NDArray

from isingeq.backend import (
    Capabilities,
    Equilibrium,
    Provenance,
    SettleRequest,
    Timing,
    Trace,
    check_request,
)
from isingeq.errors import BackendError, ProblemError
from isingeq.kernels.pool import Pool
from isingeq.machines.graph import Graph
from isingeq.machines.spinning import SpinMachine, Task
from isingeq.problem import Problem, lower
from isingeq.schedule import Schedule, schedule_data
from isingeq.spins import free_spins, spin_fields
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge, total_energy

Floats = NDArray[np.floating]


@dataclass(eq=False)
class SpinSimulator:
    """Settles spins on a machine.

    Attributes:
        name: as in a SPEC.
        machine: the dynamics.
        threads: reads are split over them.
    """

    name: str
    machine: SpinMachine
    threads: int = 1
    pool: Pool | None = field(init=False, repr=False)
    _graph: tuple[object, Graph] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.pool = Pool(self.threads)

    @cached_property
    def capabilities(self) -> Capabilities:
        """Spins, pairwise couplings of any kind, every term that is a field on a spin."""
        return Capabilities(
            units=frozenset({"spin"}),
            couplings=frozenset({"edges"}),
            claim=self.machine.claim,
            terms=frozenset({LinearNudge, QuadraticNudge, Clamp}),
            schedules=frozenset({self.machine.schedule_kind}),
            warm_start=self.machine.warm_start,
            split_invariant=self.machine.split_invariant,
            traces=True,
        )

    def suggest_schedule(self, problem: Problem) -> Schedule:
        """Return the machine's default for a problem."""
        return self.machine.suggest(self._graph_of(problem), problem.fields)

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle a problem; see `Backend.settle`."""
        check_request(self.name, self.capabilities, request)
        if self.pool is None:
            raise BackendError(f"{self.name} is closed: open it again")
        started = time.perf_counter()
        problem = request.problem
        if any(isinstance(term, Clamp) for term in request.terms):
            held, values, i, j, J, h = free_spins(problem, request.terms)
            graph = Graph.of(int((~held).sum()), i, j, J)
        else:
            held, values = np.zeros(problem.n, np.bool_), np.zeros((problem.batch, problem.n))
            h, graph = spin_fields(problem, request.terms), self._graph_of(problem)
        schedule = request.schedule or self.machine.suggest(graph, h)
        outcome = self.machine.run(
            Task(
                graph=graph, h=h, reads=request.reads, schedule=schedule, seed=request.seed, pool=self.pool,
                start=_spins(request, ~held), nudged=request.nudged, precision=request.precision, trace=request.trace,
            )
        )  # fmt: skip
        if held.any():
            states = np.empty((problem.batch, request.reads, problem.n), request.precision)
            states[..., ~held] = outcome.spins
            states[..., held] = values[:, None, held]
        else:
            states = outcome.spins.astype(request.precision)
        details = {
            "machine": type(self.machine).__name__,
            **(asdict(self.machine) if is_dataclass(self.machine) else {}),
            "schedule": schedule_data(schedule),
            "numba": numba.__version__,
            **outcome.details,
        }
        return Equilibrium(
            request=request,
            states=states,
            provenance=Provenance(self.name, "simulated", request.seed, details),
            timing=Timing(host_s=time.perf_counter() - started),
            trace=outcome.trace and self._of_all(outcome.trace, request, states, ~held, h, graph),
        )

    def _of_all(
        self, trace: Trace, request: SettleRequest, states: Floats, free: NDArray[np.bool_], h: Floats, graph: Graph
    ) -> Trace:  # fmt: skip
        """Return a trace with what the machine did not see in its energies: offset, and what held spins come to."""
        up = states[:, :1].copy()
        up[..., free] = 1
        seen = h.sum(axis=1) + graph.values.sum(dtype=np.float64) / 2
        unseen = total_energy(request.problem, request.terms, up)[:, 0] - seen
        shifted = {k: v + unseen if "energy" in k else v for k, v in trace.details.items()}
        return replace(trace, energy=trace.energy + unseen, details=shifted)

    def close(self) -> None:
        """Stop the threads."""
        if self.pool is not None:
            self.pool.close()
        self.pool = None

    def _graph_of(self, problem: Problem) -> Graph:
        """Return the graph of all spins, made once per version of the couplings."""
        key = (problem.structure, problem.version)
        if self._graph is None or self._graph[0] != key:
            edges = lower(problem)
            self._graph = (key, Graph.of(problem.n, edges.i, edges.j, edges.J))
        return self._graph[1]


def _spins(request: SettleRequest, free: NDArray[np.bool_]) -> NDArray[np.int8] | None:
    """Return the spins to start from (b, r, free spins)."""
    if request.initial is None:
        return None
    if not (np.abs(request.initial) == 1).all():
        raise ProblemError("initial states of spins are -1 or +1, these are not: take their sign")
    return np.ascontiguousarray(request.initial[..., free], np.int8)
