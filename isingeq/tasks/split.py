"""Which examples go where: stratified, drawn by seed, in the order of the data set."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isingeq.errors import ConfigError

Indices = NDArray[np.int64]

_VALIDATION, _TRAIN, _TEST = 1, 2, 3  # one random stream per part: no part's size moves another
_TEST_SEED = 0  # a smaller test part is the same one for every seed


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Sizes of the three parts, and the seed that draws them.

    Args:
        train_size: number of training examples; None takes all that validation leaves.
        validation_size: taken out of the training part; None is a tenth of it, at most 5,000.
        test_size: number of test examples, the same ones for every seed; None takes all.
        balanced: as many training examples of each class, instead of in proportion.
        seed: draws validation and training examples.

    Raises:
        ConfigError: a size or seed that is not a whole number in its range.
    """

    train_size: int | None = None
    validation_size: int | None = None
    test_size: int | None = None
    balanced: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for key, least in (("train_size", 1), ("validation_size", 0), ("test_size", 1)):
            _check_whole(key, getattr(self, key), least)
        if self.seed is None:
            raise ConfigError("seed is None, need a whole number of at least 0: give one")
        _check_whole("seed", self.seed, 0)
        if self.balanced and self.train_size is None:
            raise ConfigError("balanced needs train_size: give it as a multiple of the classes")

    def training(self, labels: NDArray[Any], num_classes: int) -> tuple[Indices, Indices]:
        """Split a training part into what is trained on and what is validated on.

        Args:
            labels: of the whole training part, (b,).
            num_classes: number of classes.

        Returns:
            Indices for training and for validation, each ascending, disjoint.

        Raises:
            ConfigError: more examples than there are, or a class that would get none to train on.
        """
        total = len(labels)
        size = min(5000, total // 10) if self.validation_size is None else self.validation_size
        if size >= total:
            raise ConfigError(f"validation_size is {size}, need less than the {total} to train on")
        counts = np.bincount(labels, minlength=num_classes)
        validation = _draw(labels, _proportional(counts, size), (self.seed, _VALIDATION))
        rest = np.setdiff1d(np.arange(total), validation, assume_unique=True)
        train = rest if self.train_size is None else rest[self._subset(labels[rest], num_classes)]
        left = np.bincount(labels[train], minlength=num_classes)
        if not left.all():
            raise ConfigError(
                f"train_size {len(train)} and validation_size {size} leave class "
                f"{int(np.argmin(left > 0))} without a training example: raise train_size, lower "
                "validation_size, or set balanced"
            )
        return train, validation

    def test(self, labels: NDArray[Any], num_classes: int) -> Indices:
        """Indices of the test part, ascending, the same for every seed.

        Raises:
            ConfigError: more examples than there are.
        """
        total = len(labels)
        if self.test_size is None:
            return np.arange(total)
        if self.test_size > total:
            raise ConfigError(f"test_size is {self.test_size}, the test part has {total}: lower it")
        counts = np.bincount(labels, minlength=num_classes)
        return _draw(labels, _proportional(counts, self.test_size), (_TEST_SEED, _TEST))

    def _subset(self, labels: NDArray[Any], num_classes: int) -> Indices:
        size = self.train_size or 0
        if size > len(labels):
            raise ConfigError(
                f"train_size is {size}, at most {len(labels)} remain beside validation: lower "
                "train_size or validation_size"
            )
        counts = np.bincount(labels, minlength=num_classes)
        if not self.balanced:
            return _draw(labels, _proportional(counts, size), (self.seed, _TRAIN))
        if size % num_classes:
            raise ConfigError(
                f"train_size is {size}, balanced needs a multiple of the {num_classes} classes"
            )
        each = size // num_classes
        if counts.min() < each:
            raise ConfigError(
                f"train_size {size}, balanced, needs {each} of each class, but class "
                f"{int(counts.argmin())} has {counts.min()}: lower train_size to at most "
                f"{counts.min() * num_classes}"
            )
        return _draw(labels, np.full(num_classes, each), (self.seed, _TRAIN))


def _check_whole(key: str, value: object, least: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ConfigError(f"{key} is {value!r}, need a whole number of at least {least}: change it")


def _proportional(counts: Indices, size: int) -> Indices:
    """Share out `size` in proportion to `counts`: largest remainder, ties to the lower class."""
    # Whole-number arithmetic: a float remainder would order ties by its rounding error.
    quotas, remainders = np.divmod(counts * size, counts.sum())
    winners = np.argsort(-remainders, kind="stable")[: size - quotas.sum()]
    quotas[winners] += 1
    return np.asarray(quotas)


def _draw(labels: NDArray[Any], quotas: Indices, stream: tuple[int, int]) -> Indices:
    """Draw `quotas[k]` examples of each class k; a larger quota holds the smaller one's."""
    rng = np.random.default_rng(stream)
    drawn = [rng.permutation(np.flatnonzero(labels == k))[:quota] for k, quota in enumerate(quotas)]
    return np.sort(np.concatenate(drawn))
