"""Seeds, reads and random numbers."""

import numpy as np

from isingeq.backend import Backend, Claim, Equilibrium, SettleRequest
from isingeq.testing import instances
from isingeq.testing.outcome import NotApplicable, expect
from isingeq.testing.promises import at_warmth


def warm_draws(backend: Backend, seed: int) -> Equilibrium:
    """Return 16 reads of 6 rows at a high temperature: equal states are then rare.

    Raises:
        NotApplicable: the backend is no sampler, or cannot be heated.
    """
    c = backend.capabilities
    if c.claim not in (Claim.BOLTZMANN, Claim.GROUND_STATE):
        raise NotApplicable("not a sampler")
    problem = instances.make(c, instances.binary(c), rows=6)
    schedule = at_warmth(backend, problem, 3.0)
    if schedule is None:
        raise NotApplicable("takes no betas, so it cannot be made to fluctuate")
    answer = backend.settle(SettleRequest(problem, reads=16, schedule=schedule, seed=seed))
    if answer.weights is not None:
        raise NotApplicable("weighted states instead of draws")
    return answer


def check_same_seed_gives_the_same_states(backend: Backend) -> None:
    """Two calls with one seed agree in every number; a real device is excused."""
    c = backend.capabilities
    for kind in instances.kinds(c):
        problem = instances.make(c, kind)
        request = SettleRequest(
            problem, reads=4, schedule=backend.suggest_schedule(problem), seed=21
        )
        first, second = backend.settle(request), backend.settle(request)
        if first.provenance.kind == "real":
            raise NotApplicable("a real device has no seed")
        expect(
            np.array_equal(first.states, second.states), f"one seed gave two answers ({kind} units)"
        )


def check_other_seed_gives_other_states(backend: Backend) -> None:
    """Samplers: another seed draws other states."""
    first, second = warm_draws(backend, 21), warm_draws(backend, 22)
    expect(
        not np.array_equal(first.states, second.states), "seeds 21 and 22 drew the same 96 states"
    )


def check_reads_differ(backend: Backend) -> None:
    """Samplers: no read repeats another in every row."""
    states = warm_draws(backend, 23).states
    pairs = (states[:, :, None, :] == states[:, None, :, :]).all(axis=(0, 3))
    repeated = np.argwhere(np.triu(pairs, 1))
    expect(
        repeated.size == 0,
        f"two reads are equal in all rows, first (r, r'): {repeated[:1].tolist()}",
    )
