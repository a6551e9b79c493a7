"""Phases: couplings by cosines, injection, nudges and means, each by hand and by finite differences."""

import numpy as np
import pytest

from isingeq.backend import (
    Capabilities,
    Claim,
    Equilibrium,
    Provenance,
    SettleRequest,
    check_request,
)
from isingeq.couplings import Cosine, Dense, Edges, Injection
from isingeq.errors import CapabilityError, ProblemError
from isingeq.problem import Problem
from isingeq.terms import (
    Clamp,
    CosineNudge,
    LinearNudge,
    LogCosNudge,
    QuadraticNudge,
    total_energy,
    total_gradient,
)
from isingeq.units import Amplitude, Layer, Phase

N, B, R = 6, 3, 2
RNG = np.random.default_rng(0)
DENSE = Cosine(Dense((1, 4), (4, 6), RNG.normal(size=(3, 2))))
RING = Cosine(Edges(N, np.array([0, 1, 0, 2]), np.array([1, 2, 2, 5]), RNG.normal(size=4)))
INJECTION = Injection(RNG.normal(size=N))
EVERY = pytest.mark.parametrize(
    "coupling", [DENSE, RING, INJECTION], ids=["dense", "ring", "injection"]
)
STATES = RNG.uniform(-4, 4, (B, R, N))
FIELDS = RNG.normal(size=(B, N, 2))
LAYERS = (Layer("a", 4, Phase()), Layer("b", 2, Phase()))
PROBLEM = Problem(LAYERS, (DENSE, RING, INJECTION), FIELDS, offset=0.3)
LINEAR = LinearNudge(RNG.normal(size=(B, N, 2)))
SPRING = CosineNudge((4, 6), RNG.choice([-1.0, 1.0], (B, 2)), np.array([0.5, -0.3, 2.0]))
PULL = LogCosNudge((4, 6), RNG.uniform(-1, 1, (B, 2)), np.array([0.5, -0.3, 2.0]))
TERMS = pytest.mark.parametrize(
    "term", [LINEAR, SPRING, PULL], ids=lambda term: type(term).__name__
)


def slopes(energy, states, step=1e-6):
    out = np.empty_like(states)
    for unit in range(states.shape[-1]):
        moved = np.zeros(states.shape[-1])
        moved[unit] = step
        out[..., unit] = (energy(states + moved) - energy(states - moved)) / (2 * step)
    return out


@pytest.mark.parametrize("coupling", [DENSE, RING], ids=["dense", "ring"])
def test_energy_is_the_sum_of_cosines_of_differences(coupling):
    expected = sum(
        J * np.cos(STATES[..., i] - STATES[..., j])
        for i, j, J in zip(*coupling.edges(), strict=True)
    )
    np.testing.assert_allclose(coupling.energy(STATES), expected, atol=1e-13)


def test_injection_is_the_second_harmonic_in_the_problems_sign():
    one = Injection(np.array([-0.5, 2.0]))
    at = np.array([[0.0, 0.0], [np.pi / 2, 0.0], [np.pi, np.pi / 4]])
    np.testing.assert_allclose(one.energy(at), [1.5, 2.5, -0.5], atol=1e-15)


@EVERY
def test_field_is_the_slope_of_the_energy(coupling):
    np.testing.assert_allclose(coupling.field(STATES), slopes(coupling.energy, STATES), atol=1e-8)
    assert coupling.field(STATES.astype(np.float32)).dtype == np.float32


@EVERY
def test_moments_are_the_slope_with_respect_to_each_parameter(coupling):
    states, weights = STATES[:, 0], np.array([0.7, -1.1, 0.4])
    found = coupling.moments(states, weights)

    def made(values):
        if isinstance(coupling, Injection):
            return Injection(values)
        if coupling is DENSE:
            return Cosine(Dense(DENSE.of.a, DENSE.of.b, values))
        return Cosine(Edges(N, RING.of.i, RING.of.j, values))

    values = coupling.K if isinstance(coupling, Injection) else coupling.of.J
    assert found.shape == values.shape
    for at in np.ndindex(values.shape):
        one = np.zeros(values.shape)
        one[at] = 1.0  # the energy is linear in its parameters
        assert found[at] == pytest.approx(weights @ made(one).energy(states), abs=1e-12)


def test_gathered_edge_moments_are_the_moments():
    weights = np.array([0.7, -1.1, 0.4])
    for coupling in (DENSE, RING):
        i, j, _ = coupling.edges()
        cosines = np.cos(STATES[:, 0][:, i] - STATES[:, 0][:, j])
        np.testing.assert_allclose(
            coupling.gather(weights @ cosines), coupling.moments(STATES[:, 0], weights), atol=1e-12
        )


def test_kinds_versions_and_structures_are_those_of_the_coupling_inside():
    assert (DENSE.kind, RING.kind, INJECTION.kind) == ("cosine dense", "cosine edges", "injection")
    assert DENSE.version == DENSE.of.version
    assert DENSE.structure != DENSE.of.structure
    assert DENSE.structure == Cosine(Dense((1, 4), (4, 6), np.zeros((3, 2)))).structure
    assert (DENSE.pairwise, INJECTION.pairwise) == (True, False)


def test_injection_has_no_edges():
    with pytest.raises(CapabilityError, match="not pairwise"):
        INJECTION.edges()
    with pytest.raises(CapabilityError, match="not pairwise"):
        INJECTION.gather(np.zeros(1))


@pytest.mark.parametrize("inside", [INJECTION, DENSE])
def test_a_cosine_is_made_of_a_plain_pairwise_coupling(inside):
    with pytest.raises(ProblemError, match="plain pairwise"):
        Cosine(inside)


