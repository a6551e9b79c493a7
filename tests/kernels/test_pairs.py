"""Sums over pairs, against a full matrix."""

import numpy as np
import pytest

from isingeq.kernels.pool import Pool
from isingeq.learning.pairs import PairedInputs, Pairs


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pairs_are_a_matrix_with_holes(threads, dtype):
    rng, pool = np.random.default_rng(0), Pool(threads)
    hole = rng.uniform(size=(30, 50)) < 0.2
    source, target = np.nonzero(hole)
    pairs = Pairs(source, target, 50)
    x = rng.normal(size=(200, 30)).astype(dtype)
    weights, forces = rng.normal(size=source.size).astype(dtype), rng.normal(size=(200, 50))
    matrix = np.zeros((30, 50), dtype)
    matrix[source, target] = weights
    inputs, out = PairedInputs(x, pairs), np.empty_like(weights)
    tolerance = 1e-4 if dtype is np.float32 else 1e-12
    np.testing.assert_allclose(inputs.times(weights, pool), x @ matrix, atol=tolerance)
    inputs.correlate(forces.astype(dtype), out, pool)
    np.testing.assert_allclose(out, (x.T @ forces)[hole], atol=10 * tolerance)
    part = np.array([3, 1])
    np.testing.assert_allclose(
        inputs.rows(part).times(weights, pool), (x @ matrix)[part], atol=tolerance
    )
    assert pairs.reach == pytest.approx(source.size / 30 + source.size / 50)
    pool.close()
