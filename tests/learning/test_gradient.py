"""The gradient of equilibrium propagation against finite differences of the cost at equilibrium."""

from dataclasses import replace

import numpy as np
import pytest
from nets import (
    BOX,
    LINEAR,
    POOL,
    Counting,
    build,
    cosine,
    differences,
    error,
    free_cost,
    gradient,
)

from isingeq.backend import SettleRequest
from isingeq.backends.simulator import conjugate, hopfield
from isingeq.errors import ConfigError, DivergenceError
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.schedule import Relaxation
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge


@pytest.fixture(scope="module")
def backend():
    opened = hopfield()
    yield opened
    opened.close()


def true_gradient(net, backend, parameters, x, labels):
    """Finite differences of the mean cost; the nudged phase plays no part in it."""
    return differences(lambda p: free_cost(net, backend, p, x, labels), parameters)


@pytest.mark.parametrize("hidden", [(6,), (6, 5)], ids=["one hidden", "two hidden"])
@pytest.mark.parametrize("output", [LINEAR, BOX], ids=["linear", "box"])
@pytest.mark.parametrize("cost", ["squared", "cross-entropy"])
def test_centred_is_the_gradient_of_the_cost_at_equilibrium(backend, hidden, output, cost):
    net, parameters, x, labels = build(hidden, output, cost)
    true = true_gradient(net, backend, parameters, x, labels)
    found = gradient(net, backend, parameters, x, labels, nudging=1e-3)
    assert found.cost == pytest.approx(free_cost(net, backend, parameters, x, labels), rel=1e-12)
    for name in parameters:
        assert np.linalg.norm(true[name]) > 1e-3, f"{name} has no gradient to compare"
        assert cosine(found.gradient[name], true[name]) > 0.999999
        assert error(found.gradient[name], true[name]) < 2e-5


@pytest.mark.parametrize(
    "schedule",
    [
        None,
        Relaxation("synchronous", 0.8, (0.9, 0.9)),
        Relaxation("asynchronous", 1.15, (np.inf, np.inf)),
    ],
)
def test_the_way_to_equilibrium_does_not_matter(backend, schedule):
    net, parameters, x, labels = build((6, 5))
    other = conjugate(ramp=0.5, momentum=0.1)
    one = gradient(net, backend, parameters, x, labels, nudging=1e-3)
    two = gradient(net, other, parameters, x, labels, nudging=1e-3, schedule=schedule)
    other.close()
    assert error(two.gradient.vector, one.gradient.vector) < 1e-6


@pytest.mark.parametrize(("method", "order"), [("positive", 1), ("negative", 1), ("centred", 2)])
def test_the_error_falls_with_the_nudging_in_the_order_promised(backend, method, order):
    net, parameters, x, labels = build((6, 5))
    limit = gradient(net, backend, parameters, x, labels, nudging=2e-4)
    errors = [
        error(
            gradient(net, backend, parameters, x, labels, nudging=b, method=method).gradient.vector,
            limit.gradient.vector,
        )
        for b in (0.02, 0.01, 0.005)
    ]
    np.testing.assert_allclose(np.log2(np.array(errors[:-1]) / errors[1:]), order, atol=0.12)


def test_coupled_learning_does_not_depend_on_the_nudging_between_kinks(backend):
    """A clamp moves boxes and linear units in proportion: there is no higher order to err in."""
    net, parameters, x, labels = build((6, 5))
    large, small = (
        gradient(net, backend, parameters, x, labels, nudging=b, method="coupled").gradient.vector
        for b in (0.01, 1e-3)
    )
    assert error(large, small) < 1e-7


def test_positive_and_negative_err_in_opposite_directions(backend):
    net, parameters, x, labels = build((6,))
    found = {
        m: gradient(net, backend, parameters, x, labels, nudging=0.01, method=m).gradient.vector
        for m in ("positive", "negative", "centred")
    }
    np.testing.assert_allclose(
        (found["positive"] + found["negative"]) / 2, found["centred"], atol=1e-9
    )
    assert error(found["positive"], found["centred"]) > 1e-3


def test_two_points_on_the_circle_are_the_centred_estimate(backend):
    net, parameters, x, labels = build((6,))
    found = [
        gradient(net, backend, parameters, x, labels, method=m).gradient.vector
        for m in ("centred", "holomorphic")
    ]
    np.testing.assert_array_equal(*found)


def test_coupled_learning_descends_the_work_of_the_clamp(backend):
    """A clamp moves the output by itself, not as a force would: its error is weighed by the curvature."""
    net, parameters, x, labels = build((6,))
    found = gradient(net, backend, parameters, x, labels, method="coupled", nudging=1e-4).gradient
    problem = net.problem(net.couplings(parameters), net.encode(parameters, x, POOL))
    free = backend.settle(
        SettleRequest(problem, precision="float64", tolerance=1e-12, max_steps=5000)
    ).states[:, 0]
    first, last = net.spans[-1]
    J = problem.couplings[0].J
    slope = net.cost.slope(parameters, free[:, first:last], labels)
    moves = (free[:, :first] > 0) & (free[:, :first] < 1)
    weighed = np.stack(
        [
            s @ (LINEAR.stiffness * np.eye(3) - (J.T * m) @ J)
            for s, m in zip(slope, moves, strict=True)
        ]
    )

    def work(p):
        at = net.problem(net.couplings(p), net.encode(p, x, POOL))
        states = backend.settle(
            SettleRequest(at, precision="float64", tolerance=1e-12, max_steps=5000)
        ).states[:, 0]
        return float((weighed * states[:, first:last]).sum(axis=1).mean())

    true = differences(work, parameters)
    for name in parameters:
        assert error(found[name], true[name]) < 1e-4


