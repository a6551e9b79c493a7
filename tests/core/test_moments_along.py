"""`moments_along` of every kind of coupling against differences of its `moments`."""

import numpy as np
import pytest

from isingeq.couplings import Convolution, Cosine, Dense, Edges, Injection, Window

N = 54
RNG = np.random.default_rng(6)
ENDS = np.triu_indices(N, 1)
EDGES = Edges(N, *ENDS, RNG.normal(size=ENDS[0].size))
DENSE = Dense((0, 20), (24, N), RNG.normal(size=(20, 30)))


def convolution(pooling):
    window = Window((6, 6, 1), 2, 3, padding=1, pool=2, pooling=pooling, sharpness=2.0)
    return Convolution((0, 36), (36, N), window, RNG.normal(size=window.shape))


COUPLINGS = {
    "dense": DENSE, "edges": EDGES, "cosine": Cosine(DENSE), "cosine of edges": Cosine(EDGES),
    "injection": Injection(RNG.normal(size=N)),
    **{pooling: convolution(pooling) for pooling in ("max", "average", "soft")},
}  # fmt: skip


@pytest.mark.parametrize("name", COUPLINGS)
def test_it_is_the_slope_of_the_moments(name):
    coupling = COUPLINGS[name]
    states, along = RNG.normal(size=(2, 3, N))
    weights, step = np.array([0.5, -1.0, 2.0]), 1e-6
    ends = [coupling.moments(states + sign * step * along, weights) for sign in (1, -1)]
    found = coupling.moments_along(states, along, weights)
    assert found.shape == ends[0].shape
    assert np.abs(found).max() > 0.5
    np.testing.assert_allclose(found, (ends[0] - ends[1]) / (2 * step), atol=2e-7)
