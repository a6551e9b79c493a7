"""from_arrays: own data, checked like all others; each fault is one line with a remedy."""

import numpy as np
import pytest

from isingeq.errors import ConfigError, DataError
from isingeq.tasks import from_arrays


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.random((12, 2, 3)),
        "y_train": np.tile([0, 1, 2], 4),
        "x_test": rng.random((6, 2, 3)),
        "y_test": np.tile([0, 1, 2], 2),
    }


def test_takes_arrays_as_they_are(arrays):
    before = {key: array.copy() for key, array in arrays.items()}
    data = from_arrays(**arrays, validation_size=3, seed=2, name="mine", source="a lab")
    assert (data.name, data.source, data.shape) == ("mine", "a lab", (2, 3))
    assert (data.num_classes, data.num_clipped) == (3, 0)
    np.testing.assert_array_equal(data.x_test, arrays["x_test"].reshape(6, 6).astype(np.float32))
    np.testing.assert_array_equal(np.bincount(data.y_validation), [1, 1, 1])
    for key, array in arrays.items():
        np.testing.assert_array_equal(array, before[key])
        assert array.flags.writeable
        assert not np.shares_memory(array, getattr(data, key))


def test_full_scale_is_what_becomes_one(arrays):
    arrays |= {key: np.round(arrays[key] * 255).astype(np.uint8) for key in ("x_train", "x_test")}
    data = from_arrays(**arrays, full_scale=255, validation_size=0)
    np.testing.assert_array_equal(
        data.x_train, (arrays["x_train"].reshape(12, 6) / np.float32(255)).astype(np.float32)
    )


def test_declared_classes_must_all_occur_in_training(arrays):
    with pytest.raises(DataError, match=r"y_train has no example of class 3, need one at least"):
        from_arrays(**arrays, num_classes=4)


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("x_train", lambda x: _set(x, np.nan), r"x_train holds 1 NaN or infinite of 72 values"),
        ("x_test", lambda x: _set(x, -np.inf), r"x_test holds 1 NaN or infinite of 36 values"),
        ("x_train", lambda x: _set(x, 1.01), r"x_train goes from .* to 1.01, allowed is 0 … 1"),
        ("x_test", lambda x: _set(x, -0.01), r"x_test goes from -0.01 .*allowed is 0 … 1"),
        ("x_train", lambda x: x.astype(complex), r"x_train has dtype complex128, allowed are real"),
        ("x_train", lambda x: x.astype(str), r"x_train has dtype <U\d+, allowed are real"),
        ("x_train", lambda x: x[:, 0, 0], r"x_train has shape \(12,\), need \(b, features\)"),
        ("x_train", lambda x: x[:0], r"x_train has shape \(0, 2, 3\), need"),
        ("x_test", lambda x: x[:0], r"x_test has shape \(0, 2, 3\), need"),
        ("x_test", lambda x: x[:, :, :2], r"x_test has examples of shape \(2, 2\), those of"),
        ("y_train", lambda y: y[:-1], r"y_train has shape \(11,\), need \(12,\): one label per"),
        ("y_test", lambda y: y[:, None], r"y_test has shape \(6, 1\), need \(6,\)"),
        ("y_train", lambda y: y.astype(float), r"y_train has dtype float64, allowed are integer"),
        ("y_train", lambda y: y > 0, r"y_train has dtype bool, allowed are integer"),
        ("y_train", lambda y: y - 1, r"y_train holds the label -1, allowed are 0 … 1"),
        ("y_test", lambda y: y + 1, r"y_test holds the label 3, allowed are 0 … 2"),
        ("y_train", lambda y: np.where(y == 1, 2, y), r"y_train has no example of class 1"),
        ("x_train", lambda x: [[1, 2], [3]], r"x_train has rows of unequal length"),
    ],
)
def test_each_fault_is_one_clear_line(arrays, key, change, message):
    arrays[key] = change(arrays[key])
    with pytest.raises(DataError, match=message) as caught:
        from_arrays(**arrays)
    assert len(str(caught.value).splitlines()) == 1


def test_one_class_is_no_task(arrays):
    arrays |= {key: np.zeros_like(arrays[key]) for key in ("y_train", "y_test")}
    with pytest.raises(DataError, match=r"y_train has 1 class, need at least 2"):
        from_arrays(**arrays)


@pytest.mark.parametrize("full_scale", [0, -1.0, np.inf, np.nan])
def test_full_scale_must_be_positive(arrays, full_scale):
    with pytest.raises(ConfigError, match="need a positive number or None"):
        from_arrays(**arrays, full_scale=full_scale)


def _set(x, value):
    x = x.copy()
    x[1, 0, 2] = value
    return x
