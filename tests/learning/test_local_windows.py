"""Windows without shared weights, and couplings within images: energy, gradient, what fits."""

import numpy as np
import pytest
from nets import POOL, differences, error

from isingeq.backend import SettleRequest
from isingeq.backends.oscillator import xy
from isingeq.backends.simulator import hopfield
from isingeq.couplings import Window
from isingeq.errors import ConfigError
from isingeq.learning.backprop import forward
from isingeq.learning.coding import PLAIN, Planar
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.gradient import estimate
from isingeq.learning.initial import Draw
from isingeq.learning.network import Network
from isingeq.learning.phase_cost import LogCosine
from isingeq.units import Amplitude, Layer, Phase

WINDOWS = (Window((4, 5, 1), 2, 3), Window((2, 3, 2), 1, 2))
SIZES = (12, 2, 3)


def network(unit=None, *, windows=WINDOWS, within="square", shared=False):
    unit = unit or Phase()
    phases = unit.kind == "phase"
    sizes = (*SIZES[: len(windows)], SIZES[-1])
    layers = tuple(Layer(f"l{k}", size, unit) for k, size in enumerate(sizes))
    return Network(
        20, layers, LogCosine(3) if phases else SquaredError(3), coding=Planar() if phases else PLAIN,
        windows=windows, shared=shared, within=within, draw=Draw(0.2, 0.4, 0.4),
    )  # fmt: skip


def drawn(net):
    rng = np.random.default_rng(1)
    parameters = net.initial(0)
    parameters = parameters.like(parameters.vector.astype(np.float64))
    return parameters, rng.uniform(size=(4, 20)), rng.integers(0, 3, 4)


def test_each_place_has_weights_of_its_own():
    assert dict(network().shapes) == {
        "input-l0.weight": (9 * 12,), "l0-l1.weight": (4 * 2 * 2,), "l1-l2.weight": (2, 3),
        "l0-l0.weight": (7 * 2,), "l1-l1.weight": (1,),
        "l0.bias": (12,), "l1.bias": (2,), "l2.bias": (3,),
        "l0.bias_sin": (12,), "l1.bias_sin": (2,), "l2.bias_sin": (3,),
    }  # fmt: skip


def test_equal_weights_are_a_shared_window():
    """Of amplitudes and of phases: fields of the inputs and energy of the second window."""
    for unit in (Phase(), Amplitude(-np.inf, np.inf)):
        local, shared = network(unit, within=None), network(unit, within=None, shared=True)
        few, x, _ = drawn(shared)
        many = drawn(local)[0]
        for name in ("input-l0.weight", "l0-l1.weight"):
            window = few[name].reshape(
                -1, few[name].shape[-1]
            )  # (rows · columns · source, channels)
            by_unit = np.stack(
                [window[:, k % window.shape[1]] for k in range(many[name].size // len(window))]
            )
            many[name][:] = by_unit.ravel()  # fmt: skip
        many["l1-l2.weight"][:] = few["l1-l2.weight"]
        for name in many:
            if "bias" in name:
                many[name][:] = np.tile(few[name], many[name].size // few[name].size)
        one, other = (
            net.problem(net.couplings(p), net.encode(p, x, POOL)) for net, p in ((local, many), (shared, few))
        )  # fmt: skip
        np.testing.assert_allclose(one.fields, other.fields, atol=1e-12)
        states = np.random.default_rng(2).normal(size=(4, 1, 17))
        np.testing.assert_allclose(one.energy(states), other.energy(states), rtol=1e-10)


@pytest.mark.parametrize("kind", ["phase", "amplitude"])
def test_gradient_is_that_of_the_cost(kind):
    unit = Phase() if kind == "phase" else Amplitude(-np.inf, np.inf, 6.0)
    machine = xy(polish=True, start="0.3") if kind == "phase" else hopfield(update="synchronous")
    net = network(unit)
    parameters, x, labels = drawn(net)
    tight = {"tolerance": 1e-11, "max_steps": 20_000, "precision": "float64"}
    found = estimate(
        Estimator(nudging=1e-4, tolerance=1e-11, free_steps=20_000, nudged_steps=20_000, precision="float64"),
        net, machine, parameters, x, labels, seed=0, schedule=None, pool=POOL, out=parameters.like(),
    )  # fmt: skip
    start = found.free.states

    def cost(moved):
        problem = net.problem(net.couplings(moved), net.encode(moved, x, POOL))
        initial = start if kind == "phase" else None
        free = machine.settle(SettleRequest(problem, initial=initial, **tight))
        return net.cost.values(moved, free.states[:, 0, -3:], labels).mean()

    sure = differences(cost, parameters)
    for name in parameters:
        assert np.linalg.norm(sure[name]) > 1e-5, name
        assert error(found.gradient[name], sure[name]) < 2e-3, name


def test_backprop_through_couplings_within_layers_is_refused():
    net = network(Amplitude())
    with pytest.raises(ConfigError, match="shared windows, a wired network has other couplings"):
        forward(net, drawn(net)[0], np.zeros((1, 20)), POOL)
