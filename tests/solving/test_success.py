import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from isingeq.solving.success import interval, time_to_solution


@given(st.integers(1, 300), st.data())
def test_the_interval_leaves_a_fortieth_on_either_side(reads, data):
    hits = data.draw(st.integers(0, reads))
    low, high = interval(hits, reads)
    assert 0 <= low <= hits / reads <= high <= 1
    if hits:
        assert binom.sf(hits - 1, reads, low) == pytest.approx(0.025, rel=1e-6)
    if hits < reads:
        assert binom.cdf(hits, reads, high) == pytest.approx(0.025, rel=1e-6)


def test_a_coin_is_thrown_until_99_percent_are_sure():
    assert time_to_solution(0.5, 3.0) == pytest.approx(3 * math.log2(100), rel=1e-12)


@pytest.mark.parametrize(("probability", "seconds"), [(1.0, 2.0), (0.99, 2.0), (0.0, None)])
def test_a_read_is_the_least_and_never_is_none(probability, seconds):
    assert time_to_solution(probability, 2.0) == seconds


def test_it_meets_one_read_at_99_percent():
    assert time_to_solution(0.99 - 1e-12, 2.0) == pytest.approx(2.0)
