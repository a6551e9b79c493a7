"""From the network table of an experiment to a `Network`."""

from typing import Any

import numpy as np

from isingeq.couplings import Window
from isingeq.errors import ConfigError, ProblemError
from isingeq.experiments import config
from isingeq.experiments.lattice_networks import on_lattice
from isingeq.experiments.network_parts import draw_of, outputs_of, readout, units_of
from isingeq.learning.cost import CrossEntropy
from isingeq.learning.images import stack_windows
from isingeq.learning.network import Network
from isingeq.tasks import Dataset
from isingeq.units import Layer

RATE_ALONE = {
    key: config.Network.model_fields[key].default
    for key in ("activation", "backward", "recurrent", "skew", "fed")
}
"""Keys that networks with an energy do not have, with their defaults."""


def build_network(table: config.Network, data: Dataset) -> Network:
    """Return the network between the features and the classes of a data set.

    Raises:
        ConfigError: replicas or an output kind where the readout stands outside the system, or a cost that
            the output units do not have.
    """
    for key, default in RATE_ALONE.items():
        if getattr(table, key) != default:
            raise ConfigError(f'network.{key} belongs to rate networks: set network.kind = "rate"')
    inputs = data.x_train.shape[1]
    if table.sites is not None and table.lattice is not None:
        return on_lattice(table, data)
    if table.sites is not None or (table.lattice is not None and not table.channels):
        raise ConfigError(
            "network.lattice and network.sites belong together, or network.lattice and network.channels: "
            "give both or none"
        )
    for name in ("leaps", "shortcuts", "inputs", "outputs"):
        if getattr(table, name):
            raise ConfigError(f"network.{name} belongs to a lattice: give network.sites too")
    windows = windows_of(table, data)
    sizes = {f"conv{k}": int(np.prod(window.target)) for k, window in enumerate(windows, 1)}
    sizes |= {f"hidden{k}": size for k, size in enumerate(table.layers, 1)}
    units = units_of(table, len(sizes), output=table.cost != "cross_entropy")
    hidden = tuple(
        Layer(name, size, unit) for (name, size), unit in zip(sizes.items(), units, strict=False)
    )
    shape: dict[str, Any] = {
        "windows": windows,
        "skips": tuple((a - 1, b - 1) for a, b in table.skips),
        "shared": table.shared,
        "within": table.lattice,
        "draw": draw_of(table),
    }
    if table.cost == "cross_entropy":
        if table.replicas != 1 or table.single:
            raise ConfigError(
                "network.cost = 'cross_entropy' reads the last hidden layer: it needs "
                f"replicas = 1, got {table.replicas}, and single = false"
            )
        return Network(inputs, hidden, CrossEntropy(data.num_classes), table.field_limit, **shape)
    output = Layer("output", outputs_of(table, data), units[-1])
    cost, coding = readout(table, data.num_classes, units[-1])
    return Network(
        inputs, (*hidden, output), cost, table.field_limit,
        coding=coding, injection=table.injection, **shape,
    )  # fmt: skip


def windows_of(table: config.Network, data: Dataset) -> tuple[Window, ...]:
    """Return the windows of the convolutions over the images of a data set.

    Raises:
        ConfigError: no images, or windows that do not fit.
    """
    last = len(table.channels)
    for a, b in table.skips:
        if not 1 <= a < b - 1 < last:
            raise ConfigError(
                f"network.skips: [{a}, {b}] must lead over at least one layer of network.channels, "
                f"numbered from 1 to {last}"
            )
    if len({*map(tuple, table.skips)}) < len(table.skips):
        raise ConfigError(
            f"network.skips names a pair twice: {[list(pair) for pair in table.skips]}"
        )
    if not table.channels:
        return ()
    if len(data.shape) not in (2, 3):
        raise ConfigError(
            f"network.channels needs images: an example of {data.name} has the shape {data.shape}"
        )
    rows, columns, *colours = data.shape
    given = {
        name: values if isinstance(values := getattr(table, name), tuple) else (values,)
        for name in ("kernel", "stride", "padding", "pool", "pooling")
    }
    try:
        return stack_windows(
            (rows, columns, *(colours or (1,))), table.channels, sharpness=table.sharpness, **given
        )
    except ProblemError as error:
        raise ConfigError(f"network.channels: {error}") from error
