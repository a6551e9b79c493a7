"""Sums, choices and transposes of windows over batches, against the plain ones of `couplings.sliding`."""

import numpy as np
import pytest

from isingeq.couplings import Window, sliding
from isingeq.kernels.image_windows import (
    back_pooled,
    by_choice,
    chosen_sums,
    correlate_pooled,
    sums_pooled,
)
from isingeq.kernels.pool import Pool

WINDOWS = [
    Window((7, 9, 1), 3, 4, pool=2), Window((8, 6, 3), 18, 3, padding=1, pool=2), Window((6, 6, 2), 5, 3),
    Window((8, 8, 16), 7, 3, padding=2, stride=1, pool=5), Window((9, 9, 32), 6, 5, stride=2, pool=3),
    Window((5, 5, 4), 3, 2, pool=2, pooling="average"), Window((5, 5, 4), 3, 2, pool=2, pooling="soft"),
    Window((5, 6, 80), 4, 4),
]  # fmt: skip
EVERY = pytest.mark.parametrize(
    "window", WINDOWS, ids=lambda w: f"{w.source[2]}-{w.kernel}-{w.pool}-{w.pooling}"
)
DTYPES = pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-12)])


def made(window, dtype, count=11):
    """Images, weights and pulls, half of which are 0."""
    rng = np.random.default_rng(4)
    images = rng.normal(size=(count, *window.source)).astype(dtype)
    weights = (rng.normal(size=window.shape) / window.kernel).astype(dtype)
    pulled = rng.normal(size=(count, *window.target)) * (rng.random((count, *window.target)) < 0.5)
    return images, weights, pulled.astype(dtype)


def close(found, expected, tolerance):
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max())


@EVERY
@DTYPES
@pytest.mark.parametrize("threads", [1, 2])
def test_all_four_agree_with_the_plain_ones(window, dtype, tolerance, threads):
    images, weights, pulled = made(window, dtype)
    pool = Pool(threads)
    sums = sliding.slide(images, weights, window)
    expected, shares = sliding.pool(sums, window)
    pooled, chosen = sums_pooled(images, weights, window, pool)
    close(pooled, expected, tolerance)
    named = sliding.gathered(sums, shares, window)
    close(chosen_sums(images, weights, chosen, window, pool), named, tolerance)
    squares = sliding.spread(pulled, shares, window)
    back = sliding.slide_back(squares, weights, window)
    close(back_pooled(pulled, chosen, weights, window, pool), back, tolerance)
    correlated = sliding.correlate(images, squares, window)
    close(correlate_pooled(images, pulled, chosen, window, pool), correlated, tolerance)
    pool.close()


def test_the_choice_is_that_of_other_images_and_the_first_of_equals():
    window = Window((4, 4, 1), 1, 1, pool=2)
    images = np.array([0, 5, 1, 1, 5, 5, 2, 2, 0, 0, 9, 0, 0, 0, 0, 0], float).reshape(1, 4, 4, 1)
    weights = np.ones((1, 1, 1, 1))
    pool = Pool(1)
    pooled, chosen = sums_pooled(images, weights, window, pool)
    assert pooled.ravel().tolist() == [5, 2, 0, 9]
    assert chosen.ravel().tolist() == [1, 2, 0, 0]
    others = np.arange(16.0).reshape(1, 4, 4, 1)
    assert chosen_sums(others, weights, chosen, window, pool).ravel().tolist() == [1, 6, 8, 10]


def test_what_a_sample_gets_does_not_depend_on_the_others_or_the_threads():
    window = WINDOWS[1]
    images, weights, pulled = made(window, np.float32, 9)
    one, two = Pool(1), Pool(2)
    _, chosen = sums_pooled(images, weights, window, one)
    for function, given in ((back_pooled, (pulled, chosen)), (chosen_sums, (images,))):
        rest = (weights, window) if function is back_pooled else (weights, chosen, window)
        whole = function(*given, *rest, one)
        np.testing.assert_array_equal(function(*given, *rest, two), whole)
    flat = correlate_pooled(images, pulled, chosen, window, one)
    np.testing.assert_array_equal(correlate_pooled(images, pulled, chosen, window, two), flat)
    one.close(), two.close()


def test_inputs_of_another_width_are_widened():
    window = WINDOWS[1]
    images, weights, pulled = made(window, np.float32)
    pool = Pool(1)
    pooled, chosen = sums_pooled(images, weights.astype(np.float64), window, pool)
    expected, _ = sliding.pool(sliding.slide(images.astype(np.float64), weights, window), window)
    close(pooled, expected, 1e-12)
    assert correlate_pooled(images, pulled.astype(np.float64), chosen, window, pool).dtype == float


def test_every_sum_is_its_own_choice_without_a_pool():
    assert by_choice(Window((4, 4, 1), 1, 1, pooling="soft"))
    assert not by_choice(Window((4, 4, 1), 1, 1, pool=2, pooling="average"))
