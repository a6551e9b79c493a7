"""From the network table of an experiment to a `RateNetwork`."""

import numpy as np

from isingeq.errors import ConfigError
from isingeq.experiments import config
from isingeq.experiments.networks import windows_of
from isingeq.learning.cost import CrossEntropy, SquaredError
from isingeq.learning.directed_links import full_link, layered_links, skew_coupling
from isingeq.learning.rate_network import RateNetwork
from isingeq.tasks import Dataset
from isingeq.units import Amplitude, Layer

ENERGY_ALONE = {
    key: config.Network.model_fields[key].default
    for key in (
        "lattice", "sites", "leaps", "shortcuts", "sheets", "inputs", "outputs", "lateral", "shared", "unit", "output",
        "single", "mean", "spread", "field", "field_limit", "pump", "injection", "skips",
    )
}  # fmt: skip
"""Keys that rate networks do not have, with their defaults."""


def build_rate_network(table: config.Network, data: Dataset) -> RateNetwork:
    """Return the rate network between the features and the classes of a data set.

    Raises:
        ConfigError: keys of networks with an energy, or keys that do not go together.
    """
    for key, default in ENERGY_ALONE.items():
        if getattr(table, key) != default:
            raise ConfigError(
                f"network.{key} belongs to networks with an energy: leave it away, or kind = 'rate'"
            )
    if table.cost == "log_cosine":
        raise ConfigError("network.cost = 'log_cosine' compares phases: take squared_error")
    if table.cost == "cross_entropy" and table.replicas != 1:
        raise ConfigError("network.cost = 'cross_entropy' has no output units: set replicas = 1")
    if table.recurrent and (table.channels or table.backward != "none" or table.fed != 1):
        raise ConfigError(
            "network.recurrent joins every unit with every unit: leave channels, backward and fed away"
        )
    windows = windows_of(table, data)
    sizes = {f"conv{k}": int(np.prod(window.target)) for k, window in enumerate(windows, 1)}
    sizes |= {f"hidden{k}": size for k, size in enumerate(table.layers, 1)}
    readout: SquaredError | CrossEntropy = CrossEntropy(data.num_classes)
    if table.cost == "squared_error":
        readout = SquaredError(data.num_classes, table.replicas)
        sizes["output"] = data.num_classes * table.replicas
    if len(table.stiffness) not in (1, len(sizes)):
        raise ConfigError(
            f"network.stiffness has {len(table.stiffness)} values for {len(sizes)} layers: "
            "give one, or one for each, outputs last"
        )
    stiffness = table.stiffness * (len(sizes) // len(table.stiffness))
    layers = tuple(
        Layer(name, size, Amplitude(-np.inf, np.inf, k))
        for (name, size), k in zip(sizes.items(), stiffness, strict=True)
    )
    n = sum(sizes.values())
    names, counts = tuple(sizes), tuple(sizes.values())
    return RateNetwork(
        data.x_train.shape[1],
        layers,
        readout,
        (full_link(n, table.activation),)
        if table.recurrent
        else layered_links(names, counts, table.activation, table.backward, windows),
        fed=table.fed,
        windows=windows,
        fixed=(skew_coupling(n, table.skew),) if table.skew else (),
    )
