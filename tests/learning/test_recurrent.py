"""Recurrent backprop against finite differences of the settled cost, and of synchronous steps one by one."""

import numpy as np
import pytest
from image_nets import BOX, Resting, drawn, image_network, slope_along
from nets import POOL, build, cosine, error, free_cost, gradient, spin_network

from isingeq.backends.simulator import hopfield
from isingeq.errors import ConfigError
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.images import stack_windows
from isingeq.learning.network import Network
from isingeq.learning.recurrent import recurrent, solve, unroll
from isingeq.learning.wiring import on_lattice
from isingeq.machines.rest import iterate
from isingeq.units import Amplitude, Layer, Logistic

LATTICE = on_lattice("kings", 6, 6, 3, 1)
NETWORKS = {
    "max": image_network(),
    "max, cross-entropy": image_network(cost="cross-entropy"),
    "average": image_network("average"),
    "soft, box": image_network("soft", output=BOX),
    "no skips, no pools": image_network(skips=(), pool=(1, 1, 1)),
    "wired": Network(
        72, (Layer("hidden", 33, BOX), Layer("output", 3, BOX)), SquaredError(3), wiring=LATTICE
    ),
    "logistic": Network(
        72, (Layer("h", 5, Logistic()), Layer("output", 3, Amplitude(-np.inf, np.inf))), SquaredError(3)
    ),
}  # fmt: skip
LONG = ("max, cross-entropy", "average", "soft, box")
EVERY = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LONG)) for n in NETWORKS]
)


@EVERY
def test_it_is_the_slope_of_the_settled_cost_and_what_small_nudging_gives(name):
    net, backend = NETWORKS[name], Resting()
    parameters, x, labels = drawn(net)
    found = gradient(net, backend, parameters, x, labels, method="recurrent")
    nudged = gradient(net, backend, parameters, x, labels, nudging=1e-3)
    assert found.nudged is None
    assert found.cost == nudged.cost
    for number, array in enumerate(parameters):
        sure, along = slope_along(
            lambda p: free_cost(net, backend, p, x, labels), parameters, array, number
        )
        assert abs(sure) > 1e-5, array
        assert (found.gradient[array] * along).sum() == pytest.approx(sure, rel=2e-5, abs=1e-8)
        assert cosine(found.gradient[array], nudged.gradient[array]) > 0.99999, array


@EVERY
def test_unrolled_it_is_backprop_through_as_many_synchronous_steps(name):
    net, backend, steps = NETWORKS[name], Resting(), 5
    parameters, x, labels = drawn(net)
    rest = gradient(net, backend, parameters, x, labels, method="bptt", nudged_steps=steps)
    start = rest.free.states[:, 0]

    def cost_after(moved):
        problem = net.problem(net.couplings(moved), net.encode(moved, x, POOL))
        end = iterate(problem, (), start, order="synchronous", steps=steps, tolerance=0.0).states
        return net.cost.values(moved, end[:, slice(*net.spans[-1])], labels).mean()

    for number, array in enumerate(parameters):
        sure, along = slope_along(cost_after, parameters, array, number)
        assert (rest.gradient[array] * along).sum() == pytest.approx(sure, rel=2e-5, abs=1e-9)


def test_the_error_moves_on_by_one_layer_a_step_and_tends_to_the_response():
    net = image_network(skips=())
    parameters, x, labels = drawn(net)
    sure = gradient(net, Resting(), parameters, x, labels, method="recurrent").gradient
    reached, errors = [], []
    for steps in (1, 2, 3, 4, 80, 160):
        found = gradient(
            net, Resting(), parameters, x, labels, method="bptt", nudged_steps=steps
        ).gradient
        reached.append(sum(bool(found[f"{layer.name}.bias"].any()) for layer in net.layers))
        errors.append(error(found.vector, sure.vector))
    assert reached == [1, 2, 3, 4, 4, 4]
    assert errors[-1] < 1e-9 < errors[3]


