"""Fields that follow flips, against the sums written out, for every form of the couplings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from isingeq.kernels.events import BLOCK, SCRATCH, Bits, Rows, absorb
from isingeq.machines.graph import Graph
from isingeq.machines.representation import Representation, entries, followed


@njit
def _absorb(form, ups, up, downs, down, g, scratch):
    absorb(form, ups, up, downs, down, g, scratch)


def couplings(rng, n, density, values):
    """A symmetric matrix (n, n) with a diagonal of zeros."""
    drawn = np.where(rng.random((n, n)) < density, rng.choice(values, (n, n)), 0.0)
    upper = np.triu(drawn, 1)
    return upper + upper.T


def graph_of(J):
    i, j = np.nonzero(np.triu(J, 1))
    return Graph.of(len(J), i, j, J[i, j])


def check(layout, J, rng, *, rounds=4, tolerance=0.0):
    """Flip spins at random, from all down, and compare fields each time."""
    n = len(J)
    g = np.zeros(-(-n // BLOCK) * BLOCK, layout.rest.dtype)
    g[:n] = layout.rest
    spins, scratch = -np.ones(n), np.empty(SCRATCH, np.int64)
    for share in (0.9, 0.05, 0.5, *[0.2] * (rounds - 3)):
        flips = np.flatnonzero(rng.random(n) < share)
        ups, downs = flips[spins[flips] < 0], flips[spins[flips] > 0]
        spins[flips] *= -1
        _absorb(layout.form, ups, ups.size, downs, downs.size, g, scratch)
        fields = (g[:n].astype(float) + layout.own * spins) * layout.unit
        np.testing.assert_allclose(fields, J @ spins, rtol=0, atol=tolerance)


@settings(derandomize=True, max_examples=10, deadline=None)
@given(
    n=st.sampled_from([1, 2, 63, 64, 65, 200, 511, 512, 513, 700]),
    kind=st.sampled_from([(1.0, (-1, 1)), (1.0, (-0.5, 0.5)), (0.9, (-1, 1)), (1.0, (-3, -1, 1, 3)), (0.7, (-2, 1))]),
    seed=st.integers(0, 2**31),
)  # fmt: skip
def test_whole_couplings_are_followed_exactly(n, kind, seed):
    rng = np.random.default_rng(seed)
    J = couplings(rng, n, *kind)
    check(followed(graph_of(J)), J, rng)


@pytest.mark.parametrize(
    ("n", "density", "values", "name", "per"),
    [
        (600, 1.0, (-1, 1), "bits", 1),
        (600, 1.0, (-3, -1, 1, 3), "bits", 3),
        (600, 0.9, (-1, 1), "bits", 2),
        (900, 0.9, (-2, 1), "bits", 4),
        (600, 0.9, (-40, 1), "int8 rows", None),
        (600, 0.005, (-1, 1), "entries", None),
        (600, 0.9, (-0.3, 0.71), "float32 rows", None),
    ],
)
def test_the_form_follows_the_couplings(n, density, values, name, per):
    rng = np.random.default_rng(1)
    J = couplings(rng, n, density, values)
    layout = followed(graph_of(J))
    assert layout.name == name
    if per is not None:
        assert isinstance(layout.form, Bits)
        assert layout.form.per == per
        assert layout.form.rows.ctypes.data % 64 == 0
    check(layout, J, rng, rounds=8, tolerance=1e-5 if name == "float32 rows" else 0.0)


def test_fields_that_could_overflow_are_not_kept_in_16_bits():
    """Row sums beyond 32767, reached where all spins are alike."""
    rng = np.random.default_rng(2)
    J = couplings(rng, 360, 1.0, (1.0, 127.0, 127.0, 127.0))
    layout = followed(graph_of(J))
    assert layout.rest.dtype == np.float64
    check(layout, J, rng)
    close = couplings(rng, 300, 1.0, (1.0, 127.0, 127.0, 127.0))
    assert followed(graph_of(close)).rest.dtype == np.int16
    check(followed(graph_of(close)), close, rng)


@pytest.mark.parametrize("flips", [127, 128, 254, 255, 256, 599, 600])
def test_counts_do_not_overflow_their_digits(flips):
    """All bits alike and all flips one way: the largest counts there are."""
    J = 1.0 - np.eye(600)
    layout = followed(graph_of(J))
    assert layout.name == "bits"
    g = np.zeros(2 * BLOCK, np.int16)
    g[:600] = layout.rest
    spins, some = -np.ones(600), np.arange(flips)
    for way in (1, -1):
        spins[:flips] = way
        ups, downs = (some, some[:0]) if way > 0 else (some[:0], some)
        _absorb(layout.form, ups, ups.size, downs, downs.size, g, np.empty(SCRATCH, np.int64))
        np.testing.assert_array_equal(g[:600] + spins, J @ spins)


def test_real_fields_do_not_wander():
    """After 40 000 flips they are as good as new."""
    rng = np.random.default_rng(3)
    J = couplings(rng, 400, 1.0, tuple(rng.normal(size=50))).astype(np.float32).astype(float)
    graph = graph_of(J)
    forms = (
        followed(graph),
        Representation("entries", entries(graph), 1.0, -J.sum(axis=0), 0.0),
    )
    assert isinstance(forms[0].form, Rows)
    for layout in forms:
        check(layout, J, np.random.default_rng(4), rounds=500, tolerance=1e-9)
