from dataclasses import dataclass, replace

import numpy as np
import pytest
from board import Board
from imperfect import Imperfect, sparse, wrong
from problems import nudges, problem

from calibration import (
    Corrections,
    DriftGuard,
    Embed,
    Gauge,
    Limits,
    MappingOptions,
    Mask,
    Quantise,
    Scale,
    Trim,
    mapped,
    open_mapped,
    reports,
)
from isingeq.backend import Claim, SettleRequest
from isingeq.backends.exact import exact
from isingeq.backends.simulator import conjugate
from isingeq.connectivity import Connectivity
from isingeq.couplings import Edges
from isingeq.errors import BackendError, CapabilityError, ConfigError
from isingeq.registry import open_backend
from isingeq.schedule import Annealing
from isingeq.testing import run_conformance


def lattice(rows, columns):
    """Return the pairs of a square lattice."""
    at = np.arange(rows * columns).reshape(rows, columns)
    ends = [(at[:, :-1], at[:, 1:]), (at[:-1], at[1:])]
    pairs = sorted((a, b) for x, y in ends for a, b in zip(x.ravel(), y.ravel(), strict=True))
    i, j = np.array(pairs).T
    return Connectivity(at.size, i, j)


@dataclass(eq=False)
class Sparse:
    """A backend that couples few pairs."""

    inner: object
    graph: Connectivity

    @property
    def capabilities(self):
        return replace(self.inner.capabilities, connectivity=self.graph, max_units=self.graph.n)

    def __getattr__(self, name):
        return getattr(self.inner, name)


LAYERS = Embed | Gauge | Scale | Mask | DriftGuard | Trim | Quantise
BETA = Annealing.constant(0.8, 1)


def names(backend):
    """Return the layers from the outermost in."""
    found = []
    while isinstance(backend, LAYERS):
        found.append(type(backend).__name__)
        backend = backend.inner
    return found


def chip(step=None, seed=3):
    """Few pairs, gains and offsets; each chip is another."""
    graph = sparse()
    return Imperfect(wrong(edges=graph.num_edges, seed=seed), graph, step=step, claim=Claim.NONE)


def dead(truth, edge):
    return replace(truth, dead_edges=np.arange(truth.dead_edges.size) == edge)


def test_everything_over_a_virtual_chip_conforms():
    """One backend for all checks, as its embedding is then found once."""
    opened = open_backend("profile:kings-256?seed=3&dead_coupler_rate=0.01")
    known = opened.mismatch
    shared = ("coupling_gain", "coupling_offset", "field_gain", "field_offset", "dead_edges")
    truth = Corrections(
        **{name: getattr(known, name) for name in shared},
        dead_units=known.dead_units | (known.stuck != 0),
    )
    options = MappingOptions(rounding="stochastic", programmings=2, gauges=2, check_every=1000)
    stack = mapped(opened, options=options, corrections=truth)
    full = ["Embed", "Gauge", "Scale", "Mask", "DriftGuard", "Trim", "Quantise"]
    assert names(stack) == full
    outcomes = run_conformance(stack)
    assert {r.name: r.message for r in outcomes if r.outcome == "failed"} == {}
    assert sum(r.outcome == "passed" for r in outcomes) > 15


@pytest.mark.parametrize(
    ("ends", "layers"),
    [
        ({}, ["Scale", "Quantise"]),
        ({"step": None}, ["Scale"]),
        ({"coupling_end": None, "step": None}, ["Scale"]),
        ({"coupling_end": None, "field_end": None}, ["Quantise"]),
        ({"coupling_end": None, "field_end": None, "step": None}, []),
    ],
)
def test_exactly_the_layers_that_are_needed(ends, layers):
    board = Board(exact(), **ends)
    assert names(mapped(board)) == layers
    assert [r["layer"] for r in reports(mapped(board).settle(SettleRequest(problem())))] == [
        name.lower() for name in layers
    ]


@pytest.mark.parametrize("backend", [exact(), conjugate()])
def test_what_takes_any_value_stays_as_it_is(backend):
    assert mapped(backend) is backend


def test_whole_numbers_that_fit_stay_what_they_are():
    """With a headroom of 1, as for a problem that comes alone: nothing is rounded, down to the ends of the range."""
    whole = problem().with_fields(np.full((1, 7), 120.0))
    backend = mapped(Board(exact(), 1000.0, 127.0, 1.0), options=MappingOptions(headroom=1))
    backend.settle(SettleRequest(whole))
    assert backend.factor.value == 1
    assert mapped(Board(exact(), 1000.0, 127.0)).factor.headroom == 2


