"""Layouts on regular chips: valid, as short as they should be, the same again, and round what does not work."""

from itertools import pairwise

import numpy as np
import pytest
from chips import chip, complete, connected, lattice, pairs_of, stack
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.embedding import Embedding, embed
from calibration.embedding import search as search_module
from calibration.embedding.find import structured
from calibration.embedding.lines import lines_on
from calibration.embedding.transposition import turned_round
from isingeq.errors import CapabilityError

HIDDEN_AND_OUTPUT = stack(48, 10)
"""48-10: inputs are fields."""

LINED = [
    ("chimera", 3, 4, 4),
    ("pegasus", 4),
    ("zephyr", 3, 4),
    ("zephyr", 2, 3),
    ("kings", 7, 9),
    ("kings", 6, 5),
]


def test_a_search_looks_at_a_part_of_a_chip_that_is_large_enough(monkeypatch):
    """And at twice as much where it fails; never at the whole of a chip that is larger still."""
    seen = []

    def look(pairs, part, seed):
        seen.append(int(np.count_nonzero(part.degrees)))

    monkeypatch.setattr(search_module, "_search", look)
    pairs, large = complete(5), lattice(40, 40)
    assert search_module.search(pairs, large, 0) is None
    assert seen == [8 * 15, 16 * 15]
    seen.clear()
    assert search_module.search(pairs, lattice(13, 13), 0) is None
    assert seen == [8 * 15, 13 * 13]


def works(chip, seed, share):
    """Return a chip some of whose units and couplers do not work."""
    rng = np.random.default_rng(seed)
    return chip.without(rng.random(chip.n) < share, rng.random(chip.num_edges) < share)


def crossings(chip):
    """Return all pairs of units that lines across and down say are coupled, and those along lines."""
    down, across = lines_on(chip)
    along = [
        pair
        for lines in (down, across)
        for unit in lines.unit
        for pair in zip(unit[:-1].tolist(), unit[1:].tolist(), strict=True)
        if min(pair) >= 0
    ]
    cross = []
    for line, places in np.argwhere(down.unit >= 0):
        for other in range(
            max(0, down.low[line, places]), min(len(across.unit) - 1, down.high[line, places]) + 1
        ):
            there = (
                (across.unit[other] >= 0)
                & (across.low[other] <= line)
                & (line <= across.high[other])
            )
            cross += [(int(down.unit[line, places]), int(u)) for u in across.unit[other, there]]
    return along, cross


@pytest.mark.parametrize("made", LINED, ids=str)
def test_lines_are_those_of_the_graph(made):
    """Every coupler that lines claim is there, and each of the graph is claimed, save those side by side."""
    graph = chip(*made)
    along, cross = crossings(graph)
    edges = set(zip(graph.i.tolist(), graph.j.tolist(), strict=True))
    claimed = {tuple(sorted(pair)) for pair in (*along, *cross)}
    assert claimed <= edges
    assert len(claimed) == len(along) + len(cross)
    assert len(claimed) >= (1 if made[0] == "chimera" else 0.75) * len(edges)


@pytest.mark.parametrize(
    ("made", "most", "longest"),
    [
        (("chimera", 16, 16, 4), 4.56, 12),
        (("pegasus", 16), 2.18, 5),
        (("zephyr", 15, 4), 1.80, 4),
        (("kings", 60, 60), 15.6, 47),
    ],
    ids=str,
)
def test_a_hidden_and_an_output_layer_take_few_units(made, most, longest):
    """Plain minorminer takes 4.7, 2.2, 1.8 and 29."""
    graph = chip(*made)
    found = embed(HIDDEN_AND_OUTPUT, graph)
    found.check(graph, HIDDEN_AND_OUTPUT)
    assert found.found == "lines"
    assert found.units_per_unit <= most
    assert found.lengths.max() <= longest


@pytest.mark.parametrize(
    "made", [("chimera", 12, 12, 4), ("pegasus", 8), ("zephyr", 6, 4), ("kings", 40, 40)], ids=str
)
@pytest.mark.parametrize(
    "problem",
    [stack(14, 10, 8, 5), stack(9, 17), complete(14), stack(1, 20)],
    ids=["deep", "wide", "complete", "star"],
)
def test_dense_problems_have_layouts_on_every_regular_chip(made, problem):
    graph = chip(*made)
    found = structured(problem, graph)
    found.check(graph, problem)
    np.testing.assert_array_equal(structured(problem, graph).units, found.units)


def test_a_complete_graph_fills_a_square_of_kings():
    graph = lattice(20, 20)
    found = embed(complete(20), graph)
    found.check(graph, complete(20))
    assert found.found == "transposition"
    assert found.units.size <= 20 * 19


@given(st.integers(2, 12))
@settings(deadline=None, max_examples=12)
def test_turning_round_brings_every_two_side_by_side(n):
    order = turned_round(n)
    met = {
        tuple(sorted(pair))
        for row in order
        for pair in zip(row[:-1].tolist(), row[1:].tolist(), strict=True)
    }
    assert len(met) == n * (n - 1) // 2
    np.testing.assert_array_equal(np.sort(order, axis=1), np.tile(np.arange(n), (n, 1)))
    assert all(np.abs(np.argsort(a) - np.argsort(b)).max() <= 1 for a, b in pairwise(order))


