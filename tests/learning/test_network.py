"""Networks: names, shapes, initial values, and the one sign that turns weights into couplings."""

import numpy as np
import pytest
from nets import BOX, LINEAR, POOL, build

from isingeq.errors import ProblemError
from isingeq.kernels.sparse import Inputs
from isingeq.learning.cost import CrossEntropy, SquaredError
from isingeq.learning.network import Network, to_ising
from isingeq.learning.parameters import Parameters
from isingeq.units import Layer


def test_energy_is_the_one_of_the_docstring():
    net, p, x, _ = build((6, 5))
    states = np.random.default_rng(0).uniform(0, 1, (5, 1, net.n))
    a, b, c = (states[:, 0, slice(*span)] for span in net.spans)
    expected = (
        -np.einsum("bi,ij,bj->b", a, p["l0-l1.weight"], b)
        - np.einsum("bi,ij,bj->b", b, p["l1-l2.weight"], c)
        - sum(s @ p[f"{layer.name}.bias"] for s, layer in zip((a, b, c), net.layers, strict=True))
        - (a * (x @ p["input-l0.weight"])).sum(axis=1)
        + 0.5 * (a**2).sum(axis=1) + 0.5 * (b**2).sum(axis=1) + 0.5 * 1.3 * (c**2).sum(axis=1)
    )  # fmt: skip
    problem = net.problem(net.couplings(p), net.encode(p, x, POOL))
    np.testing.assert_allclose(problem.energy(states)[:, 0], expected, rtol=1e-12)


def test_the_sign_is_its_own_inverse():
    values = np.random.default_rng(0).normal(size=4)
    np.testing.assert_array_equal(to_ising(values), -values)


def test_names_and_shapes():
    net = Network(4, (Layer("h", 6, BOX), Layer("o", 3, LINEAR)), CrossEntropy(3))
    assert dict(net.shapes) == {
        "input-h.weight": (4, 6), "h-o.weight": (6, 3), "h.bias": (6,), "o.bias": (3,),
        "readout.weight": (3, 3), "readout.bias": (3,),
    }  # fmt: skip


def test_couplings_are_copies():
    net, p, _, _ = build()
    before = net.couplings(p)[0].J.copy()
    coupling = net.couplings(p)[0]
    p["l0-l1.weight"][:] = 7
    np.testing.assert_array_equal(coupling.J, before)


def test_initial_values_fill_their_range_and_follow_the_seed():
    net = Network(300, (Layer("h", 200, BOX), Layer("o", 10, LINEAR)), SquaredError(10))
    p = net.initial(3, gains=(0.5, 2.0))
    for name, gain in (("input-h.weight", 0.5), ("h-o.weight", 2.0)):
        limit = gain * np.sqrt(6 / sum(p[name].shape))
        assert 0.98 * limit < np.abs(p[name]).max() <= limit
        assert abs(p[name].mean()) < 5 * limit / np.sqrt(3 * p[name].size)
    np.testing.assert_array_equal(p["h.bias"], 0)
    assert p.sha256() == net.initial(3, gains=(0.5, 2.0)).sha256()
    assert p.sha256() != net.initial(4, gains=(0.5, 2.0)).sha256()
    np.testing.assert_array_equal(
        net.initial(3, gains=(0.5,)).vector, net.initial(3, gains=(0.5, 0.5)).vector
    )
    assert p.vector.dtype == np.float32


@pytest.mark.parametrize("gains", [(1.0, 1.0, 1.0), (1.0,) * 4])
def test_gains_are_one_or_one_for_each(gains):
    net, *_ = build()
    with pytest.raises(ProblemError, match="gains for 2 weight matrices"):
        net.initial(0, gains)


def test_a_network_needs_inputs_and_layers():
    with pytest.raises(ProblemError, match="needs inputs and layers"):
        Network(0, (Layer("o", 3, LINEAR),), SquaredError(3))
    with pytest.raises(ProblemError, match="needs inputs and layers"):
        Network(3, (), SquaredError(3))


