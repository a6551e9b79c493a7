"""Backends with one defect each, which the suite must catch.

Each stands between a request and a sound plain backend and spoils one thing that real backends get
wrong. `BROKEN` names them; `tests/conformance` says which checks catch which.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import (
    Backend,
    Capabilities,
    Equilibrium,
    Provenance,
    SettleRequest,
    check_request,
)
from isingeq.couplings import Convolution, Cosine, Coupling, Edges
from isingeq.errors import BackendError, CapabilityError, ProblemError
from isingeq.problem import Problem
from isingeq.schedule import Annealing, Schedule
from isingeq.terms import Clamp, QuadraticNudge
from isingeq.testing.reference import (
    SAMPLES,
    TURNS,
    Door,
    PlainAnnealer,
    PlainRelaxation,
    PlainSampler,
)

Floats = NDArray[np.floating]
Strengths = NDArray[np.inexact]
Fault = Callable[[Backend, SettleRequest], Equilibrium]


@dataclass(frozen=True)
class Broken:
    """A sound backend with one fault in its `settle`."""

    sound: Backend
    fault: Fault

    @property
    def name(self) -> str:
        """SPEC of the sound backend."""
        return self.sound.name

    @property
    def capabilities(self) -> Capabilities:
        """What the sound backend claims."""
        return self.sound.capabilities

    def suggest_schedule(self, problem: Problem) -> Schedule | None:
        """Return what the sound backend suggests."""
        return self.sound.suggest_schedule(problem)

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle with the fault."""
        return self.fault(self.sound, request)

    def close(self) -> None:
        """Close the sound backend."""
        self.sound.close()


def settles_what_came_last() -> Fault:
    """Keeps the request at hand in one place, so that a second thread changes it under the first."""
    at_hand: list[SettleRequest] = []

    def fault(sound: Backend, request: SettleRequest) -> Equilibrium:
        at_hand[:] = [request]
        time.sleep(0.002)
        return _as_if(sound, request, at_hand[0])

    return fault


