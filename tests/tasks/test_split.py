"""Selection: disjoint, stratified, repeatable; no part's size or seed moves another part."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isingeq.errors import ConfigError
from isingeq.tasks.split import Selection

# Unequal classes, out of order, so that a split by position would show.
LABELS = np.random.default_rng(5).permutation(np.repeat([0, 1, 2], [50, 100, 150]))


@given(
    counts=st.lists(st.integers(3, 40), min_size=2, max_size=5),
    share=st.floats(0, 0.5),
    seed=st.integers(0, 2**32),
)
def test_parts_are_disjoint_ascending_complete_and_in_proportion(counts, share, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    size = int(share * len(labels))
    train, validation = Selection(validation_size=size, seed=seed).training(labels, len(counts))
    assert len(validation) == size
    for part in (train, validation):
        assert (np.diff(part) > 0).all()
    np.testing.assert_array_equal(np.union1d(train, validation), np.arange(len(labels)))
    assert len(train) + len(validation) == len(labels)
    exact = np.array(counts) * size / len(labels)
    drawn = np.bincount(labels[validation], minlength=len(counts))
    assert (np.abs(drawn - exact) < 1).all()


def test_proportions_of_a_worked_example():
    train, validation = Selection(train_size=31, validation_size=12).training(LABELS, 3)
    np.testing.assert_array_equal(np.bincount(LABELS[validation]), [2, 4, 6])
    # 48, 96 and 144 remain: 31/288 of them is 5.17, 10.33, 15.5, so the last one is rounded up.
    np.testing.assert_array_equal(np.bincount(LABELS[train]), [5, 10, 16])
    assert not set(train) & set(validation)


def test_balanced_takes_as_many_of_each_class():
    train, _ = Selection(train_size=60, balanced=True).training(LABELS, 3)
    np.testing.assert_array_equal(np.bincount(LABELS[train]), [20, 20, 20])


def test_a_larger_balanced_subset_holds_the_smaller_one():
    small, _ = Selection(train_size=30, balanced=True, seed=4).training(LABELS, 3)
    large, _ = Selection(train_size=90, balanced=True, seed=4).training(LABELS, 3)
    assert set(small) < set(large)


@pytest.mark.parametrize(
    ("num_examples", "expected"), [(4, 0), (300, 30), (50_000, 5_000), (60_000, 5_000)]
)
def test_validation_is_a_tenth_at_most_5000_by_default(num_examples, expected):
    train, validation = Selection().training(np.arange(num_examples) % 2, 2)
    assert (len(train), len(validation)) == (num_examples - expected, expected)


def test_seed_moves_training_and_validation_but_never_the_test_part():
    one, other = (Selection(train_size=40, test_size=25, seed=seed) for seed in (1, 2))
    for a, b in zip(one.training(LABELS, 3), other.training(LABELS, 3), strict=True):
        assert not np.array_equal(a, b)
    np.testing.assert_array_equal(one.test(LABELS, 3), other.test(LABELS, 3))


def test_seed_moves_the_training_subset_where_nothing_is_validated():
    one, other = (
        Selection(train_size=40, validation_size=0, seed=seed).training(LABELS, 3)[0]
        for seed in (1, 2)
    )
    assert not np.array_equal(one, other)


def test_same_seed_gives_the_same_parts():
    for a, b in zip(
        Selection(train_size=40, seed=9).training(LABELS, 3),
        Selection(train_size=40, seed=9).training(LABELS, 3),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_train_size_moves_neither_validation_nor_test():
    few, many = Selection(train_size=20, test_size=25), Selection(train_size=200, test_size=25)
    np.testing.assert_array_equal(few.training(LABELS, 3)[1], many.training(LABELS, 3)[1])
    np.testing.assert_array_equal(few.test(LABELS, 3), many.test(LABELS, 3))


def test_a_smaller_test_part_is_in_proportion():
    np.testing.assert_array_equal(
        np.bincount(LABELS[Selection(test_size=30).test(LABELS, 3)]), [5, 10, 15]
    )
    np.testing.assert_array_equal(Selection().test(LABELS, 3), np.arange(300))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_size": 0}, r"train_size is 0, need a whole number of at least 1"),
        ({"train_size": 10.0}, r"train_size is 10.0, need a whole number"),
        ({"train_size": True}, r"train_size is True, need a whole number"),
        ({"validation_size": -1}, r"validation_size is -1, need a whole number of at least 0"),
        ({"test_size": "all"}, r"test_size is 'all', need a whole number"),
        ({"seed": -3}, r"seed is -3, need a whole number of at least 0"),
        ({"seed": None}, r"seed is None, need a whole number"),
        ({"balanced": True}, r"balanced needs train_size"),
    ],
)
def test_refuses_options_that_make_no_sense(options, message):
    with pytest.raises(ConfigError, match=message):
        Selection(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_size": 271}, r"train_size is 271, at most 270 remain beside validation"),
        ({"validation_size": 300}, r"validation_size is 300, need less than the 300"),
        ({"validation_size": 299}, r"validation_size 299 leave class 0 without"),
        ({"train_size": 1}, r"train_size 1 and validation_size 30 leave class 0 without"),
        ({"train_size": 31, "balanced": True}, r"31, balanced needs a multiple of the 3 classes"),
        ({"train_size": 150, "balanced": True}, r"class 0 has 45: lower train_size to at most 135"),
    ],
)
def test_refuses_sizes_that_the_training_part_cannot_give(options, message):
    with pytest.raises(ConfigError, match=message):
        Selection(**options).training(LABELS, 3)


def test_refuses_more_test_examples_than_there_are():
    with pytest.raises(ConfigError, match=r"test_size is 301, the test part has 300"):
        Selection(test_size=301).test(LABELS, 3)