def test_input_fields_are_cut_and_counted():
    net, p, x, _ = build()
    limited = Network(net.inputs, net.layers, net.cost, field_limit=0.5)
    drive = x @ p["input-l0.weight"] + p["l0.bias"]
    encoded, plain = limited.encode(p, x, POOL), net.encode(p, x, POOL)
    np.testing.assert_allclose(encoded.fields[:, :6], -np.clip(drive, -0.5, 0.5))
    np.testing.assert_allclose(plain.fields[:, :6], -drive)
    np.testing.assert_array_equal(encoded.fields[:, 6:], plain.fields[:, 6:])
    assert encoded.num_clipped == (np.abs(drive) > 0.5).sum() > 0
    assert plain.num_clipped == 0


@pytest.mark.parametrize("opposed", [False, True])
def test_contrast_is_the_weighted_slope_of_the_energy(opposed):
    """Against finite differences of Σ signs · E with respect to every parameter."""
    net, p, x, _ = build((4,), batch=3)
    rng = np.random.default_rng(1)
    states, signs = rng.uniform(0, 1, (2, 3, 2, net.n)), rng.normal(size=(2, 3, 2))
    if opposed:
        signs[1] = -signs[0]
    out = p.like(np.full_like(p.vector, np.nan))
    net.contrast(net.couplings(p), (Inputs(x),), states, signs, out, POOL)

    def energy(q):
        problem = net.problem(net.couplings(q), net.encode(q, x, POOL))
        return sum((signs[k] * problem.energy(states[k])).sum() for k in range(2))

    for k in range(p.vector.size):
        ends = []
        for sign in (0.5, -0.5):
            vector = p.vector.copy()
            vector[k] += sign
            ends.append(energy(p.like(vector)))
        assert out.vector[k] == pytest.approx(ends[0] - ends[1], abs=1e-10)


def test_two_phases_that_hardly_differ_are_contrasted_without_rounding():
    net, *_ = build()
    p = net.initial(0)
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, net.inputs)).astype(np.float32)
    free = rng.uniform(0.4, 0.9, (60, 1, net.n))
    push = 1e-6 * rng.normal(size=free.shape)
    states = np.stack([free + push, free - push]).astype(np.float32)
    signs = np.stack([np.full((60, 1), 1e6), np.full((60, 1), -1e6)]).astype(np.float32)

    def error(states, signs):
        found, exact = p.like(), Parameters(np.zeros(p.vector.size), net.shapes)
        net.contrast(net.couplings(p), (Inputs(x),), states, signs, found, POOL)
        double = [part.astype(np.float64) for part in (states, signs)]
        net.contrast(net.couplings(exact), (Inputs(x.astype(float)),), *double, exact, POOL)
        name = "l0-l1.weight"
        return np.linalg.norm(found[name] - exact[name]) / np.linalg.norm(exact[name])

    assert error(states, signs) < 1e-5
    idle = np.concatenate([states, states[:1]]), np.concatenate([signs, 0 * signs[:1]])
    assert error(*idle) > 1e-2  # three phases are summed one by one


class TestParameters:
    shapes = (("a.weight", (2, 3)), ("a.bias", (3,)))

    def test_are_views_of_one_vector(self):
        p = Parameters.zeros(self.shapes)
        p["a.weight"][1, 2] = 5
        p.vector[6:] = [1, 2, 3]
        np.testing.assert_array_equal(p.vector, [0, 0, 0, 0, 0, 5, 1, 2, 3])
        np.testing.assert_array_equal(p["a.bias"], [1, 2, 3])

    def test_are_a_mapping(self):
        p = Parameters.zeros(self.shapes)
        assert list(p) == ["a.weight", "a.bias"]
        assert len(p) == 2
        assert "a.bias" in p
        assert "b.bias" not in p
        assert p.segments == {"a.weight": (0, 6), "a.bias": (6, 9)}
        with pytest.raises(KeyError):
            p["b.bias"]

    def test_like_takes_or_makes_a_vector(self):
        p = Parameters.zeros(self.shapes, np.float64)
        q = p.like()
        q.vector[:] = 1
        assert q.vector.dtype == np.float64
        assert p.vector.max() == 0
        assert p.like(q.vector)["a.bias"].base is not None
        assert p.like(q.vector).vector is q.vector

    def test_digest_is_of_the_values(self):
        p, q = Parameters.zeros(self.shapes), Parameters.zeros(self.shapes)
        assert p.sha256() == q.sha256()
        q.vector[8] = 1e-30
        assert p.sha256() != q.sha256()
