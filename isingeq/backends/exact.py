"""Exact enumeration: every state of a small spin problem with its Boltzmann weight, the oracle.

    p(s) = exp(−beta F(s)) / Σ_s exp(−beta F(s)),      F(s) = E(s) + terms

The r = 2^n states come as one shared table; `reads` is ignored, as the table holds all there is to read.
With `draw=true` it is an ideal sampler instead: `reads` independent states, equally weighted.
"""

from time import perf_counter

import numpy as np
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
from isingeq.backends.spins import Reals, held_spins, spin_fields
from isingeq.errors import BackendError
from isingeq.problem import Problem
from isingeq.schedule import Annealing
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge


class Enumeration:
    """All 2^n states of n spins at the last beta of the schedule."""

    def __init__(self, name: str, *, schedule: Annealing, max_units: int, draw: bool) -> None:
        self.name = name
        self.capabilities = Capabilities(
            units=frozenset({"spin"}),
            couplings=frozenset({"edges"}),
            claim=Claim.BOLTZMANN,
            terms=frozenset({LinearNudge, QuadraticNudge, Clamp}),
            schedules=frozenset({Annealing}),
            max_units=max_units,
            warm_start=False,
        )
        self._schedule = schedule
        self._draw = draw
        self._table: Reals | None = np.zeros((1, 0))

    def suggest_schedule(self, problem: Problem) -> Annealing:
        """Return one sweep at this backend's own beta."""
        return self._schedule

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Return every state with its weight, or `reads` of them drawn from the weights.

        Raises:
            CapabilityError: units other than spins, or more than `max_units` of them.
            BackendError: closed.
        """
        check_request(self.name, self.capabilities, request)
        start = perf_counter()
        problem = request.problem
        schedule = request.schedule if isinstance(request.schedule, Annealing) else self._schedule
        beta = schedule.betas[-1]
        table = self._states(problem.n)
        weights: Reals | None = _weights(request, table, beta)
        states = table.astype(request.precision)
        if self._draw:
            states, weights = states[_draws(weights, request)], None
        else:
            states = np.broadcast_to(states, (problem.batch, *states.shape))
        details = {"beta": beta, "drawn": self._draw}
        return Equilibrium(
            request,
            states,
            Provenance(self.name, "exact", request.seed, details),
            weights=weights,
            timing=Timing(host_s=perf_counter() - start),
        )

    def _states(self, n: int) -> Reals:
        """Return all states (2^n, n), kept while n stays the same; unit 0 flips slowest."""
        if self._table is None:
            raise BackendError(f"{self.name} is closed: open it again")
        if self._table.shape[1] != n:
            bits = np.arange(2**n)[:, None] >> np.arange(n - 1, -1, -1) & 1
            self._table = 2.0 * bits - 1.0
        return self._table

    def close(self) -> None:
        """Let go of the table of states."""
        self._table = None


def _weights(request: SettleRequest, table: Reals, beta: float) -> Reals:
    """Return exp(−beta F) over all states (r, n), normalised, (b, r); 0 where a clamp disagrees."""
    problem = request.problem
    energy = spin_fields(problem, request.terms) @ table.T
    for coupling in problem.couplings:
        energy += coupling.energy(table)
    mask, values = held_spins(problem, request.terms)
    # A product of spins is the number held only where every one of them agrees.
    energy[values[:, mask] @ table[:, mask].T != mask.sum()] = np.inf
    # Energies from the lowest one: nothing overflows, and beta 0 is uniform over what is allowed.
    above = energy - energy.min(axis=1, keepdims=True)
    weights = np.where(
        np.isfinite(above), np.exp(-beta * np.where(np.isfinite(above), above, 0.0)), 0.0
    )
    total: Reals = weights / weights.sum(axis=1, keepdims=True)
    return total


def _draws(weights: Reals, request: SettleRequest) -> NDArray[np.intp]:
    """Return indices (b, r) drawn from weights (b, states) by inverting their sums."""
    uniform = np.random.Generator(np.random.Philox(request.seed)).random(
        (len(weights), request.reads)
    )
    sums = weights.cumsum(axis=1)
    rows = [np.searchsorted(s, u * s[-1], side="right") for s, u in zip(sums, uniform, strict=True)]
    return np.stack(rows)


def exact(
    argument: str = "", *, beta: float = 1.0, max_units: int = 20, draw: bool = False
) -> Backend:
    """Open exact enumeration.

    Args:
        argument: none is taken.
        beta: inverse temperature where a request brings no schedule.
        max_units: most spins; each one more doubles time and memory.
        draw: return `reads` independent samples instead of every state with its weight.
    """
    name = spec_text(exact, argument, beta=beta, max_units=max_units, draw=draw)
    return Enumeration(name, schedule=Annealing.constant(beta, 1), max_units=max_units, draw=draw)
