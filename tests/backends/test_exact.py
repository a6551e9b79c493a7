import itertools
import math

import numpy as np
import pytest

from isingeq.backend import Claim, SettleRequest
from isingeq.backends.exact import exact
from isingeq.errors import BackendError, CapabilityError, ConfigError, ProblemError
from isingeq.problem import Problem
from isingeq.schedule import Annealing
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge, total_energy
from isingeq.units import Layer, Spin

BETA = 0.7


def nudges(problem):
    rng = np.random.default_rng(3)
    b = problem.batch
    return (
        LinearNudge(rng.normal(0, 0.4, (b, problem.n))),
        QuadraticNudge((2, 5), rng.normal(0, 1, (b, 3)), np.array([0.5, -0.3, 0.8])),
    )


def by_hand(problem, terms, beta):
    """Boltzmann weights by a plain loop over states and samples, keyed by state."""
    tables = []
    for sample in range(problem.batch):
        weights = {}
        for state in itertools.product((-1.0, 1.0), repeat=problem.n):
            tiled = np.tile(state, (problem.batch, 1, 1))
            if any(
                isinstance(t, Clamp) and (t.values[sample][t.mask] != np.array(state)[t.mask]).any()
                for t in terms
            ):
                weights[state] = 0.0
            else:
                weights[state] = math.exp(-beta * total_energy(problem, terms, tiled)[sample, 0])
        total = sum(weights.values())
        tables.append({state: w / total for state, w in weights.items()})
    return tables


def assert_weights(equilibrium, wanted):
    for states, weights, table in zip(equilibrium.states, equilibrium.weights, wanted, strict=True):
        assert len({tuple(s) for s in states.tolist()}) == len(table)
        for state, weight in zip(states.tolist(), weights, strict=True):
            assert weight == pytest.approx(table[tuple(state)], rel=1e-10, abs=1e-15)


def test_weights_are_boltzmann_with_nudges_and_rows_that_differ(frustrated):
    terms = nudges(frustrated)
    out = exact(beta=BETA).settle(SettleRequest(frustrated, terms))
    assert_weights(out, by_hand(frustrated, terms, BETA))
    assert out.provenance.as_dict() == {
        "backend": "exact",
        "kind": "exact",
        "seed": 0,
        "beta": BETA,
        "draw": False,
    }


def test_last_beta_of_the_schedule_counts(frustrated):
    request = SettleRequest(frustrated, schedule=Annealing((5.0, 0.3)))
    assert_weights(exact(beta=BETA).settle(request), by_hand(frustrated, (), 0.3))


def test_clamp_leaves_the_conditional_distribution(frustrated):
    mask = np.array([False, True, False, False, True])
    values = np.array([[9, 1, 9, 9, -1], [9, -1, 9, 9, -1], [9, 1, 9, 9, 1]], dtype=float)
    terms = (*nudges(frustrated), Clamp(mask, values))
    out = exact(beta=BETA).settle(SettleRequest(frustrated, terms))
    assert_weights(out, by_hand(frustrated, terms, BETA))
    np.testing.assert_array_equal(out.mean()[:, mask].round(12), values[:, mask])


def test_large_energies_do_not_overflow(frustrated):
    hot = frustrated.with_fields(frustrated.fields * 1e5)
    out = exact(beta=10.0).settle(SettleRequest(hot))
    np.testing.assert_allclose(out.mean(), -np.sign(hot.fields))
    mask = np.array([True, False, False, False, False])
    uphill = Clamp(mask, np.sign(hot.fields))
    held = exact(beta=10.0).settle(SettleRequest(hot, (uphill,)))
    np.testing.assert_allclose(held.mean(), np.where(mask, 1, -1) * np.sign(hot.fields))


def test_states_are_one_table_for_all_samples(frustrated):
    out = exact().settle(SettleRequest(frustrated, precision="float64"))
    assert out.states.shape == (3, 32, 5)
    assert out.states.dtype == np.float64
    assert out.states.strides[0] == 0


def test_draws_follow_the_weights(frustrated, counted, chi_square):
    weights = exact(beta=BETA).settle(SettleRequest(frustrated)).weights
    drawn = exact(beta=BETA, draw=True).settle(SettleRequest(frustrated, reads=20_000, seed=4))
    assert drawn.weights is None
    for states, row in zip(drawn.states, weights, strict=True):
        assert abs(chi_square(counted(states), row)) < 5


def test_draws_belong_to_seed_and_sample(frustrated):
    sampler = exact(draw=True)
    drawn = sampler.settle(SettleRequest(frustrated, reads=50, seed=1)).states
    first = frustrated.with_fields(frustrated.fields[:2].copy())
    np.testing.assert_array_equal(
        sampler.settle(SettleRequest(first, reads=50, seed=1)).states, drawn[:2]
    )
    assert (sampler.settle(SettleRequest(frustrated, reads=50, seed=2)).states != drawn).any()


def test_units_beyond_the_limit_and_of_other_kinds_are_refused(frustrated, amplitudes):
    assert exact().capabilities.claim is Claim.BOLTZMANN
    with pytest.raises(CapabilityError, match="5 units; it takes at most 4"):
        exact(max_units=4).settle(SettleRequest(frustrated))
    with pytest.raises(CapabilityError, match="amplitude units"):
        exact().settle(SettleRequest(amplitudes))
    with pytest.raises(CapabilityError, match="initial states"):
        exact().settle(SettleRequest(frustrated, initial=np.ones((3, 1, 5))))


def test_clamps_that_no_spin_can_obey_are_refused(frustrated):
    mask = np.array([True, False, False, False, False])
    up = Clamp(mask, np.ones((3, 5)))
    with pytest.raises(ProblemError, match="another value than -1 or"):
        exact().settle(SettleRequest(frustrated, (Clamp(mask, np.zeros((3, 5))),)))
    with pytest.raises(ProblemError, match="two clamps"):
        exact().settle(SettleRequest(frustrated, (up, Clamp(mask, -np.ones((3, 5))))))


def test_complex_strength_is_refused(frustrated):
    spring = QuadraticNudge((0, 1), np.ones((3, 1)), np.array([1j, 1j, 1j]))
    with pytest.raises(CapabilityError, match="complex"):
        exact().settle(SettleRequest(frustrated, (spring,)))


def test_one_spin_has_the_textbook_mean():
    problem = Problem((Layer("s", 1, Spin()),), (), np.array([[0.4]]))
    out = exact(beta=1.7).settle(SettleRequest(problem))
    assert out.mean()[0, 0] == pytest.approx(-math.tanh(1.7 * 0.4))


def test_closed_or_misnamed(frustrated):
    backend = exact()
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.settle(SettleRequest(frustrated))
    with pytest.raises(ConfigError, match="no argument"):
        exact("3")
    with pytest.raises(ConfigError, match="beta"):
        exact(beta=-1.0)
