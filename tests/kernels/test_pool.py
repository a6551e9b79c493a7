"""The pool covers its work once, whatever the number of threads."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isingeq.kernels.pool import Pool

POOLS = {threads: Pool(threads) for threads in (1, 2, 3)}


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.sampled_from([1, 2, 3]), st.integers(0, 30))
def test_pieces_cover_the_work_once(threads, count):
    done = np.zeros(count, int)

    def work(first, last):
        done[first:last] += 1

    POOLS[threads].split(count, work)
    np.testing.assert_array_equal(done, 1)


def test_an_error_in_a_thread_comes_out():
    def work(first, last):
        raise RuntimeError(f"in {first}")

    with pytest.raises(RuntimeError, match="in 0"):
        POOLS[2].split(8, work)


def test_work_that_splits_itself_stays_on_its_thread():
    """Pieces inside pieces, over the same pool and over another, neither wait for a thread nor take one."""
    seen = []

    def inner(first, last):
        seen.append((threading.get_ident(), first, last))

    def outer(first, last):
        me = threading.get_ident()
        POOLS[2].split(8, inner)
        POOLS[3].split(6, inner)
        assert [s for s in seen if s[0] == me] == [(me, 0, 8), (me, 0, 6)]

    POOLS[2].split(2, outer)
    assert len(seen) == 4
    pieces = []
    POOLS[2].split(8, lambda first, last: pieces.append((first, last)))
    assert sorted(pieces) == [(0, 4), (4, 8)]


def test_products_are_split_by_rows():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(11, 4)), rng.normal(size=(4, 5))
    for pool in POOLS.values():
        np.testing.assert_allclose(pool.product(a, b), a @ b, rtol=1e-13)
        out = np.empty((11, 5))
        assert pool.product(a, b, out=out) is out
        np.testing.assert_allclose(out, a @ b, rtol=1e-13)
