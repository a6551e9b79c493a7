"""Kernels that are called by address."""

import numpy as np
import pytest
from numba import njit, types
from numba.core.errors import TypingError

from isingeq.couplings.window import Window
from isingeq.kernels.addresses import address, caller
from isingeq.kernels.convolve import lay_out
from isingeq.kernels.pulls import Work, workspace
from isingeq.kernels.relax import panels


def add_twice(panel, count, factor):  # type: ignore[no-untyped-def]
    for i in range(count):
        panel[i] += 2 * factor


def arguments(kind):  # type: ignore[no-untyped-def]
    return types.Array(kind, 1, "C"), types.int64, types.float64


call = caller(arguments)


@njit
def through(where, panel, count, factor):  # type: ignore[no-untyped-def]
    call(where, panel, count, factor)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_kernel_is_reached_by_its_address(dtype: type) -> None:
    where = address(add_twice, arguments, dtype)
    assert address(add_twice, arguments, np.dtype(dtype)) == where
    panel = np.arange(5, dtype=dtype)
    through(where, panel, 3, 7)  # a whole number where a float is wanted
    np.testing.assert_array_equal(panel, [14, 15, 16, 3, 4])


def test_arrays_of_another_kind_are_refused() -> None:
    where = address(add_twice, arguments, np.float64)
    with pytest.raises(TypingError):
        through(where, np.zeros(10)[::2], 3, 1.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_panels_start_at_lines_of_the_cache(dtype: type) -> None:
    made = panels(7, np.dtype(dtype), displaced=True)
    work = workspace(lay_out([(Window((2, 2, 1), 1, 1), 0, 4)]), 7, dtype)
    assert isinstance(work, Work)
    for panel in (made.x, made.y, made.h, made.seen, made.spare, work.z):
        assert panel.shape == (7 * 16,)
        assert panel.ctypes.data % 64 == 0
