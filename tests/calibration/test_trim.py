from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imperfect import Imperfect, sparse, wrong
from problems import couplings, nudges, problem

from calibration import Corrections, Limits, Quantise, Scale, Trim, reports
from isingeq.backend import Claim, SettleRequest
from isingeq.backends.exact import exact
from isingeq.backends.metropolis import metropolis
from isingeq.couplings import Edges
from isingeq.errors import CalibrationError, CapabilityError
from isingeq.problem import Problem
from isingeq.schedule import Annealing
from isingeq.terms import Clamp, LinearNudge
from isingeq.testing import BackendConformance
from isingeq.units import Layer, Spin

BETA = Annealing.constant(0.8, 1)


def chips():
    chip = sparse()
    return {
        "every pair": Imperfect(wrong()),
        "sparse": Imperfect(wrong(edges=chip.num_edges), chip),
    }


def of(chip, reserve=0.0, **changes):
    return Trim(chip, replace(chip.truth, **changes), reserve)


class TestTrim(BackendConformance):
    @pytest.fixture
    def backend(self):
        return of(Imperfect(wrong()))


@pytest.mark.slow
class TestTrimOfListedPairs(BackendConformance):
    @pytest.fixture
    def backend(self):
        chip = sparse()
        pairs = {(a, b) for a in range(9) for b in range(a + 1, 9)}
        i, j = np.array(sorted(pairs)).T
        full = replace(chip, i=i, j=j)
        return of(Imperfect(wrong(edges=full.num_edges), full))


@pytest.mark.parametrize("which", chips())
@pytest.mark.parametrize("terms", [(), nudges(), nudges()[:1]])
def test_an_imperfect_chip_has_the_distribution_of_the_problem_asked(which, terms):
    chip = chips()[which]
    asked = SettleRequest(problem(), terms, schedule=BETA, precision="float64")
    ideal = exact().settle(asked)
    np.testing.assert_allclose(of(chip).settle(asked).weights, ideal.weights, rtol=1e-9)
    assert np.abs(chip.settle(asked).weights - ideal.weights).max() > 0.02


def test_the_chip_holds_what_was_asked_of_every_coupler_and_field():
    chip, asked = chips()["every pair"], problem()
    of(chip).settle(SettleRequest(asked, precision="float64"))
    wanted, got = np.zeros((7, 7)), np.zeros((7, 7))
    for coupling in asked.couplings:
        i, j, J = coupling.edges()
        wanted[i, j] = J
    got[chip.problem.couplings[0].i, chip.problem.couplings[0].j] = chip.problem.couplings[0].J
    np.testing.assert_allclose(got, wanted, atol=1e-12)
    np.testing.assert_allclose(chip.problem.fields, asked.fields, atol=1e-12)


def test_couplers_that_are_not_used_are_cancelled_once_and_for_all():
    chip = chips()["every pair"]
    trim = of(chip)
    for seed in (1, 2):
        report = reports(trim.settle(SettleRequest(problem(seed))))[0]
    assert report["num_cancelled"] == 21 - 15
    first, second = (request.problem.couplings[-1] for request in chip.seen)
    assert first is second
    idle = Trim(chip, replace(chip.truth, coupling_offset=np.zeros(36)))
    assert reports(idle.settle(SettleRequest(problem())))[0]["num_cancelled"] == 0


def test_a_pair_that_two_couplings_share_loses_its_offset_once():
    chip = chips()["every pair"]
    twice = (*couplings(), Edges(7, np.array([0, 4]), np.array([4, 6]), np.array([0.3, -0.4])))
    asked = SettleRequest(problem(shared=twice), schedule=BETA, precision="float64")
    found = of(chip).settle(asked)
    np.testing.assert_allclose(found.weights, exact().settle(asked).weights, rtol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.sampled_from([np.float32, np.float64]))
def test_the_ends_of_the_range_presented_are_within_that_of_the_chip(seed, upper, kind):
    """The chip refuses what is beyond its own range, couplings, fields and nudged fields."""
    chip = Imperfect(wrong(seed=seed))
    trim = of(chip, reserve=0.1)
    J, h = (
        kind(span[upper])
        for span in (trim.capabilities.coupling_range, trim.capabilities.field_range)
    )
    J, h = (np.nextafter(end, kind(0)) for end in (J, h))
    i, j = np.triu_indices(7, 1)
    asked = problem(shared=(Edges(7, i, j, np.full(21, J)),)).with_fields(np.full((2, 7), h / 2))
    trim.settle(SettleRequest(asked, (LinearNudge(np.full((2, 7), -h / 2)),)))
    trim.move(chip.truth.field_offset + 0.1)
    trim.settle(SettleRequest(asked.with_fields(np.full((2, 7), h))))
    trim.move(chip.truth.field_offset - 0.1)
    trim.settle(SettleRequest(asked.with_fields(np.full((2, 7), h))))
    assert chip.capabilities.coupling_range[1] > trim.capabilities.coupling_range[1] > 1.4


