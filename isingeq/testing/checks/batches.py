"""Samples of a batch do not touch each other, nor do settles side by side."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from isingeq.backend import Backend, Claim, SettleRequest
from isingeq.testing import instances
from isingeq.testing.outcome import NotApplicable, expect
from isingeq.testing.promises import at_warmth, claimed_problem, expect_claim, settle_as_claimed


def check_the_first_rows_alone_give_what_they_give_in_a_batch(backend: Backend) -> None:
    """split_invariant: the first rows of a batch give the very same numbers without the rest."""
    c = backend.capabilities
    if not c.split_invariant:
        raise NotApplicable("not split_invariant")
    for kind in instances.kinds(c):
        problem = instances.make(c, kind)
        schedule = backend.suggest_schedule(problem)
        whole = backend.settle(SettleRequest(problem, reads=2, schedule=schedule, seed=8))
        for rows in (1, 2):
            part = problem.with_fields(problem.fields[:rows])
            alone = backend.settle(SettleRequest(part, reads=2, schedule=schedule, seed=8))
            expect(
                np.array_equal(alone.states, whole.states[:rows]),
                f"the first {rows} of {problem.batch} rows ({kind}) differ when settled alone",
            )


def check_settles_side_by_side_give_what_they_give_alone(backend: Backend) -> None:
    """Concurrent: settles of the same couplings in two threads give the very same numbers as one by one."""
    c = backend.capabilities
    if not c.concurrent:
        raise NotApplicable("not concurrent")
    problem = instances.make(c, instances.kinds(c)[0])
    schedule = backend.suggest_schedule(problem)
    turned = problem.with_fields(problem.fields[::-1].copy())
    requests = [SettleRequest(p, schedule=schedule, seed=8) for p in (problem, turned)] * 4
    alone = [backend.settle(request).states for request in requests]
    with ThreadPoolExecutor(2) as threads:
        together = [answer.states for answer in threads.map(backend.settle, requests)]
    expect(
        all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True)),
        "two settles at the same time give other states than one after the other",
    )


def check_every_row_alone_keeps_the_claim(backend: Backend) -> None:
    """Each row settled alone is as claimed."""
    problem = claimed_problem(backend)
    for row in range(problem.batch):
        expect_claim(
            backend, settle_as_claimed(backend, problem.with_fields(problem.fields[row : row + 1]))
        )


def check_rows_keep_their_order(backend: Backend) -> None:
    """With the fields of the batch reversed the answers follow, each as claimed for its own row."""
    problem = claimed_problem(backend)
    expect_claim(
        backend, settle_as_claimed(backend, problem.with_fields(problem.fields[::-1].copy()))
    )


def check_equal_rows_draw_their_own_noise(backend: Backend) -> None:
    """Samplers: rows with equal fields do not all draw the same states."""
    c = backend.capabilities
    if c.claim not in (Claim.BOLTZMANN, Claim.GROUND_STATE):
        raise NotApplicable("not a sampler")
    problem = instances.make(c, instances.binary(c), rows=1).repeated(3)
    schedule = at_warmth(backend, problem, 3.0)
    if schedule is None:
        raise NotApplicable("takes no betas, so it cannot be made to fluctuate")
    answer = backend.settle(SettleRequest(problem, reads=24, schedule=schedule, seed=2))
    if answer.weights is not None:
        raise NotApplicable("weighted states instead of draws")
    same = np.array_equal(answer.states[0], answer.states[1]) or np.array_equal(
        answer.states[1], answer.states[2]
    )
    expect(
        not same,
        "two rows with equal fields drew the same 24 states: they share their random numbers",
    )
