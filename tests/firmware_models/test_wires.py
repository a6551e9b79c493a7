"""Graphs of chips: their couplers, in canonical order."""

import numpy as np
import pytest

from firmware_models.wires import Topology, Wires
from isingeq.couplings import Edges
from isingeq.errors import CapabilityError, ConfigError
from isingeq.problem import Problem
from isingeq.units import Layer, Spin

SIZES = {
    ("kings", (3, 4)): (12, 29),
    ("square", (3, 4)): (12, 17),
    ("chimera", (2, 3, 4)): (48, 2 * 3 * 16 + 3 * 4 + 2 * 2 * 4),
    ("pegasus", (3,)): (144, 704),
    ("zephyr", (2, 2)): (80, 356),
}


def wires_of(kind, shape):
    if kind in ("kings", "square"):
        return Wires.of(Topology(kind, *shape), None)
    return Wires.of(Topology(kind, shape=shape), None)


@pytest.mark.parametrize(("kind", "shape"), SIZES)
def test_graphs_have_their_spins_and_couplers(kind, shape):
    wires = wires_of(kind, shape)
    c = wires.connectivity
    assert (c.n, c.kind, c.shape) == (wires.n, kind, shape)
    n, m = SIZES[kind, shape]
    assert wires.n == n
    assert wires.num_edges == m
    i, j, places = wires.among(n)
    assert np.array_equal(places, np.arange(m))
    assert np.array_equal(wires.find(i, j), places)


@pytest.mark.parametrize(("kind", "shape"), [k for k in SIZES if k[0] in ("chimera", "pegasus", "zephyr")])  # fmt: skip
def test_spins_are_the_linear_labels_of_the_generators(kind, shape):
    from dwave import graphs

    graph = getattr(graphs, f"{kind}_graph")(*shape)
    c = wires_of(kind, shape).connectivity
    assert {(int(i), int(j)) for i, j in zip(c.i, c.j, strict=True)} == {
        (min(e), max(e)) for e in graph.edges
    }


def test_every_pair_is_counted_row_by_row_without_a_list():
    wires = Wires.of(Topology("all"), 7)
    i, j = np.triu_indices(7, 1)
    assert wires.connectivity is None
    assert np.array_equal(wires.find(i, j), np.arange(21))
    assert np.array_equal(wires.among(4)[2], wires.find(*np.triu_indices(4, 1)))
    assert Wires.of(Topology("all"), 100_512).find(np.array([100_510]), np.array([100_511])) == [
        100_512 * 100_511 // 2 - 1
    ]


def test_the_first_spins_have_the_couplers_among_them():
    wires = wires_of("kings", (3, 4))
    i, j, places = wires.among(6)
    assert [*zip(i.tolist(), j.tolist(), strict=True)] == [
        (0, 1), (0, 4), (0, 5), (1, 2), (1, 4), (1, 5), (2, 3), (2, 5), (4, 5),
    ]  # fmt: skip
    assert np.array_equal(wires.find(i, j), places)


def test_a_pair_that_is_not_coupled_is_named():
    edges = Edges(12, np.array([0, 0]), np.array([1, 7]), np.ones(2))
    problem = Problem((Layer("a", 12, Spin()),), (edges,), np.zeros((1, 12)))
    with pytest.raises(CapabilityError, match="chip does not couple units 0 and 7"):
        wires_of("kings", (3, 4)).places("chip", problem)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Topology("ring"), "topology 'ring' is not known; there are all, kings"),
        (lambda: Topology("kings", 3), "topology.columns is missing for kings"),
        (lambda: Topology("all", 3, 4), "topology.rows is of no use for all"),
        (lambda: Topology("zephyr"), "topology.shape is missing for zephyr"),
        (lambda: Topology("zephyr", shape=(3,)), "topology.shape of zephyr has 2 numbers"),
        (lambda: Topology("chimera", shape=(3, 0, 4)), "from 1, got"),
        (lambda: Topology("kings", 0, 4), "0 × 4 is empty"),
        (lambda: Wires.of(Topology("kings", 3, 4), 13), "units.most is 13, and the kings graph has 12 spins"),
        (lambda: Wires.of(Topology("edges", edges=((0, 5),)), 4), "beyond the last of 4 spins"),
        (lambda: Wires.of(Topology("edges", edges=((1, 2), (0, 1))), None), "edges must be sorted"),
        (lambda: Wires.of(Topology("pegasus", shape=(1,)), None), "a shape from 2"),
    ],
)  # fmt: skip
def test_graphs_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
