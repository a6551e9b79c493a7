from dataclasses import replace

import numpy as np
import pytest
from chips import Local, connected, lattice, ring
from problems import couplings, nudges, problem

from calibration import reports
from calibration.embed import Embed
from calibration.mask import Mask
from isingeq.backend import Claim, SettleRequest
from isingeq.backends.exact import exact
from isingeq.backends.simulator import hopfield
from isingeq.couplings import Edges
from isingeq.errors import CalibrationError, CapabilityError
from isingeq.problem import Problem
from isingeq.schedule import Annealing
from isingeq.terms import LinearNudge
from isingeq.units import Layer, Spin

BETA = Annealing.constant(0.8, 1)


def masked(chip, units=(), edges=(), inner=None):
    dead = np.isin(np.arange(chip.n), units)
    lost = np.isin(np.arange(chip.num_edges), chip.find(*np.array(sorted(edges)).reshape(-1, 2).T))
    return Mask(Local(inner or exact(), chip), dead, lost)


def on_units(*which, n=9, fields=None):
    """A chain through some units of a chip."""
    i, j = np.array(sorted(which[:-1])), np.array(sorted(which[1:]))
    h = np.zeros((2, n))
    h[:, list(which)] = 0.7
    return Problem(
        (Layer("chip", n, Spin()),),
        (Edges(n, i, j, np.full(i.size, 0.5)),),
        h if fields is None else fields,
    )


def test_what_uses_working_elements_alone_is_settled_as_it_is():
    mask = masked(lattice(3, 3), units=[4], edges=[(0, 1)])
    asked = SettleRequest(on_units(0, 3, 6, 7), schedule=BETA)
    found = mask.settle(asked)
    assert mask.inner.seen == [asked]
    np.testing.assert_array_equal(found.weights, exact().settle(asked).weights)
    assert reports(found) == [
        {"layer": "mask", "dead_units": [4], "num_dead_edges": 9, "dead_edges": [(0, 1)]}
    ]
    assert mask.capabilities.claim is Claim.BOLTZMANN
    assert mask.capabilities.connectivity.num_edges == 20 - 9


@pytest.mark.parametrize("pair", [(3, 4), (0, 1)])
def test_a_coupling_at_a_dead_element_is_refused(pair):
    mask = masked(lattice(3, 3), units=[4], edges=[(0, 1)])
    with pytest.raises(CapabilityError, match=f"does not couple units {pair[0]} and {pair[1]}"):
        mask.settle(SettleRequest(on_units(*pair, fields=np.zeros((1, 9)))))
    assert mask.inner.seen == []


def test_a_field_or_nudge_on_a_dead_unit_is_refused():
    mask = masked(lattice(3, 3), units=[4, 5])
    fields = np.zeros((2, 9))
    fields[1, [4, 5]] = 0.1
    with pytest.raises(CapabilityError, match=r"unit 4 of exact does not work.*and 1 more"):
        mask.settle(SettleRequest(on_units(0, 1, fields=fields)))
    force = np.zeros((2, 9))
    force[0, 5] = 1.0
    with pytest.raises(CapabilityError, match="unit 5 of exact does not work"):
        mask.settle(SettleRequest(on_units(0, 1), (LinearNudge(force),)))
    mask.settle(SettleRequest(on_units(0, 1), (LinearNudge(fields * 0),)))


def test_a_chip_without_connectivity_gets_one():
    inner = replace(exact(), max_units=9)
    mask = Mask(inner, np.arange(9) == 8, np.zeros(36, np.bool_))
    assert mask.capabilities.connectivity.num_edges == 28
    asked = SettleRequest(problem(), schedule=BETA)
    np.testing.assert_array_equal(mask.settle(asked).weights, exact().settle(asked).weights)


def test_embedding_above_goes_round():
    chip = ring(14, 4)
    mask = masked(chip, units=[0, 6], edges=[(2, 3), (9, 10)])
    embed = Embed(mask, chain_strength=10.0)
    asked = SettleRequest(problem(), nudges(), schedule=BETA, precision="float64")
    found = embed.settle(asked)
    assert not {0, 6} & set(embed.embedding(problem()).units.tolist())
    assert [report["layer"] for report in reports(found)] == ["embed", "mask"]
    np.testing.assert_allclose(found.mean(), exact().settle(asked).mean(), atol=1e-5)
    assert embed.capabilities.max_units == 12


def test_all_dead_masks_of_another_chip_and_other_units_are_refused():
    chip = lattice(2, 3)
    inner, units, edges = Local(exact(), chip), np.ones(6, np.bool_), np.zeros(11, np.bool_)
    with pytest.raises(
        CalibrationError, match="all 6 units of exact are dead: check that it is powered"
    ):
        Mask(inner, units, edges)
    with pytest.raises(
        CalibrationError, match=r"\(5,\) and \(11,\), exact has 6 units and 11 couplers"
    ):
        Mask(inner, units[:5], edges)
    with pytest.raises(CapabilityError, match="only spins are mapped"):
        Mask(hopfield(), units, edges)


def test_no_coupler_left_is_refused_by_what_needs_one():
    mask = masked(connected(3, [(0, 1), (1, 2)]), units=[1])
    with pytest.raises(CapabilityError, match="takes at most 0"):
        Embed(mask).settle(SettleRequest(problem(shared=couplings()[:1])))
