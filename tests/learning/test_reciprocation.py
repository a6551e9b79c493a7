"""Kolen-Pollack and homeostasis: what they add to a gradient, and what becomes of the asymmetry."""

from dataclasses import replace

import numpy as np
import pytest
from nets import error, gradient
from rate_nets import NETWORKS, drawn, layered

from isingeq.backends.rate import rate
from isingeq.errors import ConfigError
from isingeq.learning.adjoint import asymmetry, jacobians
from isingeq.learning.optimizer import Optimizer, Update
from isingeq.learning.reciprocation import add_homeostasis, check_pairs, pairs, share_gradients

BACKEND = rate(dt=0.7)


def test_pairs_are_weights_there_and_weights_back():
    assert pairs(NETWORKS["weights back"].links) == (
        ("l0-l1.weight", "l1-l0.weight"),
        ("l1-l2.weight", "l2-l1.weight"),
    )
    for name in ("tied", "recurrent", "feedforward", "convolutions"):
        assert pairs(NETWORKS[name].links) == ()
        with pytest.raises(ConfigError, match="backward"):
            check_pairs(NETWORKS[name])


def test_both_directions_get_the_mean_of_their_gradients():
    net, parameters, x, labels = drawn("weights back")
    plain, shared = (
        gradient(net, BACKEND, parameters, x, labels, method="dyadic", kolen_pollack=k).gradient
        for k in (False, True)
    )
    for one, other in pairs(net.links):
        np.testing.assert_array_equal(shared[one], shared[other])
        np.testing.assert_allclose(shared[one], 0.5 * (plain[one] + plain[other]), rtol=1e-12)
        assert error(shared[one], plain[one]) > 0.1
    np.testing.assert_array_equal(shared["l1.bias"], plain["l1.bias"])


@pytest.mark.parametrize("method", ["sgd", "adam"])
def test_with_decay_weights_there_and_back_come_to_agree(method):
    net, parameters, _, _ = drawn("weights back")
    update = Update(Optimizer(method, rate=0.1, decay=0.2, momentum=0.0), parameters)
    rng = np.random.default_rng(0)
    gaps = []
    for _ in range(100):
        drift = parameters.like(0.01 * rng.normal(size=parameters.vector.shape))
        share_gradients(net, drift)
        update.apply(drift, 0.0)
        gaps.append(np.abs(parameters["l0-l1.weight"] - parameters["l1-l0.weight"]).max())
    assert gaps[-1] / gaps[0] == pytest.approx((1 - 0.1 * 0.2) ** 99, rel=1e-3)


@pytest.mark.parametrize("name", ["weights back", "skew", "convolutions"])
def test_homeostasis_is_the_slope_of_the_penalty(name):
    net, parameters, _, _ = drawn(name)
    copies, rng = 3000, np.random.default_rng(1)
    state = rng.normal(size=(1, net.n))
    probed = [parameters.like() for _ in range(8)]
    for seed, part in enumerate(probed):
        states = np.repeat(state, copies, axis=0)
        add_homeostasis(net, net.couplings(parameters), states, 0.7, part, seed=seed)
    step, along = 1e-5, parameters.like(rng.normal(size=parameters.vector.shape))
    for bias in (key for key in along if key.endswith("bias") or key.startswith("input")):
        along[bias][:] = 0

    def penalty(sign):
        moved = parameters.like(parameters.vector + sign * step * along.vector)
        G = jacobians(net.couplings(moved), 0 * net.leak, state)[0]
        return 0.5 * 0.7 * ((G - G.T) ** 2).sum()

    sure = (penalty(1) - penalty(-1)) / (2 * step)
    found = np.array([part.vector @ along.vector for part in probed])
    spread = found.std(ddof=1) / np.sqrt(len(found))
    assert abs(found.mean() - sure) < 5 * spread
    assert spread < 0.1 * abs(sure)


def test_homeostasis_makes_forces_symmetric_where_nothing_else_pulls():
    net, parameters, _, _ = drawn("weights back")
    states = np.random.default_rng(1).normal(size=(16, net.n))
    before = asymmetry(net.couplings(parameters), states)
    for seed in range(200):
        slope = parameters.like()
        add_homeostasis(net, net.couplings(parameters), states, 1.0, slope, seed=seed)
        parameters.vector[:] -= 0.1 * slope.vector
    assert asymmetry(net.couplings(parameters), states) < 0.6 * before


def test_the_estimator_adds_the_penalty_at_the_free_states():
    net, parameters, x, labels = drawn("weights back")
    alone = gradient(net, BACKEND, parameters, x, labels, method="adjoint")
    both = gradient(net, BACKEND, parameters, x, labels, method="adjoint", homeostasis=0.3)
    added = parameters.like()
    add_homeostasis(
        net, net.couplings(parameters), alone.free.mean(), 0.3, added, seed=1
    )  # fmt: skip
    np.testing.assert_allclose(both.gradient.vector, alone.gradient.vector + added.vector)
    assert np.abs(added.vector).max() > 1e-3


def test_only_rate_networks_take_them():
    from isingeq.experiments.build import check_fits
    from isingeq.learning.estimator import Estimator

    base = Estimator("dyadic")
    with pytest.raises(ConfigError, match="backward"):
        check_fits(layered(), BACKEND, replace(base, kolen_pollack=True))
    check_fits(layered(backward="own"), BACKEND, replace(base, kolen_pollack=True))
    check_fits(layered(), BACKEND, replace(base, homeostasis=0.1))
