"""The claim itself, and honesty about how far a relaxation got."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Backend, Claim, Equilibrium, SettleRequest, residual_of
from isingeq.problem import Problem
from isingeq.testing import instances
from isingeq.testing.enumeration import energy_table
from isingeq.testing.outcome import NotApplicable, expect
from isingeq.testing.promises import (
    at_warmth,
    claimed_problem,
    expect_claim,
    ground_state_share,
    read_weights,
    settle_as_claimed,
)


def check_fixed_points_are_stationary(backend: Backend) -> None:
    """FIXED_POINT: where the equilibrium is unique it settles there, within 5000 steps."""
    _need(backend, Claim.FIXED_POINT)
    for seed in (1, 4):
        expect_claim(backend, settle_as_claimed(backend, claimed_problem(backend, seed=seed)))


def check_every_continuous_kind_of_unit_settles(backend: Backend) -> None:
    """FIXED_POINT: amplitudes and logistic units alike, where held."""
    _need(backend, Claim.FIXED_POINT)
    c = backend.capabilities
    for kind in instances.kinds(c):
        if kind != "spin":
            expect_claim(backend, settle_as_claimed(backend, instances.make(c, kind, seed=6)))


def check_the_residual_is_the_exact_one(backend: Backend) -> None:
    """FIXED_POINT: the residual is that of the states returned, with terms, settled or not."""
    _need(backend, Claim.FIXED_POINT)
    for answer in _at_several_depths(backend):
        if answer.residual is None:
            raise AssertionError("claims fixed points and reports no residual")
        true = residual_of(answer.request, answer.states.astype(np.float64))
        gap = float(np.abs(answer.residual - true).max())
        expect(
            np.allclose(answer.residual, true, rtol=1e-3, atol=1e-5),
            f"residual is {gap:.2g} off the exact one, max_steps {answer.request.max_steps}",
        )


def check_unsettled_is_reported(backend: Backend) -> None:
    """FIXED_POINT: `settled` is True exactly where the true residual is within the tolerance."""
    _need(backend, Claim.FIXED_POINT)
    for answer in _at_several_depths(backend):
        true = residual_of(answer.request, answer.states.astype(np.float64))
        settled, tolerance = answer.settled, answer.request.tolerance
        if settled is None:
            raise AssertionError("claims fixed points and does not say whether they are settled")
        clear = np.abs(true - tolerance) > 1e-5
        expect(
            np.array_equal(settled[clear], (true <= tolerance)[clear]),
            f"settled is not what the residual {true.max():.2g} says at tolerance {tolerance:g}",
        )


def check_tolerance_zero_runs_all_steps(backend: Backend) -> None:
    """FIXED_POINT: tolerance 0 uses exactly `max_steps`, for comparisons at equal work."""
    _need(backend, Claim.FIXED_POINT)
    answer = backend.settle(SettleRequest(claimed_problem(backend), tolerance=0.0, max_steps=150))
    if answer.steps is None:
        raise AssertionError("claims fixed points and does not count its steps")
    expect(
        (answer.steps == 150).all(),
        f"tolerance 0 and max_steps 150 took {np.unique(answer.steps).tolist()} steps",
    )


def check_double_precision_goes_deeper(backend: Backend) -> None:
    """FIXED_POINT: in float64 it reaches a residual of 1e-9; analog devices are excused."""
    _need(backend, Claim.FIXED_POINT)
    request = SettleRequest(
        claimed_problem(backend), tolerance=1e-9, max_steps=20_000, precision="float64"
    )
    answer = backend.settle(request)
    if answer.provenance.kind in ("emulated", "real"):
        raise NotApplicable(f"a device, {answer.provenance.kind}")
    residual = float(residual_of(request, answer.states.astype(np.float64)).max())
    expect(residual <= 2e-9, f"asked for float64 and 1e-9, the residual is {residual:.2g}")


def check_moments_are_those_of_boltzmann(backend: Backend) -> None:
    """BOLTZMANN: moments and mean energy match enumeration at a warm and at a cold beta."""
    _need(backend, Claim.BOLTZMANN)
    for seed, warmth in ((1, 1.5), (4, 0.6)):
        expect_claim(
            backend, settle_as_claimed(backend, claimed_problem(backend, seed=seed), warmth=warmth)
        )


def check_ground_states_are_found(backend: Backend) -> None:
    """GROUND_STATE: frustrated problems with a gap end in their ground state in most reads."""
    _need(backend, Claim.GROUND_STATE)
    for seed in (1, 4):
        answer = settle_as_claimed(backend, _gapped(claimed_problem(backend, seed=seed, rows=12)))
        expect_claim(backend, answer)
        share = ground_state_share(answer)
        expect(
            share > 0.5, f"the ground state is in {share:.0%} of the reads of a sample, not in most"
        )


def check_the_schedule_is_followed(backend: Backend) -> None:
    """Where betas are taken: a hot schedule gives a clearly higher mean energy than a cold one."""
    c = backend.capabilities
    if c.claim not in (Claim.BOLTZMANN, Claim.GROUND_STATE):
        raise NotApplicable("not a sampler")
    problem = claimed_problem(backend)
    hot, cold = at_warmth(backend, problem, 5.0), at_warmth(backend, problem, 0.2)
    if hot is None or cold is None:
        raise NotApplicable("takes no betas")
    request = SettleRequest(problem, reads=200, seed=9)
    warm, frozen = (backend.settle(replace(request, schedule=schedule)) for schedule in (hot, cold))
    gap = _mean_energy(warm) - _mean_energy(frozen)
    spread = warm.energies.std(axis=1)
    expect((gap > 0.5 * spread).all(), "mean energies at a hot and at a cold beta do not differ")


def _at_several_depths(backend: Backend) -> list[Equilibrium]:
    """Return answers cut short, settled, nudged, and where couplings are strong."""
    c, problem = backend.capabilities, claimed_problem(backend)
    terms = tuple(instances.nudges(c, problem).values())
    strong = instances.make(c, instances.continuous(c), strength=4.0)
    requests = [SettleRequest(problem, max_steps=steps) for steps in (1, 4, 5000)]
    requests += [SettleRequest(problem, terms, max_steps=steps) for steps in (1, 5000)]
    requests += [SettleRequest(strong, max_steps=60)]
    return [backend.settle(request) for request in requests]


def _gapped(problem: Problem) -> Problem:
    """Return the problem with the three rows of the widest gap between the two lowest energies."""
    lowest = np.sort(energy_table(SettleRequest(problem)), axis=1)
    return problem.with_fields(problem.fields[np.argsort(lowest[:, 0] - lowest[:, 1])[:3]])


def _mean_energy(answer: Equilibrium) -> NDArray[np.floating]:
    return np.asarray((read_weights(answer) * answer.energies).sum(axis=1))


def _need(backend: Backend, claim: Claim) -> None:
    if backend.capabilities.claim is not claim:
        raise NotApplicable(f"claims {backend.capabilities.claim.value}")