def test_a_compiled_backend_in_single_precision_gives_the_same():
    net, parameters, x, labels = build((6, 5))
    backend = hopfield()
    sure = gradient(net, backend, parameters, x, labels, nudging=1e-4).gradient
    exact = gradient(net, backend, parameters, x, labels, method="recurrent").gradient
    single = gradient(
        net, backend, parameters.like(parameters.vector.astype(np.float32)), x.astype(np.float32), labels,
        method="recurrent", precision="float32", tolerance=1e-6, nudged_steps=100,
    ).gradient  # fmt: skip
    backend.close()
    assert error(exact.vector, sure.vector) < 1e-6
    assert single.vector.dtype == np.float32
    assert error(single.vector, exact.vector) < 1e-4


def test_the_solution_is_that_of_the_dense_system_with_walls_left_out():
    rng = np.random.default_rng(3)
    J = rng.normal(size=(7, 7)) * 0.2
    J = np.triu(J, 1) + np.triu(J, 1).T
    steep = rng.uniform(0.3, 2.0, (2, 7))
    steep[0, [1, 4]], steep[1, 0] = 0, 0
    push = rng.normal(size=(2, 7))
    searched = []

    def change(direction):
        searched.append(direction)
        return direction @ J

    found = solve(change, steep, push, steps=40, tolerance=1e-13)
    assert len(searched) <= 9  # as many as there are units, and rounding
    for row, s, p in zip(found, steep, push, strict=True):
        free = s > 0
        matrix = np.diag(1 / s[free]) + J[np.ix_(free, free)]
        assert np.linalg.eigvalsh(matrix).min() > 0
        np.testing.assert_allclose(row[free], np.linalg.solve(matrix, p[free]), rtol=1e-10)
        assert not row[~free].any()
    few = solve(lambda v: v @ J, steep, push, steps=2, tolerance=1e-13)
    assert error(few, found) > 1e-3
    np.testing.assert_array_equal(unroll(lambda v: v @ J, steep, push, steps=1), steep * push)


def test_where_the_energy_falls_the_search_stops():
    """Not a minimum: a sample keeps what it has, others go on."""
    J = np.array([[0.0, 2.0], [2.0, 0.0]])
    push = np.array([[1.0, 1.0], [1.0, -1.0]])
    found = solve(lambda v: v @ J, np.ones((2, 2)), push, steps=9, tolerance=1e-9)
    np.testing.assert_allclose(found, [[1 / 3, 1 / 3], [0, 0]], atol=1e-12)


def test_one_equilibrium_is_asked_for_and_spins_have_none():
    with pytest.raises(ConfigError, match="the mean over 4 reads is none"):
        Estimator("recurrent", reads=4)
    assert Estimator("bptt", reads=4, select="best").reads == 4
    net = spin_network()
    states = np.ones((2, net.n))
    parameters = net.initial(0)
    with pytest.raises(ConfigError, match="recurrent backprop needs amplitudes"):
        recurrent(
            net, net.couplings(parameters), net.inputs_of(np.ones((2, 4))), states, states[:, -2:], np.ones(2),
            parameters.like(), steps=3, tolerance=None, pool=POOL,
        )  # fmt: skip


@pytest.mark.slow
def test_small_nudging_of_the_network_for_digits_tends_to_it():
    """32 channels at 12 × 12 and 64 at 4 × 4; nudged by 0.001 already, some largest of a pool changes hands."""
    windows = stack_windows((28, 28, 1), (32, 64), kernel=(5,), pool=(2,))
    layers = [Layer(f"conv{k}", int(np.prod(w.target)), Amplitude()) for k, w in enumerate(windows)]
    layers.append(Layer("output", 10, Amplitude(-np.inf, np.inf)))
    net = Network(784, tuple(layers), SquaredError(10), windows=windows)
    parameters, x, labels = drawn(net, batch=2, gain=0.5)
    for layer in layers:
        parameters[f"{layer.name}.bias"][:] = 0
    x = np.abs(x) * (np.abs(x) > 1)
    found = gradient(net, Resting(), parameters, x, labels, method="recurrent", tolerance=1e-10)
    nudged = gradient(net, Resting(), parameters, x, labels, nudging=1e-5)
    for array in parameters:
        assert cosine(found.gradient[array], nudged.gradient[array]) > 0.9999, array
