"""Sums over a list of pairs of rows: what inputs do to units where not all are coupled with all.

    out[target_e, :] += w_e x[source_e, :]            correlate: out_e = Σ_s x[source_e, s] f[target_e, s]

Rows are units, columns samples: each pair is one pass over two runs of memory.
"""

from numba import njit

_SUM = {"reassoc", "contract", "nsz"}
"""The order of a sum over samples is the compiler's: the same for every run and number of threads."""


@njit(nogil=True, cache=True, boundscheck=False)
def drive(first, last, x, source, target, weights, out):  # type: ignore[no-untyped-def]
    """Add w x to the samples first … last − 1 of out (units, b), x (inputs, b)."""
    for e in range(source.size):
        w, i, j = weights[e], source[e], target[e]
        for s in range(first, last):
            out[j, s] += w * x[i, s]


@njit(nogil=True, cache=True, boundscheck=False, fastmath=_SUM)
def correlate(first, last, x, f, source, target, out):  # type: ignore[no-untyped-def]
    """Write the products of x (inputs, b) and f (units, b), summed over samples, for the pairs first … last − 1."""
    for e in range(first, last):
        i, j = source[e], target[e]
        total = out.dtype.type(0)
        for s in range(x.shape[1]):
            total += x[i, s] * f[j, s]
        out[e] = total
