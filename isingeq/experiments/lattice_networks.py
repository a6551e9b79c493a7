"""Networks on a lattice: graph, sites of inputs and outputs."""

import numpy as np

from isingeq.connectivity import Connectivity
from isingeq.errors import ConfigError
from isingeq.experiments import config
from isingeq.experiments.network_parts import draw_of, outputs_of, readout, units_of
from isingeq.lattices import lattice, stacked, with_leaps, with_shortcuts
from isingeq.learning.network import Network
from isingeq.learning.wiring import spread_outputs, wired
from isingeq.tasks import Dataset
from isingeq.units import Layer


def on_lattice(table: config.Network, data: Dataset) -> Network:
    """Return a network with a unit at every site but those of inputs, coupled to its neighbours.

    Raises:
        ConfigError: keys of layers, another number of sites than there are inputs or outputs, or sites that are not
            there.
    """
    if table.channels:
        raise ConfigError(
            "network.sites puts all units on one lattice: leave network.channels away"
        )
    if table.hidden is not None or table.cost == "cross_entropy":
        raise ConfigError(
            "network.lattice has one hidden layer, as large as the sites leave room for, and outputs among them: "
            "leave network.hidden away, and cost = 'cross_entropy', which reads hidden units"
        )
    inputs, num_outputs = data.x_train.shape[1], outputs_of(table, data)
    for name, wanted, given in (
        ("inputs", inputs, table.inputs),
        ("outputs", num_outputs, table.outputs),
    ):
        if given and len(given) != wanted:
            raise ConfigError(
                f"network.{name} gives {len(given)} sites, {data.name} needs {wanted}: give one for each, or none"
            )
    graph = graph_of(table)
    if not table.outputs:
        if table.inputs or table.sheets > 1:
            raise ConfigError(
                "network.outputs are spread where inputs act on all units of one sheet: give their sites"
            )
        spread = spread_outputs(graph, num_outputs // table.replicas, table.replicas)
        wiring = wired(graph, spread, lateral=table.lateral)
    else:
        wiring = wired(graph, np.array(table.outputs), table.inputs, lateral=table.lateral)
    hidden, output = units_of(table, 1)
    layers = (
        Layer("hidden1", len(wiring.sites) - num_outputs, hidden),
        Layer("output", num_outputs, output),
    )
    cost, coding = readout(table, data.num_classes, output)
    return Network(
        inputs,
        layers,
        cost,
        table.field_limit,
        coding=coding,
        injection=table.injection,
        wiring=wiring,
        draw=draw_of(table),
    )


def graph_of(table: config.Network) -> Connectivity:
    """Return the graph that a table with a lattice and sites describes.

    Raises:
        ConfigError: leaps, shortcuts or sheets that do not fit.
    """
    assert table.lattice is not None
    assert table.sites is not None
    graph = lattice(table.lattice, *table.sites)
    if table.leaps:
        graph = with_leaps(graph, table.leaps)
    if table.sheets > 1:
        if not isinstance(table.kernel, int):
            raise ConfigError(
                f"network.kernel links all sheets alike: give one number, not {list(table.kernel)}"
            )
        graph = stacked(graph, table.sheets, table.kernel)
    if table.shortcuts:
        graph = with_shortcuts(graph, table.shortcuts, table.shortcut_seed)
    return graph
