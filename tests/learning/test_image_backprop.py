"""Backprop through networks of images."""

import numpy as np
import pytest
from image_nets import drawn, image_network, slope_along
from nets import POOL

from isingeq.couplings import sliding
from isingeq.learning.backprop import backprop, forward

NETWORKS = {
    "max": image_network(),
    "max, cross-entropy": image_network(cost="cross-entropy"),
    "average": image_network("average"),
    "soft": image_network("soft"),
    "no skips, no pools": image_network(skips=(), pool=(1, 1, 1)),
}
EVERY = pytest.mark.parametrize("name", NETWORKS)


@EVERY
def test_gradient_is_that_of_finite_differences(name):
    net = NETWORKS[name]
    parameters, x, labels = drawn(net, batch=5)
    found, cost, correct = backprop(net, parameters, x, labels, pool=POOL, out=parameters.like())

    def cost_at(moved):
        outputs = forward(net, moved, x, POOL).layers[-1]
        return float(net.cost.values(moved, outputs, labels).mean())

    assert cost == pytest.approx(cost_at(parameters), rel=1e-12)
    assert 0 <= correct <= 5
    for number, array in enumerate(parameters):
        sure, along = slope_along(cost_at, parameters, array, number)
        assert abs(sure) > 1e-4, array
        assert (found[array] * along).sum() == pytest.approx(sure, rel=1e-6, abs=1e-9)


def test_a_layer_is_at_rest_under_the_layers_before_it():
    net = NETWORKS["max"]
    parameters, x, _ = drawn(net)
    done = forward(net, parameters, x, POOL)
    skip, spans = net.links[-1], net.spans
    assert skip.a == spans[0]
    assert skip.b == spans[2]
    first, second = (
        layer.reshape(2, *window.target)
        for layer, window in zip(done.layers, net.windows[:2], strict=False)
    )
    force = sliding.slide(second, parameters["conv2-conv3.weight"], net.windows[2])
    skipped = sliding.slide(first, parameters["conv1-conv3.weight"], skip.window)
    pooled = sliding.pool(skipped, skip.window)[0]
    expected = net.layers[2].unit.rest(force + pooled + parameters["conv3.bias"])
    np.testing.assert_allclose(done.layers[2], expected.reshape(2, -1), rtol=1e-12)
    assert ((done.layers[2] > 0) & (done.layers[2] < 1)).mean() > 0.3
    np.testing.assert_array_equal(done.states[:, slice(*spans[1])], done.layers[1])


def test_single_precision_gives_the_same():
    net = NETWORKS["max"]
    parameters, x, labels = drawn(net)
    sure = backprop(net, parameters, x, labels, pool=POOL, out=parameters.like())[0]
    single = parameters.like(parameters.vector.astype(np.float32))
    found = backprop(net, single, x.astype(np.float32), labels, pool=POOL, out=single.like())[0]
    assert found.vector.dtype == np.float32
    np.testing.assert_allclose(found.vector, sure.vector, atol=2e-6)
