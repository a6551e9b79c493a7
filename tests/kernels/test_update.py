"""Fused updates against the formulas they fuse."""

import numpy as np
import pytest

from isingeq.kernels.update import adam, sgd

ENDS = np.array([7, 12, 12, 40])  # an empty segment among them
RATES = np.array([0.1, 0.02, 5.0, 0.3])
DECAY = np.array([0.01, 0.0, 0.5, 0.2])


def spread(values):
    return np.repeat(values, np.diff(ENDS, prepend=0))


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 2e-5)])
def test_sgd(dtype, rtol):
    rng = np.random.default_rng(0)
    theta, v = rng.normal(size=40), np.zeros(40)
    vector, velocity = theta.astype(dtype), v.astype(dtype)
    for _ in range(5):
        g = rng.normal(size=40)
        sgd(vector, g.astype(dtype), velocity, ENDS, RATES, 0.7, DECAY)
        v = 0.7 * v + g + spread(DECAY) * theta
        theta = theta - spread(RATES) * v
    np.testing.assert_allclose(vector, theta, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(velocity, v, rtol=rtol, atol=rtol)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 2e-5)])
def test_adam(dtype, rtol):
    rng = np.random.default_rng(0)
    theta, m, s = rng.normal(size=40), np.zeros(40), np.zeros(40)
    vector, mean, square = (a.astype(dtype) for a in (theta, m, s))
    for step in range(1, 6):
        g = rng.normal(size=40)
        g[3] = 0.0  # a parameter without a gradient stays, but for its decay
        adam(vector, g.astype(dtype), mean, square, ENDS, RATES, 0.8, 0.95, step, DECAY)
        m, s = 0.8 * m + 0.2 * g, 0.95 * s + 0.05 * g * g
        ahead = (m / (1 - 0.8**step)) / (np.sqrt(s / (1 - 0.95**step)) + 1e-8)
        theta = theta - spread(RATES) * (ahead + spread(DECAY) * theta)
    np.testing.assert_allclose(vector, theta, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(mean, m, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(square, s, rtol=rtol, atol=rtol)
