"""Shifts and mirror images, by hand and by count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isingeq.errors import ConfigError
from isingeq.kernels.augment import shifted
from isingeq.learning.augmentation import Augmentation


def moved(image, down, right, mirror, width, channels):
    """One image (1, inputs) through the kernel."""
    out = np.full_like(image, -7)
    one = [np.array([value]) for value in (down, right, mirror)]
    shifted(image, np.zeros(1, np.int64), *one, width, channels, out)
    return out[0].tolist()


@pytest.mark.parametrize(
    ("down", "right", "mirror", "expected"),
    [
        (0, 0, False, [1, 2, 3, 4, 5, 6]),
        (1, 0, False, [0, 0, 0, 1, 2, 3]),
        (-1, 0, False, [4, 5, 6, 0, 0, 0]),
        (0, 1, False, [0, 1, 2, 0, 4, 5]),
        (0, -2, False, [3, 0, 0, 6, 0, 0]),
        (1, -1, False, [0, 0, 0, 2, 3, 0]),
        (0, 0, True, [3, 2, 1, 6, 5, 4]),
        (0, 1, True, [2, 1, 0, 5, 4, 0]),
        (-1, -1, True, [0, 6, 5, 0, 0, 0]),
    ],
)
def test_two_rows_of_three_pixels_by_hand(down, right, mirror, expected):
    image = np.array([[1, 2, 3, 4, 5, 6]], np.float32)
    assert moved(image, down, right, mirror, 3, 1) == expected


def test_channels_stay_together():
    image = np.array([[1, 10, 2, 20, 3, 30, 4, 40]], np.float32)  # 2 × 2 pixels of 2 channels
    assert moved(image, 0, 1, False, 2, 2) == [0, 0, 1, 10, 0, 0, 3, 30]
    assert moved(image, 1, 0, True, 2, 2) == [0, 0, 0, 0, 2, 20, 1, 10]


@settings(derandomize=True, max_examples=40, deadline=None)
@given(
    st.sampled_from([(5, 7), (6, 4, 3), (3, 3, 2)]), st.integers(0, 2), st.booleans(),
    st.integers(0, 2**40),
)  # fmt: skip
def test_every_image_is_a_crop_of_its_padded_self(shape, shift, flip, update):
    x = np.random.default_rng(0).random((4, int(np.prod(shape)))).astype(np.float32) + 1
    x.flags.writeable = False
    rows = np.array([2, 0, 2, 3, 1])
    out = Augmentation(shape, shift, flip).images(x, rows, seed=5, update=update)
    padded = np.pad(
        x.reshape(4, *shape), [(0, 0), *[(shift, shift)] * 2, *[(0, 0)] * (len(shape) - 2)]
    )
    crops = range(2 * shift + 1)
    for row, image in zip(rows, out.reshape(-1, *shape), strict=True):
        candidates = [
            crop
            for y in crops
            for x0 in crops
            for crop in [padded[row, y : y + shape[0], x0 : x0 + shape[1]]]
        ]
        if flip:
            candidates += [crop[:, ::-1] for crop in candidates]
        assert any(np.array_equal(image, crop) for crop in candidates)


def test_every_shift_and_side_is_as_likely():
    height = width = 5
    point = np.zeros((1, height, width), np.float32)
    point[0, 2, 1] = 1  # off the middle, so that its mirror image is elsewhere
    num = 9000
    out = Augmentation((height, width), 1, True).images(
        point.reshape(1, -1), np.zeros(num, np.int64), seed=0, update=3
    )
    counts = out.reshape(num, height, width).sum(axis=0)
    expected = np.zeros((height, width))
    expected[1:4, :3] += num / 18  # (rows 1 … 3) × (columns 0 … 2), not mirrored
    expected[1:4, 2:] += num / 18  # columns 2 … 4 mirrored
    assert counts[expected == 0].sum() == 0
    spread = np.sqrt(expected * (1 - expected / num))
    assert (np.abs(counts - expected) <= 4 * spread).all()


def test_draws_follow_seed_and_update_and_no_stream_that_runs_on():
    x = np.random.default_rng(0).random((6, 64)).astype(np.float32)
    rows, augmentation = np.arange(6), Augmentation((8, 8), 3, True)

    def at(seed, update):
        return augmentation.images(x, rows, seed=seed, update=update)

    first = at(1, 9)
    np.testing.assert_array_equal(at(1, 9), first)
    assert not np.array_equal(at(1, 10), first)
    assert not np.array_equal(at(2, 9), first)


@pytest.mark.parametrize(
    ("shape", "shift", "says"),
    [
        ((4,), 1, r"rows, columns\[, channels\], the examples have shape \(4,\): set shift = 0"),
        ((2, 3, 4, 5), 1, "the examples have shape"),
        ((8, 5), 5, "shift 5 must be at least 0 .* 8 × 5 pixels: at most 4"),
        ((8, 8), -1, "shift -1 must be"),
    ],
)
def test_what_cannot_be_moved_is_refused_in_one_line(shape, shift, says):
    with pytest.raises(ConfigError, match=says) as refusal:
        Augmentation(shape, shift)
    assert "\n" not in str(refusal.value)
