import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.split import is_good, split

PACES = st.lists(st.none() | st.floats(1e-4, 10.0), min_size=1, max_size=6)


@given(st.integers(0, 300), PACES)
def test_every_sample_goes_to_one_board_and_no_board_is_left_idle(count, paces):
    counts = split(count, paces)
    assert sum(counts) == count
    assert len(counts) == len(paces)
    assert min(counts) >= (1 if count >= len(paces) else 0)
    assert is_good(counts, paces)


def test_slow_boards_get_fewer():
    assert split(70, [1.0, 0.5, 0.25]) == [10, 20, 40]
    assert split(10, [1.0, 1.0, 1.0]) == [4, 3, 3]
    assert split(2, [1.0, 0.1, 0.5]) == [0, 2, 0]


def test_a_board_nobody_knows_counts_as_an_average_one():
    assert split(30, [1.0, None, 1.0]) == [10, 10, 10]
    assert split(9, [None, None, None]) == [3, 3, 3]


@given(st.lists(st.floats(0.1, 10.0), min_size=2, max_size=5))
def test_all_are_done_at_about_the_same_time(paces):
    counts = split(1000, paces)
    times = np.array(counts) * paces
    assert times.max() - times.min() <= 2 * max(paces)


@pytest.mark.parametrize(
    ("counts", "good"), [([20, 20], True), ([22, 18], True), ([30, 10], False)]
)
def test_a_split_is_kept_until_it_is_a_tenth_too_slow(counts, good):
    assert is_good(counts, [1.0, 1.0]) is good
