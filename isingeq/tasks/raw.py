"""Raw examples: a data set as it was found, unscaled, with its test part fixed, and checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isingeq.errors import DataError

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class RawExamples:
    """Training and test part before scaling and selection.

    Args:
        x_train: features (b, ...), any real dtype.
        y_train: labels (b,), integers 0 … num_classes − 1; every class occurs.
        x_test: features (b, ...), the same shape per example.
        y_test: labels (b,).
        num_classes: at least 2.
        full_scale: value that becomes 1 (0 stays 0); None scales each feature by the least and
            greatest value it takes in the training part.
        source: where the examples come from, in one line.
        origin: what to call each of the four arrays in an error, such as its file.
        mirrored: examples are images, and one mirrored left to right is still of its class.

    Raises:
        DataError: shapes that disagree, values that are not finite or out of range, labels that
            are not integers or out of range, a class without a training example.
    """

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    num_classes: int
    full_scale: float | None
    source: str
    origin: Mapping[str, str] = field(default_factory=dict)
    mirrored: bool = False

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            self._check_features(f"x_{part}")
        for part in ("train", "test"):
            self._check_labels(f"y_{part}", num_examples=len(getattr(self, f"x_{part}")))
        if self.num_classes < 2:
            raise DataError(
                f"{self._name('y_train')} has {self.num_classes} class, need at least 2: "
                "add examples of another class"
            )
        if self.x_test.shape[1:] != self.shape:
            raise DataError(
                f"{self._name('x_test')} has examples of shape {self.x_test.shape[1:]}, those of "
                f"{self._name('x_train')} have {self.shape}: give both the same shape"
            )
        counts = np.bincount(self.y_train.astype(np.int64), minlength=self.num_classes)
        if not counts.all():
            raise DataError(
                f"{self._name('y_train')} has no example of class {int(np.argmin(counts > 0))}, "
                f"need one at least of each of 0 … {self.num_classes - 1}: add some, or renumber"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return tuple(self.x_train.shape[1:])

    def _name(self, key: str) -> str:
        return self.origin.get(key, key)

    def _check_features(self, key: str) -> None:
        x, name = getattr(self, key), self._name(key)
        if x.dtype.kind not in "buif":
            raise DataError(f"{name} has dtype {x.dtype}, allowed are real numbers: convert it")
        if x.ndim < 2 or 0 in x.shape:
            raise DataError(
                f"{name} has shape {x.shape}, need (b, features) or (b, height, width[, channels]) "
                "with no axis empty: reshape it"
            )
        if x.dtype.kind == "f" and not (finite := np.isfinite(x)).all():
            raise DataError(
                f"{name} holds {x.size - np.count_nonzero(finite)} NaN or infinite of {x.size} "
                "values, allowed are finite numbers: remove or replace those examples"
            )
        if self.full_scale is not None and (x.min() < 0 or x.max() > self.full_scale):
            raise DataError(
                f"{name} goes from {x.min():g} to {x.max():g}, allowed is 0 … {self.full_scale:g}: "
                "give the full_scale of the data, or full_scale=None to scale by the training part"
            )

    def _check_labels(self, key: str, num_examples: int) -> None:
        y, name = getattr(self, key), self._name(key)
        if y.shape != (num_examples,):
            raise DataError(
                f"{name} has shape {y.shape}, need ({num_examples},): one label per example"
            )
        check_integer(y, name)
        if y.min() < 0 or y.max() >= self.num_classes:
            bad = y[(y < 0) | (y >= self.num_classes)][0]
            raise DataError(
                f"{name} holds the label {bad}, allowed are 0 … {self.num_classes - 1}: "
                "renumber the labels, or raise the number of classes"
            )


def check_integer(labels: Array, name: str) -> None:
    """Refuse labels of any other kind than integers.

    Raises:
        DataError: always for floats, even whole ones: rounding is the caller's to decide.
    """
    if labels.dtype.kind not in "ui":
        raise DataError(
            f"{name} has dtype {labels.dtype}, allowed are integer labels: convert with astype(int)"
        )