def test_options_and_corrections_add_layers_in_their_order():
    made = chip(0.25)
    truth, everything = dead(made.truth, 0), MappingOptions(gauges=2, check_every=3)
    full = ["Embed", "Gauge", "Scale", "Mask", "DriftGuard", "Trim", "Quantise"]
    assert names(mapped(made, options=everything, corrections=truth)) == full
    trimmed = mapped(made, corrections=made.truth)
    assert names(trimmed) == ["Embed", "Scale", "Trim", "Quantise"]
    unknown = mapped(made, options=MappingOptions(check_every=3))
    assert names(unknown) == ["Embed", "Scale", "DriftGuard", "Trim", "Quantise"]
    assert not unknown.inner.inner.inner.corrections.coupling_gain.any()
    assert names(mapped(exact(), options=MappingOptions(gauges=2))) == ["Gauge"]
    every_pair = Imperfect(wrong())
    assert names(mapped(every_pair)) == ["Scale"]
    lost = dead(every_pair.truth, 4)
    assert names(mapped(every_pair, corrections=lost)) == ["Embed", "Scale", "Mask", "Trim"]


@pytest.mark.parametrize("limits", [None, Limits(0.8, 4.5)])
def test_the_whole_stack_makes_an_imperfect_chip_an_ideal_one(limits):
    """A dead coupler that the problem needs not, values fine enough, the guard fed with exact means."""
    made = chip(2.0**-22)
    made.lost = np.full(9, 0.05)
    lost = int(made.chip.find(np.array([0]), np.array([2]))[0])
    truth = made.truth = dead(made.truth, lost)
    stack = mapped(made, limits, MappingOptions(gauges=3, check_every=1), corrections=truth)
    object.__setattr__(stack.inner.inner.inner.inner, "reads", 10**6)
    asked = SettleRequest(problem(), nudges(), reads=3, schedule=BETA, precision="float64")
    found, ideal = stack.settle(asked), exact().settle(asked)
    np.testing.assert_allclose(found.mean(), ideal.mean(), atol=2e-4)
    layers = ["embed", "gauge", "scale", "mask", "drift", "trim", "quantise"]
    assert [report["layer"] for report in reports(found)] == layers
    bare = mapped(made, limits).settle(asked).mean()
    assert np.abs(bare - ideal.mean()).max() > 0.02


def test_limits_hold_for_chains_of_a_given_strength_and_start_for_others():
    """A cycle of three on a square lattice needs a chain; what it comes to is never refused."""
    i, j = np.array([[0, 0, 1, 1, 2], [1, 2, 2, 3, 3]])
    triangle = problem(shared=(Edges(7, i, j, np.array([0.8, -0.8, 0.8, 0.8, 0.8])),))
    made = Board(exact(), 127.0, 2047.0)
    square = lattice(3, 4)
    held = mapped(Sparse(made, square), Limits(0.8, 4.0), MappingOptions(chain_strength=3.0))
    free = mapped(Sparse(made, square), Limits(0.8, 4.0))
    for stack, factor in ((held, 127 / 3), (free, 127 / 2)):
        embed, scale, quantise = reports(stack.settle(SettleRequest(triangle)))
        assert embed["longest_chain"] > 1
        assert scale["factor"] <= 1.01 * factor
        assert scale["fixed"] is (stack is held)
        assert quantise["couplings"]["effective_bits"] > 6


def test_the_mapping_of_a_spec(boards):
    assert names(open_mapped("board")) == ["Scale", "Quantise"]
    assert open_mapped("board", limits=Limits(1, 2)).factor.value > 100
    assert names(open_mapped("board", "none")) == []
    with pytest.raises(ConfigError, match="mapping is auto or none, got 'maybe'"):
        open_mapped("board", "maybe")
    assert len(boards) == 3


def test_a_backend_that_cannot_be_mapped_is_closed_again(boards):
    with pytest.raises(CapabilityError, match="scaling needs 0 inside"):
        open_mapped("lopsided")
    (board,) = boards
    with pytest.raises(BackendError):
        board.inner.settle(SettleRequest(problem()))
