"""The suite itself: one list of checks in two forms, and problems that are as hard as they say."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from isingeq.backend import Claim, SettleRequest
from isingeq.couplings import Dense
from isingeq.errors import BackendError, DivergenceError
from isingeq.problem import Problem
from isingeq.testing import (
    BackendConformance,
    NotApplicable,
    PlainRelaxation,
    PlainSampler,
    instances,
    run_conformance,
)
from isingeq.testing.broken import Broken
from isingeq.testing.checks import CHECKS, name_of
from isingeq.testing.enumeration import energy_table, exact_statistics, spin_states
from isingeq.testing.reference import RELAXES, SAMPLES, fixed_point
from isingeq.units import Layer, Spin


@pytest.fixture(scope="module")
def sampler():
    return PlainSampler()


@pytest.fixture(scope="module")
def results(sampler):
    return run_conformance(sampler)


def test_both_forms_hold_the_same_checks(results):
    methods = [name for name in vars(BackendConformance) if name.startswith("test_")]
    assert methods == [f"test_{name_of(check)}" for check in CHECKS]
    assert [result.name for result in results] == [name_of(check) for check in CHECKS]
    assert len(set(methods)) == len(methods) > 40
    assert name_of(CHECKS[-1]) == "a_closed_backend_refuses"


def test_every_check_says_what_it_checks():
    assert [name_of(check) for check in CHECKS if not check.__doc__] == []


def test_what_is_not_claimed_is_named_with_a_reason(results):
    reasons = {r.name: r.message for r in results if r.outcome == "not applicable"}
    assert reasons["fixed_points_are_stationary"] == "claims boltzmann"
    assert reasons["trace_has_its_shapes"] == "no traces"
    assert all(reasons.values())


def test_a_claim_that_is_dropped_is_not_checked_and_one_that_is_added_is():
    modest = PlainSampler(capabilities=replace(SAMPLES, claim=Claim.NONE))
    outcomes = {result.name: result.outcome for result in run_conformance(modest)}
    assert outcomes["moments_are_those_of_boltzmann"] == "not applicable"
    boastful = PlainSampler(capabilities=replace(SAMPLES, traces=True))
    outcomes = {result.name: result.outcome for result in run_conformance(boastful)}
    assert outcomes["trace_has_its_shapes"] == "failed"


def test_an_error_that_no_check_expects_is_a_failure_that_names_it():
    def diverges(sound, request):
        raise DivergenceError("state ran away at step 3")

    results = {r.name: r for r in run_conformance(Broken(PlainRelaxation(), diverges))}
    failed = results["states_have_the_shape_asked_for"]
    assert (failed.outcome, failed.message) == (
        "failed",
        "DivergenceError: state ran away at step 3",
    )


def test_the_runner_leaves_the_backend_closed(results, sampler):
    with pytest.raises(BackendError, match="closed"):
        sampler.settle(SettleRequest(instances.make(SAMPLES, "spin")))


def test_the_runner_works_without_pytest():
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "from isingeq.testing import PlainSampler, run_conformance\n"
        "print(sum(r.outcome == 'passed' for r in run_conformance(PlainSampler())))"
    )
    done = subprocess.run(
        [sys.executable, "-O", "-c", code], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 30


@pytest.mark.parametrize("kind", ["amplitude", "logistic"])
def test_continuous_problems_have_one_equilibrium_and_reach_both_walls(kind):
    problem = instances.make(RELAXES, kind)
    states = fixed_point(SettleRequest(problem))
    rng = np.random.default_rng(0)
    starts = instances.states(problem, rng)
    other = PlainRelaxation().settle(
        SettleRequest(problem, initial=starts, tolerance=1e-10, max_steps=5000)
    )
    np.testing.assert_allclose(states, other.states, atol=1e-8)
    low, high = problem.bounds
    inside = (states > low + 1e-6) & (states < high - 1e-6)
    assert inside.mean() > 0.3
    if kind == "amplitude":
        assert (states < low + 1e-6).any()
        assert (states > high - 1e-6).any()


@pytest.mark.parametrize("seed", range(4))
def test_spin_problems_are_frustrated_and_not_symmetric(seed):
    problem = instances.make(SAMPLES, "spin", seed=seed)
    table = energy_table(SettleRequest(problem))
    best = spin_states(problem.n)[table.argmin(axis=1)]
    J = instances.matrix(problem.couplings, problem.n)
    unhappy = (J[None] * best[:, :, None] * best[:, None, :] > 0).any(axis=(1, 2))
    assert unhappy.all(), "in the ground state some coupling is not satisfied"
    assert (np.abs(problem.fields) > 0).all()
    assert not np.allclose(problem.fields[0], problem.fields[1])
    np.testing.assert_array_less(1e-3, np.abs(exact_statistics(SettleRequest(problem), 0.7).mean))


def test_exact_statistics_of_one_coupling():
    """Two spins, E = h s0 + J s0 s1: ⟨s0⟩ = −tanh βh, ⟨s0 s1⟩ = −tanh βJ, ⟨s1⟩ = their product."""
    h, J, beta = 0.4, -0.9, 1.7
    problem = Problem(
        (Layer("a", 1, Spin()), Layer("b", 1, Spin())),
        (Dense((0, 1), (1, 2), np.array([[J]])),),
        np.array([[h, 0.0]]),
    )
    mean = exact_statistics(SettleRequest(problem), beta).mean[0]
    s0, both = -np.tanh(beta * h), -np.tanh(beta * J)
    np.testing.assert_allclose(mean, [s0, s0 * both, both, h * s0 + J * both], rtol=1e-12)


def test_not_applicable_is_shown_as_a_skip():
    with pytest.raises(NotApplicable, match="no continuous units"):
        instances.continuous(SAMPLES)
