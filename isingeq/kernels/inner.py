"""Functions that kernels alone call, and what they use in place of numpy where that takes seconds to compile."""

from functools import partial

from numba import njit

inner = partial(njit, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""`njit` for what Python never calls: without the door for Python, which can take longer to compile than the rest."""

outer = partial(
    njit, nogil=True, cache=True, error_model="numpy", no_cfunc_wrapper=True, _nrt=False
)
"""`njit` for kernels that allocate nothing: without what counts references to arrays."""

inline = partial(inner, inline="always")
"""`njit` for what is written into its callers before anything is compiled: no library, no code of its own."""


@inline
def clear(panel, first, last):  # type: ignore[no-untyped-def]
    """Write zeros to the places first … last − 1."""
    for i in range(first, last):
        panel[i] = 0.0


@inner
def copy(target, source):  # type: ignore[no-untyped-def]
    """Copy source (k,) into the first places of target; `target[:k] = source` brings numpy's worded error with it."""
    for i in range(source.size):
        target[i] = source[i]


@inner
def any_above(values, first, last, limit):  # type: ignore[no-untyped-def]
    """Return whether any of the values first … last − 1 is above the limit."""
    above = False
    for i in range(first, last):
        above |= values[i] > limit
    return above
