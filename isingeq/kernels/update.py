"""Optimizer steps over one flat vector: read everything once, write everything once."""

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy", fastmath=True)
def _sgd(theta, g, v, rate, momentum, decay):  # type: ignore[no-untyped-def]
    for k in range(theta.size):
        v[k] = momentum * v[k] + (g[k] + decay * theta[k])
        theta[k] -= rate * v[k]


@njit(cache=True, error_model="numpy", fastmath=True)
def _adam(theta, g, m, s, rate, scale, b1, b2, c1, c2, tiny, decay):  # type: ignore[no-untyped-def]
    for k in range(theta.size):
        mk = b1 * m[k] + c1 * g[k]
        sk = b2 * s[k] + c2 * g[k] * g[k]
        m[k], s[k] = mk, sk
        theta[k] -= rate * mk / (np.sqrt(sk) * scale + tiny) + decay * theta[k]


@njit(nogil=True, cache=True, error_model="numpy")
def sgd(vector, gradient, velocity, ends, rates, momentum, decay):  # type: ignore[no-untyped-def]
    """Step θ ← θ − rate v with v ← momentum v + g + decay θ, segment by segment with its own rate.

    Args:
        vector: θ (p,), changed.
        gradient: g (p,).
        velocity: v (p,), changed.
        ends: one past the last element of each segment.
        rates: learning rate of each segment.
        momentum: share of the velocity kept.
        decay: weight decay of each segment.
    """
    kind = velocity.dtype.type
    first = 0
    for segment in range(ends.size):
        part = slice(first, ends[segment])
        _sgd(
            vector[part],
            gradient[part],
            velocity[part],
            kind(rates[segment]),
            kind(momentum),
            kind(decay[segment]),
        )
        first = ends[segment]


@njit(nogil=True, cache=True, error_model="numpy")
def adam(vector, gradient, mean, square, ends, rates, beta1, beta2, step, decay):  # type: ignore[no-untyped-def]
    """Adam with decoupled weight decay (Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019).

    Args:
        vector: θ (p,), changed.
        gradient: g (p,).
        mean: first moment (p,), changed.
        square: second moment (p,), changed.
        ends: one past the last element of each segment.
        rates: learning rate of each segment.
        beta1: decay of the first moment.
        beta2: decay of the second moment.
        step: number of this step, from 1.
        decay: weight decay of each segment.
    """
    kind = mean.dtype.type
    scale = kind(1.0 / np.sqrt(1.0 - beta2**step))
    first = 0
    for segment in range(ends.size):
        part = slice(first, ends[segment])
        _adam(
            vector[part], gradient[part], mean[part], square[part],
            kind(rates[segment] / (1.0 - beta1**step)), scale, kind(beta1), kind(beta2), kind(1.0 - beta1),
            kind(1.0 - beta2), kind(1e-8), kind(rates[segment] * decay[segment]),
        )  # fmt: skip
        first = ends[segment]
