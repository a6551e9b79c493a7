"""A spin problem in which nothing is symmetric, and a distance between distributions."""

from collections.abc import Callable

import numpy as np
import pytest

from isingeq.couplings import Dense, Edges
from isingeq.problem import Problem
from isingeq.units import Amplitude, Layer, Spin


@pytest.fixture
def frustrated() -> Problem:
    """Five spins on an odd, frustrated ring with a dense block across, three rows of fields."""
    ring = Edges(
        5,
        np.array([0, 1, 2, 3, 0]),
        np.array([1, 2, 3, 4, 4]),
        np.array([0.9, 0.6, 1.1, 0.7, 0.8]),
    )
    block = Dense((0, 1), (2, 4), np.array([[-0.5, 0.3]]))
    fields = np.random.default_rng(5).normal(0, 0.5, (3, 5))
    layers = (Layer("a", 2, Spin()), Layer("b", 3, Spin()))
    return Problem(layers, (ring, block), fields, offset=0.25)


@pytest.fixture
def amplitudes() -> Problem:
    return Problem((Layer("x", 2, Amplitude()),), (), np.zeros((1, 2)))


@pytest.fixture
def counted() -> Callable[[np.ndarray], np.ndarray]:
    """How often each of the 2^n states occurs in states (r, n), in binary order."""

    def count(states: np.ndarray) -> np.ndarray:
        n = states.shape[-1]
        place = (states > 0).astype(int) @ (1 << np.arange(n - 1, -1, -1))
        return np.bincount(place, minlength=2**n)

    return count


@pytest.fixture
def chi_square() -> Callable[[np.ndarray, np.ndarray], float]:
    """Pearson's chi-square of counts against probabilities, in standard errors above its mean."""

    def errors(counts: np.ndarray, probability: np.ndarray) -> float:
        assert counts[probability == 0].sum() == 0
        expected = counts.sum() * probability[probability > 0]
        assert expected.min() > 5, "too few draws for the rarest state"
        chi = ((counts[probability > 0] - expected) ** 2 / expected).sum()
        freedom = len(expected) - 1
        return float((chi - freedom) / np.sqrt(2 * freedom))

    return errors
