import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from board import Board
from problems import couplings, nudges, problem

from calibration import Limits, Quantise, Scale, reports
from isingeq.backend import Claim, SettleRequest
from isingeq.backends.bifurcation import bifurcation
from isingeq.backends.exact import exact
from isingeq.backends.simulator import hopfield
from isingeq.errors import CapabilityError, ConfigError
from isingeq.problem import Problem
from isingeq.schedule import Annealing, Drive
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge

BETA = Annealing.constant(0.8, 1)


EVERY = frozenset({LinearNudge, QuadraticNudge, Clamp})


def board(field_end=32767.0):
    return Board(exact(), 127.0, field_end, step=None, terms=EVERY)


def told(found):
    (report,) = reports(found)
    return report


def largest(problem):
    return max(np.abs(c.edges()[2]).max() for c in problem.couplings)


@pytest.mark.parametrize("limits", [None, Limits(0.9, 3.1)])
@pytest.mark.parametrize("terms", [(), nudges()])
def test_the_distribution_is_that_of_the_problem_asked(limits, terms):
    asked = SettleRequest(problem(), terms, schedule=BETA, precision="float64")
    scale = Scale(board(), limits)
    found, straight = scale.settle(asked), exact().settle(asked)
    np.testing.assert_allclose(found.weights, straight.weights, rtol=1e-10)
    np.testing.assert_array_equal(found.energies, straight.energies)
    below = scale.inner.seen[-1]
    assert below.schedule.betas[0] == pytest.approx(0.8 / told(found)["factor"], rel=1e-12)
    assert told(found)["factor"] > 30


def test_a_chosen_factor_is_a_power_of_two_with_headroom():
    scale = Scale(board())
    found = scale.settle(SettleRequest(problem(reach=0.9)))
    factor, size = told(found)["factor"], largest(problem(reach=0.9))
    assert math.log2(factor).is_integer()
    assert 2 <= 127 / (factor * size) < 4
    assert told(found)["coupling_headroom"] == pytest.approx(127 / (factor * size))
    assert not told(found)["fixed"]


def test_fields_choose_it_where_their_range_is_the_narrow_one():
    found = Scale(board(field_end=8.0)).settle(SettleRequest(problem(), nudges()))
    assert 2 <= told(found)["field_headroom"] < 4
    assert told(found)["coupling_headroom"] > 10


def test_it_does_not_follow_the_weights():
    """Weights that grow stay under the first factor until they no longer fit; then it is halved, and never grows."""
    scale = Scale(board())
    factors, counts = [], []
    for reach in (0.8, 0.1, 1.0, 1.5, 6.0, 0.8):
        report = told(scale.settle(SettleRequest(problem(reach=reach))))
        factors.append(report["factor"])
        counts.append(report["num_rechosen"])
        assert report["coupling_headroom"] >= 1
    first = factors[0]
    assert factors == [first, first, first, first, first / 4, first / 4]
    assert counts == [0, 0, 0, 0, 2, 2]


def test_a_nudge_that_no_longer_fits_halves_it_too():
    """A nudge is a field: the sum counts, and the fields alone do."""
    scale = Scale(board(field_end=8.0))
    asked = problem()
    first = told(scale.settle(SettleRequest(asked)))["factor"]
    force = np.zeros(asked.fields.shape)
    force[1, 3] = np.sign(-asked.fields[1, 3]) * 30.0
    nudged = told(scale.settle(SettleRequest(asked, (LinearNudge(force),))))
    assert nudged["factor"] < first
    assert nudged["num_rechosen"] == math.log2(first / nudged["factor"])
    assert 1 <= nudged["field_headroom"] < 2
    made_up_for = np.zeros(asked.fields.shape)
    big = asked.with_fields(asked.fields + 100 * (np.arange(7) == 2))
    made_up_for[:, 2] = 100
    report = told(scale.settle(SettleRequest(big, (LinearNudge(made_up_for),))))
    assert report["factor"] * np.abs(big.fields).max() <= 8


