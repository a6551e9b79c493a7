"""Nothing stale is used, nothing of the caller's is changed."""

from dataclasses import replace

import numpy as np

from isingeq.backend import Backend, SettleRequest
from isingeq.couplings import Convolution, Injection
from isingeq.problem import Problem
from isingeq.testing import instances
from isingeq.testing.outcome import expect
from isingeq.testing.promises import claimed_problem, expect_claim, settle_as_claimed


def check_new_couplings_take_effect(backend: Backend) -> None:
    """New couplings of the same structure, then the old ones: each answer is of its own problem."""
    old, other = (claimed_problem(backend, seed=seed) for seed in (1, 2))
    new = Problem(old.layers, other.couplings, old.fields)
    for problem in (old, new, old):
        expect_claim(backend, settle_as_claimed(backend, problem))


def check_new_fields_take_effect(backend: Backend) -> None:
    """New fields, then fewer rows, then the old ones: each answer is of its own problem."""
    old, other = claimed_problem(backend), claimed_problem(backend, seed=3)
    for fields in (old.fields, other.fields, other.fields[1:], old.fields):
        expect_claim(backend, settle_as_claimed(backend, old.with_fields(fields)))


def check_earlier_answers_stay(backend: Backend) -> None:
    """A later settle does not write into the states that an earlier one returned."""
    c = backend.capabilities
    for kind in instances.kinds(c):
        first, second = (instances.make(c, kind, seed=seed) for seed in (1, 2))
        answer = backend.settle(SettleRequest(first))
        kept = answer.states.copy()
        backend.settle(SettleRequest(second))
        expect(
            np.array_equal(answer.states, kept),
            "states returned earlier were overwritten by the next settle",
        )


def check_inputs_are_not_changed(backend: Backend) -> None:
    """The arrays of a request are as they were, and the states returned are not one of them."""
    c = backend.capabilities
    for kind in instances.kinds(c):
        problem = instances.make(c, kind)
        terms = tuple(instances.nudges(c, problem).values())
        request = SettleRequest(problem, terms, schedule=backend.suggest_schedule(problem), seed=4)
        if c.warm_start:
            request = replace(request, initial=instances.states(problem, np.random.default_rng(6)))
        arrays = _arrays(request)
        before = {name: array.copy() for name, array in arrays.items()}
        answer = backend.settle(request)
        for name, array in arrays.items():
            expect(np.array_equal(array, before[name]), f"settle changed the caller's {name}")
            expect(
                not np.shares_memory(answer.states, array),
                f"the states returned share memory with {name}",
            )


def _arrays(request: SettleRequest) -> dict[str, np.ndarray]:
    arrays = {"fields": request.problem.fields}
    for number, coupling in enumerate(request.problem.couplings):
        match coupling:
            case Injection():
                values = coupling.K
            case Convolution():
                values = coupling.J
            case _:
                values = coupling.edges()[2]
        arrays[f"couplings[{number}]"] = values
    if request.initial is not None:
        arrays["initial"] = request.initial
    for term in request.terms:
        for name in ("force", "targets", "strength", "mask", "values"):
            if hasattr(term, name):
                arrays[f"{type(term).__name__}.{name}"] = getattr(term, name)
    return arrays
