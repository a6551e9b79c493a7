"""The problem that both sides of the comparison get."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.floating]]


def random_problem(batch: int, *, seed: int) -> Arrays:
    """Return a 784-512-10 net with uniform weights and a batch as sparse as written digits."""
    rng = np.random.default_rng(seed)
    sizes = (784, 512, 10)
    problem = {}
    for i, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        problem[f"w{i}"] = rng.uniform(-1, 1, (n_in, n_out)) / np.sqrt(n_in)
        problem[f"b{i}"] = rng.uniform(-0.5, 0.5, n_out)
    problem["x"] = rng.random((batch, 784)) * (rng.random((batch, 784)) < 0.2)
    problem["y"] = np.eye(10)[rng.integers(10, size=batch)]
    return {name: array.astype(np.float32) for name, array in problem.items()}
