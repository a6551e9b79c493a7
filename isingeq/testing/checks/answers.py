"""What every answer must look like, whatever the backend claims."""

import json
from typing import get_args

import numpy as np

from isingeq.backend import Backend, Capabilities, Claim, Equilibrium, Kind, SettleRequest
from isingeq.problem import Problem
from isingeq.terms import total_energy
from isingeq.testing import instances
from isingeq.testing.outcome import NotApplicable, expect


def answers(backend: Backend, *, reads: int = 3) -> list[tuple[Problem, Equilibrium]]:
    """Return one answered question for each kind of unit that the backend holds."""
    c = backend.capabilities
    problems = [instances.make(c, kind) for kind in instances.kinds(c)]
    return [
        (problem, backend.settle(SettleRequest(problem, reads=reads, seed=3)))
        for problem in problems
    ]


def check_it_is_a_backend(backend: Backend) -> None:
    """All members are there, and the capabilities are data that stay the same."""
    expect(
        isinstance(backend, Backend),
        f"{type(backend).__name__} lacks a member of isingeq.backend.Backend",
    )
    expect(
        isinstance(backend.name, str) and backend.name,
        f"name {backend.name!r} must be the SPEC, as text",
    )
    c = backend.capabilities
    expect(isinstance(c, Capabilities), f"capabilities are a {type(c).__name__}, need Capabilities")
    expect(c == backend.capabilities, "capabilities differ between two readings")


def check_suggested_schedule_is_one_it_takes(backend: Backend) -> None:
    """`suggest_schedule` gives None or a schedule of a listed kind, which `settle` then accepts."""
    c = backend.capabilities
    for kind in instances.kinds(c):
        problem = instances.make(c, kind)
        schedule = backend.suggest_schedule(problem)
        if schedule is None:
            continue
        expect(
            type(schedule) in c.schedules,
            f"suggests a {type(schedule).__name__}, which it does not list",
        )
        backend.settle(SettleRequest(problem, schedule=schedule))


def check_states_have_the_shape_asked_for(backend: Backend) -> None:
    """States are real floating (b, r, n); only weighted answers may choose their own r."""
    for problem, answer in answers(backend):
        states = answer.states
        expect(
            np.issubdtype(states.dtype, np.floating),
            f"states are {states.dtype}, need a floating type",
        )
        wanted = (problem.batch, 3 if answer.weights is None else states.shape[1], problem.n)
        expect(
            states.shape == wanted, f"states have shape {states.shape}, need (b, r, n) = {wanted}"
        )


def check_states_are_values_of_their_units(backend: Backend) -> None:
    """Spins are exactly ±1, amplitudes keep to their boxes, nothing is NaN."""
    for problem, answer in answers(backend):
        low, high = problem.bounds
        states, spins = answer.states, instances.spins(problem)
        expect(np.isfinite(states).all(), "a state is NaN or infinite")
        expect((np.abs(states[..., spins]) == 1).all(), "a spin is neither −1 nor +1")
        edge = (
            4
            * np.finfo(states.dtype).eps
            * np.where(np.isfinite(high - low), 1 + np.abs(low) + np.abs(high), 0)
        )
        expect(
            ((low - edge <= states) & (states <= high + edge)).all(),
            "a state lies outside the box of its unit",
        )


def check_optional_fields_have_their_shapes(backend: Backend) -> None:
    """What is given per read is (b, r), weights sum to 1 and steps keep to the limit."""
    for _, answer in answers(backend):
        shape = answer.states.shape[:2]
        for name in ("weights", "residual", "steps", "two_cycle"):
            value = getattr(answer, name)
            expect(
                value is None or value.shape == shape, f"{name} must be (b, r) = {shape} or None"
            )
        if answer.weights is not None:
            expect((answer.weights >= 0).all(), "a weight is negative")
            expect(
                np.allclose(answer.weights.sum(axis=1), 1, atol=1e-5),
                "weights do not sum to 1 over the reads",
            )
        if answer.steps is not None:
            limit = answer.request.max_steps
            expect(
                ((answer.steps >= 0) & (answer.steps <= limit)).all(),
                f"steps lie outside 0..{limit}",
            )
        for name in ("host_s", "link_s", "device_s"):
            expect(getattr(answer.timing, name) >= 0, f"timing.{name} is negative")


def check_energies_are_of_the_problem_asked(backend: Backend) -> None:
    """Energies are those of the caller's problem and terms, whatever was mapped underneath."""
    for problem, answer in answers(backend):
        expect(
            answer.request.problem is problem, "the answer names another problem than the one asked"
        )
        own = total_energy(problem, answer.request.terms, answer.states)
        expect(
            np.allclose(answer.energies, own, rtol=1e-6, atol=1e-9),
            "energies are not those of the problem asked",
        )


def check_provenance_is_complete(backend: Backend) -> None:
    """Backend, kind (exact, simulated, emulated, real) and seed are stated, and all is JSON."""
    for _, answer in answers(backend):
        told = answer.provenance
        expect(
            told.backend == backend.name,
            f"provenance names {told.backend!r}, the backend is {backend.name!r}",
        )
        expect(
            told.kind in get_args(Kind),
            f"provenance kind {told.kind!r} is none of {get_args(Kind)}",
        )
        expect(
            told.seed == answer.request.seed,
            f"provenance has seed {told.seed}, asked was {answer.request.seed}",
        )
        try:
            json.dumps(told.as_dict())
        except (TypeError, ValueError) as error:
            raise AssertionError(f"provenance cannot be written as JSON: {error}") from error


def check_trace_has_its_shapes(backend: Backend) -> None:
    """The arrays of a trace are (steps, b), it ends at the answer, and a relaxation keeps to `max_steps`."""
    if not backend.capabilities.traces:
        raise NotApplicable("no traces")
    problem, _ = answers(backend)[0]
    answer = backend.settle(SettleRequest(problem, max_steps=25, trace=True))
    if answer.trace is None:
        raise AssertionError("claims traces, asked for one, gave none")
    steps = answer.trace.energy.shape[0]
    for name in ("energy", "kinetic", "residual", "contraction"):
        column = getattr(answer.trace, name)
        expect(
            column is None or column.shape == (steps, problem.batch),
            f"trace.{name} does not have the shape (steps, b)",
        )
    relaxes = backend.capabilities.claim is Claim.FIXED_POINT
    expect(steps >= 1, "the trace is empty")
    expect(not relaxes or steps <= 25, f"the trace has {steps} steps of at most 25")
    last = answer.trace.energy[-1]
    expect(
        np.allclose(last, answer.energies[:, 0], rtol=1e-3, atol=1e-3),
        "the trace ends at another energy",
    )
