"""What a backend does not have it refuses by name, and it goes on working afterwards.

CapabilityError for what it lacks, ProblemError for requests that make no sense to anybody.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Backend, SettleRequest
from isingeq.couplings import Cosine, Dense
from isingeq.errors import CapabilityError, IsingeqError, ProblemError
from isingeq.problem import Problem
from isingeq.schedule import Annealing, Relaxation
from isingeq.terms import Clamp, CosineNudge, LinearNudge, LogCosNudge, QuadraticNudge, Term
from isingeq.testing import instances
from isingeq.testing.outcome import NotApplicable, expect
from isingeq.units import Layer, Spin

MOST_UNITS = 20_000
"""Above this a problem that is one unit too large is not built."""


@dataclass(frozen=True)
class _UnknownUnit:
    kind: str = "of an unknown kind"
    low: float = -1.0
    high: float = 1.0
    smooth: bool = False

    def energy(self, s: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.zeros_like(s)

    def slope(self, s: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.zeros_like(s)


class _UnknownTerm:
    def energy(self, states: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.zeros(states.shape[:2])

    def gradient(self, states: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.zeros_like(states)


@dataclass(frozen=True)
class _UnknownSchedule:
    kind: str = "of an unknown kind"


def check_unknown_units_are_refused(backend: Backend) -> None:
    """A unit kind that nobody knows is refused, alone or in one layer of several."""
    problem = _flat(_any(backend))
    last = problem.layers[-1]
    strange = Layer(last.name, last.size, _UnknownUnit())  # type: ignore[arg-type]
    for layers in (
        (*problem.layers[:-1], strange),
        tuple(replace(strange, name=k.name, size=k.size) for k in problem.layers),
    ):
        mixed = Problem(layers, problem.couplings, problem.fields)
        _refuses(
            backend, SettleRequest(mixed), CapabilityError, "a kind of unit that it does not list"
        )


def check_units_it_does_not_list_are_refused(backend: Backend) -> None:
    """Spins, amplitudes, logistic units and phases are refused where they are not listed."""
    c = backend.capabilities
    missing = [kind for kind in ("spin", "amplitude", "logistic", "phase") if kind not in c.units]
    if not missing:
        raise NotApplicable("holds all kinds")
    for kind in missing:
        kept = replace(c, units=frozenset({kind}), field_range=None)
        problem = instances.make(kept, kind)
        _refuses(backend, SettleRequest(problem), CapabilityError, f"{kind} units")


def check_unknown_couplings_are_refused(backend: Backend) -> None:
    """A coupling kind that is not listed is refused, unless edges are."""
    if "edges" in backend.capabilities.couplings:
        raise NotApplicable("takes whatever lowers to edges")
    problem = _any(backend)
    unknown = _with_first_dense(
        problem, lambda first: Dense(first.a, first.b, first.J, kind="of an unknown kind")
    )
    _refuses(
        backend, SettleRequest(unknown), CapabilityError, "a kind of coupling that it does not list"
    )


def check_too_many_units_are_refused(backend: Backend) -> None:
    """One unit more than `max_units` is refused."""
    most = backend.capabilities.max_units
    if most is None or most > MOST_UNITS:
        raise NotApplicable(
            "no limit on units" if most is None else f"limit above {MOST_UNITS} units"
        )
    small = _any(backend)
    unit = small.layers[0].unit
    layers = (Layer("a", most, unit), Layer("b", 1, unit))
    weak = backend.capabilities.coupling_step or 0.1
    pairs = Dense((0, most), (most, most + 1), np.full((most, 1), -weak))
    fields = np.zeros((1, most + 1, *small.fields.shape[2:]))
    large = Problem(layers, (Cosine(pairs) if small.angular else pairs,), fields)
    _refuses(
        backend, SettleRequest(large), CapabilityError, f"{most + 1} units, its limit is {most}"
    )


def check_unknown_terms_are_refused(backend: Backend) -> None:
    """Terms that are not in `capabilities.terms` are refused, not left out."""
    c, problem = backend.capabilities, _any(backend)
    kinds = (LinearNudge, QuadraticNudge, CosineNudge, LogCosNudge, Clamp)
    every = replace(c, terms=frozenset(kinds))
    for kind, term in instances.nudges(every, problem).items():
        if kind not in c.terms:
            _refuses(
                backend,
                SettleRequest(problem, (term,)),
                CapabilityError,
                f"the term {kind.__name__}",
            )
    unknown = SettleRequest(problem, (_UnknownTerm(),))  # type: ignore[arg-type]
    _refuses(backend, unknown, CapabilityError, "an unknown term")


def check_unknown_schedules_are_refused(backend: Backend) -> None:
    """Schedules of kinds that are not in `capabilities.schedules` are refused."""
    c, problem = backend.capabilities, _any(backend)
    for schedule in (
        Annealing((0.7, 1.3)),
        Relaxation("synchronous", 0.5, (2.0, 1.0)),
        _UnknownSchedule(),
    ):
        if type(schedule) not in c.schedules:
            request = SettleRequest(problem, schedule=schedule)  # type: ignore[arg-type]
            _refuses(
                backend,
                request,
                CapabilityError,
                f"a schedule of the kind {type(schedule).__name__}",
            )


def check_values_out_of_range_are_refused(backend: Backend) -> None:
    """Values beyond their range or between their steps are refused, not clipped or rounded."""
    c, problem = backend.capabilities, _any(backend)
    if not any((c.field_range, c.coupling_range, c.field_step, c.coupling_step)):
        raise NotApplicable("takes any value")
    for allowed, step, what in (
        (c.field_range, c.field_step, "field"),
        (c.coupling_range, c.coupling_step, "coupling"),
    ):
        wrong = [] if allowed is None else [allowed[1] + (step or 0.5), allowed[0] - (step or 0.5)]
        wrong += [] if step is None else [0.5 * step]
        for value in wrong:
            changed = (
                _with_a_field(problem, value)
                if what == "field"
                else _with_a_coupling(problem, value)
            )
            _refuses(backend, SettleRequest(changed), CapabilityError, f"a {what} of {value:g}")


def check_wrong_initial_states_are_refused(backend: Backend) -> None:
    """Initial states of wrong shape or outside their boxes are refused, all if not `warm_start`."""
    problem = _any(backend)
    good = instances.states(problem, np.random.default_rng(1), 2)
    if not backend.capabilities.warm_start:
        _refuses(
            backend,
            SettleRequest(problem, reads=2, initial=good),
            CapabilityError,
            "initial states",
        )
        return
    for wrong in (good[:, :1], good[:-1], good[..., :-1], good[0], good[:, 0]):
        request = SettleRequest(problem, reads=2, initial=wrong)
        _refuses(
            backend,
            request,
            ProblemError,
            f"initial states of shape {wrong.shape} for {good.shape}",
        )
    for value in (np.nan,) if np.isinf(problem.bounds[1][0]) else (np.nan, 9.0):
        wrong = good.copy()
        wrong[-1, -1, 0] = value
        request = SettleRequest(problem, reads=2, initial=wrong)
        _refuses(backend, request, ProblemError, f"an initial state of {value:g}")


def check_unknown_modes_are_refused(backend: Backend) -> None:
    """A trace, complex arithmetic or displacements are refused where they are not claimed."""
    c, problem = backend.capabilities, _any(backend)
    if c.traces and c.complex_nudging and c.displacements:
        raise NotApplicable("has traces, complex nudging and displacements")
    if not c.displacements:
        _refuses(
            backend, SettleRequest(problem, displacements=True), CapabilityError, "displacements"
        )
    if not c.traces:
        _refuses(
            backend, SettleRequest(problem, trace=True), CapabilityError, "a request for a trace"
        )
    if not c.complex_nudging:
        _refuses(
            backend,
            SettleRequest(problem, precision="complex128"),
            CapabilityError,
            "complex arithmetic",
        )


def check_senseless_counts_are_refused(backend: Backend) -> None:
    """No reads, no steps and a tolerance that is negative or NaN are refused."""
    request = SettleRequest(_any(backend))
    for change in (
        {"reads": 0},
        {"max_steps": 0},
        {"tolerance": -1.0},
        {"tolerance": float("nan")},
    ):
        _refuses(backend, replace(request, **change), ProblemError, str(change))


def check_terms_that_do_not_fit_are_refused(backend: Backend) -> None:
    """Terms of another batch, other units, or with NaN are refused, not broadcast."""
    c, problem = backend.capabilities, _any(backend)
    (b, n), span = problem.fields.shape[:2], problem.spans[-1]
    width, held = span[1] - span[0], np.zeros(problem.n, bool)
    held[0] = True
    force, targets, strength, legal = (
        np.zeros(problem.fields.shape),
        np.ones((b, width)),
        np.ones(b),
        np.ones((b, n)),
    )
    wrong: list[Term] = [
        *(LinearNudge(bad) for bad in (force[:1], force[:, :-1], force + np.nan)),
        *(Clamp(*bad) for bad in ((held[:-1], legal), (held, legal[:-1]))),
        Clamp(held, (np.nan if np.isinf(problem.bounds[1][0]) else 9) * legal),
    ]
    for spring in (QuadraticNudge, CosineNudge, LogCosNudge):
        wrong += [
            spring(span, targets[:1], strength[:1]),
            spring((n, n + width), targets, strength),
            spring(span, targets, np.full(b, np.nan)),
        ]
    taken = [term for term in wrong if type(term) in c.terms]
    if not taken:
        raise NotApplicable("takes no terms")
    for term in taken:
        request = SettleRequest(problem, (term,))
        _refuses(backend, request, ProblemError, f"a {type(term).__name__} that does not fit")


def check_a_refusal_leaves_it_working(backend: Backend) -> None:
    """The same question has the same answer before and after a refusal."""
    problem = _any(backend)
    request = SettleRequest(problem, schedule=backend.suggest_schedule(problem), seed=7)
    before = backend.settle(request)
    _refuses(backend, SettleRequest(problem, (_UnknownTerm(),)), CapabilityError, "an unknown term")  # type: ignore[arg-type]
    after = backend.settle(request)
    if before.provenance.kind != "real":
        expect(
            np.array_equal(before.states, after.states),
            "another answer to the same question after a refusal",
        )


def _any(backend: Backend) -> Problem:
    return instances.make(backend.capabilities, instances.kinds(backend.capabilities)[0])


def _refuses(
    backend: Backend, request: SettleRequest, wanted: type[IsingeqError], what: str
) -> None:
    """Assert that settling raises `wanted` with a message of one line."""
    try:
        backend.settle(request)
    except wanted as error:
        message = str(error)
        expect(
            message and "\n" not in message,
            f"refusing {what}, its message {message!r} is not one line",
        )
    except Exception as error:
        raise AssertionError(
            f"given {what} it raised {type(error).__name__} ({error}), need {wanted.__name__}: "
            "call check_request first"
        ) from error
    else:
        raise AssertionError(f"accepted {what}, need {wanted.__name__}: call check_request first")


def _with_a_field(problem: Problem, value: float) -> Problem:
    fields = problem.fields.copy()
    fields[-1, -1] = value
    return problem.with_fields(fields)


def _with_a_coupling(problem: Problem, value: float) -> Problem:
    def change(first: Dense) -> Dense:
        J = first.J.copy()
        J[-1, -1] = value
        return Dense(first.a, first.b, J)

    return _with_first_dense(problem, change)


def _with_first_dense(problem: Problem, change: Callable[[Dense], Dense]) -> Problem:
    """Return the problem with its first coupling changed, inside the cosine where there is one."""
    first, *others = problem.couplings
    inner = first.of if isinstance(first, Cosine) else first
    assert isinstance(inner, Dense)
    changed = Cosine(change(inner)) if isinstance(first, Cosine) else change(inner)
    return Problem(problem.layers, (changed, *others), problem.fields)


def _flat(problem: Problem) -> Problem:
    """Return a problem as other units would have it: one component of its fields, and no cosines."""
    if not problem.angular:
        return problem
    couplings = tuple(k.of for k in problem.couplings if isinstance(k, Cosine))
    layers = tuple(replace(layer, unit=Spin()) for layer in problem.layers)
    return Problem(layers, couplings, problem.fields[..., 0])
