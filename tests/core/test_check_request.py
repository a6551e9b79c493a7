"""What a backend does not have, and what does not fit together, is refused before any work."""

from dataclasses import replace

import numpy as np
import pytest

from isingeq.backend import (
    Backend,
    Capabilities,
    Claim,
    Equilibrium,
    Provenance,
    SettleRequest,
    check_request,
    residual_of,
)
from isingeq.couplings import Dense, Edges
from isingeq.errors import CapabilityError, ProblemError
from isingeq.problem import Problem
from isingeq.schedule import Annealing, Relaxation
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge
from isingeq.units import Amplitude, Layer, Spin

B, N = 2, 5
ALL = Capabilities(
    units=frozenset({"amplitude"}),
    couplings=frozenset({"dense"}),
    claim=Claim.FIXED_POINT,
    terms=frozenset({LinearNudge, QuadraticNudge, Clamp}),
    schedules=frozenset({Relaxation}),
    traces=True,
)


def problem(J=0.25, fields=0.5):
    layers = (Layer("a", 2, Amplitude()), Layer("b", 3, Amplitude(-np.inf, np.inf)))
    return Problem(layers, (Dense((0, 2), (2, 5), np.full((2, 3), J)),), np.full((B, N), fields))


def request(**changes):
    return SettleRequest(problem(), **changes)


def refuse(error, said, *, asked=None, **has):
    with pytest.raises(error, match=said):
        check_request("box", replace(ALL, **has), asked or request())


def test_what_it_has_passes():
    states = np.full((B, 3, N), 0.5)
    terms = (
        LinearNudge(np.ones((B, N))),
        QuadraticNudge((2, 5), np.ones((B, 3)), np.array([1.0, -0.5])),
        Clamp(np.array([True] * 2 + [False] * 3), np.full((B, N), 0.5)),
    )
    schedule = Relaxation("synchronous", 1.0, (1.0, 1.0))
    asked = request(
        terms=terms,
        reads=3,
        initial=states,
        schedule=schedule,
        trace=True,
        tolerance=0.0,
        precision="float64",
    )
    has = replace(
        ALL,
        max_units=N,
        field_range=(-1, 1),
        coupling_range=(0, 0.25),
        field_step=0.5,
        coupling_step=0.125,
    )
    check_request("box", has, asked)


def test_units_that_it_does_not_hold():
    refuse(
        CapabilityError, "box cannot take amplitude units; it takes spin", units=frozenset({"spin"})
    )


def test_couplings_that_it_does_not_hold():
    refuse(CapabilityError, "dense couplings; it takes conv", couplings=frozenset({"conv"}))


def test_edges_stand_for_every_kind_of_coupling():
    check_request("box", replace(ALL, couplings=frozenset({"edges"})), request())


def test_dense_does_not_stand_for_edges():
    edges = Edges(N, np.array([0]), np.array([3]), np.ones(1))
    asked = SettleRequest(Problem(problem().layers, (edges,), problem().fields))
    refuse(CapabilityError, "edges couplings", asked=asked)


def test_more_units_than_it_holds():
    refuse(CapabilityError, "5 units; it takes at most 4", max_units=4)


def test_terms_that_it_does_not_take():
    asked = request(terms=(LinearNudge(np.zeros((B, N))),))
    refuse(
        CapabilityError,
        "LinearNudge; it takes Clamp, QuadraticNudge",
        asked=asked,
        terms=frozenset({Clamp, QuadraticNudge}),
    )
    refuse(CapabilityError, "it takes none", asked=asked, terms=frozenset())


def test_schedules_that_it_does_not_take():
    refuse(
        CapabilityError,
        "kind Annealing; it takes Relaxation",
        asked=request(schedule=Annealing((1.0,))),
    )
    asked = request(schedule=Relaxation("synchronous", 1.0, (1.0, 1.0)))
    refuse(CapabilityError, "it takes none", asked=asked, schedules=frozenset())


def test_traces_that_it_does_not_write():
    refuse(CapabilityError, "trace", asked=request(trace=True), traces=False)


def test_a_start_that_it_does_not_take():
    refuse(
        CapabilityError,
        "initial states",
        asked=request(initial=np.zeros((B, 1, N))),
        warm_start=False,
    )


def test_complex_nudging_that_it_does_not_do():
    refuse(CapabilityError, "complex nudging", asked=request(precision="complex128"))
    spring = QuadraticNudge((2, 5), np.ones((B, 3)), np.array([1j, 1]))
    refuse(CapabilityError, "complex nudging", asked=request(terms=(spring,)))
    refuse(
        ProblemError,
        "needs precision complex128",
        asked=request(terms=(spring,)),
        complex_nudging=True,
    )
    check_request(
        "box", replace(ALL, complex_nudging=True), request(terms=(spring,), precision="complex128")
    )


@pytest.mark.parametrize("allowed", [(-1.0, 0.4), (0.6, 1.0)])
def test_fields_out_of_range(allowed):
    refuse(CapabilityError, r"holds fields in .* the problem has \[0.5, 0.5\]", field_range=allowed)


@pytest.mark.parametrize("allowed", [(-1.0, 0.2), (0.3, 1.0)])
def test_couplings_out_of_range(allowed):
    refuse(
        CapabilityError,
        r"holds couplings in .* the problem has \[0.25, 0.25\]",
        coupling_range=allowed,
    )


def test_values_between_steps():
    refuse(CapabilityError, "fields in steps of 0.2", field_step=0.2)
    refuse(CapabilityError, "couplings in steps of 0.1", coupling_step=0.1)


