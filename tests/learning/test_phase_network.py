"""Networks of phases: gradients against finite differences of the cost, for both codings."""

import numpy as np
import pytest
from nets import differences, gradient

from isingeq.backend import SettleRequest
from isingeq.backends.oscillator import oscillator, xy
from isingeq.errors import ProblemError
from isingeq.kernels.pool import Pool
from isingeq.learning.coding import Axial, Planar
from isingeq.learning.cost import SquaredError
from isingeq.learning.network import Network
from isingeq.learning.phase_cost import CosineError, LogCosine
from isingeq.units import Amplitude, Layer, Phase

POOL = Pool(1)
SIZES = (6, 3)


def build(kind, *, hidden=(6,), batch=4, seed=0):
    """Return network, parameters in double precision, inputs and labels.

    The injection of the axial one holds phases at right angles to their fields, so that cosines are free to move.
    """
    layers = tuple(Layer(f"l{k}", s, Phase()) for k, s in enumerate((*hidden, 3)))
    if kind == "axial":
        net = Network(5, layers, CosineError(3), coding=Axial(), injection=-0.6)
    else:
        net = Network(5, layers, LogCosine(3), coding=Planar())
    parameters = net.initial(seed, (0.6,))
    parameters = parameters.like(parameters.vector.astype(np.float64))
    rng = np.random.default_rng([seed, 9])
    for name in parameters:
        if "bias" in name:
            parameters[name][:] = rng.normal(
                0.8 if kind == "axial" else 0.3, 0.3, parameters[name].shape
            )
    return net, parameters, rng.uniform(0, 1, (batch, 5)), rng.integers(0, 3, batch)


def cost(machine, net, parameters, x, labels, start):
    """Mean cost of the equilibria next to `start`."""
    problem = net.problem(net.couplings(parameters), net.encode(parameters, x, POOL))
    found = machine.settle(
        SettleRequest(problem, precision="float64", initial=start, tolerance=1e-12, max_steps=20000)
    )
    return net.cost.values(parameters, found.states[:, 0, slice(*net.spans[-1])], labels).mean()


@pytest.mark.parametrize("kind", ["axial", "planar"])
@pytest.mark.parametrize("hidden", [(6,), (4, 3)])
def test_gradient_is_that_of_the_cost(kind, hidden):
    net, parameters, x, labels = build(kind, hidden=hidden, seed=1)
    machine = oscillator(readout="phase", start="1.5") if kind == "axial" else xy(start="0.4")
    found = gradient(
        net, machine, parameters, x, labels, nudging=3e-4, free_steps=20000, nudged_steps=20000
    )
    assert found.free.settled.all()
    start = found.free.states
    sure = differences(lambda p: cost(machine, net, p, x, labels, start), parameters)
    names = set(parameters)
    assert ("l0.injection" in names) == (kind == "axial")
    assert ("l0.bias_sin" in names) == (kind == "planar")
    for name in parameters:
        scale = np.abs(sure[name]).max()
        assert scale > 1e-5, name
        np.testing.assert_allclose(
            found.gradient[name], sure[name], atol=2e-3 * scale, err_msg=name
        )


def test_a_planar_input_is_a_unit_held_at_its_phase():
    """The drive of an input is what a coupling to a phase π (x − ½) gives."""
    net, parameters, x, _ = build("planar")
    problem = net.problem(net.couplings(parameters), net.encode(parameters, x, POOL))
    phases = np.random.default_rng(1).uniform(-3, 3, (len(x), 1, net.n))
    held = np.pi * (x - 0.5)
    weights = parameters[net.input_name]
    drive = -np.einsum("bik,ik->b", np.cos(held[:, :, None] - phases[:, 0, None, :6]), weights)
    biases = [
        np.concatenate([parameters[f"l{k}.{name}"] for k in (0, 1)])
        for name in ("bias", "bias_sin")
    ]
    drive -= np.cos(phases[:, 0]) @ biases[0] + np.sin(phases[:, 0]) @ biases[1]
    links = sum(c.energy(phases)[:, 0] for c in problem.couplings)
    np.testing.assert_allclose(problem.energy(phases)[:, 0], links + drive, rtol=1e-12)


def test_classes_are_read_as_each_coding_says():
    axial, parameters, _, _ = build("axial")
    planar, *_ = build("planar")
    states = np.zeros((1, 9))
    states[0, 6:] = [np.pi, 0.1, np.pi / 2]
    assert axial.predict(parameters, states) == [1]
    assert planar.predict(parameters, states) == [2]


def test_costs_pull_to_their_targets():
    labels = np.array([1])
    right = {
        CosineError(3): np.array([[np.pi, 0.0, np.pi]]),
        LogCosine(3): np.array([[-1, 1, -1]]) * np.pi / 2,
    }
    for kind, best in right.items():
        lowest = kind.values(None, best, labels)
        for k in range(3):
            moved = best.copy()
            moved[0, k] += 0.3
            assert kind.values(None, moved, labels) > lowest
            step = 1e-6
            up, down = moved.copy(), moved.copy()
            up[0, k] += step
            down[0, k] -= step
            slope = (kind.values(None, up, labels) - kind.values(None, down, labels)) / (2 * step)
            np.testing.assert_allclose(kind.slope(None, moved, labels)[0, k], slope[0], rtol=1e-6)


def test_phases_and_codings_go_together():
    phases, box = (Layer("out", 3, Phase()),), (Layer("out", 3, Amplitude()),)
    for layers, coding in ((phases, {}), (box, {"coding": Axial()}), (box, {"injection": 0.1})):
        with pytest.raises(ProblemError, match="phases, and nothing else"):
            Network(4, layers, SquaredError(3), **coding)
