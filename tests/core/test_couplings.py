"""Couplings: the same energy written densely, as edges, and as a plain double sum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isingeq.couplings import Dense, Edges
from isingeq.errors import ProblemError

N = 7
A, B = (1, 4), (5, 7)  # units 0 and 4 stay out, so that an offset by one shows


def dense(seed=0):
    return Dense(A, B, np.random.default_rng(seed).normal(size=(3, 2)))


def turned(seed=0):
    """The side `a` behind the side `b`: lowering has to swap i and j."""
    return Dense(B, A, np.random.default_rng(seed).normal(size=(2, 3)))


def frustrated(seed=0):
    i, j = np.array([0, 1, 0, 2, 3]), np.array([1, 2, 2, 6, 5])
    return Edges(N, i, j, np.random.default_rng(seed).normal(size=5))


EVERY = pytest.mark.parametrize("make", [dense, turned, frustrated])


def matrix(coupling):
    """All couplings as one upper triangle (n, n), read from the list of edges."""
    out = np.zeros((N, N))
    for i, j, J in zip(*coupling.edges(), strict=True):
        assert i < j
        out[i, j] += J
    return out


@EVERY
def test_energy_is_the_double_sum(make):
    coupling, J = make(), matrix(make())
    states = np.random.default_rng(1).normal(size=(3, 2, N))
    expected = np.zeros((3, 2))
    for i in range(N):
        for j in range(i + 1, N):
            expected += J[i, j] * states[..., i] * states[..., j]
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(coupling.energy(states), expected, atol=1e-13)


@pytest.mark.parametrize(("make", "a", "b"), [(dense, A, B), (turned, B, A)])
def test_a_dense_entry_joins_its_row_of_a_with_its_column_of_b(make, a, b):
    coupling = make()
    for p in range(a[1] - a[0]):
        for q in range(b[1] - b[0]):
            states = np.zeros(N)
            states[a[0] + p], states[b[0] + q] = 2.0, 3.0
            assert coupling.energy(states) == pytest.approx(6 * coupling.J[p, q], rel=1e-14)


@EVERY
def test_field_is_the_slope_of_the_energy(make):
    coupling = make()
    states = np.random.default_rng(2).normal(size=(2, 3, N))
    for unit in range(N):
        step = np.zeros(N)
        step[unit] = 0.5  # the energy is linear in each unit: any step is exact
        slope = coupling.energy(states + step) - coupling.energy(states - step)
        np.testing.assert_allclose(coupling.field(states)[..., unit], slope, atol=1e-13)


@EVERY
def test_moments_are_the_slope_of_the_weighted_energy_with_respect_to_each_coupling(make):
    coupling = make()
    rng = np.random.default_rng(3)
    states, weights = rng.normal(size=(4, N)), rng.normal(size=4)
    found = coupling.moments(states, weights)
    assert found.shape == coupling.J.shape
    for at in np.ndindex(coupling.J.shape):
        moved = []
        for sign in (1, -1):
            J = coupling.J.copy()
            J[at] += 0.5 * sign
            other = (
                Dense(coupling.a, coupling.b, J)
                if isinstance(coupling, Dense)
                else Edges(N, coupling.i, coupling.j, J)
            )
            moved.append(weights @ other.energy(states))
        assert found[at] == pytest.approx(moved[0] - moved[1], abs=1e-12)


@EVERY
def test_gathered_edge_moments_are_the_moments(make):
    coupling = make()
    rng = np.random.default_rng(4)
    states, weights = rng.normal(size=(4, N)), rng.normal(size=4)
    i, j, J = coupling.edges()
    per_edge = np.einsum("b,bm,bm->m", weights, states[:, i], states[:, j])
    np.testing.assert_allclose(
        coupling.gather(per_edge), coupling.moments(states, weights), rtol=1e-12
    )
    np.testing.assert_array_equal(coupling.gather(J), coupling.J)


@settings(derandomize=True, max_examples=25, deadline=None)
@given(
    st.integers(1, 5), st.integers(1, 5), st.integers(0, 3), st.booleans(), st.integers(0, 2**31)
)
def test_edges_made_of_a_dense_coupling_are_the_same_energy(p, q, gap, swap, seed):
    rng = np.random.default_rng(seed)
    first, second = (gap, gap + p), (gap + p, gap + p + q)
    a, b = (second, first) if swap else (first, second)
    one = Dense(a, b, rng.normal(size=(a[1] - a[0], b[1] - b[0])))
    n = gap + p + q
    two = Edges(n, *one.edges())
    states, weights = rng.normal(size=(3, n)), rng.normal(size=3)
    np.testing.assert_allclose(one.energy(states), two.energy(states), atol=1e-12)
    np.testing.assert_allclose(one.field(states), two.field(states), atol=1e-12)
    np.testing.assert_allclose(
        one.moments(states, weights), one.gather(two.moments(states, weights)), atol=1e-12
    )


@EVERY
def test_fields_keep_single_precision(make):
    coupling = make()
    J = coupling.J.astype(np.float32)
    single = (
        Dense(coupling.a, coupling.b, J)
        if isinstance(coupling, Dense)
        else Edges(N, coupling.i, coupling.j, J)
    )
    assert single.field(np.ones((2, N), np.float32)).dtype == np.float32


@EVERY
def test_values_are_read_only(make):
    with pytest.raises(ValueError, match="read-only"):
        make().J[...] = 0


@EVERY
def test_versions_rise_and_structure_stays(make):
    first, second = make(0), make(1)
    assert first.version < second.version
    assert first.structure == second.structure
    assert hash(first.structure) == hash(second.structure)


def test_structures_differ_with_the_units_that_are_joined():
    other = Edges(N, np.array([0]), np.array([1]), np.ones(1))
    assert (
        len({dense().structure, turned().structure, frustrated().structure, other.structure}) == 4
    )


@pytest.mark.parametrize("shape", [(2, 3), (3,), (3, 2, 1)])
def test_a_dense_coupling_of_another_shape_is_refused(shape):
    with pytest.raises(ProblemError, match=r"its units need \(3, 2\)"):
        Dense(A, B, np.zeros(shape))


@pytest.mark.parametrize(("a", "b"), [((0, 3), (2, 5)), ((2, 5), (0, 3)), ((0, 3), (0, 3))])
def test_a_dense_coupling_between_overlapping_units_is_refused(a, b):
    with pytest.raises(ProblemError, match="overlap"):
        Dense(a, b, np.zeros((3, 3)))


def test_neighbouring_runs_do_not_overlap():
    Dense((0, 3), (3, 5), np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("i", "j", "J", "said"),
    [
        ([0, 1], [1], [1.0], "one length"),
        ([0], [1], [[1.0]], "one length"),
        ([1], [1], [1.0], "self-loops"),
        ([2], [1], [1.0], "reversed"),
        ([-1], [1], [1.0], "0 <= i"),
        ([0], [3], [1.0], "j < 3"),
        ([0, 0], [1, 1], [1.0, 1.0], "twice"),
    ],
)
def test_edges_that_make_no_sense_are_refused(i, j, J, said):
    with pytest.raises(ProblemError, match=said):
        Edges(3, np.array(i), np.array(j), np.array(J))


def test_no_edges_are_no_energy():
    nothing = Edges(3, np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    states = np.ones((2, 3))
    np.testing.assert_array_equal(nothing.energy(states), [0, 0])
    np.testing.assert_array_equal(nothing.field(states), np.zeros((2, 3)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@EVERY
def test_couplings_that_are_not_finite_are_refused(make, bad):
    coupling = make()
    J = coupling.J.copy()
    J.flat[-1] = bad
    with pytest.raises(ProblemError, match="NaN or infinite"):
        _ = (
            Dense(coupling.a, coupling.b, J)
            if isinstance(coupling, Dense)
            else Edges(N, coupling.i, coupling.j, J)
        )


def test_infinities_of_both_signs_are_refused_too():
    with pytest.raises(ProblemError, match="NaN or infinite"):
        Dense((0, 1), (1, 3), np.array([[np.inf, -np.inf]]))
