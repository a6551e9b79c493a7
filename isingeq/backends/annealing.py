"""Simulated annealing by dwave-neal, through the maintained code behind it (dwave-samplers).

The arrays of a problem go straight to the sampler's compiled core: no binary quadratic model, no loop over
couplings in Python, and always an explicit schedule. The core anneals all reads of one sample per call and
frees the interpreter meanwhile, so samples run side by side on `threads`.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from time import perf_counter

import numpy as np
from dwave.samplers.sa.simulated_annealing import simulated_annealing
from numpy.typing import NDArray

from isingeq.backend import (
    Backend,
    Capabilities,
    Claim,
    Equilibrium,
    Provenance,
    SettleRequest,
    Timing,
    check_request,
)
from isingeq.backends.naming import spec_text
from isingeq.backends.spins import held_spins, spin_fields
from isingeq.errors import BackendError, ConfigError, ProblemError
from isingeq.problem import Problem, lower
from isingeq.schedule import Annealing
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge


class Annealer:
    """Anneals spins towards low energy, or samples them at one inverse temperature."""

    def __init__(
        self, name: str, *, sweeps: int, beta: float, reverse: float, threads: int
    ) -> None:
        if sweeps < 1 or threads < 1 or not beta >= 0 or not 0 <= reverse <= 1:
            raise ConfigError(
                f"{name} needs sweeps >= 1, threads >= 1, beta >= 0 and reverse from 0 to 1"
            )
        self.name = name
        self.capabilities = Capabilities(
            units=frozenset({"spin"}),
            couplings=frozenset({"edges"}),
            claim=Claim.BOLTZMANN if math.isfinite(beta) else Claim.GROUND_STATE,
            terms=frozenset({LinearNudge, QuadraticNudge, Clamp}),
            schedules=frozenset({Annealing}),
        )
        # Metropolis in a fixed order flips an unbiased spin at every sweep: it never mixes. Gibbs does.
        self._acceptance = "Gibbs" if math.isfinite(beta) else "Metropolis"
        self._sweeps, self._beta, self._reverse = sweeps, beta, reverse
        self._executor: ThreadPoolExecutor | None = ThreadPoolExecutor(threads)

    def suggest_schedule(self, problem: Problem) -> Annealing:
        """Return a constant beta where one was asked for, else betas from ln 2 / ΔE_max to ln 100 / ΔE_min.

        The published rule (Laydevant et al. 2024): ΔE_max = max_i |h_i| + Σ_j |J_ij| so that every spin flips
        half of the time at first, ΔE_min the smallest |h| or |J| but 0 so that 1 in 100 flips at last; both
        over the whole batch.
        """
        if math.isfinite(self._beta):
            return Annealing.constant(self._beta, self._sweeps)
        edges, h = lower(problem), np.abs(problem.fields)
        J = np.abs(edges.J)
        reach = h + np.bincount(edges.i, J, problem.n) + np.bincount(edges.j, J, problem.n)
        sizes = np.concatenate([h.ravel(), J])
        if not sizes.any():
            return Annealing.constant(1.0, self._sweeps)
        last = math.log(100) / float(sizes[sizes > 0].min())
        return Annealing.geometric(math.log(2) / float(reach.max()), last, self._sweeps)

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Anneal every read of every sample; a nudged request that brings initial states anneals in reverse.

        Raises:
            CapabilityError: units other than spins, or a complex nudging strength.
            ProblemError: initial or clamped spins that are not −1 or +1.
            BackendError: closed.
        """
        check_request(self.name, self.capabilities, request)
        if self._executor is None:
            raise BackendError(f"{self.name} is closed: open it again")
        begin = perf_counter()
        problem = request.problem
        given = (
            request.schedule
            if isinstance(request.schedule, Annealing)
            else self.suggest_schedule(problem)
        )
        reverse = request.nudged and request.initial is not None
        schedule = given.reverse(self._reverse) if reverse else given

        held, values = held_spins(problem, request.terms)
        h = spin_fields(problem, request.terms)
        for coupling in problem.couplings if held.any() else ():
            h += coupling.field(values)
        edges = lower(problem)
        free = ~held
        inner = free[edges.i] & free[edges.j]
        place = np.cumsum(free) - 1
        # Lists, as the core reads them 4 times faster than arrays.
        i, j = place[edges.i[inner]].tolist(), place[edges.j[inner]].tolist()
        J, fields, betas = edges.J[inner].tolist(), h[:, free].tolist(), list(schedule.betas)
        spins, seeds = _start(request, free)

        def anneal(sample: int) -> None:
            simulated_annealing(
                request.reads, fields[sample], i, j, J, 1, betas, seeds[sample], spins[sample],
                proposal_acceptance_criteria=self._acceptance,
            )  # fmt: skip

        for _ in self._executor.map(anneal, range(problem.batch)):
            pass
        states = np.empty((problem.batch, request.reads, problem.n), request.precision)
        states[..., free] = spins
        states[..., held] = values[:, None, held]
        details = {
            "library": f"dwave-samplers {version('dwave-samplers')}",
            "acceptance": self._acceptance,
            "sweeps": len(betas),
            "betas": (betas[0], min(betas), betas[-1]) if reverse else (betas[0], betas[-1]),
            "reverse": self._reverse if reverse else None,
        }
        return Equilibrium(
            request,
            states,
            Provenance(self.name, "simulated", request.seed, details),
            steps=np.full(states.shape[:2], len(betas)),
            timing=Timing(host_s=perf_counter() - begin),
        )

    def close(self) -> None:
        """Stop the threads."""
        if self._executor is not None:
            self._executor.shutdown()
        self._executor = None


def _start(request: SettleRequest, free: NDArray[np.bool_]) -> tuple[NDArray[np.int8], list[int]]:
    """Return the first spins (b, r, free units) and one 64-bit seed per sample.

    Both are prefixes of streams that depend on the request's seed alone, so a sample's numbers depend on its
    place in the batch and on nothing that runs beside it. The reads of a sample share its stream in turn.
    """
    starts, seeds = (np.random.Philox(s) for s in np.random.SeedSequence(request.seed).spawn(2))
    b, n = request.problem.batch, int(free.sum())
    if request.initial is None:
        spins = 2 * np.random.Generator(starts).integers(0, 2, (b, request.reads, n), np.int8) - 1
    elif (np.abs(request.initial) == 1).all():
        spins = request.initial[..., free].astype(np.int8)
    else:
        raise ProblemError(
            "initial states of spins are -1 or +1, these hold other values: take their sign first"
        )
    return np.ascontiguousarray(spins, np.int8), seeds.random_raw(b).tolist()


def neal(
    argument: str = "",
    *,
    sweeps: int = 100,
    beta: float = math.inf,
    reverse: float = 0.25,
    threads: int = 1,
) -> Backend:
    """Open dwave-neal.

    Args:
        argument: none is taken.
        sweeps: of the schedule that `suggest_schedule` returns.
        beta: finite to sample the Boltzmann distribution at this inverse temperature; infinite to anneal.
        reverse: how far along its schedule a nudged request with initial states turns round; 0 goes back to
            the first beta, 1 stays at the last.
        threads: samples annealed at a time.
    """
    name = spec_text(neal, argument, sweeps=sweeps, beta=beta, reverse=reverse, threads=threads)
    return Annealer(name, sweeps=sweeps, beta=beta, reverse=reverse, threads=threads)