def test_coupled_learning_is_close_to_centred_for_the_squared_error(backend):
    net, parameters, x, labels = build((6, 5), replace(LINEAR, stiffness=1.0))
    centred, coupled = (
        gradient(net, backend, parameters, x, labels, method=m, nudging=1e-3).gradient
        for m in ("centred", "coupled")
    )
    assert 0.8 < cosine(coupled.vector, centred.vector) < 0.9999
    parameters[net.link_names[-1]][:] *= (
        0.05  # the weaker the last weights, the less they matter to its curvature
    )
    centred, coupled = (
        gradient(net, backend, parameters, x, labels, method=m, nudging=1e-3).gradient
        for m in ("centred", "coupled")
    )
    assert cosine(coupled.vector, centred.vector) > 0.9999


@pytest.mark.parametrize("method", ["centred", "positive", "negative", "coupled"])
@pytest.mark.parametrize("batch", [1, 7, 40])
def test_two_settle_calls_whatever_the_batch(backend, method, batch):
    net, parameters, x, labels = build(batch=5)
    x, labels = np.resize(x, (batch, 4)), np.resize(labels, batch)
    counting = Counting(backend)
    found = gradient(net, counting, parameters, x, labels, method=method, tolerance=1e-6)
    free, nudged = counting.requests
    assert free.problem.batch == batch
    assert nudged.problem.batch == batch * (2 if method in ("centred", "coupled") else 1)
    assert free.problem.version == nudged.problem.version, (
        "the same couplings need not go out again"
    )
    assert all(
        a is b for a, b in zip(free.problem.couplings, nudged.problem.couplings, strict=True)
    )
    assert not free.terms
    assert free.initial is None
    start = np.tile(found.free.states, (len(nudged.initial) // batch, 1, 1))
    np.testing.assert_array_equal(nudged.initial, start)
    assert nudged.seed != free.seed


@pytest.mark.parametrize(
    ("cost", "term"), [("squared", QuadraticNudge), ("cross-entropy", LinearNudge)]
)
def test_the_term_is_the_one_that_the_cost_has(backend, cost, term):
    net, parameters, x, labels = build(cost=cost)
    counting = Counting(backend)
    gradient(net, counting, parameters, x, labels)
    assert [type(t) for t in counting.requests[1].terms] == [term]


def test_a_backend_that_takes_fields_only_gets_the_tangent(backend):
    net, parameters, x, labels = build()
    counting = Counting(backend)
    counting.capabilities = replace(backend.capabilities, terms=frozenset({LinearNudge}))
    found = gradient(net, counting, parameters, x, labels, nudging=1e-3)
    assert [type(t) for t in counting.requests[1].terms] == [LinearNudge]
    assert (
        error(
            found.gradient.vector,
            gradient(net, backend, parameters, x, labels, nudging=1e-3).gradient.vector,
        )
        < 1e-4
    )


def test_coupled_learning_holds_the_output(backend):
    net, parameters, x, labels = build()
    counting = Counting(backend)
    found = gradient(net, counting, parameters, x, labels, method="coupled", nudging=0.1)
    (clamp,) = counting.requests[1].terms
    assert isinstance(clamp, Clamp)
    first, last = net.spans[-1]
    free = found.free.states[:, 0, first:last]
    toward = free - 0.1 * (free - net.cost.targets(labels, np.float64))
    np.testing.assert_allclose(clamp.values[:5, first:last], toward)
    np.testing.assert_allclose(clamp.values[5:, first:last], 2 * free - toward)


def test_gradients_are_means_over_the_batch(backend):
    net, parameters, x, labels = build(batch=4)
    whole = gradient(net, backend, parameters, x, labels).gradient.vector
    singles = [
        gradient(net, backend, parameters, x[k : k + 1], labels[k : k + 1]).gradient.vector
        for k in range(4)
    ]
    np.testing.assert_allclose(whole, np.mean(singles, axis=0), atol=1e-9)


def test_mostly_empty_inputs_give_the_same_gradient(backend):
    net, parameters, x, labels = build(batch=8)
    x[:, 1:] = 0
    x[2:, 0] = 0
    found = gradient(net, backend, parameters, x, labels, nudging=1e-3).gradient
    true = true_gradient(net, backend, parameters, x, labels)
    assert error(found.vector, true.vector) < 1e-4
    np.testing.assert_array_equal(found[net.input_name][1:], 0)


@pytest.mark.parametrize("nudging", [0.0, -0.1, np.nan, np.inf])
def test_nudging_is_positive(nudging):
    with pytest.raises(ConfigError, match="nudging"):
        Estimator(nudging=nudging)


def test_holomorphic_needs_points():
    with pytest.raises(ConfigError, match="at least 2 points"):
        Estimator(method="holomorphic", points=1)


def test_a_cost_that_is_not_finite_stops(backend):
    net, parameters, x, labels = build()
    huge = replace(net, cost=SquaredError(3, high=np.inf))
    with pytest.raises(DivergenceError, match="no longer finite"):
        gradient(huge, backend, parameters, x, labels)
