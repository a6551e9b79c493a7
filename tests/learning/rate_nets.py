"""Small rate networks, nothing symmetric in them but what is named so."""

import numpy as np

from isingeq.couplings import Window
from isingeq.learning.cost import CrossEntropy, SquaredError
from isingeq.learning.directed_links import full_link, layered_links, skew_coupling
from isingeq.learning.rate_network import RateNetwork
from isingeq.units import Amplitude, Layer

CLASSES, INPUTS = 4, 8
IMAGES = (Window((4, 4, 1), 3, 3, padding=1, pool=2), Window((2, 2, 3), 5, 2))


def layers_of(sizes, stiffness=1.0):
    unit = Amplitude(-np.inf, np.inf, stiffness)
    return tuple(Layer(f"l{k}", size, unit) for k, size in enumerate(sizes))


def layered(sizes=(12, 10, CLASSES), backward="none", *, activation="tanh", cost=None, **more):
    """Return a chain of layers; stiffness is not 1."""
    layers = layers_of(sizes, 1.2)
    names = [layer.name for layer in layers]
    links = layered_links(names, sizes, activation, backward, more.get("windows", ()))
    return RateNetwork(
        more.pop("inputs", INPUTS), layers, cost or SquaredError(CLASSES), links, **more
    )


def full(size=26):
    """Return a network in which every unit leads to every unit."""
    sizes = (size, CLASSES)
    link = full_link(sum(sizes), "tanh")
    return RateNetwork(INPUTS, layers_of(sizes), SquaredError(CLASSES), (link,))


NETWORKS = {
    "recurrent": full(),
    "feedforward": layered(fed=2),
    "feedforward, cross-entropy": layered(
        (12, 10), cost=CrossEntropy(CLASSES), activation="logistic"
    ),
    "weights back": layered(backward="own"),
    "tied": layered(backward="tied"),
    "skew": layered((12, CLASSES), "tied", fixed=(skew_coupling(16, 0.8),)),
    "convolutions": layered((12, 5, CLASSES), inputs=16, windows=IMAGES),
}


def drawn(name, *, batch=5):
    """Return parameters in double precision, inputs and labels; a recurrent matrix is mostly antisymmetric."""
    net = NETWORKS[name]
    rng = np.random.default_rng(len(name))
    parameters = net.initial(
        3, (0.5 if name == "tied" else 0.8,)
    )  # tied weights soon make two rests of one
    parameters = parameters.like(parameters.vector.astype(np.float64))
    for layer in net.layers:
        bias = parameters[f"{layer.name}.bias"]
        bias[:] = rng.normal(0, 0.3, bias.shape)
    if name == "recurrent":
        W = parameters["recurrent.weight"]
        W[:] = 0.2 * rng.normal(size=W.shape)
        W[:] = 0.4 * (W + W.T) + (W - W.T)
        W *= 0.9 / np.linalg.norm(W, 2)
    x, labels = rng.normal(size=(batch, net.inputs)), rng.integers(0, CLASSES, batch)
    return net, parameters, x, labels
