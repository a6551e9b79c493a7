"""Terms have their effect: the answer is as claimed for the energy with the terms added."""

from dataclasses import replace

import numpy as np

from isingeq.backend import Backend, Claim, SettleRequest
from isingeq.errors import CapabilityError
from isingeq.terms import (
    Clamp,
    CosineNudge,
    LinearNudge,
    LogCosNudge,
    QuadraticNudge,
    Term,
    total_gradient,
)
from isingeq.testing import instances
from isingeq.testing.displacement import Displacement
from isingeq.testing.outcome import NotApplicable, expect
from isingeq.testing.promises import claimed_problem, expect_claim, read_weights, settle_as_claimed


def check_linear_nudge_acts_as_a_field(backend: Backend) -> None:
    """With a constant force the answer is as claimed for E − Σ f s."""
    _check(backend, LinearNudge)


def check_quadratic_nudge_acts_as_a_spring(backend: Backend) -> None:
    """With strengths of both signs in one call, each row is as claimed for its own E + spring."""
    _check(backend, QuadraticNudge)


def check_cosine_nudge_acts_as_a_spring_between_cosines(backend: Backend) -> None:
    """On phases: with strengths of both signs in one call, each row is as claimed for its own E + spring."""
    _check(backend, CosineNudge)


def check_log_cosine_nudge_pulls_as_claimed(backend: Backend) -> None:
    """On phases: each row is as claimed for E with its own pull to angles."""
    _check(backend, LogCosNudge)


def check_quadratic_nudge_pulls_outputs_to_their_targets(backend: Backend) -> None:
    """Positive strengths end nearer to the targets than the free phase, negative ones farther.

    Of reads, their mean, as far as they are samples; of those that look for low energies the lowest, whose distance
    falls with the strength, while how many end higher is chance.
    """
    problem = claimed_problem(backend)
    term = _terms(backend, QuadraticNudge)[0]
    assert isinstance(term, QuadraticNudge)

    lowest = backend.capabilities.claim is Claim.GROUND_STATE

    def answer(*terms: Term) -> np.ndarray:
        found = settle_as_claimed(backend, problem, terms=terms)
        if not lowest:
            return found.mean()
        return found.states[np.arange(problem.batch), found.energies.argmin(axis=1)]

    free, nudged = answer(), answer(term)

    def distance(states: np.ndarray) -> np.ndarray:
        return np.asarray(((states[:, slice(*term.units)] - term.targets) ** 2).sum(axis=1))

    away = (distance(nudged) - distance(free)) * term.strength
    expect(
        (away <= 1e-4).all(),
        "a nudge of positive strength moved the outputs away from the target, or the reverse",
    )
    # A weak nudge may leave a lowest state where it is; that it is the lowest with the spring is checked above.
    expect(lowest or (away < -1e-3).any(), "a nudge did not move the outputs at all")


def check_clamp_holds_its_units(backend: Backend) -> None:
    """Units of a clamped layer have their values, and the others are as claimed for them."""
    term = _terms(backend, Clamp)[0]
    assert isinstance(term, Clamp)
    _check_held(backend, term)


def check_a_part_of_a_layer_is_held_or_refused(backend: Backend) -> None:
    """A clamp on some units of a layer holds those and no others, or raises CapabilityError."""
    term = _terms(backend, Clamp)[0]
    assert isinstance(term, Clamp)
    part = Clamp(term.mask & (np.arange(term.mask.size) > 0), term.values)
    try:
        _check_held(backend, part)
    except CapabilityError as error:
        raise NotApplicable(f"refuses: {error}") from error


def check_terms_add_up(backend: Backend) -> None:
    """All terms that it takes, in one call, act together."""
    terms = _terms(backend)
    if len(terms) < 2:
        raise NotApplicable("takes fewer than two terms")
    expect_claim(backend, settle_as_claimed(backend, claimed_problem(backend), terms=terms))


def check_a_nudge_leaves_no_trace(backend: Backend) -> None:
    """Free, nudged, free: the second free answer is as claimed for the plain energy."""
    problem = claimed_problem(backend)
    for terms in ((), _terms(backend), ()):
        expect_claim(backend, settle_as_claimed(backend, problem, terms=terms))


