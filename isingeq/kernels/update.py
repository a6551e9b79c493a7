"""Optimizer steps over one flat vector: read everything once, write everything once."""

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def sgd(vector, gradient, velocity, ends, rates, momentum, decay):  # type: ignore[no-untyped-def]
    """v ← momentum v + g + decay θ,  θ ← θ − rate v, segment by segment with its own rate.

    Args:
        vector: θ (p,), changed.
        gradient: g (p,).
        velocity: v (p,), changed.
        ends: one past the last element of each segment.
        rates: learning rate of each segment.
        momentum: share of the velocity kept.
        decay: weight decay of each segment.
    """
    first = 0
    keep = velocity.dtype.type(momentum)
    for segment in range(ends.size):
        rate, loss = velocity.dtype.type(rates[segment]), velocity.dtype.type(decay[segment])
        for k in range(first, ends[segment]):
            v = keep * velocity[k] + (gradient[k] + loss * vector[k])
            velocity[k] = v
            vector[k] -= rate * v
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
    b1, b2 = kind(beta1), kind(beta2)
    c1, c2 = kind(1.0 - beta1), kind(1.0 - beta2)
    scale2 = kind(1.0 / np.sqrt(1.0 - beta2**step))
    tiny = kind(1e-8)
    first = 0
    for segment in range(ends.size):
        rate = kind(rates[segment] / (1.0 - beta1**step))
        loss = kind(rates[segment] * decay[segment])
        for k in range(first, ends[segment]):
            g = gradient[k]
            m = b1 * mean[k] + c1 * g
            s = b2 * square[k] + c2 * g * g
            mean[k] = m
            square[k] = s
            vector[k] -= rate * m / (np.sqrt(s) * scale2 + tiny) + loss * vector[k]
        first = ends[segment]