@pytest.mark.parametrize(
    ("made", "share"),
    [
        (("chimera", 16, 16, 4), 0.005),
        (("pegasus", 16), 0.02),
        (("zephyr", 15, 4), 0.02),
        (("kings", 60, 60), 0.0005),
    ],
    ids=str,
)
@pytest.mark.parametrize("seed", [0, 1])
def test_layouts_go_round_what_does_not_work(made, share, seed):
    left = works(chip(*made), seed, share)
    found = embed(HIDDEN_AND_OUTPUT, left)
    found.check(left, HIDDEN_AND_OUTPUT)
    assert (left.degrees[found.units] > 0).all()
    assert found.found == "lines"


def test_a_square_without_a_dead_unit_is_taken():
    graph = lattice(12, 14)
    dead = np.zeros(graph.n, np.bool_)
    dead[[3, 40, 14 * 11 + 2]] = True
    left = graph.without(dead, np.zeros(graph.num_edges, np.bool_))
    found = structured(complete(8), left)
    found.check(left, complete(8))
    assert not dead[found.units].any()


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=15)
def test_any_graph_is_embedded_the_same_way_each_time(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 10))
    every = [(a, b) for a in range(n) for b in range(a + 1, n)]
    problem = pairs_of(n, [pair for pair in every if rng.random() < rng.uniform(0.1, 0.7)])
    graph = works(lattice(9, 9), seed, 0.02)
    found = embed(problem, graph, seed)
    found.check(graph, problem)
    np.testing.assert_array_equal(embed(problem, graph, seed).units, found.units)


def test_small_convolutional_nets_take_few_units_of_chimera():
    """Four 2 x 2 filters on 3 x 3 images (fields), average pool, 4 outputs: 1.6 units for each were published."""
    edges = [(16 + f, 4 * f + k) for f in range(4) for k in range(4)]
    edges += [(16 + f, 20 + out) for f in range(4) for out in range(4)]
    found = embed(pairs_of(24, edges), chip("chimera", 8, 8, 4))
    assert found.units_per_unit <= 1.6


def test_what_fits_as_numbered_stays_so():
    graph = lattice(5, 5)
    lattice_like = pairs_of(12, [(0, 1), (1, 6), (4, 9), (10, 11)])
    found = embed(lattice_like, graph)
    assert found.found == "identity"
    assert found.chains == [[k] for k in range(12)]


def test_units_without_a_neighbour_get_one_of_their_own_that_works():
    dead = np.zeros(20, np.bool_)
    dead[2] = True
    graph = lattice(4, 5).without(dead, np.zeros(lattice(4, 5).num_edges, np.bool_))
    problem = pairs_of(5, [(0, 1)])
    found = embed(problem, graph)
    found.check(graph, problem)
    assert 2 not in found.units
    assert embed(pairs_of(4, []), graph).units.size == 4


SMALL = lattice(8, 8)


@pytest.mark.parametrize(
    ("problem", "graph", "says"),
    [
        (
            stack(48, 10),
            SMALL,
            r"48 x 10 units.*kings chip of 8 x 8: its 480 pairs are more.*57 x 57 holds it in 902",
        ),
        (stack(30, 2), SMALL, None),
        (stack(1, 70), SMALL, r"needs 71 units|needs \d+ units at the least, and 64 work"),
        (complete(5), lattice(9, 9, "square"), "not planar"),
        (
            stack(30, 9),
            chip("chimera", 3, 3, 4),
            r"chimera chip of 3 x 3 x 4.*a chip of 8 x 8 x 4 holds it in",
        ),
        (
            complete(9),
            connected(12, [(k, k + 1) for k in range(11)]),
            "take fewer units or pairs, or a chip that",
        ),
        (
            complete(8),
            chip("kings", 7, 7).without(np.arange(49) % 7 == 3, np.zeros(156, np.bool_)),
            "42 of 49 units of which work",
        ),
    ],
)
def test_what_does_not_fit_says_why_and_what_would(problem, graph, says):
    if says is None:
        embed(problem, graph).check(graph, problem)
        return
    with pytest.raises(CapabilityError, match=says) as caught:
        embed(problem, graph)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("chains", "says"),
    [
        ([[0], [1]], "of 2 units does not fit 3"),
        ([[0], [], [1]], "chain of unit 1 is empty"),
        ([[0], [1, 2], [2]], "unit 2 of the chip stands in 2 chains"),
        ([[0, 2], [1], [3]], "chain of unit 0 falls into 2 parts"),
        ([[0], [1], [2]], r"no coupler joins the chains of units 0 and 2 \(1 of 3"),
    ],
)
def test_chains_are_checked(chains, says):
    line = connected(4, [(0, 1), (1, 2), (2, 3)])
    with pytest.raises(CapabilityError, match=says):
        Embedding.of(chains, "search").check(line, complete(3))
