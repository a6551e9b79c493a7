"""From the network table of an experiment to a `Network`."""

from typing import Any

import numpy as np

from isingeq.couplings import Window
from isingeq.errors import ConfigError, ProblemError
from isingeq.experiments import config
from isingeq.learning.coding import PLAIN, Axial, Coding, Planar
from isingeq.learning.cost import Cost, CrossEntropy, SquaredError
from isingeq.learning.images import stack_windows
from isingeq.learning.network import Network
from isingeq.learning.phase_cost import CosineError, LogCosine
from isingeq.learning.wiring import on_lattice
from isingeq.tasks import Dataset
from isingeq.units import Amplitude, Layer, Logistic, Phase, Quartic, Spin, Unit

RATE_ALONE = {
    key: config.Network.model_fields[key].default
    for key in ("activation", "backward", "recurrent", "skew", "fed")
}
"""Keys that networks with an energy do not have, with their defaults."""


def _unit(kind: str, pump: float, stiffness: float) -> Unit:
    """Return the unit that a table calls by this name."""
    units: dict[str, Unit] = {
        "amplitude": Amplitude(stiffness=stiffness),
        "box": Amplitude(stiffness=stiffness),
        "linear": Amplitude(-np.inf, np.inf, stiffness),
        "logistic": Logistic(),
        "phase": Phase(),
        "quartic": Quartic(pump),
        "spin": Spin(),
    }
    return units[kind]


def _units(table: config.Network, hidden: int, *, output: bool = True) -> tuple[Unit, ...]:
    """Return the unit of every layer, hidden ones first.

    Raises:
        ConfigError: another number of stiffnesses than layers, or one for units that have no such thing.
    """
    kinds = [table.unit] * hidden + [table.output] * output
    if len(table.stiffness) not in (1, len(kinds)):
        raise ConfigError(
            f"network.stiffness has {len(table.stiffness)} values for {len(kinds)} layers: "
            "give one, or one for each, outputs last"
        )
    each = table.stiffness * (len(kinds) // len(table.stiffness))
    units = tuple(_unit(kind, table.pump, k) for kind, k in zip(kinds, each, strict=True))
    for unit, k in zip(units, each, strict=True):
        if k != 1 and not isinstance(unit, Amplitude):
            raise ConfigError(
                f"network.stiffness belongs to amplitudes: {unit.kind} units have none"
            )
    return units


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
    if (table.lattice is None) != (table.sites is None):
        raise ConfigError("network.lattice and network.sites belong together: give both or none")
    if table.lattice is not None and table.sites is not None:
        return _on_lattice(table, table.lattice, table.sites, data)
    windows = windows_of(table, data)
    sizes = {f"conv{k}": int(np.prod(window.target)) for k, window in enumerate(windows, 1)}
    sizes |= {f"hidden{k}": size for k, size in enumerate(table.layers, 1)}
    units = _units(table, len(sizes), output=table.cost != "cross_entropy")
    hidden = tuple(
        Layer(name, size, unit) for (name, size), unit in zip(sizes.items(), units, strict=False)
    )
    shape: dict[str, Any] = {
        "windows": windows,
        "skips": tuple((a - 1, b - 1) for a, b in table.skips),
    }
    if table.cost == "cross_entropy":
        if table.replicas != 1:
            raise ConfigError(
                "network.cost = 'cross_entropy' reads the last hidden layer: it needs "
                f"replicas = 1, got {table.replicas}"
            )
        return Network(inputs, hidden, CrossEntropy(data.num_classes), table.field_limit, **shape)
    output = Layer("output", data.num_classes * table.replicas, units[-1])
    cost, coding = _readout(table, data.num_classes, units[-1])
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


def _on_lattice(table: config.Network, kind: str, sites: tuple[int, int], data: Dataset) -> Network:
    """Return a network with a unit at every site, coupled to its neighbours."""
    if table.channels:
        raise ConfigError("network.lattice couples neighbouring units: leave network.channels away")
    if table.hidden is not None or table.cost == "cross_entropy":
        raise ConfigError(
            "network.lattice has one hidden layer, as large as the sites leave room for, and outputs among them: "
            "leave network.hidden away, and cost = 'cross_entropy', which reads hidden units"
        )
    wiring = on_lattice(kind, *sites, data.num_classes, table.replicas, lateral=table.lateral)
    outputs = data.num_classes * table.replicas
    hidden, output = _units(table, 1)
    layers = (
        Layer("hidden1", len(wiring.sites) - outputs, hidden),
        Layer("output", outputs, output),
    )
    cost, coding = _readout(table, data.num_classes, output)
    inputs = data.x_train.shape[1]
    return Network(
        inputs,
        layers,
        cost,
        table.field_limit,
        coding=coding,
        injection=table.injection,
        wiring=wiring,
    )


def _readout(table: config.Network, classes: int, unit: Unit) -> tuple[Cost, Coding]:
    """Return what the output is compared with, and how inputs and states are coded."""
    if table.cost == "log_cosine":
        if unit.kind != "phase" or table.replicas != 1:
            raise ConfigError(
                "network.cost = 'log_cosine' compares phases: it needs output = 'phase' and replicas = 1"
            )
        return LogCosine(classes), Planar()
    if unit.kind == "phase":
        return CosineError(classes, table.replicas), Axial()
    low = -1.0 if unit.kind == "spin" else 0.0
    return SquaredError(classes, table.replicas, low=low), PLAIN
