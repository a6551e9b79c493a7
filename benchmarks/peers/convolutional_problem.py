"""The convolutional nets that both sides of the comparison get, with weights and a batch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GAIN = 0.35
Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Shape:
    """A stack of convolutions, each followed by 2 × 2 max pooling, and ten outputs behind it.

    Attributes:
        source: rows, columns and channels of the images.
        channels: of each layer.
        kernel: rows and columns of every window.
        padding: zeros around the images.
        filled: share of the pixels that are not 0.
    """

    source: tuple[int, int, int]
    channels: tuple[int, ...]
    kernel: int
    padding: int
    filled: float


NETS = {
    "net28": Shape((28, 28, 1), (32, 64), 5, 0, 0.2),
    "net32": Shape((32, 32, 3), (128, 256, 512, 512), 3, 1, 1.0),
}


def random_problem(shape: Shape, batch: int, *, seed: int) -> Arrays:
    """Return w1, b1, … (weights (k, k, c, o), last (units, 10)), x (b, rows, columns, c), labels, padding, start.

    Biases are uniform in ± 1 / √(inputs of a unit), weights in GAIN times that: peers start so, and samples settle.
    States start (b, n) uniform in [0, 1]. From zero a hidden layer would first be one image of equal pixels,
    and rounding decide which of a pool is largest.
    """
    rng = np.random.default_rng(seed)
    problem: Arrays = {}
    side, inputs, n = shape.source[0], shape.source[2], 10
    for i, channels in enumerate(shape.channels, 1):
        size = (shape.kernel, shape.kernel, inputs, channels)
        limit = 1 / np.sqrt(np.prod(size[:3]))
        problem[f"w{i}"] = rng.uniform(-GAIN * limit, limit * GAIN, size).astype("f4")
        problem[f"b{i}"] = rng.uniform(-limit, limit, channels).astype("f4")
        side, inputs = (side + 2 * shape.padding - shape.kernel + 1) // 2, channels
        n += side * side * channels
    units, last = side * side * inputs, len(shape.channels) + 1
    limit = 1 / np.sqrt(units)
    problem[f"w{last}"] = rng.uniform(-GAIN * limit, limit * GAIN, (units, 10)).astype("f4")
    problem[f"b{last}"] = rng.uniform(-limit, limit, 10).astype("f4")
    x = rng.random((batch, *shape.source)) * (rng.random((batch, *shape.source)) < shape.filled)
    problem |= {"x": x.astype("f4"), "labels": rng.integers(10, size=batch)}
    problem["start"] = rng.random((batch, n)).astype("f4")
    return problem | {"padding": np.array(shape.padding)}
