"""load: the bundled sets and the toys, their scale, their fixed test part, their digest."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.model_selection import train_test_split

from isingeq.errors import ConfigError
from isingeq.tasks import NAMES, blobs, from_arrays, load, xor

GENERATED = ("digits", "iris", "wine", "blobs")
SIZES = {
    "digits": (1294, 143, 360, 64, 10, (8, 8)),
    "iris": (108, 12, 30, 4, 3, (4,)),
    "wine": (128, 14, 36, 13, 3, (13,)),
    "blobs": (108, 12, 30, 2, 3, (2,)),
}


@pytest.mark.parametrize("name", GENERATED)
def test_shapes_types_and_range(name):
    data = load(name)
    train, validation, test, features, num_classes, shape = SIZES[name]
    assert data.x_train.shape == (train, features)
    assert data.x_validation.shape == (validation, features)
    assert data.x_test.shape == (test, features)
    assert (data.num_classes, data.shape, data.name) == (num_classes, shape, name)
    for x, y in (
        (data.x_train, data.y_train),
        (data.x_validation, data.y_validation),
        (data.x_test, data.y_test),
    ):
        assert (x.dtype, y.dtype) == (np.float32, np.int64)
        assert y.shape == (len(x),)
        assert x.min() >= 0
        assert x.max() <= 1
        assert not x.flags.writeable
        assert not y.flags.writeable
    assert len(data.source.splitlines()) == 1


@pytest.mark.parametrize("name", GENERATED)
def test_test_part_depends_on_neither_seed_nor_training_size(name):
    one, other = load(name), load(name, seed=7, train_size=30, validation_size=6)
    np.testing.assert_array_equal(one.x_test, other.x_test)
    np.testing.assert_array_equal(one.y_test, other.y_test)
    assert other.x_train.shape[0] == 30
    assert other.x_validation.shape[0] == 6


@pytest.mark.parametrize("name", GENERATED)
def test_no_example_is_in_two_parts(name):
    data = load(name)
    everything = np.concatenate([data.x_train, data.x_validation, data.x_test])
    whole = load(name, validation_size=0)
    assert len(whole.x_validation) == 0
    assert whole.x_validation.shape == (0, data.x_train.shape[1])
    # As multisets: some measures of Iris are honest duplicates.
    np.testing.assert_array_equal(
        _sorted_rows(everything), _sorted_rows(np.concatenate([whole.x_train, whole.x_test]))
    )


def test_every_part_keeps_each_example_with_its_label():
    whole, some = load("digits", validation_size=0), load("digits", train_size=90, test_size=50)
    for part, origin in (("train", "train"), ("validation", "train"), ("test", "test")):
        label_of = {
            x.tobytes(): y
            for x, y in zip(
                getattr(whole, f"x_{origin}"), getattr(whole, f"y_{origin}"), strict=True
            )
        }
        x, y = getattr(some, f"x_{part}"), getattr(some, f"y_{part}")
        np.testing.assert_array_equal([label_of[row.tobytes()] for row in x], y)
    assert len(some.y_test) == 50


def test_digits_are_divided_by_their_full_scale():
    data = load("digits")
    assert (data.num_clipped, data.scaling) == (0, "divided by 16")


@pytest.mark.parametrize("name", ["iris", "wine"])
def test_measures_span_0_to_1_over_the_training_part_alone(name):
    data = load(name, validation_size=0)
    np.testing.assert_array_equal(data.x_train.min(axis=0), 0)
    np.testing.assert_array_equal(data.x_train.max(axis=0), 1)
    assert "min-max" in data.scaling


@pytest.mark.parametrize(
    ("name", "bundled"), [("digits", load_digits), ("iris", load_iris), ("wine", load_wine)]
)
def test_the_split_is_the_documented_one(name, bundled):
    """Whoever repeats the documented call holds the very same test part."""
    x, y = bundled(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=0.2, stratify=y, random_state=0
    )
    low, high = (0, 16) if name == "digits" else (x_train.min(axis=0), x_train.max(axis=0))
    data = load(name, validation_size=0)
    for ours, labels, theirs, their_labels in (
        (data.x_train, data.y_train, x_train, y_train),
        (data.x_test, data.y_test, x_test, y_test),
    ):
        expected = np.clip((theirs - low) / (high - low), 0, 1).astype(np.float32)
        np.testing.assert_array_equal(
            _sorted_rows(np.column_stack([ours, labels])),
            _sorted_rows(np.column_stack([expected, their_labels])),
        )
    beyond = ((x_test < low) | (x_test > high)).sum()
    assert data.num_clipped == beyond


def test_clipped_test_values_are_counted():
    x_train = np.array([[0.0, 5.0, 7.0], [10.0, 6.0, 7.0], [5.0, 5.5, 7.0], [5.0, 5.0, 7.0]])
    x_test = np.array([[-1.0, 5.25, 7.0], [11.0, 9.0, 9.0], [2.5, 6.0, 7.0]])
    data = from_arrays(x_train, [0, 1, 0, 1], x_test, [0, 1, 0], full_scale=None)
    # The third feature is constant in training: shifted, not stretched, so 9 is 2 and is clipped.
    np.testing.assert_array_equal(data.x_train[:, 2], 0)
    np.testing.assert_array_equal(data.x_test, [[0, 0.25, 0], [1, 1, 1], [0.25, 1, 0]])
    assert data.num_clipped == 4


def test_integers_below_the_training_span_do_not_wrap():
    data = from_arrays(
        np.array([[100], [200]], np.uint8), [0, 1], np.array([[50]], np.uint8), [0], full_scale=None
    )
    assert data.x_test.item() == 0
    assert data.num_clipped == 1


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("digits", [36, 36, 36, 37, 36, 37, 36, 36, 35, 36]),
        ("iris", [10, 10, 10]),
        ("wine", [12, 14, 10]),
    ],
)
def test_the_test_part_is_a_stratified_fifth(name, counts):
    y_test = load(name).y_test
    assert np.abs(np.bincount(y_test) - counts).max() <= 1
    assert len(y_test) == SIZES[name][2]


@pytest.mark.parametrize(
    ("name", "digest"),
    [("digits", "66ac329f4310b531"), ("iris", "eb9234899ea9e6b8"), ("wine", "4e3147e87b6c46fc")],
)
def test_golden_digest(name, digest):
    """A digest that moves means that every published figure on this set is of another split."""
    assert load(name, validation_size=0).sha256.startswith(digest)


def test_digest_follows_every_array():
    one = load("iris", seed=1)
    assert one.sha256 == load("iris", seed=1).sha256
    assert one.sha256 != load("iris", seed=2).sha256
    assert one.sha256 != load("iris", seed=1, test_size=29).sha256


def test_xor_is_the_whole_truth_table():
    data = load("xor")
    np.testing.assert_array_equal(data.x_train, [[0, 0], [0, 1], [1, 0], [1, 1]])
    np.testing.assert_array_equal(data.y_train, [0, 1, 1, 0])
    np.testing.assert_array_equal(data.x_test, data.x_train)
    np.testing.assert_array_equal(data.y_test, data.y_train)
    assert len(data.x_validation) == 0
    np.testing.assert_array_equal(xor().x_train, data.x_train)


def test_blobs_follow_their_seed():
    np.testing.assert_array_equal(blobs(3).x_train, blobs(3).x_train)
    assert not np.array_equal(blobs(3).x_train, blobs(4).x_train)
    np.testing.assert_array_equal(np.bincount(blobs(3).y_test), [10, 10, 10])


def test_blobs_can_be_told_apart_by_their_nearest_centre():
    data = load("blobs")
    centres = np.stack([data.x_train[data.y_train == k].mean(axis=0) for k in range(3)])
    nearest = ((data.x_test[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == data.y_test).mean() > 0.9


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("fashion_mnist", "fashion-mnist"), ("minst", "mnist"), ("Digits", "digits")],
)
def test_unknown_name_names_the_nearest(name, nearest):
    with pytest.raises(ConfigError, match=f"did you mean '{nearest}'") as caught:
        load(name)
    assert all(known in str(caught.value) for known in NAMES)


def _sorted_rows(x):
    return x[np.lexsort(x.T)]
