"""Centred equilibrium propagation in plain numpy: what each peer computes, written out once.

Energy E = −Σ h·(x W1 + b1) − Σ o·(h W2 + b2), cost C = ½ Σ (o − y)². One step sets a layer to
clip(−∂(E + nudging·C)/∂layer, 0, 1); the output layer of the second peer is not clipped.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

Arrays = dict[str, NDArray[np.floating]]


@dataclass(frozen=True)
class Dynamics:
    """What tells the peers apart.

    Attributes:
        synchronous: Both layers read the old state; otherwise the hidden layer is updated first
            and the output layer reads the new one.
        clipped_output: Whether the output layer is clipped to [0, 1] like the hidden one.
    """

    synchronous: bool
    clipped_output: bool


DYNAMICS = {
    "laborieux": Dynamics(synchronous=True, clipped_output=True),
    "rain": Dynamics(synchronous=False, clipped_output=False),
}


def gradient(
    problem: Arrays,
    dynamics: Dynamics,
    *,
    n_free: int,
    n_nudged: int,
    nudging: float,
    dtype: DTypeLike,
) -> Arrays:
    """Return dw1, db1, dw2, db2: the mean over the batch of dC/dθ (descend along the negative).

    Args:
        problem: w1 (784, 512), b1 (512,), w2 (512, 10), b2 (10,), inputs x (b, 784) and one-hot
            targets y (b, 10); the sizes are those of the benchmark, any others do.
        dynamics: Update order and output layer.
        n_free: Steps of the free phase, from the zero state.
        n_nudged: Steps of each nudged phase; both start from the free state.
        nudging: β of the nudge, used as +β and −β.
        dtype: Precision of the whole computation.
    """
    w1, b1, w2, b2, x, y = (problem[k].astype(dtype) for k in ("w1", "b1", "w2", "b2", "x", "y"))
    beta = w1.dtype.type(nudging)
    drive = x @ w1 + b1

    def settle(h, o, steps, nudge):
        for _ in range(steps):
            h_new = np.clip(drive + o @ w2.T, 0, 1)
            o = (h if dynamics.synchronous else h_new) @ w2 + b2 - nudge * (o - y)
            o = np.clip(o, 0, 1) if dynamics.clipped_output else o
            h = h_new
        return h, o

    free = settle(np.zeros_like(drive), np.zeros_like(y), n_free, beta * 0)
    h_up, o_up = settle(*free, n_nudged, beta)
    h_down, o_down = settle(*free, n_nudged, -beta)
    scale = 1 / (2 * beta * len(x))
    return {
        "dw1": x.T @ (h_down - h_up) * scale,
        "db1": (h_down - h_up).sum(0) * scale,
        "dw2": (h_down.T @ o_down - h_up.T @ o_up) * scale,
        "db2": (o_down - o_up).sum(0) * scale,
    }


def cosine(a: Arrays, b: Arrays) -> float:
    """Return the cosine between two gradients, all four blocks as one vector, in float64."""
    u, v = (
        np.concatenate([g[k].ravel().astype(np.float64) for k in ("dw1", "db1", "dw2", "db2")])
        for g in (a, b)
    )
    return float(u @ v / np.sqrt((u @ u) * (v @ v)))