def wrong_sign_of_couplings(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Takes J for the neural sign and settles −J."""
    return _with_couplings(sound, request, [-1.0] * len(request.problem.couplings))


def only_first_coupling(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Uploads the first coupling and forgets the others."""
    return _with_couplings(sound, request, [1.0] + [0.0] * (len(request.problem.couplings) - 1))


def stale_couplings() -> Fault:
    """Keeps the couplings of the first problem of a structure, whatever their version."""
    kept: dict[object, tuple[Coupling, ...]] = {}

    def fault(sound: Backend, request: SettleRequest) -> Equilibrium:
        problem = request.problem
        old = kept.setdefault(problem.structure, problem.couplings)
        return _as_if(
            sound, request, replace(request, problem=Problem(problem.layers, old, problem.fields))
        )

    return fault


def stale_fields() -> Fault:
    """Keeps the fields of the first call with given couplings and batch size."""
    kept: dict[object, Floats] = {}

    def fault(sound: Backend, request: SettleRequest) -> Equilibrium:
        problem = request.problem
        old = kept.setdefault((problem.version, problem.batch), problem.fields)
        return _as_if(sound, request, replace(request, problem=problem.with_fields(old)))

    return fault


def ignores_terms(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Settles the free phase whatever is asked."""
    return _as_if(sound, request, replace(request, terms=()))


def releases_clamps(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Leaves clamps out."""
    others = tuple(term for term in request.terms if not isinstance(term, Clamp))
    return _as_if(sound, request, replace(request, terms=others))


def nudges_all_rows_alike(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Uses the first sample's strength for the whole batch."""
    return _with_strengths(sound, request, lambda strength: np.full_like(strength, strength[0]))


def rounds_displacements(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Takes the difference of states in single precision for the displacement."""
    answer = sound.settle(request)
    if answer.displacements is None or request.initial is None:
        return answer
    rounded = answer.states.astype(np.float32) - request.initial.astype(np.float32)
    return replace(answer, displacements=rounded)


def ignores_initial(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Starts where it always starts."""
    return _as_if(sound, request, replace(request, initial=None))


def changes_initial(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Relaxes in the caller's own array."""
    answer = sound.settle(request)
    if request.initial is not None:
        request.initial[...] = answer.states
    return answer


def overwrites_earlier_answers() -> Fault:
    """Hands out its own buffer."""
    buffers: dict[object, Floats] = {}

    def fault(sound: Backend, request: SettleRequest) -> Equilibrium:
        answer = sound.settle(request)
        buffer = buffers.setdefault((answer.states.shape, answer.states.dtype), answer.states)
        buffer[...] = answer.states
        return replace(answer, states=buffer)

    return fault


def mixes_up_rows(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Returns the rows one place off."""
    answer = sound.settle(request)
    return replace(answer, states=np.roll(answer.states, 1, axis=0))


def averages_over_the_batch(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Lets a normalisation over the batch slip in: each row depends a little on the others."""
    fields = request.problem.fields
    mixed = 0.95 * fields + 0.05 * fields.mean(axis=0)
    return _as_if(sound, request, replace(request, problem=request.problem.with_fields(mixed)))


def caches_equal_rows(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Draws once for all samples that have the fields of the first."""
    answer, fields = sound.settle(request), request.problem.fields
    alike = (fields == fields[0]).all(axis=1) & (not request.terms)
    return replace(answer, states=np.where(alike[:, None, None], answer.states[:1], answer.states))


def repeats_first_read(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Loses the last read and fills up with the first."""
    answer = sound.settle(request)
    return replace(
        answer, states=np.concatenate([answer.states[:, :-1], answer.states[:, :1]], axis=1)
    )


def drops_a_read(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Returns one read fewer than asked, if several were."""
    answer = sound.settle(request)
    return replace(answer, states=answer.states[:, : max(1, request.reads - 1)])


def ignores_seed(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Has its own fixed seed."""
    return _with_seed(sound, request, 1)


def seeds_from_the_clock() -> Fault:
    """Draws something else at every call."""
    clock = count()

    def fault(sound: Backend, request: SettleRequest) -> Equilibrium:
        return _with_seed(sound, request, next(clock))

    return fault


def wrong_temperature(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Samples at a beta that is a fifth too low."""
    schedule = request.schedule or sound.suggest_schedule(request.problem)
    if not isinstance(schedule, Annealing):
        return sound.settle(request)
    wrong = Annealing(tuple(0.8 * beta for beta in schedule.betas))
    return _as_if(sound, request, replace(request, schedule=wrong))


def random_states(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Claims ground states and returns coin tosses."""
    answer = sound.settle(request)
    rng = np.random.default_rng(request.seed)
    return replace(answer, states=rng.choice([-1.0, 1.0], answer.states.shape))


def leaves_the_boxes(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Checks the walls one step too late."""
    answer = sound.settle(request)
    return replace(answer, states=1.01 * answer.states)


def lies_about_residual(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Reports that it settled, always."""
    answer = sound.settle(request)
    return replace(answer, residual=np.zeros(answer.states.shape[:2]))


def residual_without_terms(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Reports the residual of the free energy in the nudged phase."""
    answer = sound.settle(request)
    return replace(answer, residual=request.problem.residual(answer.states))


def stops_early(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Gives up after 20 steps, honestly, however many were allowed."""
    return _as_if(sound, request, replace(request, max_steps=min(20, request.max_steps)))


def stops_at_its_own_tolerance(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Takes tolerance 0 for no wish."""
    return _as_if(sound, request, replace(request, tolerance=request.tolerance or 1e-4))


def counts_steps_per_sample(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Reports steps (b,) where (b, r) is asked."""
    answer = sound.settle(request)
    return replace(answer, steps=None if answer.steps is None else answer.steps[:, 0])


def accepts_anything(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Makes something up where it should refuse."""
    try:
        return sound.settle(request)
    except (CapabilityError, ProblemError):
        states = np.ones((request.problem.batch, max(1, request.reads), request.problem.n))
        return Equilibrium(request, states, Provenance(sound.name, "simulated", request.seed))


def energies_of_the_mapped_problem(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Answers for the problem as it was scaled onto the chip, not for the one asked."""
    problem = request.problem
    scaled = Problem(problem.layers, problem.couplings, 0.5 * problem.fields)
    return replace(sound.settle(request), request=replace(request, problem=scaled))


def anonymous(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Does not say where the result comes from."""
    answer = sound.settle(request)
    return replace(answer, provenance=replace(answer.provenance, backend="chip", seed=0))


def never_closes(sound: Backend, request: SettleRequest) -> Equilibrium:
    """Goes on when it is closed."""
    try:
        return sound.settle(request)
    except BackendError:
        return replace(sound, door=Door()).settle(request)  # type: ignore[type-var]


def _as_if(sound: Backend, request: SettleRequest, other: SettleRequest) -> Equilibrium:
    """Return the answer to `other` as if it were that to `request`, with all refusals."""
    check_request(sound.name, sound.capabilities, request)
    return replace(sound.settle(other), request=request)


def _with_couplings(sound: Backend, request: SettleRequest, factors: list[float]) -> Equilibrium:
    """Settle with every coupling multiplied by its factor."""
    problem = request.problem
    couplings: list[Coupling] = []
    for factor, coupling in zip(factors, problem.couplings, strict=True):
        if isinstance(coupling, Convolution):
            couplings.append(replace(coupling, J=factor * coupling.J))
            continue
        i, j, J = coupling.edges()
        scaled = Edges(problem.n, i, j, factor * J)
        couplings.append(Cosine(scaled) if problem.angular else scaled)
    return _as_if(
        sound,
        request,
        replace(request, problem=Problem(problem.layers, tuple(couplings), problem.fields)),
    )


def _with_strengths(
    sound: Backend, request: SettleRequest, change: Callable[[Strengths], Strengths]
) -> Equilibrium:
    """Settle with the strengths of quadratic nudges changed."""
    terms = (
        replace(term, strength=change(term.strength)) if isinstance(term, QuadraticNudge) else term
        for term in request.terms
    )
    return _as_if(sound, request, replace(request, terms=tuple(terms)))


def _with_seed(sound: Backend, request: SettleRequest, seed: int) -> Equilibrium:
    """Settle with another seed and report the one asked for."""
    answer = _as_if(sound, request, replace(request, seed=seed))
    return replace(answer, provenance=replace(answer.provenance, seed=request.seed))


CHIP = replace(
    SAMPLES,
    couplings=frozenset({"dense"}),
    max_units=7,
    field_range=(-31.0, 31.0),
    field_step=1.0,
    coupling_range=(-7.0, 7.0),
    coupling_step=1.0,
)
"""A small chip: seven spins, whole numbers in a range, couplings between layers."""

BROKEN: dict[str, Callable[[], Backend]] = {
    "wrong sign of couplings": lambda: Broken(PlainSampler(), wrong_sign_of_couplings),
    "only the first coupling": lambda: Broken(PlainRelaxation(), only_first_coupling),
    "stale couplings": lambda: Broken(PlainRelaxation(), stale_couplings()),
    "stale fields": lambda: Broken(PlainSampler(), stale_fields()),
    "ignores terms": lambda: Broken(PlainRelaxation(), ignores_terms),
    "ignores terms on phases": lambda: Broken(PlainRelaxation(capabilities=TURNS), ignores_terms),
    "releases clamps": lambda: Broken(PlainAnnealer(), releases_clamps),
    "nudges all rows alike": lambda: Broken(PlainSampler(), nudges_all_rows_alike),
    "rounds displacements": lambda: Broken(PlainRelaxation(), rounds_displacements),
    "ignores initial": lambda: Broken(PlainRelaxation(), ignores_initial),
    "anneals from scratch": lambda: Broken(PlainAnnealer(), ignores_initial),
    "changes initial": lambda: Broken(PlainRelaxation(), changes_initial),
    "overwrites earlier answers": lambda: Broken(PlainRelaxation(), overwrites_earlier_answers()),
    "settles what came last": lambda: Broken(PlainRelaxation(), settles_what_came_last()),
    "mixes up rows": lambda: Broken(PlainRelaxation(), mixes_up_rows),
    "averages over the batch": lambda: Broken(PlainRelaxation(), averages_over_the_batch),
    "caches equal rows": lambda: Broken(PlainSampler(), caches_equal_rows),
    "repeats the first read": lambda: Broken(PlainSampler(), repeats_first_read),
    "drops a read": lambda: Broken(PlainAnnealer(), drops_a_read),
    "ignores the seed": lambda: Broken(PlainSampler(), ignores_seed),
    "seeds from the clock": lambda: Broken(PlainSampler(), seeds_from_the_clock()),
    "wrong temperature": lambda: Broken(PlainSampler(), wrong_temperature),
    "random states": lambda: Broken(PlainAnnealer(), random_states),
    "leaves the boxes": lambda: Broken(PlainRelaxation(), leaves_the_boxes),
    "lies about the residual": lambda: Broken(PlainRelaxation(), lies_about_residual),
    "residual without terms": lambda: Broken(PlainRelaxation(), residual_without_terms),
    "stops early": lambda: Broken(PlainRelaxation(), stops_early),
    "accepts anything": lambda: Broken(PlainSampler(capabilities=CHIP), accepts_anything),
    "energies of the mapped problem": lambda: Broken(
        PlainAnnealer(), energies_of_the_mapped_problem
    ),
    "without a name": lambda: PlainRelaxation(name=""),
    "hides its schedules": lambda: PlainSampler(
        capabilities=replace(SAMPLES, schedules=frozenset())
    ),
    "stops at its own tolerance": lambda: Broken(PlainRelaxation(), stops_at_its_own_tolerance),
    "counts steps per sample": lambda: Broken(PlainRelaxation(), counts_steps_per_sample),
    "anonymous results": lambda: Broken(PlainRelaxation(), anonymous),
    "never closes": lambda: Broken(PlainRelaxation(), never_closes),
}
