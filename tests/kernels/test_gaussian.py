"""Rows of Gaussian numbers: against Box–Muller in double precision, and as random numbers."""

import math

import numpy as np
import pytest

from isingeq.kernels.gaussian import normal_row, normal_rows, stream
from isingeq.kernels.noise import mix


def row(keys, step, unit):
    out = np.empty(len(keys), np.float32)
    normal_row(keys, step, unit, out, np.empty((4, len(keys)), np.float32))
    return out


def keys_of(count, seed=3):
    return np.array([int(stream(seed, k // 7, k % 7)) for k in range(count)], np.uint64)


def test_numbers_are_box_muller_on_the_halves_of_a_word():
    keys = keys_of(200)
    counter = int(mix(np.uint64((5 << 32) | 9)))
    for key, found in zip(keys.tolist(), row(keys, 5, 9), strict=True):
        word = int(mix(np.uint64(key ^ counter)))
        low = word & 0xFFFFFFFF
        angle = (low - 2**32 if low >= 2**31 else low) / 2**32
        true = math.sqrt(-2 * math.log(((word >> 32) + 0.5) / 2**32)) * math.cos(
            2 * math.pi * angle
        )
        assert found == pytest.approx(true, rel=2e-6, abs=2e-6)


def test_moments_are_those_of_a_standard_normal():
    z = np.empty(64 * 20_000, np.float32)
    normal_rows(keys_of(64), 1, 1.0, z)
    z = z.astype(np.float64)
    for power, variance in ((1, 1), (2, 2), (3, 15), (4, 96), (6, 10170)):
        expected = {1: 0, 2: 1, 3: 0, 4: 3, 6: 15}[power]
        assert abs((z**power).mean() - expected) < 5 * math.sqrt(variance / z.size)
    assert abs((np.abs(z) > 3).mean() - 0.0026998) < 5 * math.sqrt(0.0027 / z.size)
    assert z.max() > 4.3
    assert z.min() < -4.3


def test_neighbours_in_unit_step_and_stream_are_independent():
    rows = np.empty((2, 64 * 4000), np.float32)
    for step in range(2):
        normal_rows(keys_of(64), step, 1.0, rows[step])
    z = rows.reshape(2, 4000, 64).astype(np.float64)
    for product in (z[0] * z[1], z[0, 1:] * z[0, :-1], z[0, :, 1:] * z[0, :, :-1]):
        assert abs(product.mean()) < 5 / math.sqrt(product.size)
        assert abs((product**2).mean() - 1) < 5 * math.sqrt(8 / product.size)


def test_a_number_depends_on_its_own_stream_step_and_unit_alone():
    keys = keys_of(64)
    assert np.array_equal(row(keys, 2, 3)[16:32], row(keys[16:32].copy(), 2, 3))
    whole = np.empty(5 * 64)
    normal_rows(keys, 2, 0.5, whole)
    assert np.array_equal(whole.reshape(5, 64)[3], 0.5 * row(keys, 2, 3).astype(np.float64))
    assert len({float(row(keys, *at)[0]) for at in ((2, 3), (3, 2), (2, 4), (1, 3))}) == 4
    assert len({int(stream(*at)) for at in ((1, 2, 3), (1, 3, 2), (2, 1, 3), (0, 2, 3))}) == 4
