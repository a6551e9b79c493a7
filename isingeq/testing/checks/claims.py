"""The claim itself, and honesty about how far a relaxation got."""

from dataclasses import replace

import numpy as np

from isingeq.backend import Backend, Claim, Equilibrium, SettleRequest, residual_of
from isingeq.testing import instances
from isingeq.testing.outcome import NotApplicable, expect
from isingeq.testing.promises import at_warmth, claimed_problem, expect_claim, settle_as_claimed


def check_fixed_points_are_stationary(backend: Backend) -> None:
    """FIXED_POINT: it settles within 5000 steps where the equilibrium is unique, on that very state."""
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
    """FIXED_POINT: the residual reported is that of the states returned, terms included, settled or not."""
    _need(backend, Claim.FIXED_POINT)
    for answer in _at_several_depths(backend):
        if answer.residual is None:
            raise AssertionError("claims fixed points and reports no residual")
        true = residual_of(answer.request, answer.states.astype(np.float64))
        gap = float(np.abs(answer.residual - true).max())
        expect(
            np.allclose(answer.residual, true, rtol=1e-3, atol=1e-5),
            f"reported residual is {gap:.2g} off the exact one after {answer.request.max_steps} steps",
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
    answer = backend.settle(SettleRequest(claimed_problem(backend), tolerance=0.0, max_steps=7))
    if answer.steps is None:
        raise AssertionError("claims fixed points and does not count its steps")
    expect((answer.steps == 7).all(), f"tolerance 0 and max_steps 7 took {np.unique(answer.steps).tolist()} steps")


def check_double_precision_goes_deeper(backend: Backend) -> None:
    """FIXED_POINT: in float64 it reaches a residual of 1e-9; analog devices are excused."""
    _need(backend, Claim.FIXED_POINT)
    request = SettleRequest(claimed_problem(backend), tolerance=1e-9, max_steps=20_000, precision="float64")
    answer = backend.settle(request)
    if answer.provenance.kind in ("emulated", "real"):
        raise NotApplicable(f"a device, {answer.provenance.kind}")
    residual = float(residual_of(request, answer.states.astype(np.float64)).max())
    expect(residual <= 2e-9, f"asked for float64 and 1e-9, the residual is {residual:.2g}")


def check_moments_are_those_of_boltzmann(backend: Backend) -> None:
    """BOLTZMANN: moments and mean energy match enumeration at a warm and at a cold beta, neither of them 1."""
    _need(backend, Claim.BOLTZMANN)
    for seed, warmth in ((1, 1.5), (4, 0.6)):
        expect_claim(backend, settle_as_claimed(backend, claimed_problem(backend, seed=seed), warmth=warmth))


def check_ground_states_are_found(backend: Backend) -> None:
    """GROUND_STATE: small frustrated problems end in their ground state in most reads."""
    _need(backend, Claim.GROUND_STATE)
    for seed in (1, 4):
        expect_claim(backend, settle_as_claimed(backend, claimed_problem(backend, seed=seed)))


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
    """Return answers after 1 and 4 steps, settled, and nudged."""
    problem = claimed_problem(backend)
    terms = tuple(instances.nudges(backend.capabilities, problem).values())
    requests = [SettleRequest(problem, max_steps=steps, tolerance=1e-4) for steps in (1, 4, 5000)]
    requests += [SettleRequest(problem, terms, max_steps=steps, tolerance=1e-4) for steps in (1, 5000)]
    return [backend.settle(request) for request in requests]


def _mean_energy(answer: Equilibrium) -> np.ndarray:
    if answer.weights is None:
        return np.asarray(answer.energies.mean(axis=1))
    return np.asarray((answer.weights * answer.energies).sum(axis=1))


def _need(backend: Backend, claim: Claim) -> None:
    if backend.capabilities.claim is not claim:
        raise NotApplicable(f"claims {backend.capabilities.claim.value}")
