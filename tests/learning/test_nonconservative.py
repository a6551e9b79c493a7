"""Estimators of forces without an energy, against finite differences of the settled cost and the adjoint."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from image_nets import slope_along
from nets import POOL, Counting, cosine, error, free_cost, gradient
from rate_nets import NETWORKS, drawn, layered, layers_of

from isingeq.backends.rate import rate
from isingeq.corrections import Reciprocal, Transposed
from isingeq.errors import ConfigError
from isingeq.learning.adjoint import asymmetry, jacobians
from isingeq.learning.audit import audit
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.network import Network
from isingeq.learning.nonconservative import check_field
from isingeq.learning.rate_backprop import check_feedforward, forward_rates

EVERY = pytest.mark.parametrize("name", NETWORKS)
FEEDFORWARD = ("feedforward", "feedforward, cross-entropy", "convolutions")
BACKEND = rate(dt=0.7)


def found(name, method, nudging=0.1):
    net, parameters, x, labels = drawn(name)
    return gradient(net, BACKEND, parameters, x, labels, method=method, nudging=nudging)


@EVERY
def test_the_adjoint_is_the_slope_of_the_settled_cost(name):
    net, parameters, x, labels = drawn(name)
    step = gradient(net, BACKEND, parameters, x, labels, method="adjoint")
    assert step.nudged is None
    assert step.cost == pytest.approx(free_cost(net, BACKEND, parameters, x, labels), rel=1e-9)
    for number, array in enumerate(parameters):
        sure, along = slope_along(
            lambda p: free_cost(net, BACKEND, p, x, labels), parameters, array, number
        )
        assert abs(sure) > 1e-5, array
        assert (step.gradient[array] * along).sum() == pytest.approx(sure, rel=2e-6, abs=1e-9)


@EVERY
def test_asymmetric_is_right_to_second_order_in_the_nudging(name):
    sure = found(name, "adjoint").gradient.vector
    errors = [
        error(found(name, "asymmetric", nudging).gradient.vector, sure)
        for nudging in (0.1, 0.02, 0.004)
    ]
    assert errors[-1] < 1e-4
    if name == "feedforward, cross-entropy":  # a constant nudge: nothing of second order is left
        assert errors[0] < 1e-7
        return
    for large, small in pairwise(errors):
        assert 20 < large / small < 30  # nudgings are five apart


@EVERY
@pytest.mark.parametrize("nudging", [0.004, 0.1, 0.5])
def test_dyadic_is_exact_at_any_nudging(name, nudging):
    sure = found(name, "adjoint").gradient.vector
    assert error(found(name, "dyadic", nudging).gradient.vector, sure) < 1e-8


@EVERY
def test_what_takes_the_jacobian_to_be_symmetric_is_biased(name):
    sure = found(name, "adjoint").gradient.vector
    for method in ("vector_field", "plain"):
        assert error(found(name, method, 0.004).gradient.vector, sure) > 0.05, method


def test_with_the_identity_and_tied_weights_there_is_an_energy_and_all_agree():
    net = layered(backward="tied", activation="identity")
    _, _, x, labels = drawn("tied")
    parameters = net.initial(3, (0.5,))
    parameters = parameters.like(parameters.vector.astype(np.float64))
    sure = gradient(net, BACKEND, parameters, x, labels, method="adjoint").gradient.vector
    for method in ("vector_field", "plain", "asymmetric"):
        ours = gradient(net, BACKEND, parameters, x, labels, method=method, nudging=0.004)
        assert error(ours.gradient.vector, sure) < 1e-4, method
    states = np.zeros((2, net.n))
    assert asymmetry(net.couplings(parameters), states) < 1e-12


@pytest.mark.parametrize("name", FEEDFORWARD)
def test_backprop_gives_the_adjoint_of_a_feedforward_network(name):
    net, parameters, x, labels = drawn(name)
    sure = gradient(net, BACKEND, parameters, x, labels, method="adjoint")
    ours = gradient(net, BACKEND, parameters, x, labels, method="backprop")
    assert ours.cost == pytest.approx(sure.cost, rel=1e-12)
    assert ours.num_correct == sure.num_correct
    assert error(ours.gradient.vector, sure.gradient.vector) < 1e-11
    fields = net.encode(parameters, x, POOL).fields
    states = forward_rates(net, net.couplings(parameters), fields)
    np.testing.assert_allclose(states, sure.free.states[:, 0], atol=1e-11)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in FEEDFORWARD])
def test_backprop_refuses_what_leads_back(name):
    with pytest.raises(ConfigError, match="feedforward"):
        check_feedforward(NETWORKS[name])


def test_nudged_phases_ask_for_what_the_equations_say():
    net, parameters, x, labels = drawn("weights back")
    asked = Counting(BACKEND)
    gradient(net, asked, parameters, x, labels, method="asymmetric")
    free, nudged = asked.requests
    assert not free.terms
    assert [type(term) for term in nudged.terms][1:] == [Reciprocal]
    np.testing.assert_array_equal(nudged.terms[1].at, nudged.initial)
    asked.requests.clear()
    gradient(net, asked, parameters, x, labels, method="dyadic", nudging=0.3)
    free, dyad = asked.requests
    assert dyad.problem.couplings == ()
    assert dyad.initial is None
    assert isinstance(dyad.terms[0], Transposed)
    assert not dyad.problem.fields[:, : net.spans[-1][0]].any()
    asked.requests.clear()
    gradient(net, asked, parameters, x, labels, method="vector_field")
    assert len(asked.requests[1].terms) == 1


def test_samples_left_out_leave_no_gradient():
    net, parameters, x, labels = drawn("weights back")
    outputs = gradient(net, BACKEND, parameters, x, labels, method="adjoint").free.mean()
    held = outputs[:, slice(*net.spans[-1])]

    class Content:
        """A cost that two samples have met."""

        def __init__(self, cost):
            self.cost = cost

        def __getattr__(self, name):
            return getattr(self.cost, name)

        def slope(self, parameters, outputs, labels):
            slope = self.cost.slope(parameters, outputs, labels)
            met = np.isclose(outputs[:, :1], held[[0, 3], :1].T).any(axis=1)
            return np.where(met[:, None], 0, slope)

    content = replace(net, cost=Content(net.cost))
    for method in ("asymmetric", "dyadic", "adjoint"):
        whole, part = (
            gradient(content, BACKEND, parameters, x, labels, method=method, skip_correct=skip)
            for skip in (False, True)
        )
        if method != "asymmetric":  # its spring still pulls at those two
            assert error(part.gradient.vector, whole.gradient.vector) < 1e-9
        if part.nudged is not None:
            assert len(part.nudged.states) == (6 if method == "asymmetric" else 3)


def test_jacobians_are_the_slopes_of_minus_the_force():
    net, parameters, x, _ = drawn("skew")
    couplings, states = net.couplings(parameters), np.random.default_rng(1).normal(size=(2, net.n))
    problem = net.problem(couplings, net.encode(parameters, x[:2], POOL))
    matrices = jacobians(couplings, net.leak, states)
    for unit, direction in enumerate(1e-6 * np.eye(net.n)):
        there, back = (problem.gradient((states + s * direction)[:, None])[:, 0] for s in (1, -1))
        np.testing.assert_allclose(matrices[:, :, unit], (there - back) / 2e-6, atol=1e-8)


def test_the_meter_reads_what_is_known_of_simple_cases():
    net, parameters, _, _ = drawn("feedforward")
    states = np.random.default_rng(1).normal(size=(3, net.n))
    assert asymmetry(net.couplings(parameters), states) == pytest.approx(np.sqrt(0.5))
    assert asymmetry(NETWORKS["skew"].fixed, np.zeros((1, 16))) == pytest.approx(1.0)
    assert asymmetry((), states) == 0.0


@pytest.mark.parametrize(("name", "value"), [("recurrent", 0.5), ("convolutions", 0.707)])
def test_audit_compares_with_differences_and_shows_the_asymmetry(name, value):
    net, parameters, x, labels = drawn(name)
    audited = audit(
        net, BACKEND, parameters, x, labels, estimator=Estimator("asymmetric", nudging=0.004),
        reference=None, seed=0, entries=3, pool=POOL,
    )  # fmt: skip
    assert audited.cosine > 0.999999
    assert all(block.recurrent > 0.999999 for block in audited.blocks)
    assert max(block.relative_error for block in audited.blocks) < 2e-4
    assert audited.asymmetry > value - 1e-3


def test_estimators_and_networks_that_do_not_go_together_are_refused():
    energy = Network(2, layers_of((3,)), SquaredError(3))
    with pytest.raises(ConfigError, match="forces without an energy"):
        check_field("asymmetric", energy)
    for method in ("centred", "recurrent"):
        with pytest.raises(ConfigError, match="needs an energy"):
            check_field(method, NETWORKS["feedforward"])
    check_field("centred", energy)
    with pytest.raises(ConfigError, match="reads = 1"):
        Estimator("dyadic", reads=2)


def test_plain_weighs_a_shared_pair_of_ends_once():
    """Tied weights add up to those of one energy; the same weights, each way its own, halve between the two."""
    tied, parameters, x, labels = drawn("tied")
    own = layered(backward="own")
    alike = own.initial(0)
    alike = alike.like(alike.vector.astype(np.float64))
    for array in alike:
        a, _, b = array.removesuffix(".weight").partition("-")
        alike[array][:] = parameters[array if array in parameters else f"{b}-{a}.weight"]
    one = gradient(tied, BACKEND, parameters, x, labels, method="plain").gradient
    two = gradient(own, BACKEND, alike, x, labels, method="plain").gradient
    np.testing.assert_allclose(
        two["l0-l1.weight"] + two["l1-l0.weight"], one["l0-l1.weight"], atol=1e-9
    )
    assert cosine(two["l0-l1.weight"], two["l1-l0.weight"]) > 1 - 1e-12
