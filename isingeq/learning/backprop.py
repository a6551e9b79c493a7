"""Backprop through the feedforward network of the same shape: the baseline that equilibrium propagation is held to.

    x_l = rest_l(Σ_links P(W ∗ x) + b_l),   rest of a unit = the state it would settle in under that force alone

Same layers, skips, parameters, initial values, order of the data and optimizer; only the gradient's origin differs.
Between dense layers P(W ∗ x) is x W.
"""

from dataclasses import dataclass

import numpy as np

from isingeq.backend import Floats
from isingeq.errors import ConfigError, DivergenceError
from isingeq.kernels.image_windows import Chosen, back_pooled, correlate_pooled, sums_pooled
from isingeq.kernels.pool import Pool
from isingeq.learning.cost import Labels
from isingeq.learning.links import ConvolvedLink, DenseLink, Link, WiredLink
from isingeq.learning.network import Driving, Network
from isingeq.learning.parameters import Parameters
from isingeq.units import Logistic, Phase, Quartic, Spin, Unit


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """A forward pass.

    Attributes:
        inputs: of the batch.
        layers: states (b, size) of every layer.
        chosen: what the windows of a link took of their pools, by its name.
    """

    inputs: Driving
    layers: tuple[Floats, ...]
    chosen: dict[str, Chosen]

    @property
    def states(self) -> Floats:
        """States of all units (b, n)."""
        return np.concatenate(self.layers, axis=1)


def forward(network: Network, parameters: Parameters, x: Floats, pool: Pool) -> Pass:
    """Return the states of every layer for inputs (b, inputs).

    Raises:
        ConfigError: the network has spins or phases, whose states are no smooth functions of the force.
    """
    if any(isinstance(link, WiredLink) for link in network.links):
        raise ConfigError(
            "backprop goes through dense layers and shared windows, a wired network has other couplings: "
            "choose another estimator"
        )
    if any(isinstance(layer.unit, Spin | Phase) for layer in network.layers):
        raise ConfigError(
            "backprop needs amplitudes: spins and phases are no functions of the force on them"
        )
    (inputs,) = network.inputs_of(x)
    layers: list[Floats] = []
    chosen: dict[str, Chosen] = {}
    for number, layer in enumerate(network.layers):
        drive = None if number else inputs.times(parameters[network.input_name], pool)
        for link, source in _into(network, number):
            weight = parameters[link.name]
            if isinstance(link, ConvolvedLink):
                images = layers[source].reshape(-1, *link.window.source)
                sums, chosen[link.name] = sums_pooled(images, weight, link.window, pool)
                part = sums.reshape(len(x), -1)
            else:
                part = pool.product(layers[source], weight)
            drive = part if drive is None else drive + part
        assert drive is not None
        assert not isinstance(layer.unit, Spin | Phase)
        bias = parameters[f"{layer.name}.bias"]
        force = (drive.reshape(-1, bias.size) + bias).reshape(drive.shape)
        layers.append(layer.unit.rest(force).astype(drive.dtype))
    return Pass(inputs, tuple(layers), chosen)


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
    errors: dict[int, Floats] = {
        len(network.layers) - 1: network.cost.slope(parameters, outputs, labels) / len(x)
    }
    for number in reversed(range(len(network.layers))):
        layer, state = network.layers[number], done.layers[number]
        error = (errors.pop(number) * steepness(layer.unit, state)).astype(out.vector.dtype)
        bias = out[f"{layer.name}.bias"]
        bias[:] = error.reshape(-1, bias.size).sum(axis=0)
        for link, source in _into(network, number):
            back = _back(link, parameters, done, source, error, out, pool)
            errors[source] = errors[source] + back if source in errors else back
        if not number:
            done.inputs.correlate(error, out[network.input_name], pool)
    return out, cost, correct


def steepness(unit: Unit, state: Floats) -> Floats:
    """Return d rest / d force at a state (b, size): 1 / (d²u/ds²), and 0 at walls."""
    if isinstance(unit, Logistic):
        return unit.gain * state * (1 - state)
    if isinstance(unit, Quartic):
        return np.asarray(1 / (1 - unit.pump + 3 * state * state), state.dtype)
    assert not isinstance(unit, Spin | Phase)
    inside = (state > unit.low) & (state < unit.high)
    return np.asarray(inside / unit.stiffness, state.dtype)


def _into(network: Network, number: int) -> list[tuple[Link, int]]:
    """Return the links into a layer and the numbers of the layers that they come from."""
    spans = network.spans
    return [
        (link, spans.index(link.a))
        for link in network.links
        if isinstance(link, DenseLink | ConvolvedLink) and link.b == spans[number]
    ]


def _back(
    link: Link, parameters: Parameters, done: Pass, source: int, error: Floats, out: Parameters, pool: Pool
) -> Floats:  # fmt: skip
    """Write the gradient of a link's weights, and return the error (b, size) that it sends to its source."""
    weight, states = parameters[link.name], done.layers[source]
    if not isinstance(link, ConvolvedLink):
        pool.product(states.T, error, out=out[link.name])
        return pool.product(error, weight.T)
    window, chosen = link.window, done.chosen[link.name]
    images, pulled = states.reshape(-1, *window.source), error.reshape(-1, *window.target)
    out[link.name][:] = correlate_pooled(images, pulled, chosen, window, pool)
    return back_pooled(pulled, chosen, weight, window, pool).reshape(states.shape)
