"""Fields of one's own: products written by hand, products by differences, and what is said where one is missing."""

import numpy as np
import pytest

from isingeq.couplings import Differenced, Given
from isingeq.couplings.directed import response
from isingeq.errors import CapabilityError, ProblemError

N = 6


class Triplets:
    """field_i = J_i tanh(x_(i−1)) tanh(x_(i+1)), round a ring."""

    def field(self, states, J):
        rho = np.tanh(states)
        return J * np.roll(rho, 1, axis=1) * np.roll(rho, -1, axis=1)

    def change(self, states, direction, J):
        rho = np.tanh(states)
        v = (1 - rho * rho) * direction
        before, after = np.roll(rho, 1, axis=1), np.roll(rho, -1, axis=1)
        return J * (np.roll(v, 1, axis=1) * after + before * np.roll(v, -1, axis=1))

    def change_back(self, states, direction, J):
        rho, w = np.tanh(states), J * direction
        from_after = np.roll(w, -1, axis=1) * np.roll(rho, -2, axis=1)
        from_before = np.roll(w, 1, axis=1) * np.roll(rho, 2, axis=1)
        return (1 - rho * rho) * (from_after + from_before)

    def moments_along(self, states, direction, weights, J):
        rho = np.tanh(states)
        pairs = np.roll(rho, 1, axis=1) * np.roll(rho, -1, axis=1)
        return weights @ (direction * pairs)


def drawn(*shape):
    return np.random.default_rng(len(shape)).uniform(-1, 1, shape)


def test_differences_give_the_products_written_by_hand():
    J, x, v = drawn(N), drawn(3, N), drawn(3, N)[::-1].copy()
    weights = np.array([0.5, -1.0, 2.0])
    by_hand = Given(Triplets(), J.copy())
    differenced = Given(Differenced(Triplets().field), J.copy())
    for product in ("change", "change_back"):
        sure = getattr(by_hand, product)(x, v)
        assert np.abs(sure).max() > 0.1
        np.testing.assert_allclose(getattr(differenced, product)(x, v), sure, atol=1e-9)
    sure = by_hand.moments_along(x, v, weights)
    np.testing.assert_allclose(differenced.moments_along(x, v, weights), sure, atol=1e-9)
    assert np.abs(sure).min() > 1e-3


def test_it_is_a_directed_coupling_over_any_leading_axes():
    coupling = Given(Triplets(), drawn(N))
    x, v = drawn(2, 3, N), drawn(2, 3, N) + 0.1
    np.testing.assert_array_equal(coupling.field(x)[1], coupling.field(x[1]))
    answer = response(coupling, x[0])
    np.testing.assert_array_equal(answer.change(v[0]), coupling.change(x, v)[0])
    np.testing.assert_array_equal(answer.change_back(v[0]), coupling.change_back(x, v)[0])
    assert coupling.kind == "directed"
    assert coupling.structure == ("directed", Triplets, (N,))


def test_single_precision_stays_single():
    x = drawn(3, N).astype(np.float32)
    coupling = Given(Differenced(Triplets().field), drawn(N).astype(np.float32))
    assert coupling.change(x, x).dtype == coupling.change_back(x, x).dtype == np.float32
    exact = Given(Triplets(), drawn(N)).change(drawn(3, N), drawn(3, N))
    np.testing.assert_allclose(coupling.change(x, x), exact, atol=1e-6)


def test_refusals():
    class Half:
        def field(self, states, J):
            return states

    with pytest.raises(
        ProblemError, match=r"Half has no change, change_back, moments_along: .* Differenced"
    ):
        Given(Half(), drawn(N))  # fmt: skip
    with pytest.raises(ProblemError, match="NaN"):
        Given(Triplets(), np.full(N, np.nan))
    coupling = Given(Triplets(), drawn(N))
    with pytest.raises(ProblemError, match="no energy"):
        coupling.energy(drawn(1, N))
    with pytest.raises(CapabilityError, match="not plain"):
        coupling.moments(drawn(1, N), np.ones(1))
    for refused in (coupling.edges, lambda: coupling.gather(np.zeros(3))):
        with pytest.raises(CapabilityError, match="no sum over pairs"):
            refused()
