"""Virtual chips, and how far what is measured of one lies from how it is made."""

import numpy as np

from calibration.measure import Measured
from firmware_models.virtual_chip import VirtualChip
from isingeq.registry import open_backend

FAULTY = (
    "gain_sigma=0.05&coupling_offset_sigma=1.3&field_gain_sigma=0.05&offset_sigma=6&readout_error=0.01&"
    "dead_spin_rate=0.02&dead_coupler_rate=0.02&crosstalk=0.01"
)


def chip(spec: str) -> VirtualChip:
    opened = open_backend(spec)
    assert isinstance(opened, VirtualChip)
    return opened


def pulls(of: VirtualChip, found: Measured) -> dict[str, np.ndarray]:
    """(value − truth) / error of every good element, gains with their mean taken out; stuck neighbours are offsets."""
    true, graph, n = of.mismatch, found.graph, found.graph.n
    working = ~true.dead_units & (true.stuck == 0)
    alive = ~true.dead_edges & working[graph.i] & working[graph.j]
    of_edges = (1 + true.coupling_gain[alive]).mean()
    of_units = (1 + true.field_gain[working]).mean()
    p = np.where(true.dead_edges, 0, true.coupling_offset)
    pushed = np.bincount(graph.i, p * true.stuck[graph.j], n)
    pushed += np.bincount(graph.j, p * true.stuck[graph.i], n)
    truth = {
        "coupling_gain": (1 + true.coupling_gain) / of_edges - 1,
        "coupling_offset": true.coupling_offset / of_edges,
        "field_gain": (1 + true.field_gain) / of_units - 1,
        "field_offset": (true.field_offset + pushed) / of_units,
        "readout_error": np.full(n, of.imperfections.readout_error),
    }
    out = {}
    for name, wanted in truth.items():
        if name in found.quantities:
            q = found.quantities[name]
            out[name] = ((q.value - wanted) / q.error)[q.good]
    return out


def faults_agree(of: VirtualChip, found: Measured) -> bool:
    """Tell whether exactly those dead and stuck are named, and all else was measured."""
    true, graph = of.mismatch, found.graph
    working = ~true.dead_units & (true.stuck == 0)
    between = working[graph.i] & working[graph.j]
    agree = [
        np.array_equal(found.dead_units, true.dead_units),
        np.array_equal(found.stuck_units, true.stuck),
        np.array_equal(found.dead_edges, true.dead_edges & between),
    ]
    if "coupling_gain" in found.quantities:
        good = found.quantities["coupling_gain"].good
        agree.append(np.array_equal(good, between & ~true.dead_edges))
    return all(agree)
