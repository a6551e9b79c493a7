"""Stiffness that falls from layer to layer: less feedback, and backprop where there is none left."""

from dataclasses import replace

import numpy as np
import pytest
from image_nets import Resting, drawn, image_network
from nets import cosine, gradient

from isingeq.backends.simulator import conjugate, hopfield
from isingeq.learning.network import Network


def weakened(net, parameters, feedback):
    """Return network and parameters of the same forward response, every layer hearing `feedback` of the next."""
    layers = tuple(
        replace(layer, unit=replace(layer.unit, stiffness=feedback**k))
        for k, layer in enumerate(net.layers)
    )
    soft = Network(net.inputs, layers, net.cost, windows=net.windows)
    scaled = parameters.like(parameters.vector.copy())
    for k, layer in enumerate(net.layers):
        into = [soft.input_name, *soft.link_names][k]
        scaled[into][:] *= feedback**k
        scaled[f"{layer.name}.bias"][:] *= feedback**k
    return soft, scaled


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_the_gradient_tends_to_that_of_backprop_with_the_feedback(pooling):
    net = image_network(pooling, skips=())
    parameters, x, labels = drawn(net)
    missing = []
    for feedback in (1.0, 0.1, 0.01, 0.001):
        soft, scaled = weakened(net, parameters, feedback)
        forward = gradient(soft, None, scaled, x, labels, method="backprop")
        settled = gradient(soft, Resting(), scaled, x, labels, method="recurrent")
        missing.append(
            max(1 - cosine(settled.gradient[name], forward.gradient[name]) for name in parameters)
        )
        far = np.abs(settled.cost - forward.cost) / forward.cost
    assert missing[0] > 0.01
    assert missing[3] < 1e-5
    assert (np.diff(missing) < 0).all()
    assert far < 0.01


def test_equilibrium_propagation_goes_with_it():
    """The nudging counts in units of the outputs' stiffness, and the first layer moves by feedback³ of the last."""
    net = image_network("average", skips=())
    parameters, x, labels = drawn(net)
    soft, scaled = weakened(net, parameters, 0.1)
    sure = gradient(soft, Resting(), scaled, x, labels, method="recurrent").gradient
    found = gradient(soft, Resting(), scaled, x, labels, nudging=1e-6).gradient
    for name in parameters:
        assert cosine(found[name], sure[name]) > 0.99999, name


@pytest.mark.parametrize("method", ["positive", "negative", "centred"])
@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize("opened", [hopfield, conjugate], ids=["hopfield", "conjugate"])
def test_displacements_keep_it_in_single_precision(method, pooling, opened):
    """Of a nudge of 1e-9 the states of single precision know nothing, their displacements all that there is to know."""
    net = image_network(pooling, skips=())
    parameters, x, labels = drawn(net, batch=19)
    soft, scaled = weakened(net, parameters, 0.03)
    backend = opened()
    sure = gradient(soft, backend, scaled, x, labels, method="recurrent").gradient
    single = scaled.like(scaled.vector.astype(np.float32))
    how = {"nudging": 1e-9, "method": method, "tolerance": 1e-6, "precision": "float32"}
    moved = gradient(soft, backend, single, x.astype(np.float32), labels, displacements=True, **how)
    lost = gradient(soft, backend, single, x.astype(np.float32), labels, **how)
    backend.close()
    for name in parameters:
        assert cosine(moved.gradient[name], sure[name]) > 0.9999, name
        size = np.linalg.norm(moved.gradient[name]) / np.linalg.norm(sure[name])
        assert size == pytest.approx(1, abs=1e-3), name
    first = lost.gradient[soft.input_name]
    assert not first.any() or abs(cosine(first, sure[soft.input_name])) < 0.5


@pytest.mark.parametrize("method", ["positive", "centred"])
def test_displacements_of_a_large_nudge_are_those_of_the_states(method):
    net = image_network("average", skips=())
    parameters, x, labels = drawn(net)
    backend = hopfield()
    how = {"nudging": 0.05, "method": method, "tolerance": 1e-11}
    plain = gradient(net, backend, parameters, x, labels, **how).gradient
    moved = gradient(net, backend, parameters, x, labels, displacements=True, **how).gradient
    backend.close()
    for name in parameters:
        np.testing.assert_allclose(moved[name], plain[name], rtol=1e-5, atol=1e-9)
