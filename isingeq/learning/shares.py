"""A batch in shares, one thread each: what is not inside a kernel runs side by side too.

    dL/dθ = Σ_k (b_k / b) dL_k/dθ          over shares of b_k samples, added in their order

Shares have a fixed size, so that the sum and its rounding do not depend on the number of threads.
"""

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Backend, Floats
from isingeq.kernels.pool import Pool
from isingeq.learning.cost import Labels
from isingeq.learning.estimator import Estimator
from isingeq.learning.gradient import Step, estimate
from isingeq.learning.model import Model
from isingeq.learning.parameters import Parameters
from isingeq.schedule import Schedule

SHARE = 128
"""Samples per share: below that, the calls around the kernels cost more than a second thread gains."""


def estimate_in_shares(
    estimator: Estimator, network: Model, backend: Backend, parameters: Parameters, x: Floats, labels: Labels,
    rows: NDArray[np.int64], *, seed: int, schedule: Schedule | None, pool: Pool, out: Parameters,
    initial: Floats | None = None,
) -> list[Step]:  # fmt: skip
    """Write the gradient of the mean cost of a batch into `out`, and return the step of each share.

    A backend that does not settle in several threads at once gets the whole batch as one share. Share k draws
    from seed + 2k.

    Args:
        estimator: how.
        network: what.
        backend: where.
        parameters: at which.
        x: inputs of all samples (num, inputs).
        labels: their classes (num,).
        rows: the samples of the batch (b,).
        seed: of the first share's settle calls.
        schedule: of all settle calls.
        pool: threads.
        out: gradient, overwritten.
        initial: states (num, r, n) of all samples that their free phases start from; None for the backend's start.

    Raises:
        DivergenceError: the cost is no longer finite.
    """
    size = SHARE if backend.capabilities.concurrent else len(rows)
    starts = range(0, len(rows), size)
    couplings = network.couplings(parameters)
    parts = [out, *(out.like(np.empty_like(out.vector)) for _ in starts[1:])]
    steps: list[Step | None] = [None] * len(starts)

    def work(first: int, last: int) -> None:
        for k in range(first, last):
            share = rows[starts[k] : starts[k] + size]
            steps[k] = step = estimate(
                estimator, network, backend, parameters, x[share], labels[share],
                seed=seed + 2 * k, schedule=schedule, pool=pool, out=parts[k], couplings=couplings,
                initial=None if initial is None else initial[share],
            )  # fmt: skip
            if len(starts) > 1:
                parts[k].vector[:] *= step.num_samples / len(rows)

    def add(first: int, last: int) -> None:
        for part in parts[1:]:
            out.vector[first:last] += part.vector[first:last]

    pool.split(len(starts), work)
    pool.split(len(out.vector), add, least=2**16)
    return [step for step in steps if step is not None]