def test_couplings_that_stay_follow_a_factor_that_moved():
    scale, shared = Scale(board(field_end=8.0)), couplings()
    strong = nudges(force=40.0)
    for terms in ((), strong, ()):
        request = SettleRequest(problem(shared=shared), terms, schedule=BETA, precision="float64")
        found, straight = scale.settle(request), exact().settle(request)
        np.testing.assert_allclose(found.weights, straight.weights, rtol=1e-9)
    assert scale.factor.num_rechosen > 0
    assert scale.inner.uploads == 2


def test_nothing_is_chosen_from_zeros():
    scale = Scale(board())
    empty = Problem(problem().layers, (), np.zeros((2, 7)))
    assert told(scale.settle(SettleRequest(empty)))["factor"] == 1
    assert told(scale.settle(SettleRequest(problem())))["factor"] > 1


def test_limits_fix_it_at_the_ends_of_the_ranges():
    scale = Scale(board(), Limits(0.8, 5.0))
    edge = couplings(reach=0.5)
    edge[0].J.flags.writeable = True
    edge[0].J[1, 1] = -0.8
    found = scale.settle(SettleRequest(problem(shared=edge)))
    assert told(found)["fixed"]
    assert 1 <= told(found)["coupling_headroom"] < 1 + 1e-5
    for reach in (0.1, 0.4):
        again = scale.settle(SettleRequest(problem(reach=reach)))
        assert told(again)["factor"] == told(found)["factor"]
    with pytest.raises(CapabilityError, match=r"couplings up to 0\.8 .* raise the limits"):
        scale.settle(SettleRequest(problem(reach=1.5)))
    with pytest.raises(CapabilityError, match="nudges in them"):
        scale.settle(SettleRequest(problem(), nudges(force=20.0)))


@pytest.mark.parametrize("limit", [0.1, 0.3, 0.7, 1.1, 2.3])
def test_single_precision_at_its_limits_still_fits(limit):
    """What an optimizer has cut to ± limit, and an encoder to ± field_limit, is never refused."""
    single = np.float32(limit)
    J = couplings(kind=np.float32)
    at = replace(J[0], J=np.full((4, 3), single)), replace(J[1], J=np.full(3, -single))
    fields = np.full((2, 7), single * np.float32(3))
    scale = Scale(Quantise(Board(exact(), 127.0, 127.0)), Limits(limit, 3 * limit))
    found = scale.settle(SettleRequest(Problem(problem().layers, at, fields)))
    assert [r["layer"] for r in reports(found)] == ["scale", "quantise"]
    below = scale.inner.inner.seen[-1].problem
    assert {np.abs(c.edges()[2]).max() for c in below.couplings} <= {42.0, 127.0}


def test_couplings_are_scaled_once_per_version():
    scale, shared = Scale(board()), couplings()
    for seed in (1, 2, 3):
        scale.settle(SettleRequest(problem(seed, shared=shared), nudges(seed=seed)))
    assert scale.inner.uploads == 1
    below = [request.problem for request in scale.inner.seen]
    assert below[0].couplings is below[2].couplings
    scale.settle(SettleRequest(problem(shared=couplings(seed=5))))
    assert scale.inner.uploads == 2
    assert scale.inner.seen[-1].problem.structure == below[0].structure


def test_a_suggested_schedule_comes_back_in_units_of_the_problem_asked():
    scale = Scale(Board(exact(beta=0.03), step=None))
    schedule = scale.suggest_schedule(problem())
    factor = scale.factor.value
    assert schedule.betas[0] == 0.03 * factor
    found = scale.settle(SettleRequest(problem(), schedule=schedule))
    assert scale.inner.seen[-1].schedule.betas[0] == 0.03
    assert found.provenance.details["beta"] == 0.03 * factor


def test_without_a_schedule_the_beta_that_was_run_is_told_for_the_problem_asked():
    scale = Scale(Board(exact(beta=0.03), step=None))
    found = scale.settle(SettleRequest(problem()))
    beta = found.provenance.details["beta"]
    again = exact(beta=beta).settle(SettleRequest(problem()))
    np.testing.assert_allclose(found.weights, again.weights, rtol=1e-6)


