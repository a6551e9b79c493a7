"""Rate networks: parameters, fields and couplings by their definitions."""

import numpy as np
import pytest
from nets import POOL
from rate_nets import IMAGES, INPUTS, NETWORKS, drawn, layered, layers_of

from isingeq.backend import SettleRequest
from isingeq.backends.rate import rate
from isingeq.errors import ProblemError
from isingeq.learning.cost import SquaredError
from isingeq.learning.directed_links import skew_coupling
from isingeq.learning.rate_network import RateNetwork
from isingeq.units import Amplitude, Layer, Spin


def test_names_and_shapes_of_parameters():
    shapes = dict(NETWORKS["feedforward"].shapes)
    assert shapes == {
        "input-l0.weight": (8, 12), "input-l1.weight": (8, 10), "l0-l1.weight": (12, 10),
        "l1-l2.weight": (10, 4), "l0.bias": (12,), "l1.bias": (10,), "l2.bias": (4,),
    }  # fmt: skip
    own, tied = (dict(NETWORKS[name].shapes) for name in ("weights back", "tied"))
    assert own["l1-l0.weight"] == own["l0-l1.weight"] == (12, 10)
    assert "l1-l0.weight" not in tied
    images = dict(NETWORKS["convolutions"].shapes)
    assert images["input-l0.weight"] == (3, 3, 1, 3)
    assert images["l0-l1.weight"] == (2, 2, 3, 5)
    assert images["l0.bias"] == (3,)
    assert dict(NETWORKS["recurrent"].shapes)["recurrent.weight"] == (30, 30)


def test_a_feedforward_network_is_a_perceptron():
    net, parameters, x, _ = drawn("feedforward")
    p = {name: parameters[name] for name in parameters}
    a = (x @ p["input-l0.weight"] + p["l0.bias"]) / 1.2
    b = (x @ p["input-l1.weight"] + np.tanh(a) @ p["l0-l1.weight"] + p["l1.bias"]) / 1.2
    c = (np.tanh(b) @ p["l1-l2.weight"] + p["l2.bias"]) / 1.2
    problem = net.problem(net.couplings(parameters), net.encode(parameters, x, POOL))
    found = rate().settle(SettleRequest(problem, precision="float64", tolerance=1e-12))
    np.testing.assert_allclose(found.states[:, 0], np.hstack([a, b, c]), rtol=1e-12)
    np.testing.assert_array_equal(net.predict(parameters, found.states[:, 0]), c.argmax(axis=1))


def test_tied_weights_lead_both_ways():
    net, parameters, _, _ = drawn("tied")
    there, on, back, last = net.couplings(parameters)
    assert (there.source, there.target) == (back.target, back.source) == ((0, 12), (12, 22))
    assert (on.source, last.source) == ((12, 22), (22, 26))
    seen = np.random.default_rng(0).normal(size=(2, 10))
    np.testing.assert_allclose(back.path.forces(seen), seen @ there.path.J.T, rtol=1e-13)


def test_a_skew_coupling_has_the_norm_asked_for_and_does_no_work():
    skew = skew_coupling(9, 1.3, seed=4)
    J = skew.path.J
    np.testing.assert_array_equal(J, -J.T)
    assert np.linalg.norm(J, 2) == pytest.approx(1.3, rel=1e-6)
    x = np.random.default_rng(0).normal(size=(3, 9)).astype(np.float32)
    assert np.abs(np.einsum("bn,bn->b", x, skew.field(x))).max() < 1e-5
    assert np.abs(skew_coupling(9, 1.3, seed=5).path.J - J).max() > 0.1


def test_initial_weights_follow_gains_and_reach():
    net = NETWORKS["feedforward"]
    one, two = net.initial(1), net.initial(1, (2.0, 1.0, 1.0, 0.0))
    np.testing.assert_array_equal(2 * one["input-l0.weight"], two["input-l0.weight"])
    assert not two["l1-l2.weight"].any()
    limit = np.sqrt(6 / (12 + 10))
    assert 0.9 * limit < np.abs(one["l0-l1.weight"]).max() <= limit
    with pytest.raises(ProblemError, match="3 gains for 4"):
        net.initial(1, (1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layered(fed=4), "must be between 1 and 3"),
        (lambda: layered((12, 5, 4), inputs=16, windows=IMAGES, fed=2), "images are fed to the first alone"),
        (lambda: RateNetwork(8, (Layer("l", 4, Spin()),), SquaredError(4), ()), "without walls"),
        (lambda: RateNetwork(8, (Layer("l", 4, Amplitude()),), SquaredError(4), ()), "without walls"),
        (lambda: RateNetwork(0, layers_of((4,)), SquaredError(4), ()), "needs inputs and layers"),
    ],
)  # fmt: skip
def test_refusals(make, message):
    with pytest.raises(ProblemError, match=message):
        make()


def test_biases_and_inputs_make_the_fields():
    net, parameters, _, _ = drawn("weights back")
    zero, one = np.zeros((1, INPUTS)), np.eye(INPUTS)[2:3]
    biases = np.concatenate([parameters[f"l{k}.bias"] for k in range(3)])
    np.testing.assert_array_equal(net.encode(parameters, zero, POOL).fields[0], -biases)
    driven = net.encode(parameters, one, POOL).fields[0] + biases
    np.testing.assert_allclose(driven[:12], -parameters["input-l0.weight"][2], atol=1e-15)
    assert not driven[12:].any()
