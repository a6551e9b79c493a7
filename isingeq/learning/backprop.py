"""Backprop through the feedforward network of the same shape: the baseline that equilibrium propagation is held to.

    x_l = rest_l(x_{l−1} W_l + b_l),   rest of a unit = the state it would settle in under that force alone

Same layers, parameters, initial values, order of the data and optimizer; only the gradient's origin differs.
"""

from dataclasses import dataclass

import numpy as np

from isingeq.backend import Floats
from isingeq.errors import ConfigError, DivergenceError
from isingeq.kernels.pool import Pool
from isingeq.kernels.sparse import Inputs
from isingeq.learning.cost import Labels
from isingeq.learning.network import Network
from isingeq.learning.parameters import Parameters
from isingeq.units import Logistic, Phase, Quartic, Spin, Unit


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """A forward pass: inputs, and states (b, size) of every layer."""

    inputs: Inputs
    layers: tuple[Floats, ...]

    @property
    def states(self) -> Floats:
        """States of all units (b, n)."""
        return np.concatenate(self.layers, axis=1)


def forward(network: Network, parameters: Parameters, x: Floats, pool: Pool) -> Pass:
    """Return the states of every layer for inputs (b, inputs).

    Raises:
        ConfigError: the network has spins or phases, whose states are no smooth functions of the force.
    """
    if network.wiring is not None:
        raise ConfigError(
            "a wired network has no layers for backprop to go through: choose another estimator"
        )
    if any(isinstance(layer.unit, Spin | Phase) for layer in network.layers):
        raise ConfigError(
            "backprop needs amplitudes: spins and phases are no functions of the force on them"
        )
    inputs = Inputs(x)
    names = (network.input_name, *network.link_names)
    layers: list[Floats] = []
    for name, layer in zip(names, network.layers, strict=True):
        weight = parameters[name]
        drive = pool.product(layers[-1], weight) if layers else inputs.times(weight, pool)
        assert not isinstance(layer.unit, Spin | Phase)
        layers.append(layer.unit.rest(drive + parameters[f"{layer.name}.bias"]).astype(drive.dtype))
    return Pass(inputs, tuple(layers))


def backprop(
    network: Network,
    parameters: Parameters,
    x: Floats,
    labels: Labels,
    *,
    pool: Pool,
    out: Parameters,
) -> tuple[Parameters, float, int]:
    """Return the gradient of the mean cost of a batch, that cost, and how many classes are right.

    Raises:
        DivergenceError: the cost is no longer finite.
    """
    done = forward(network, parameters, x, pool)
    outputs = done.layers[-1]
    cost = float(network.cost.values(parameters, outputs, labels).mean())
    if not np.isfinite(cost):
        raise DivergenceError(
            "the cost is no longer finite: lower the learning rate or the initial gains"
        )
    correct = int((network.cost.scores(parameters, outputs).argmax(axis=1) == labels).sum())
    out.vector[:] = 0
    network.cost.explicit(parameters, outputs, labels, out)
    error: Floats = network.cost.slope(parameters, outputs, labels) / len(x)
    names = (network.input_name, *network.link_names)
    for number in reversed(range(len(network.layers))):
        layer, state = network.layers[number], done.layers[number]
        error = (error * _steepness(layer.unit, state)).astype(out.vector.dtype)
        out[f"{layer.name}.bias"][:] = error.sum(axis=0)
        if number:
            pool.product(done.layers[number - 1].T, error, out=out[names[number]])
            error = pool.product(error, parameters[names[number]].T)
        else:
            done.inputs.correlate(error, out[names[0]], pool)
    return out, cost, correct


def _steepness(unit: Unit, state: Floats) -> Floats:
    """Return d rest / d force at a state (b, size)."""
    if isinstance(unit, Logistic):
        return unit.gain * state * (1 - state)
    if isinstance(unit, Quartic):
        return np.asarray(1 / (1 - unit.pump + 3 * state * state), state.dtype)
    assert not isinstance(unit, Spin | Phase)
    inside = (state > unit.low) & (state < unit.high)
    return np.asarray(inside / unit.stiffness, state.dtype)
