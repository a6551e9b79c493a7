"""One pool of threads for compiled kernels and matrix products; BLAS itself stays on one thread.

Two busy thread pools fight for the same cores, so BLAS is bound to one thread while a pool is open and
samples are split over the pool instead.
"""

import ctypes
import functools
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from isingeq.errors import ConfigError

Floats = NDArray[np.floating]


class _Piece(threading.local):
    """Whether this thread is at work on a piece, whose own pieces it then does itself."""

    under_way = False


_piece = _Piece()


@functools.cache
def keep_freed_memory() -> None:
    """Have glibc hand the same pages out again: fresh ones cost more than the arithmetic of a small batch."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        mmap_threshold, trim_threshold, most = -3, -1, 2**30
        libc.mallopt(mmap_threshold, most)
        libc.mallopt(trim_threshold, most)


class Pool:
    """A fixed number of threads that share work cut into contiguous pieces."""

    def __init__(self, threads: int = 1) -> None:
        """Start the threads; raises ConfigError for fewer than 1."""
        if threads < 1:
            raise ConfigError(f"threads {threads} must be at least 1")
        self.threads = threads
        keep_freed_memory()
        self._limits = threadpool_limits(limits=1)
        self._executor = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    def split(self, count: int, work: Callable[[int, int], None], *, least: int = 1) -> None:
        """Call `work(first, last)` on pieces that together cover 0 … count − 1, each on its own thread.

        Work that splits itself in turn, on any pool, stays on its thread: the others are busy.

        Args:
            count: of what there is to do.
            work: does one piece.
            least: size of a piece below which waking a thread costs more than it gains.
        """
        pieces = min(self.threads, count // least)
        if self._executor is None or pieces < 2 or _piece.under_way:
            work(0, count)
            return

        def piece(first: int, last: int) -> None:
            _piece.under_way = True
            try:
                work(first, last)
            finally:
                _piece.under_way = False

        ends = np.linspace(0, count, pieces + 1).astype(int).tolist()
        others = [self._executor.submit(piece, a, b) for a, b in pairwise(ends[1:])]
        piece(0, ends[1])
        for other in others:
            other.result()

    def product(self, a: Floats, b: Floats, out: Floats | None = None) -> Floats:
        """Return a @ b, the rows of `a` split over the threads."""
        if out is None:
            out = np.empty((a.shape[0], b.shape[1]), np.result_type(a, b))
        target = out

        def piece(first: int, last: int) -> None:
            np.matmul(a[first:last], b, out=target[first:last])

        self.split(a.shape[0], piece, least=32)
        return out

    def close(self) -> None:
        """Stop the threads and give BLAS back the ones it had."""
        if self._executor is not None:
            self._executor.shutdown()
        self._limits.restore_original_limits()
