"""One directed coupling of every path and activation, over nine units."""

import numpy as np

from isingeq.couplings import Arrows, Directed, Matrix, Sliding, Turned, Window

N = 9
WINDOWS = {
    "plain": Window((2, 2, 1), 1, 1),
    "max": Window((2, 2, 1), 4, 1, pool=2, pooling="max"),
    "soft": Window((2, 2, 1), 4, 1, pool=2, pooling="soft"),
    "average": Window((2, 2, 1), 4, 1, pool=2, pooling="average"),
}


def directed():
    """Return couplings by name."""
    rng = np.random.default_rng(0)
    out = {}
    for activation in ("tanh", "logistic", "identity", "hard"):
        J = rng.normal(size=(3, 4))
        out[f"matrix, {activation}"] = Directed((1, 4), (4, 8), Matrix(J), activation)
    out["matrix of one run"] = Directed((1, 6), (1, 6), Matrix(rng.normal(size=(5, 5))))
    out["matrix of runs that overlap"] = Directed((1, 6), (3, 9), Matrix(rng.normal(size=(5, 6))))
    out["matrix, turned"] = Directed((4, 8), (1, 4), Turned(Matrix(rng.normal(size=(3, 4)))))
    i, j = np.array([0, 0, 2, 1, 3]), np.array([1, 2, 0, 1, 2])
    out["arrows"] = Directed((0, 4), (0, 4), Arrows((4, 4), i, j, rng.normal(size=5)))
    for name, window in WINDOWS.items():
        J = rng.normal(size=window.shape)
        out[f"window, {name}"] = Directed((0, 4), (4, 8), Sliding(window, J), "tanh")
        if window.linear:
            out[f"window, {name}, turned"] = Directed((4, 8), (0, 4), Turned(Sliding(window, J)))
    return out
