"""Networks of images: parameters, input fields, and the contrast as the slope of the energy."""

import numpy as np
import pytest

from isingeq.errors import ProblemError
from isingeq.kernels.pool import Pool
from isingeq.learning.coding import Axial
from isingeq.learning.cost import SquaredError
from isingeq.learning.images import skip_window, stack_windows
from isingeq.learning.network import Network
from isingeq.learning.parameters import Parameters
from isingeq.learning.phase_cost import CosineError
from isingeq.units import Amplitude, Layer, Phase

BOX = Amplitude()


def network(pooling="max", skips=((0, 2),), **more):
    windows = stack_windows(
        (6, 6, 2), (3, 2, 4), kernel=(3,), padding=(1,), pool=(1, 2, 1), pooling=(pooling,)
    )
    layers = [Layer(f"conv{k}", int(np.prod(w.target)), BOX) for k, w in enumerate(windows, 1)]
    layers += [Layer("hidden", 5, BOX), Layer("output", 3, Amplitude(-np.inf, np.inf))]
    return Network(72, tuple(layers), SquaredError(3), windows=windows, skips=skips, **more)


def test_weights_are_windows_and_biases_belong_to_channels():
    net = network()
    assert dict(net.shapes) == {
        "input-conv1.weight": (3, 3, 2, 3),
        "conv1-conv2.weight": (3, 3, 3, 2),
        "conv2-conv3.weight": (3, 3, 2, 4),
        "conv3-hidden.weight": (36, 5),
        "hidden-output.weight": (5, 3),
        "conv1-conv3.weight": (1, 1, 3, 4),
        "conv1.bias": (3,),
        "conv2.bias": (2,),
        "conv3.bias": (4,),
        "hidden.bias": (5,),
        "output.bias": (3,),
    }
    drawn = net.initial(0)
    limit = np.sqrt(
        6 / (9 * 3 + 9 * 2 / 4)
    )  # a sum takes 27 weights, a pixel is in 18, of which a pool keeps ¼
    assert 0.9 * limit < np.abs(drawn["conv1-conv2.weight"]).max() <= limit


@pytest.mark.parametrize("pooling", ["max", "average", "soft"])
def test_the_contrast_is_the_slope_of_the_energy_in_every_parameter(pooling):
    net, pool = network(pooling), Pool()
    rng = np.random.default_rng(1)
    parameters = Parameters(rng.normal(size=net.initial(0).vector.size), net.shapes)
    x, states = rng.random((2, 72)), rng.random((2, 1, net.n))
    signs = rng.normal(size=(1, 2, 1))

    def energy(vector):
        moved = Parameters(vector, net.shapes)
        problem = net.problem(net.couplings(moved), net.encode(moved, x, pool))
        return (signs[0] * problem.energy(states)).sum()

    couplings, encoded = net.couplings(parameters), net.encode(parameters, x, pool)
    found = parameters.like()
    net.contrast(couplings, encoded.inputs, states[None], signs, found, pool)
    for name, (first, last) in parameters.segments.items():
        for k in {first, (first + last) // 2, last - 1}:
            step = np.zeros_like(parameters.vector)
            step[k] = 1e-6
            slope = (energy(parameters.vector + step) - energy(parameters.vector - step)) / 2e-6
            assert found.vector[k] == pytest.approx(slope, abs=1e-6), name


def test_a_pool_that_changes_its_choice_makes_no_large_contrast():
    net, pool = network(), Pool()
    parameters = Parameters(net.initial(0).vector.astype(float), net.shapes)
    parameters["conv1-conv2.weight"][:] = 0
    parameters["conv1-conv2.weight"][1, 1, 0] = 1  # each place of a pool is worth its own pixel
    couplings = net.couplings(parameters)
    inputs = net.encode(parameters, np.zeros((1, 72)), pool).inputs
    free = np.full((1, 1, net.n), 0.3)
    image = free[0, 0, slice(*net.spans[0])].reshape(6, 6, 3)
    image[2, 2] = [0.8, 0.9, 0.2]  # a tie: which of the two is taken turns with the nudge
    image[2, 3] = [0.8, 0.1, 0.7]
    push = np.zeros_like(free)
    push[0, 0, slice(*net.spans[0])].reshape(6, 6, 3)[2, 2] = 1e-5
    states = np.stack([free + push, free - push])
    signs = np.array([1.0, -1.0]).reshape(2, 1, 1) / 2e-5
    found = parameters.like()
    net.contrast(couplings, inputs, states, signs, found, pool)
    assert 0 < np.abs(found["conv1-conv2.weight"]).max() < 2


def test_some_of_the_inputs_keep_their_pools():
    net, pool = network(), Pool()
    x = np.random.default_rng(2).random((5, 72))
    parameters = Parameters(net.initial(0).vector.astype(float), net.shapes)
    (images,) = net.encode(parameters, x, pool).inputs
    part = np.array([3, 1])
    forces = np.random.default_rng(3).normal(size=(5, 108))
    whole, some = np.zeros((2, 3, 3, 2, 3))
    images.correlate(np.where(np.isin(np.arange(5), part)[:, None], forces, 0), whole, pool)
    images.rows(part).correlate(forces[part], some, pool)
    np.testing.assert_allclose(some, whole, atol=1e-13)


def test_what_does_not_fit_is_refused_with_its_layer():
    with pytest.raises(ProblemError, match="layer conv2: kernel 5 is larger than the 3 × 3 image"):
        stack_windows((5, 5, 1), (2, 2), kernel=(3, 5))
    with pytest.raises(ProblemError, match="layer conv1: pool 2 does not divide the 5 × 5 places"):
        stack_windows((5, 5, 1), (2,), kernel=(1,), pool=(2,))
    with pytest.raises(ProblemError, match="2 values of kernel for 3 convolutions"):
        stack_windows((5, 5, 1), (2, 2, 2), kernel=(3, 5))
    with pytest.raises(ProblemError, match="skip 0, 1 must lead over at least one layer"):
        network(skips=((0, 1),))
    with pytest.raises(ProblemError, match="skip 1, 3 must lead"):
        network(skips=((1, 3),))
    with pytest.raises(ProblemError, match="skips name a pair twice"):
        network(skips=((0, 2), (0, 2)))
    with pytest.raises(ProblemError, match="needs whole squares"):
        skip_window((9, 9, 1), (4, 4, 1))
    windows = network().windows
    layers = (Layer("first", 108, BOX), Layer("second", 17, BOX))
    with pytest.raises(ProblemError, match="layer second has 17 units"):
        Network(72, layers, SquaredError(17), windows=windows[:2])
    with pytest.raises(ProblemError, match="layer first: its window slides over"):
        Network(50, layers, SquaredError(17), windows=windows[:1])
    with pytest.raises(ProblemError, match="layer second: its window slides over"):
        Network(72, layers, SquaredError(17), windows=(windows[0], windows[2]))
    with pytest.raises(ProblemError, match="3 windows for 2 layers"):
        Network(72, layers, SquaredError(17), windows=windows)


def test_phases_have_no_largest_of_a_pool():
    windows = stack_windows((4, 4, 1), (2,), kernel=(1,), pool=(2,))
    layers = (Layer("conv1", 8, Phase()), Layer("output", 3, Phase()))
    with pytest.raises(ProblemError, match="layer conv1: phases have no max of a pool"):
        Network(16, layers, CosineError(3), coding=Axial(), windows=windows)
