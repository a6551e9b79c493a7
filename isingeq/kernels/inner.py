"""Functions that kernels alone call, and what they use in place of numpy where that takes seconds to compile."""

from functools import partial

from numba import njit

inner = partial(njit, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""`njit` for what Python never calls: without the door for Python, which can take longer to compile than the rest."""


@inner
def copy(target, source):  # type: ignore[no-untyped-def]
    """Copy source (k,) into the first places of target; `target[:k] = source` brings numpy's worded error with it."""
    for i in range(source.size):
        target[i] = source[i]


@inner
def any_above(values, limit):  # type: ignore[no-untyped-def]
    """Return whether any of the values (k,) is above the limit."""
    above = False
    for i in range(values.size):
        above |= values[i] > limit
    return above
