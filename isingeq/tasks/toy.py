"""Toys: small enough to follow by hand, deterministic, for examples and tests."""

import numpy as np

from isingeq.tasks.raw import RawExamples


def xor() -> RawExamples:
    """The four patterns of exclusive or; the test part is the same truth table."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.uint8)
    y = x[:, 0] ^ x[:, 1]
    return RawExamples(x, y, x, y, num_classes=2, full_scale=1.0, source="exclusive or, generated")


def blobs(seed: int = 0) -> RawExamples:
    """Three Gaussian clouds in the plane, of unlike place and widths.

    Args:
        seed: draws the points.

    Returns:
        40 training and 10 test examples of each of three classes, classes interleaved.
    """
    rng = np.random.default_rng(seed)
    centres = np.array([[0.0, 0.0], [3.0, 0.5], [1.0, 3.0]])
    widths = np.array([[0.6, 0.4], [0.4, 0.7], [0.5, 0.5]])
    y = np.tile(np.arange(3), 50)
    x = centres[y] + widths[y] * rng.standard_normal((150, 2))
    return RawExamples(
        x[:120],
        y[:120],
        x[120:],
        y[120:],
        num_classes=3,
        full_scale=None,
        source=f"three Gaussian clouds in the plane, generated with seed {seed}",
    )
