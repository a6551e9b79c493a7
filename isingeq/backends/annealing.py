"""Simulated annealing by dwave-neal, through the maintained code behind it (dwave-samplers).

The arrays of a problem go straight to the sampler's compiled core: no binary quadratic model, no
loop over couplings in Python, and always an explicit schedule. The core anneals all reads of one
sample per call and frees the interpreter meanwhile, so samples run side by side on `threads`.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from time import perf_counter

import numpy as np
from dwave.samplers.sa.simulated_annealing import simulated_annealing
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
from isingeq.errors import BackendError, ConfigError, ProblemError
from isingeq.problem import Problem
from isingeq.schedule import Annealing
from isingeq.spins import annealing_range, free_spins
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge

_LIBRARY = f"dwave-samplers {version('dwave-samplers')}"  # looking it up takes a millisecond


@dataclass(slots=True)
class Annealer:
    """Anneals spins towards low energy, or samples them at one inverse temperature.

    Attributes:
        sweeps: of the schedule that `suggest_schedule` returns.
        beta: finite to sample the Boltzmann distribution at this inverse temperature.
        reverse: how far along its schedule a nudged request with initial states turns round.
        threads: samples annealed at a time.
        name: SPEC.
    """

    sweeps: int = 100
    beta: float = math.inf
    reverse: float = 0.25
    threads: int = 1
    name: str = "neal"
    _executor: ThreadPoolExecutor | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.sweeps < 1 or self.threads < 1 or not self.beta >= 0 or not 0 <= self.reverse <= 1:
            raise ConfigError(
                f"neal needs sweeps >= 1, threads >= 1, beta >= 0 and 0 <= reverse <= 1, got "
                f"{self.sweeps}, {self.threads}, {self.beta:g} and {self.reverse:g}"
            )
        self._executor = ThreadPoolExecutor(self.threads)

    @property
    def sampling(self) -> bool:
        """True when states are to follow the Boltzmann distribution at `beta`."""
        return math.isfinite(self.beta)

    @property
    def capabilities(self) -> Capabilities:
        """Spins, any couplings, every term."""
        return Capabilities(
            units=frozenset({"spin"}),
            couplings=frozenset({"edges"}),
            claim=Claim.BOLTZMANN if self.sampling else Claim.GROUND_STATE,
            terms=frozenset({LinearNudge, QuadraticNudge, Clamp}),
            schedules=frozenset({Annealing}),
        )

    def suggest_schedule(self, problem: Problem) -> Annealing:
        """Return a constant `beta` where it is finite, else the published geometric schedule."""
        if self.sampling:
            return Annealing.constant(self.beta, self.sweeps)
        return Annealing.geometric(*annealing_range(problem), self.sweeps)

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Anneal every read of every sample; see `Backend.settle`.

        A nudged request that brings initial states anneals in reverse: `schedule.reverse(reverse)`.

        Raises:
            ProblemError: initial or clamped spins that are not −1 or +1.
        """
        check_request(self.name, self.capabilities, request)
        if self._executor is None:
            raise BackendError(f"{self.name} is closed: open it again")
        started = perf_counter()
        problem = request.problem
        schedule = request.schedule or self.suggest_schedule(problem)
        assert isinstance(schedule, Annealing)
        backwards = request.nudged and request.initial is not None
        if backwards:
            schedule = schedule.reverse(self.reverse)
        # Metropolis in a fixed order flips an unbiased spin at every sweep and never mixes it.
        acceptance = "Gibbs" if self.sampling else "Metropolis"
        held, values, *edges, h = free_spins(problem, request.terms)
        # Lists: the core reads them four times as fast as arrays.
        i, j, J = (part.tolist() for part in edges)
        fields, betas = h.tolist(), list(schedule.betas)
        spins, seeds = _start(request, ~held)

        def anneal(sample: int) -> None:
            simulated_annealing(
                request.reads, fields[sample], i, j, J, 1, betas, seeds[sample], spins[sample],
                proposal_acceptance_criteria=acceptance,
            )  # fmt: skip

        for _ in self._executor.map(anneal, range(problem.batch)):
            pass
        states = np.empty((problem.batch, request.reads, problem.n), request.precision)
        states[..., ~held] = spins
        states[..., held] = values[:, None, held]
        details = {
            "library": _LIBRARY,
            "acceptance": acceptance,
            "sweeps": len(betas),
            "betas": [betas[0], betas[-1]],
            "turn_beta": betas[len(betas) // 2] if backwards else None,
        }
        return Equilibrium(
            request=request,
            states=states,
            provenance=Provenance(self.name, "simulated", request.seed, details),
            steps=np.full(states.shape[:2], len(betas)),
            timing=Timing(host_s=perf_counter() - started),
        )

    def close(self) -> None:
        """Stop the threads."""
        if self._executor is not None:
            self._executor.shutdown()
        self._executor = None


def _start(request: SettleRequest, free: NDArray[np.bool_]) -> tuple[NDArray[np.int8], list[int]]:
    """Return the first spins (b, r, free units) and one 64-bit seed per sample.

    Both are prefixes of streams that depend on nothing but the request's seed: a sample's numbers
    follow from its place in the batch, whatever runs beside it. Its reads share one stream in turn.
    """
    starts, seeds = (np.random.Philox(s) for s in np.random.SeedSequence(request.seed).spawn(2))
    if request.initial is None:
        shape = (request.problem.batch, request.reads, int(free.sum()))
        bits = np.random.Generator(starts).integers(0, 2, shape, np.int8)
        spins = bits * np.int8(2) - np.int8(1)
    elif (np.abs(request.initial) == 1).all():
        spins = np.ascontiguousarray(request.initial[..., free], np.int8)
    else:
        raise ProblemError("initial states of spins are -1 or +1, these are not: take their sign")
    return spins, seeds.random_raw(request.problem.batch).tolist()


def neal(
    argument: str = "",
    *,
    sweeps: int = 100,
    beta: float = math.inf,
    reverse: float = 0.25,
    threads: int = 1,
) -> Annealer:
    """Open dwave-neal; SPEC `neal?sweeps=200` anneals, `neal?beta=0.7` samples at beta 0.7.

    Raises:
        ConfigError: an argument, or an option out of its range.
    """
    if argument:
        raise ConfigError(f"neal takes no argument, got {argument!r}")
    return Annealer(sweeps, beta, reverse, threads)
