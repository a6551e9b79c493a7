"""Products of mostly empty inputs, with and without their zeros."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isingeq.kernels.pool import Pool
from isingeq.kernels.sparse import WORTH, Inputs

POOL = Pool(1)


def matrix(rng, shape, density, dtype):
    return np.where(rng.random(shape) < density, rng.normal(size=shape), 0).astype(dtype)


def check(x, p, rng, pool=POOL):
    inputs = Inputs(x)
    forward, back = (
        rng.normal(size=(x.shape[1], p)).astype(x.dtype),
        rng.normal(size=(len(x), p)).astype(x.dtype),
    )
    out = np.full((x.shape[1], p), np.nan, x.dtype)
    inputs.correlate(back, out, pool)
    atol = 1e-12 if x.dtype == np.float64 else 1e-4
    np.testing.assert_allclose(inputs.times(forward, pool), x.astype(float) @ forward, atol=atol)
    np.testing.assert_allclose(out, x.T.astype(float) @ back, atol=atol)
    return inputs


@settings(derandomize=True, max_examples=40, deadline=None)
@given(
    b=st.integers(1, 20), k=st.integers(1, 40), p=st.sampled_from([1, 2, 7, 127, 128, 129, 256, 300]),
    density=st.sampled_from([0.0, 0.05, 0.2, 0.5, 1.0]), seed=st.integers(0, 2**31),
)  # fmt: skip
def test_products_are_the_dense_ones(b, k, p, density, seed):
    rng = np.random.default_rng(seed)
    check(matrix(rng, (b, k), density, np.float64), p, rng)


@pytest.mark.parametrize("p", [1, 127, 128, 129, 256, 300])
def test_every_column_is_written_whatever_the_width(p):
    rng = np.random.default_rng(p)
    check(matrix(rng, (9, 30), WORTH / 2, np.float64), p, rng)


def test_products_in_single_precision():
    rng = np.random.default_rng(0)
    check(matrix(rng, (17, 65), 0.15, np.float32), 145, rng)


def test_zeros_are_skipped_only_where_there_are_many():
    rng = np.random.default_rng(0)
    assert check(matrix(rng, (20, 50), WORTH / 2, np.float64), 5, rng)._entries is not None
    assert check(matrix(rng, (20, 50), 0.9, np.float64), 5, rng)._entries is None


def test_empty_rows_and_columns_give_zeros():
    x = np.zeros((5, 20))
    x[2, 3] = 2.0
    inputs = Inputs(x)
    product = inputs.times(np.ones((20, 130)), POOL)
    np.testing.assert_array_equal(
        product, np.where(np.arange(5)[:, None] == 2, 2.0, 0.0) * np.ones(130)
    )
    out = np.full((20, 130), np.nan)
    inputs.correlate(np.ones((5, 130)), out, POOL)
    np.testing.assert_array_equal(
        out, np.where(np.arange(20)[:, None] == 3, 2.0, 0.0) * np.ones(130)
    )


def test_inputs_that_are_not_contiguous_and_other_types_take_the_dense_way():
    rng = np.random.default_rng(0)
    x = matrix(rng, (40, 30), 0.1, np.float64)
    check(x.T, 7, rng)
    check(x[:, ::2], 7, rng)
    np.testing.assert_allclose(
        Inputs(x.astype(np.float32)).times(np.ones((30, 3)), POOL), x @ np.ones((30, 3)), atol=1e-6
    )


@pytest.mark.parametrize("density", [0.1, 0.9])
def test_two_threads_give_bitwise_what_one_gives_where_sums_are_ours(density):
    rng = np.random.default_rng(0)
    x = matrix(rng, (37, 50), density, np.float32)
    dense = rng.normal(size=(50, 131)).astype(np.float32)
    two = Pool(2)
    try:
        one, both = Inputs(x).times(dense, POOL), Inputs(x).times(dense, two)
        check(x, 131, rng, two)
    finally:
        two.close()
    if density < WORTH:
        np.testing.assert_array_equal(one, both)
    else:
        np.testing.assert_allclose(one, both, rtol=1e-4, atol=1e-4)
