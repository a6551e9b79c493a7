"""Initial states are used.

Relaxations are asked as in a nudged phase: in the free phase a machine may shake itself first.
"""

from dataclasses import replace

import numpy as np

from isingeq.backend import Backend, Claim, SettleRequest
from isingeq.problem import Problem
from isingeq.schedule import Annealing
from isingeq.terms import LinearNudge
from isingeq.testing import instances
from isingeq.testing.outcome import NotApplicable, expect
from isingeq.testing.promises import claimed_problem, settle_as_claimed


def check_an_equilibrium_is_at_once_settled(backend: Backend) -> None:
    """FIXED_POINT: started at its own settled answer it takes at most one step and stays."""
    _need(backend, Claim.FIXED_POINT)
    problem = claimed_problem(backend)
    settled = settle_as_claimed(backend, problem, terms=_no_force(backend, problem))
    again = backend.settle(replace(settled.request, initial=settled.states))
    gap = float(np.abs(instances.apart(problem, again.states, settled.states)).max())
    expect(gap <= 2 * settled.request.tolerance, f"started at an equilibrium it moved by {gap:.2g}")
    if again.steps is not None:
        expect(
            again.steps.max() <= 1, f"started at an equilibrium it took {again.steps.max()} steps"
        )


def check_a_valley_is_not_left(backend: Backend) -> None:
    """FIXED_POINT: with two stable equilibria, each row stays in the one it starts in."""
    _need(backend, Claim.FIXED_POINT)
    problem, valleys = instances.two_valleys(backend.capabilities)
    answer = backend.settle(
        SettleRequest(problem, _no_force(backend, problem), initial=valleys, max_steps=1000)
    )
    expect(
        np.abs(instances.apart(problem, answer.states, valleys)).max() <= 1e-2,
        "two rows that start in different stable equilibria do not stay there: initial is not used",
    )


def check_a_cold_start_stays_in_its_well(backend: Backend) -> None:
    """Samplers: at a very cold beta, reads that start in a local minimum end there."""
    _need(backend, Claim.BOLTZMANN, Claim.GROUND_STATE)
    if Annealing not in backend.capabilities.schedules:
        raise NotApplicable("takes no betas")
    instances.binary(backend.capabilities)
    problem, well, beta = instances.two_wells(backend.capabilities)
    request = SettleRequest(
        problem, reads=8, schedule=Annealing.constant(beta, 10), seed=5, initial=well
    )
    answer = backend.settle(request)
    if answer.weights is not None:
        raise NotApplicable("weighted states instead of draws")
    expect(
        np.array_equal(answer.states, well),
        "reads left a local minimum at a very cold beta: initial is not used",
    )


def _need(backend: Backend, *claims: Claim) -> None:
    if backend.capabilities.claim not in claims:
        raise NotApplicable(f"claims {backend.capabilities.claim.value}")
    if not backend.capabilities.warm_start:
        raise NotApplicable("takes no initial states")


def _no_force(backend: Backend, problem: Problem) -> tuple[LinearNudge, ...]:
    """Return a nudge without force, where the backend takes one."""
    return (
        (LinearNudge(np.zeros(problem.fields.shape)),)
        if LinearNudge in backend.capabilities.terms
        else ()
    )
