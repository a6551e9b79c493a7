"""What every network of an experiment has, whatever its shape: units, readout, initial draw."""

import numpy as np

from isingeq.errors import ConfigError
from isingeq.experiments import config
from isingeq.learning.coding import PLAIN, Axial, Coding, Planar
from isingeq.learning.cost import Cost, SquaredError
from isingeq.learning.initial import Draw
from isingeq.learning.phase_cost import CosineError, LogCosine
from isingeq.tasks import Dataset
from isingeq.units import Amplitude, Logistic, Phase, Quartic, Spin, Unit


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


def units_of(table: config.Network, hidden: int, *, output: bool = True) -> tuple[Unit, ...]:
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


def outputs_of(table: config.Network, data: Dataset) -> int:
    """Return the number of output units."""
    return (1 if table.single else data.num_classes) * table.replicas


def draw_of(table: config.Network) -> Draw:
    """Return how initial parameters are drawn.

    Raises:
        ConfigError: a spread without a mean, or a mean beside gains.
    """
    if table.mean is None and table.spread:
        raise ConfigError(
            f"network.spread = {table.spread:g} lies around a mean: give network.mean"
        )
    if table.mean is not None and table.gains != (1.0,):
        raise ConfigError("network.gains and network.mean both draw the weights: leave one away")
    return Draw(table.mean, table.spread, table.field, table.field_spread)


def readout(table: config.Network, classes: int, unit: Unit) -> tuple[Cost, Coding]:
    """Return what the output is compared with, and how inputs and states are coded."""
    if table.single and classes != 2:
        raise ConfigError(
            f"network.single reads 2 classes off one output unit, the data has {classes}: set single = false"
        )
    if table.cost == "log_cosine":
        if unit.kind != "phase" or table.replicas != 1:
            raise ConfigError(
                "network.cost = 'log_cosine' compares phases: it needs output = 'phase' and replicas = 1"
            )
        return LogCosine(classes, table.single), Planar()
    if unit.kind == "phase":
        return CosineError(classes, table.replicas, table.single), Axial()
    low = -1.0 if unit.kind == "spin" else 0.0
    return SquaredError(classes, table.replicas, low=low, single=table.single), PLAIN