def test_a_weak_element_narrows_the_range_and_the_report_says_so():
    chip = Imperfect(Corrections.none(9, 36))
    gain, offset = np.zeros(36), np.zeros(9)
    gain[5], offset[2] = -0.25, 3.0
    trim = of(chip, coupling_gain=gain, field_offset=offset)
    report = reports(trim.settle(SettleRequest(problem())))[0]
    assert report["coupling_range_left"] == pytest.approx(0.75, rel=1e-5)
    assert report["field_range_left"] == pytest.approx(0.75, rel=1e-5)
    assert report["couplings"] == pytest.approx(
        {"gain_rms": 0.25 / 15**0.5, "gain_max": 0.25, "offset_rms": 0, "offset_max": 0}
    )
    assert report["fields"] == pytest.approx(
        {"gain_rms": 0, "gain_max": 0, "offset_rms": 3 / 7**0.5, "offset_max": 3}
    )
    dead = np.arange(36) == 5
    assert Trim(chip, replace(trim.corrections, dead_edges=dead)).capabilities.coupling_range == (
        pytest.approx((-2, 2), rel=1e-5)
    )


@pytest.mark.parametrize("limits", [None, Limits(0.8, 4.0)])
def test_scale_and_quantise_around_it(limits):
    """On steps fine enough, the stack over an imperfect chip has the ideal distribution."""
    chip = Imperfect(wrong(), step=2.0**-20, claim=Claim.NONE)
    stack = Scale(Trim(Quantise(chip), chip.truth), limits)
    asked = SettleRequest(problem(), nudges(), schedule=BETA, precision="float64")
    found = stack.settle(asked)
    np.testing.assert_allclose(found.weights, exact().settle(asked).weights, atol=1e-4)
    assert [report["layer"] for report in reports(found)] == ["scale", "trim", "quantise"]


def test_couplings_are_trimmed_once_per_version():
    chip, shared = chips()["sparse"], couplings()
    trim = of(chip)
    for seed in (1, 2):
        trim.settle(SettleRequest(problem(seed, shared=shared)))
    one, two = (request.problem for request in chip.seen)
    assert one.version == two.version


def test_clamps_go_below_as_they_are():
    held = Clamp(np.arange(7) == 5, np.ones((3, 7)))
    chip = chips()["sparse"]
    asked = SettleRequest(problem(), (held,), schedule=BETA, precision="float64")
    found = of(chip).settle(asked)
    assert chip.seen[-1].terms == (held,)
    np.testing.assert_allclose(found.weights, exact().settle(asked).weights, atol=1e-12)


def test_dead_elements_are_refused_where_they_are_used():
    chip = chips()["sparse"]
    unused = np.zeros(chip.chip.num_edges, bool)
    unused[chip.chip.find(np.array([0]), np.array([2]))] = True
    found = of(chip, dead_edges=unused).settle(SettleRequest(problem()))
    assert reports(found)[0]["num_cancelled"] == 3  # of 0-1, 0-2, 1-2 and 2-3
    used = np.zeros_like(unused)
    used[chip.chip.find(np.array([0]), np.array([4]))] = True
    with pytest.raises(CapabilityError, match="first that of units 0 and 4: embed it"):
        of(chip, dead_edges=used).settle(SettleRequest(problem()))
    still = problem().with_fields(np.zeros((1, 7)))
    with pytest.raises(CapabilityError, match=r"3 dead couplers .* first that of units 3 and 4"):
        of(chip, dead_units=np.arange(9) == 3).settle(SettleRequest(still))
    free = Problem((Layer("a", 9, Spin()),), (), np.where(np.arange(9) == 3, 0.0, 0.7)[None])
    of(chip, dead_units=np.arange(9) == 3).settle(SettleRequest(free))
    with pytest.raises(CapabilityError, match="field on unit 3"):
        of(chip, dead_units=np.arange(9) == 3).settle(
            SettleRequest(free.with_fields(np.full((1, 9), 0.7)))
        )


def test_offsets_move_within_the_reserve():
    chip = chips()["every pair"]
    drifted = np.linspace(-0.2, 0.2, 9)
    chip.lost = drifted
    trim = of(chip, reserve=0.2)
    asked = SettleRequest(problem(), schedule=BETA, precision="float64")
    ideal = exact().settle(asked).weights
    assert np.abs(trim.settle(asked).weights - ideal).max() > 0.005
    trim.move(chip.truth.field_offset + drifted)
    np.testing.assert_allclose(trim.settle(asked).weights, ideal, rtol=1e-9)
    with pytest.raises(CalibrationError, match=r"unit 0 .* moved by 0\.22 .* allowed are 0\.2"):
        trim.move(chip.truth.field_offset + 1.1 * drifted)


def test_what_cannot_be_trimmed_is_refused():
    chip = Imperfect(wrong())
    with pytest.raises(CalibrationError, match="belong to another chip"):
        Trim(chip, Corrections.none(8, 28))
    with pytest.raises(CapabilityError, match="put Quantise in between"):
        Trim(replace(chip, step=0.5), chip.truth)
    with pytest.raises(CalibrationError, match="no fixed number of units"):
        Trim(metropolis(), chip.truth)
    with pytest.raises(CalibrationError, match=r"gain of -0\.1"):
        of(chip, coupling_gain=np.where(np.arange(36) == 4, -1.1, 0.0))
    with pytest.raises(CalibrationError, match=r"field of element 6 reaches .* call it dead"):
        of(chip, field_offset=np.where(np.arange(9) == 6, 12.5, 0.0))
