"""Digits, Iris and Wine as scikit-learn ships them, with one split that never changes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isingeq.tasks.raw import RawExamples


def digits() -> RawExamples:
    """1,797 handwritten digits of 8 × 8 pixels, 0 … 16: 1,437 to train on, 360 to test on."""
    # Imported here: it costs seconds, and the file-based sets do without it.
    from sklearn.datasets import load_digits

    found = load_digits()
    return _fixed_split(found.images, found.target, full_scale=16.0, title="handwritten digits")


def iris() -> RawExamples:
    """150 flowers, 4 measures, 3 species: 120 to train on, 30 to test on."""
    from sklearn.datasets import load_iris

    found = load_iris()
    return _fixed_split(found.data, found.target, full_scale=None, title="Iris (Fisher)")


def wine() -> RawExamples:
    """178 wines, 13 measures, 3 cultivars: 142 to train on, 36 to test on."""
    from sklearn.datasets import load_wine

    found = load_wine()
    return _fixed_split(found.data, found.target, full_scale=None, title="Wine (UCI)")


def _fixed_split(
    x: NDArray[Any], y: NDArray[Any], *, full_scale: float | None, title: str
) -> RawExamples:
    """Put a fifth aside for testing.

    The split is `train_test_split(test_size=0.2, stratify=y, random_state=0)`, so that anyone can
    hold another model against the very same test part; each part keeps the order of the data set.
    """
    from sklearn.model_selection import train_test_split

    train, test = map(
        np.sort, train_test_split(np.arange(len(y)), test_size=0.2, stratify=y, random_state=0)
    )
    return RawExamples(
        x[train],
        y[train],
        x[test],
        y[test],
        num_classes=int(y.max()) + 1,
        full_scale=full_scale,
        source=f"{title}, bundled with scikit-learn, fixed stratified 80/20 split",
    )