def test_a_drive_keeps_its_dynamics():
    """Feedback times energy stays, so the states do, to the last one."""
    inner = bifurcation(sweeps=40)
    asked = problem()
    drive = inner.suggest_schedule(asked)
    assert isinstance(drive, Drive)
    straight = inner.settle(SettleRequest(asked, reads=20, schedule=drive, seed=4))
    scale = Scale(Board(bifurcation(sweeps=40), step=None, terms=frozenset({LinearNudge})))
    found = scale.settle(SettleRequest(asked, reads=20, schedule=drive, seed=4))
    assert scale.inner.seen[-1].schedule.feedback[1] < drive.feedback[1] / 30
    np.testing.assert_array_equal(found.states, straight.states)


def test_clamps_go_below_as_they_are():
    held = Clamp(np.arange(7) == 5, np.ones((3, 7)))
    scale = Scale(board())
    found = scale.settle(SettleRequest(problem(), (held,)))
    assert scale.inner.seen[-1].terms == (held,)
    assert (found.states[..., 5] == 1)[found.weights > 0].all()


def test_a_fixed_factor_keeps_what_the_backend_below_promises():
    concurrent = Board(exact(), step=None)
    both = replace(concurrent.capabilities, concurrent=True)
    concurrent = type("Both", (), {"capabilities": both, "name": "both"})()
    free, fixed = Scale(concurrent).capabilities, Scale(concurrent, Limits(1, 2)).capabilities
    assert (free.concurrent, free.split_invariant) == (False, False)
    assert (fixed.concurrent, fixed.split_invariant) == (True, True)
    assert free.claim is fixed.claim is Claim.BOLTZMANN
    assert (free.coupling_range, free.field_range) == (None, None)


def test_threads_see_one_factor():
    scale = Scale(Board(exact(), step=None))
    requests = [SettleRequest(problem(seed, reach=seed), schedule=BETA) for seed in range(1, 9)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(scale.settle, requests))
    for answer, request in zip(found, requests, strict=True):
        again = exact().settle(request)
        np.testing.assert_allclose(answer.weights, again.weights, rtol=1e-5)


@pytest.mark.parametrize(
    ("inner", "why"),
    [
        (Board(exact()), "put Quantise in between"),
        (exact(), "nothing to scale"),
        (hopfield(), "only spins are mapped"),
    ],
)
def test_what_cannot_be_scaled_is_refused(inner, why):
    with pytest.raises(CapabilityError, match=why):
        Scale(inner)


def test_a_range_needs_zero_inside():
    lopsided = replace(board().capabilities, field_range=(0.0, 7.0))
    inner = type("Lopsided", (), {"capabilities": lopsided, "name": "lopsided"})()
    with pytest.raises(CapabilityError, match=r"range \[0, 7\]"):
        Scale(inner)


def test_senseless_limits_and_headroom_are_refused():
    for limits in (Limits(0, 1), Limits(1, math.inf), Limits(-1, 1)):
        with pytest.raises(ConfigError, match="limits must be above 0"):
            Scale(board(), limits)
    with pytest.raises(ConfigError, match="headroom is 1 or more"):
        Scale(board(), headroom=0.5)


def test_every_coupling_tells_its_headroom():
    """Blocks share one factor: a weak one has fewer steps, and the report says how many bits that costs."""
    J = couplings()
    weak = (J[0], replace(J[1], J=J[1].J / 8))
    largest = [np.abs(c.J).max() for c in weak]
    scale = Scale(board(), Limits(largest[0], 8.0))
    found = told(scale.settle(SettleRequest(problem(shared=weak))))
    assert found["headrooms"] == pytest.approx([1.0, largest[0] / largest[1]], rel=1e-5)
    assert found["coupling_headroom"] == min(found["headrooms"])


def test_limits_that_are_not_firm_are_where_it_starts():
    firm, soft = (Scale(board(), Limits(0.8, 5.0), firm=firm) for firm in (True, False))
    inside, beyond = SettleRequest(problem(reach=0.6)), SettleRequest(problem(reach=2.5))
    start = told(firm.settle(inside))["factor"]
    found = told(soft.settle(inside))
    assert (found["factor"], found["fixed"], found["num_rechosen"]) == (start, False, 0)
    found = told(soft.settle(beyond))
    assert (found["factor"], found["num_rechosen"]) == (start / 4, 2)
    assert told(soft.settle(inside))["factor"] == start / 4
    assert not soft.capabilities.split_invariant
    with pytest.raises(CapabilityError, match="raise the limits"):
        firm.settle(beyond)
