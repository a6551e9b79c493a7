"""Dataset: features in [0, 1] and labels, in a training, a validation and a test part."""

import difflib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isingeq.errors import ConfigError, DataError
from isingeq.tasks import bundled, toy
from isingeq.tasks.imagesets import IMAGE_SETS, load_images
from isingeq.tasks.raw import Array, RawExamples, check_integer
from isingeq.tasks.scale import Features, Scale
from isingeq.tasks.split import Selection

Labels = NDArray[np.int64]

_GENERATED: dict[str, Callable[[], RawExamples]] = {
    "digits": bundled.digits,
    "iris": bundled.iris,
    "wine": bundled.wine,
    "xor": toy.xor,
    "blobs": toy.blobs,
}
NAMES = (*_GENERATED, *IMAGE_SETS)


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """Examples that are ready to train on; every array is read-only.

    Pixels are divided by their full scale (16 for digits, 255 for the others). Measures (Iris,
    Wine, blobs) are scaled feature by feature so that the whole training part, validation
    included, spans [0, 1]; a feature that is constant there is only shifted to 0. Test values
    beyond that span are clipped, and counted in `num_clipped`. No seed or size moves the scale.

    Args:
        name: as given to `load`.
        x_train: features (b, f) in [0, 1].
        y_train: labels (b,).
        x_validation: taken out of the training part; (0, f) where none was asked for.
        y_validation: labels (b,).
        x_test: fixed by the data set, independent of seed and training size.
        y_test: labels (b,).
        num_classes: labels are 0 … num_classes − 1.
        shape: of one example before it was flattened, channels last.
        source: where the examples come from, in one line.
        scaling: how raw values became [0, 1], in one line.
        num_clipped: how many test values were clipped to [0, 1].
        mirrored: examples are images, and one mirrored left to right is still of its class.
    """

    name: str
    x_train: Features
    y_train: Labels
    x_validation: Features
    y_validation: Labels
    x_test: Features
    y_test: Labels
    num_classes: int
    shape: tuple[int, ...]
    source: str
    scaling: str
    num_clipped: int
    mirrored: bool = False

    @cached_property
    def sha256(self) -> str:
        """Digest of the six arrays with their shapes, in the order they are declared."""
        digest = hashlib.sha256()
        for part in ("train", "validation", "test"):
            for array in (getattr(self, f"x_{part}"), getattr(self, f"y_{part}")):
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def load(
    name: str,
    *,
    train_size: int | None = None,
    validation_size: int | None = None,
    test_size: int | None = None,
    balanced: bool = False,
    seed: int = 0,
    data_dir: str | Path | None = None,
) -> Dataset:
    """Load a data set by name.

    Args:
        name: one of `NAMES`.
        train_size: number of training examples, drawn by seed in proportion to the classes; None
            takes all that validation leaves.
        validation_size: taken out of the training part; None is a tenth of it, at most 5,000.
        test_size: number of test examples, the same ones for every seed; None takes all.
        balanced: as many training examples of each class, instead of in proportion.
        seed: draws validation and training examples; never the test part.
        data_dir: folder of the data files, in place of the one that ISINGEQ_DATA names.

    Raises:
        ConfigError: an unknown name, or sizes that the data set cannot give.
        DataError: files that are missing and cannot be downloaded, or are damaged.
    """
    selection = Selection(
        train_size=train_size,
        validation_size=validation_size,
        test_size=test_size,
        balanced=balanced,
        seed=seed,
    )
    if name in _GENERATED:
        return _assemble(name, _GENERATED[name](), selection)
    if name in IMAGE_SETS:
        folder = Path(data_dir) if data_dir else None
        return _assemble(name, load_images(IMAGE_SETS[name], data_dir=folder), selection)
    nearest = difflib.get_close_matches(str(name), NAMES, n=1, cutoff=0.0)[0]
    raise ConfigError(
        f"data set {name!r} is unknown, known are {', '.join(NAMES)}: did you mean {nearest!r}?"
    )


def from_arrays(
    x_train: ArrayLike,
    y_train: ArrayLike,
    x_test: ArrayLike,
    y_test: ArrayLike,
    *,
    name: str = "arrays",
    source: str = "arrays of the caller",
    num_classes: int | None = None,
    full_scale: float | None = 1.0,
    mirrored: bool = False,
    train_size: int | None = None,
    validation_size: int | None = None,
    test_size: int | None = None,
    balanced: bool = False,
    seed: int = 0,
) -> Dataset:
    """Make a data set of your own arrays, checked and split like all others.

    Args:
        x_train: features (b, ...).
        y_train: integer labels (b,).
        x_test: features (b, ...), never trained or selected on.
        y_test: integer labels (b,).
        name: what to call the data set.
        source: where the examples come from, in one line.
        num_classes: None counts them in y_train.
        full_scale: value that becomes 1, such as 255 for pixels; values outside 0 … full_scale
            are refused. None scales each feature by the training part, as for Iris.
        mirrored: examples are images, and one mirrored left to right is still of its class.
        train_size: as for `load`; so are the four that follow.
        validation_size: taken out of the training part.
        test_size: number of test examples.
        balanced: as many training examples of each class.
        seed: draws validation and training examples.

    Raises:
        ConfigError: sizes that the arrays cannot give, or a full scale that is not positive.
        DataError: arrays that do not make a data set; the message says which and why.
    """
    if full_scale is not None and not 0 < full_scale < np.inf:
        raise ConfigError(f"full_scale is {full_scale}, need a positive number or None: change it")
    given = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    arrays = {key: _as_array(key, value) for key, value in given.items()}
    raw = RawExamples(
        arrays["x_train"],
        arrays["y_train"],
        arrays["x_test"],
        arrays["y_test"],
        num_classes=_count_classes(arrays["y_train"]) if num_classes is None else num_classes,
        full_scale=full_scale,
        source=source,
        mirrored=mirrored,
    )
    selection = Selection(
        train_size=train_size,
        validation_size=validation_size,
        test_size=test_size,
        balanced=balanced,
        seed=seed,
    )
    return _assemble(name, raw, selection)


def _as_array(key: str, value: ArrayLike) -> Array:
    try:
        return np.asarray(value)
    except ValueError as error:
        raise DataError(f"{key} has rows of unequal length, need a full array: pad it") from error


def _count_classes(labels: Array) -> int:
    check_integer(labels, "y_train")
    return int(labels.max(initial=0)) + 1


def _assemble(name: str, raw: RawExamples, selection: Selection) -> Dataset:
    """Select, then scale: only what is used is ever held as float32."""
    y_train, y_test = raw.y_train.astype(np.int64), raw.y_test.astype(np.int64)
    train, validation = selection.training(y_train, raw.num_classes)
    test = selection.test(y_test, raw.num_classes)
    labels = {"train": y_train[train], "validation": y_train[validation], "test": y_test[test]}
    for chosen in labels.values():
        chosen.flags.writeable = False
    scale = Scale(raw)
    x_test, num_clipped = scale(raw.x_test[test])
    return Dataset(
        name=name,
        x_train=scale(raw.x_train[train])[0],
        y_train=labels["train"],
        x_validation=scale(raw.x_train[validation])[0],
        y_validation=labels["validation"],
        x_test=x_test,
        y_test=labels["test"],
        num_classes=raw.num_classes,
        shape=raw.shape,
        source=raw.source,
        scaling=str(scale),
        num_clipped=num_clipped,
        mirrored=raw.mirrored,
    )