@pytest.mark.parametrize(
    "bad",
    [
        {"reads": 0},
        {"max_steps": 0},
        {"tolerance": -1e-9},
        {"tolerance": np.nan},
        {"seed": -1},
        {"precision": "float16"},
    ],
)
def test_numbers_that_make_no_sense(bad):
    refuse(ProblemError, next(iter(bad)), asked=request(**bad))


@pytest.mark.parametrize("shape", [(B, N), (B, 2, N), (B, 1, N + 1), (B + 1, 1, N)])
def test_a_start_of_another_shape(shape):
    refuse(ProblemError, r"need \(b, r, n\) = \(2, 1, 5\)", asked=request(initial=np.zeros(shape)))


@pytest.mark.parametrize("bad", [np.nan, -0.01, 1.01, np.inf])
def test_a_start_outside_the_box(bad):
    start = np.full((B, 1, N), 0.5)
    start[1, 0, 1] = bad
    refuse(ProblemError, "initial states of units", asked=request(initial=start))


def test_a_start_anywhere_where_there_are_no_walls():
    start = np.full((B, 1, N), 0.5)
    start[:, :, 2:] = 1e6
    check_request("box", ALL, request(initial=start))
    start[0, 0, 4] = np.nan
    refuse(ProblemError, "initial states of units", asked=request(initial=start))


def test_a_start_beyond_the_wall_by_a_rounding_is_taken():
    start = np.full((B, 1, N), np.nextafter(np.float32(1), np.float32(2)), np.float32)
    check_request("box", ALL, request(initial=start))


@pytest.mark.parametrize(
    "term",
    [
        LinearNudge(np.zeros((B, N + 1))),
        LinearNudge(np.zeros((1, N))),
        QuadraticNudge((2, 5), np.zeros((B + 1, 3)), np.ones(B + 1)),
        QuadraticNudge((3, 6), np.zeros((B, 3)), np.ones(B)),
        QuadraticNudge((-1, 1), np.zeros((B, 2)), np.ones(B)),
        QuadraticNudge((5, 5), np.zeros((B, 0)), np.ones(B)),
        Clamp(np.zeros(N + 1, bool), np.zeros((B, N))),
        Clamp(np.zeros(N, bool), np.zeros((B + 1, N))),
    ],
)
def test_a_term_that_does_not_fit(term):
    refuse(
        ProblemError,
        f"{type(term).__name__} does not fit a problem of b = 2",
        asked=request(terms=(term,)),
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_nudge_that_is_not_finite(bad):
    force, targets, strength = np.zeros((B, N)), np.zeros((B, 3)), np.ones(B)
    refuse(
        ProblemError,
        "NaN or infinity",
        asked=request(terms=(LinearNudge(np.full_like(force, bad)),)),
    )
    refuse(
        ProblemError,
        "NaN or infinity",
        asked=request(terms=(QuadraticNudge((2, 5), targets + bad, strength),)),
    )
    refuse(
        ProblemError,
        "NaN or infinity",
        asked=request(terms=(QuadraticNudge((2, 5), targets, strength * bad),)),
    )


def test_a_clamp_outside_the_box_counts_on_clamped_units_only():
    values = np.full((B, N), 0.5)
    values[0, 1] = 1.5
    held = Clamp(np.array([True, True, False, False, False]), values)
    free = Clamp(np.array([True, False, False, False, False]), values)
    refuse(ProblemError, "clamped values of units", asked=request(terms=(held,)))
    check_request("box", ALL, request(terms=(free,)))


def test_residual_of_counts_terms():
    spring = QuadraticNudge((2, 5), np.zeros((B, 3)), np.array([0.0, 2.0]))
    states = np.full((B, 1, N), 0.5)
    asked = request(terms=(spring,))
    slope = problem().gradient(states) + spring.gradient(states)
    np.testing.assert_array_equal(residual_of(asked, states), problem().residual(states, slope))
    assert residual_of(asked, states)[1, 0] > problem().residual(states)[1, 0]


def test_an_equilibrium_knows_mean_energy_and_whether_it_settled():
    states = np.random.default_rng(0).uniform(0, 1, (B, 3, N))
    weights = np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]])
    terms = (LinearNudge(np.ones((B, N))),)
    found = Equilibrium(
        request(terms=terms, reads=3),
        states,
        Provenance("box", "exact", 3),
        residual=np.array([[0, 1e-4, 2e-4]] * 2),
    )
    np.testing.assert_allclose(found.energies, problem().energy(states) - states.sum(axis=-1))
    np.testing.assert_allclose(found.mean(), states.mean(axis=1))
    np.testing.assert_array_equal(found.settled, [[True, True, False]] * 2)
    weighted = replace(found, weights=weights).mean()
    np.testing.assert_allclose(weighted, (weights[..., None] * states).sum(axis=1))
    assert found.provenance.as_dict() == {"backend": "box", "kind": "exact", "seed": 3}


def test_the_protocol_can_be_asked_for_at_run_time():
    assert not isinstance(object(), Backend)


def test_spins_start_within_their_bounds():
    spins = Problem((Layer("s", 2, Spin()),), (), np.zeros((1, 2)))
    has = replace(ALL, units=frozenset({"spin"}))
    check_request("box", has, SettleRequest(spins, initial=np.array([[[1.0, -1.0]]])))
    with pytest.raises(ProblemError, match="outside"):
        check_request("box", has, SettleRequest(spins, initial=np.array([[[1.0, -1.1]]])))