@pytest.mark.parametrize("bad", [np.array([np.nan]), np.array([np.inf, 0]), np.zeros((1, 2))])
def test_injections_that_make_no_sense_are_refused(bad):
    with pytest.raises(ProblemError, match="one finite strength"):
        Injection(bad)


def test_gradient_of_a_problem_is_the_slope_of_its_energy():
    np.testing.assert_allclose(PROBLEM.gradient(STATES), slopes(PROBLEM.energy, STATES), atol=1e-8)
    assert PROBLEM.angular


def test_energy_of_fields_by_hand():
    one = Problem((Layer("a", 1, Phase()),), (), np.array([[[2.0, -3.0]]]))
    assert one.energy(np.array([[[np.pi / 2]]])) == pytest.approx(-3.0)
    assert one.energy(np.array([[[np.pi]]])) == pytest.approx(-2.0)


def test_residual_of_phases_is_the_largest_slope():
    np.testing.assert_allclose(
        PROBLEM.residual(STATES), np.abs(PROBLEM.gradient(STATES)).max(axis=-1), rtol=1e-12
    )


def test_phases_and_plain_couplings_do_not_mix():
    with pytest.raises(ProblemError, match="take Cosine"):
        Problem(LAYERS, (DENSE.of,), FIELDS)
    layers = (Layer("a", 4, Amplitude()), Layer("b", 2, Amplitude()))
    with pytest.raises(ProblemError, match="take Cosine"):
        Problem(layers, (DENSE,), FIELDS[..., 0])


@TERMS
def test_gradient_of_a_term_is_the_slope_of_its_energy(term):
    term.check(PROBLEM)
    assert term.energy(STATES).shape == (B, R)
    np.testing.assert_allclose(term.gradient(STATES), slopes(term.energy, STATES), atol=1e-7)


def test_nudges_by_hand():
    at = np.array([[[0.3, np.pi / 3]]])
    force = LinearNudge(np.array([[[1.0, 0.0], [0.0, 2.0]]]))
    assert force.energy(at) == pytest.approx(-np.cos(0.3) - 2 * np.sin(np.pi / 3))
    spring = CosineNudge((1, 2), np.array([[-1.0]]), np.array([4.0]))
    assert spring.energy(at) == pytest.approx(0.5 * 4 * 1.5**2)
    pull = LogCosNudge((1, 2), np.array([[np.pi / 3]]), np.array([4.0]))
    assert pull.energy(at) == pytest.approx(-4 * np.log(2), rel=1e-5)


def test_log_cosine_pulls_hardest_next_to_the_opposite_point():
    term = LogCosNudge((0, 1), np.array([[0.5]]), np.array([1.0]))
    away = 0.5 + np.array([0.5, 1.5, 2.5, 3.1])
    pulls = term.gradient(away[:, None, None])[:, 0, 0]
    np.testing.assert_allclose(pulls, np.tan((away - 0.5) / 2), rtol=2e-2)
    assert np.isfinite(term.energy(np.array([[[0.5 + np.pi]]]))).all()


def test_totals_add_up():
    terms = (LINEAR, SPRING, PULL)
    whole = PROBLEM.energy(STATES) + sum(term.energy(STATES) for term in terms)
    np.testing.assert_allclose(total_energy(PROBLEM, terms, STATES), whole)
    held = Clamp(np.arange(N) < 2, np.zeros((B, N)))
    slope = total_gradient(PROBLEM, (*terms, held), STATES)
    assert (slope[..., :2] == 0).all()
    assert (slope[..., 2:] != 0).all()


@pytest.mark.parametrize(
    "term",
    [
        LinearNudge(np.zeros((B, N))),
        QuadraticNudge((4, 6), np.zeros((B, 2)), np.ones(B)),
        CosineNudge((5, 7), np.zeros((B, 2)), np.ones(B)),
        LogCosNudge((4, 6), np.zeros((B + 1, 2)), np.ones(B + 1)),
        CosineNudge((4, 6), np.full((B, 2), np.nan), np.ones(B)),
    ],
)
def test_terms_that_do_not_fit_phases_are_refused(term):
    with pytest.raises(ProblemError):
        term.check(PROBLEM)


def test_nudges_of_phases_are_refused_elsewhere():
    plain = Problem((Layer("a", 6, Amplitude()),), (), np.zeros((B, N)))
    for term in (SPRING, PULL, LINEAR):
        with pytest.raises(ProblemError):
            term.check(plain)


@pytest.mark.parametrize("kind", [CosineNudge, LogCosNudge])
def test_complex_strengths_are_refused(kind):
    c = Capabilities(
        frozenset({"phase"}),
        frozenset({"edges", "injection"}),
        Claim.FIXED_POINT,
        frozenset({kind}),
    )
    term = kind((4, 6), np.zeros((B, 2)), 1j * np.ones(B))
    with pytest.raises(CapabilityError, match="complex"):
        check_request("plain", c, SettleRequest(PROBLEM, (term,)))


def test_mean_of_phases_is_the_angle_of_their_mean_point():
    problem = Problem((Layer("a", 2, Phase()),), (), np.zeros((1, 2, 2)))
    states = np.array([[[np.pi - 0.1, 0.2], [-np.pi + 0.3, 0.4]]])
    answer = Equilibrium(SettleRequest(problem, reads=2), states, Provenance("p", "exact", 0))
    np.testing.assert_allclose(answer.mean(), [[-np.pi + 0.1, 0.3]], atol=1e-12)
    weighted = Equilibrium(
        answer.request, states, answer.provenance, weights=np.array([[0.75, 0.25]])
    )
    point = 0.75 * np.exp(1j * states[:, 0]) + 0.25 * np.exp(1j * states[:, 1])
    np.testing.assert_allclose(weighted.mean(), np.angle(point))
