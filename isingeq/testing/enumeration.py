"""All states of a few spins: the oracle for samplers and optimisers.

p(s) = exp(−beta F(s)) / Σ exp(−beta F), with F = E + terms and a clamp as an infinite wall.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import SettleRequest
from isingeq.terms import Clamp, total_energy

Floats = NDArray[np.floating]


def spin_states(n: int) -> Floats:
    """Return all states of n spins, (2^n, n); bit k of a state's index is unit k."""
    return 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1) - 1.0


def energy_table(request: SettleRequest) -> Floats:
    """Return F of every state for every sample, (b, 2^n); infinite where a clamp forbids it."""
    problem = request.problem
    every = np.broadcast_to(spin_states(problem.n), (problem.batch, 2**problem.n, problem.n))
    table = total_energy(problem, request.terms, every)
    for term in request.terms:
        if isinstance(term, Clamp):
            broken = (every != term.values[:, None, :]) & term.mask
            table = np.where(broken.any(axis=-1), np.inf, table)
    return table


def boltzmann(table: Floats, beta: float) -> Floats:
    """Return the probabilities (b, 2^n) of the states at inverse temperature `beta`."""
    weights = np.exp(-beta * (table - table.min(axis=1, keepdims=True)))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def spread(table: Floats) -> float:
    """Return the standard deviation of the allowed energies: 1 / spread is a moderate beta."""
    return float(np.std(table[np.isfinite(table)]))


@dataclass(frozen=True, eq=False)
class Statistics:
    """Means of some quantities, (b, q), and the variance of one draw of each, (b, q)."""

    mean: Floats
    variance: Floats


def quantities(states: Floats, energies: Floats) -> Floats:
    """Return s_i, s_i s_j for i < j and F, side by side, for states (b, r, n): (b, r, q)."""
    i, j = np.triu_indices(states.shape[-1], 1)
    return np.concatenate([states, states[..., i] * states[..., j], energies[..., None]], axis=-1)


def exact_statistics(request: SettleRequest, beta: float) -> Statistics:
    """Return mean and variance of the `quantities` under exp(−beta F)."""
    table = energy_table(request)
    p = boltzmann(table, beta)
    every = np.broadcast_to(spin_states(request.problem.n), (*table.shape, request.problem.n))
    values = quantities(every, np.where(np.isfinite(table), table, 0.0))
    mean = np.einsum("bs,bsq->bq", p, values)
    return Statistics(mean, np.einsum("bs,bsq->bq", p, values * values) - mean * mean)
