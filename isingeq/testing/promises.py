"""What each claim promises about an answer, asserted against a plain twin or by enumeration."""

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Backend, Claim, Equilibrium, SettleRequest, residual_of
from isingeq.problem import Problem
from isingeq.schedule import Annealing, Schedule
from isingeq.terms import Term
from isingeq.testing import instances
from isingeq.testing.enumeration import energy_table, exact_statistics, quantities, spread
from isingeq.testing.outcome import NotApplicable, expect
from isingeq.testing.reference import fixed_point

Floats = NDArray[np.floating]

READS = 2000
"""Enough for a beta that is off by a fifth to stand out by some eight standard errors."""


def claimed_problem(backend: Backend, *, seed: int = 1, rows: int = 3) -> Problem:
    """Return a problem on which the backend's claim can be checked.

    Raises:
        NotApplicable: nothing is claimed, or there is no oracle for these units.
    """
    c = backend.capabilities
    if c.claim is Claim.NONE:
        raise NotApplicable("claims nothing about its states")
    kind = instances.continuous(c) if c.claim is Claim.FIXED_POINT else instances.binary(c)
    return instances.make(c, kind, seed=seed, rows=rows)


def settle_as_claimed(
    backend: Backend,
    problem: Problem,
    *,
    terms: tuple[Term, ...] = (),
    warmth: float = 1.0,
    seed: int = 11,
) -> Equilibrium:
    """Settle the way the claim asks for: to a tolerance, at one beta, or as the backend suggests.

    `warmth` 1 is the temperature that equals the spread of the energies, for samplers.
    """
    c, schedule = backend.capabilities, backend.suggest_schedule(problem)
    if c.claim is Claim.FIXED_POINT:
        return backend.settle(
            SettleRequest(problem, terms, schedule=schedule, seed=seed, max_steps=5000)
        )
    if c.claim is Claim.BOLTZMANN:
        schedule = at_warmth(backend, problem, warmth) or schedule
        return backend.settle(
            SettleRequest(problem, terms, reads=READS, schedule=schedule, seed=seed)
        )
    return backend.settle(SettleRequest(problem, terms, reads=40, schedule=schedule, seed=seed))


def at_warmth(
    backend: Backend, problem: Problem, warmth: float, *, sweeps: int = 60
) -> Schedule | None:
    """Return the constant beta 1 / (warmth · spread of the energies), None where none is taken."""
    if Annealing not in backend.capabilities.schedules or not bool(instances.spins(problem).all()):
        return None
    return Annealing.constant(1 / (warmth * spread(energy_table(SettleRequest(problem)))), sweeps)


def expect_claim(backend: Backend, equilibrium: Equilibrium) -> None:
    """Assert that the answer is what the backend's claim promises for the question asked.

    Only for questions of `settle_as_claimed`, or of the same making.
    """
    match backend.capabilities.claim:
        case Claim.FIXED_POINT:
            _expect_fixed_point(equilibrium)
        case Claim.BOLTZMANN:
            _expect_boltzmann(equilibrium)
        case Claim.GROUND_STATE:
            _expect_ground_state(equilibrium)
        case Claim.NONE:
            raise NotApplicable("claims nothing about its states")


def _expect_fixed_point(equilibrium: Equilibrium) -> None:
    """Assert a small true residual and the twin's state, to what that residual allows."""
    request = equilibrium.request
    states = equilibrium.states.astype(np.float64)
    residual = residual_of(request, states)
    worst, allowed = float(residual.max()), 2 * request.tolerance + 1e-5
    expect(
        worst <= allowed,
        f"residual {worst:.2g} after {request.max_steps} steps, tolerance {request.tolerance:g}",
    )
    gap = float(np.abs(instances.apart(request.problem, states, fixed_point(request))).max())
    expect(
        gap <= 100 * worst + 1e-5,
        f"state is {gap:.2g} away from the only equilibrium, its residual is {worst:.2g}",
    )


def _expect_boltzmann(equilibrium: Equilibrium) -> None:
    """Assert first and second moments and mean energy within five standard errors."""
    beta = stated_beta(equilibrium)
    exact = exact_statistics(equilibrium.request, beta)
    values = quantities(np.asarray(equilibrium.states, np.float64), equilibrium.energies)
    weights = read_weights(equilibrium)
    mean, draws = np.einsum("br,brq->bq", weights, values), 1 / (weights**2).sum(axis=1)
    if equilibrium.weights is not None and equilibrium.provenance.kind == "exact":
        error = float(np.abs(mean - exact.mean).max())
        expect(
            error <= 1e-6,
            f"moments are {error:.2g} off exp(−{beta:g} F), and exact ones are claimed",
        )
        return
    scale = np.sqrt(exact.variance.max(axis=0, initial=0.0))
    standard = np.sqrt(np.maximum(exact.variance, 0.0) / draws[:, None]) + scale / draws[:, None]
    off = np.abs(mean - exact.mean) / np.maximum(standard, 1e-9)
    expect(
        off.max() <= 5,
        f"a moment is {off.max():.1f} standard errors off exp(−{beta:g} F), the mean energy "
        f"{off[:, -1].max():.1f}, with {values.shape[1]} reads",
    )


def stated_beta(equilibrium: Equilibrium) -> float:
    """Return the beta of the answer: the schedule's last, else the one in the provenance."""
    schedule = equilibrium.request.schedule
    if isinstance(schedule, Annealing):
        return schedule.betas[-1]
    beta = equilibrium.provenance.details.get("beta")
    expect(
        isinstance(beta, int | float),
        "claims BOLTZMANN without a schedule: provenance must hold a number `beta`",
    )
    assert isinstance(beta, int | float)
    return float(beta)


def _expect_ground_state(equilibrium: Equilibrium) -> None:
    """Assert the ground state in a read, most reads close to it, their mean far below random."""
    table = energy_table(equilibrium.request)
    allowed = np.where(np.isfinite(table), table, np.nan)
    lowest, random = np.nanmin(allowed, axis=1), np.nanmean(allowed, axis=1)
    height = (equilibrium.energies - lowest[:, None]) / (random - lowest)[:, None]
    weights = read_weights(equilibrium)
    expect(
        (height.min(axis=1) < 1e-5).all(), "the ground state of a sample is in none of its reads"
    )
    near, mean = (weights * (height < 0.1)).sum(axis=1).min(), (weights * height).sum(axis=1).max()
    expect(
        near > 0.5,
        f"{near:.0%} of the reads of a sample come within a tenth of the ground state, not most",
    )
    expect(
        mean < 0.25,
        f"mean energy lies {mean:.0%} of the way from the ground state up to random states",
    )


def ground_state_share(equilibrium: Equilibrium) -> float:
    """Return the share of reads that are the ground state, in the worst sample."""
    lowest = energy_table(equilibrium.request).min(axis=1, keepdims=True)
    found = equilibrium.energies <= lowest + 1e-6 * (1 + np.abs(lowest))
    return float((read_weights(equilibrium) * found).sum(axis=1).min())


def read_weights(equilibrium: Equilibrium) -> Floats:
    """Return the weights of the reads (b, r), equal where none are given."""
    shape = equilibrium.states.shape[:2]
    return np.full(shape, 1 / shape[1]) if equilibrium.weights is None else equilibrium.weights