def check_complex_nudging_is_holomorphic(backend: Backend) -> None:
    """FIXED_POINT: complex strengths give stationary states, conjugate for conjugate strengths."""
    c = backend.capabilities
    if not c.complex_nudging or c.claim is not Claim.FIXED_POINT:
        raise NotApplicable("no complex nudging, or no fixed points claimed")
    smooth = [kind for kind in instances.kinds(c) if kind == "logistic"]
    if not smooth or QuadraticNudge not in c.terms:
        raise NotApplicable("no smooth units or no quadratic nudge")
    problem = instances.make(c, "logistic", rows=1).repeated(3)
    real = instances.nudges(c, problem)[QuadraticNudge]
    assert isinstance(real, QuadraticNudge)
    turn = float(np.abs(real.strength[0])) * np.exp(1j * np.array([1.1, -1.1, 0.0]))
    term = replace(real, targets=np.tile(real.targets[:1], (3, 1)), strength=turn)
    request = SettleRequest(
        problem, (term,), tolerance=1e-6, max_steps=5000, precision="complex128"
    )
    states = backend.settle(request).states
    expect(np.iscomplexobj(states), "complex strengths gave real states")
    slope = float(np.abs(total_gradient(problem, (term,), states)).max())
    expect(slope <= 1e-3, f"complex states are not stationary: |∂F/∂x| = {slope:.2g}")
    expect(
        np.allclose(states[0], states[1].conj(), atol=1e-5),
        "conjugate strengths do not give conjugate states",
    )
    expect(
        np.abs(states[0].imag).max() > 1e-3,
        "an imaginary strength did not move the states off the real line",
    )
    expect(np.abs(states[2].imag).max() < 1e-5, "a real strength gave complex states")


def check_displacements_keep_their_digits(backend: Backend) -> None:
    """Nudges of 1e-12 move states by what the energy says, in single precision and in double."""
    c = backend.capabilities
    if not c.displacements or c.claim is not Claim.FIXED_POINT:
        raise NotApplicable("no displacements, or no fixed points claimed")
    if "amplitude" not in c.units:
        raise NotApplicable("no amplitudes")
    pairs = replace(c, couplings=c.couplings - {"convolution"})  # whose pool would be a soft one
    problem = instances.make(pairs, "amplitude", rows=3)
    free = backend.settle(SettleRequest(problem, max_steps=5000))
    small = 1e-12
    for term in instances.nudges(c, problem).values():
        weak: Term
        if isinstance(term, LinearNudge):
            weak = LinearNudge(small * term.force)
        elif isinstance(term, QuadraticNudge):
            weak = replace(term, strength=small * term.strength)
        else:
            continue
        for precision in ("float32", "float64"):
            request = SettleRequest(
                problem, (weak,), initial=free.states, displacements=True, precision=precision,
                tolerance=1e-5 * small, max_steps=5000,
            )  # fmt: skip
            answer = backend.settle(request)
            moved = answer.displacements
            if moved is None or moved.shape != free.states.shape:
                raise AssertionError(
                    "displacements were asked for, and are not there in their shape"
                )
            left = float(Displacement.of(request).residual(moved.astype(np.float64)).max())
            expect(
                left <= 3e-5 * small,
                f"{precision}: displacements are not at rest under a nudge of {small:g}: {left:.2g} is left",
            )
            expect(np.abs(moved).max() > 1e-2 * small, "a small nudge did not move anything")


def _terms(backend: Backend, kind: type | None = None) -> tuple[Term, ...]:
    problem = claimed_problem(backend)
    terms = instances.nudges(backend.capabilities, problem)
    if kind is None and terms:
        return tuple(terms.values())
    if kind is None or kind not in terms:
        raise NotApplicable(f"takes no {'terms' if kind is None else kind.__name__}")
    return (terms[kind],)


def _check_held(backend: Backend, term: Clamp) -> None:
    answer = settle_as_claimed(backend, claimed_problem(backend), terms=(term,))
    off = np.abs(answer.states - term.values[:, None, :])[..., term.mask].max(axis=-1)
    expect((off <= 1e-6)[read_weights(answer) > 0].all(), "a clamped unit moved")
    expect_claim(backend, answer)


def _check(backend: Backend, kind: type) -> None:
    expect_claim(
        backend, settle_as_claimed(backend, claimed_problem(backend), terms=_terms(backend, kind))
    )
