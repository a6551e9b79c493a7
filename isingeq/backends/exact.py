"""Exact enumeration: every state of a small spin problem with its Boltzmann weight, the oracle.

    p(s) = exp(−beta F(s)) / Σ_s exp(−beta F(s)),      F(s) = E(s) + terms

The r = 2^n states come as one table that all samples share; `reads` is ignored, as there is nothing
left to read. With `draw` it is an ideal sampler instead: `reads` states, drawn independently.
"""

from dataclasses import dataclass, field
from time import perf_counter

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
from isingeq.errors import BackendError, ConfigError
from isingeq.problem import Problem
from isingeq.schedule import Annealing
from isingeq.spins import Reals, held_spins, spin_fields
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge


@dataclass(slots=True)
class Enumeration:
    """All 2^n states of n spins.

    Attributes:
        schedule: run where a request brings none; only the last beta of a schedule matters.
        max_units: most spins.
        draw: return `reads` independent samples instead of every state with its weight.
        name: SPEC.
    """

    schedule: Annealing
    max_units: int = 20
    draw: bool = False
    name: str = "exact"
    _table: Reals | None = field(default_factory=lambda: np.zeros((1, 0)), repr=False)

    @property
    def capabilities(self) -> Capabilities:
        """Few spins, any couplings, every term; the Boltzmann distribution itself."""
        return Capabilities(
            units=frozenset({"spin"}),
            couplings=frozenset({"edges"}),
            claim=Claim.BOLTZMANN,
            terms=frozenset({LinearNudge, QuadraticNudge, Clamp}),
            schedules=frozenset({Annealing}),
            max_units=self.max_units,
            warm_start=False,
        )

    def suggest_schedule(self, problem: Problem) -> Annealing:
        """Return one sweep at the backend's own beta."""
        return self.schedule

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Return every state with its weight, or `reads` states drawn; see `Backend.settle`.

        Raises:
            ProblemError: clamped spins that are not −1 or +1.
        """
        check_request(self.name, self.capabilities, request)
        started = perf_counter()
        problem = request.problem
        schedule = request.schedule or self.schedule
        assert isinstance(schedule, Annealing)
        table = self._states(problem.n)
        all_weights = _weights(request, table, schedule.betas[-1])
        states, weights = table.astype(request.precision), None
        if self.draw:
            states = states[_draws(all_weights, request)]
        else:
            states = np.broadcast_to(states, (problem.batch, *states.shape))
            weights = all_weights
        details = {"beta": schedule.betas[-1], "draw": self.draw}
        return Equilibrium(
            request=request,
            states=states,
            provenance=Provenance(self.name, "exact", request.seed, details),
            weights=weights,
            timing=Timing(host_s=perf_counter() - started),
        )

    def _states(self, n: int) -> Reals:
        """Return all states (2^n, n), made once while n stays; the first unit flips slowest."""
        if self._table is None:
            raise BackendError(f"{self.name} is closed: open it again")
        if self._table.shape[1] != n:
            bits = np.arange(2**n)[:, None] >> np.arange(n - 1, -1, -1) & 1
            self._table = (2 * bits - 1).astype(np.float64)
        return self._table

    def close(self) -> None:
        """Let go of the table of states."""
        self._table = None


def _weights(request: SettleRequest, table: Reals, beta: float) -> Reals:
    """Return p (b, r) over all states (r, n), 0 where a clamp disagrees."""
    energy = spin_fields(request.problem, request.terms) @ table.T
    for coupling in request.problem.couplings:
        energy += coupling.energy(table)
    mask, values = held_spins(request.problem, request.terms)
    # Products of agreeing spins are 1: their sum is the number held only where all of them agree.
    allowed = values[:, mask] @ table[:, mask].T == mask.sum()
    # Above the lowest energy nothing overflows, and beta 0 stays uniform over what is allowed.
    lowest = np.where(allowed, energy, np.inf).min(axis=1, keepdims=True)
    weights = np.exp(-beta * np.where(allowed, energy - lowest, 0.0)) * allowed
    out: Reals = weights / weights.sum(axis=1, keepdims=True)
    return out


def _draws(weights: Reals, request: SettleRequest) -> NDArray[np.intp]:
    """Return indices (b, reads) drawn from weights (b, states) by inverting their sums."""
    random = np.random.Generator(np.random.Philox(request.seed))
    uniform = random.random((len(weights), request.reads))
    sums = weights.cumsum(axis=1)
    return np.stack(
        [np.searchsorted(s, u * s[-1], side="right") for s, u in zip(sums, uniform, strict=True)]
    )


def exact(
    argument: str = "", *, beta: float = 1.0, max_units: int = 20, draw: bool = False
) -> Enumeration:
    """Open exact enumeration; SPEC `exact?beta=0.5`.

    Raises:
        ConfigError: an argument, a negative beta, or no units.
    """
    if argument or max_units < 1:
        raise ConfigError(
            f"exact takes no argument and max_units >= 1, got {argument!r} and {max_units}"
        )
    return Enumeration(Annealing.constant(beta, 1), max_units, draw)
