from dataclasses import replace

import numpy as np
import pytest
from imperfect import Imperfect, wrong
from problems import nudges, problem

from calibration import Corrections, DriftGuard, Trim, reports
from isingeq.backend import Claim, SettleRequest, Timing
from isingeq.backends.exact import exact
from isingeq.backends.metropolis import metropolis
from isingeq.errors import CalibrationError, CapabilityError, ConfigError
from isingeq.schedule import Annealing
from isingeq.testing import BackendConformance

BETA = Annealing.constant(0.8, 1)
N = 7


def chip(drift=0.0, **options):
    made = Imperfect(wrong(), inner=exact(**options), claim=Claim.NONE)
    made.lost = drift * np.random.default_rng(4).uniform(-1, 1, 9)
    return made


def guard(of, reserve=0.5, **options):
    return DriftGuard(Trim(of, of.truth, reserve), **options)


class TestDriftGuard(BackendConformance):
    @pytest.fixture
    def backend(self):
        return guard(chip(draw=True), every=1000)


def asked(**options):
    return SettleRequest(problem(), schedule=BETA, precision="float64", **options)


def test_what_drifted_is_taken_out():
    """Exact means, so log-odds are exact but for the half read that keeps them finite."""
    drifted = chip(0.3)
    guarded = guard(drifted, every=1, reads=10**6)
    ideal = exact().settle(asked()).weights
    found = guarded.settle(asked())
    np.testing.assert_allclose(found.weights, ideal, rtol=2e-4)
    left = drifted.truth.field_offset + drifted.lost - guarded.inner.field_offset
    assert np.abs(left[:N]).max() < 1e-4
    assert left[N:].tolist() == drifted.lost[N:].tolist()
    told = reports(found)[0]
    assert told["drift_rms"] == pytest.approx(np.sqrt((drifted.lost[:N] ** 2).mean()), rel=1e-3)
    most = pytest.approx(np.abs(drifted.lost[:N]).max(), rel=1e-3)
    assert told["taken_max"] == told["moved_max"] == most


@pytest.mark.parametrize("drift", [0.0, 0.3])
def test_reads_that_fluctuate_are_weighed_against_what_drifts(drift):
    """Of 30 checks of 400 reads: with all of δ taken out, 0.050 of noise would be left with drift and without.

    β d = ½ gives p = 0.73, so A has the variance (1 / 0.73 + 1 / 0.27) / 1600 and δ half of it over β².
    """
    left = []
    for seed in range(30):
        drifted = chip(drift, draw=True)
        guarded = guard(drifted, every=1, reads=400, seed=seed)
        guarded.settle(asked())
        now = drifted.truth.field_offset + drifted.lost - guarded.inner.field_offset
        left.append(now[:N])
    spread = np.sqrt(np.mean(np.square(left)))
    assert spread < (0.02 if drift == 0 else 0.06)


def test_it_checks_every_so_many_settles():
    guarded = guard(chip(), every=3, seed=2)
    told = [reports(guarded.settle(asked(seed=k)))[0] for k in range(7)]
    assert [r["num_checks"] for r in told] == [1, 1, 1, 2, 2, 2, 3]
    assert [r["settles_since"] for r in told] == [0, 1, 2, 0, 1, 2, 0]
    seen = guarded.inner.inner.seen
    probes = [r for r in seen if r.reads == 1000]
    assert len(seen) == 7 + 3
    assert len({r.seed for r in probes}) == 3
    assert all(r.schedule is BETA and r.problem.batch == 2 for r in probes)


def test_drift_is_followed_from_check_to_check():
    drifting = chip()
    guarded = guard(drifting, every=2, reads=10**6)
    for k in range(6):
        drifting.lost = np.full(9, 0.05 * (k // 2))
        found = guarded.settle(asked())
        np.testing.assert_allclose(found.weights, exact().settle(asked()).weights, rtol=1e-3)


def test_too_much_is_refused():
    with pytest.raises(CalibrationError, match=r"has moved by .* allowed are 0\.2: calibrate it"):
        guard(chip(0.3), reserve=0.2, reads=10**6).settle(asked())


def test_nudges_and_starts_do_not_reach_the_check():
    guarded = guard(chip())
    found = guarded.settle(SettleRequest(problem(), nudges(), schedule=BETA, precision="float64"))
    assert guarded.inner.inner.seen[0].terms == ()
    straight = exact().settle(SettleRequest(problem(), nudges(), schedule=BETA))
    np.testing.assert_allclose(found.weights, straight.weights, atol=0.02)


def test_without_a_schedule_the_suggested_one_is_checked_at():
    guarded = guard(chip(0.3, beta=0.7), reads=10**6)
    found = guarded.settle(SettleRequest(problem(), precision="float64"))
    ideal = exact(beta=0.7).settle(SettleRequest(problem()))
    np.testing.assert_allclose(found.weights, ideal.weights, rtol=1e-3)


def test_a_chip_that_does_not_follow_fields_is_reported():
    class Stuck(Imperfect):
        def settle(self, request):
            found = super().settle(request)
            found.states.flags.writeable = True
            found.states[:] = 1
            return found

    stuck = Stuck(wrong(), inner=exact(draw=True), claim=Claim.NONE)
    with pytest.raises(CalibrationError, match="does not follow fields"):
        guard(stuck).settle(asked())


def test_the_time_of_a_check_is_told():
    class Slow(Imperfect):
        def settle(self, request):
            return replace(super().settle(request), timing=Timing(0.0, 2.0, 3.0))

    slow = Slow(wrong(), claim=Claim.NONE)
    guarded = guard(slow, every=2)
    first, second = (guarded.settle(asked()).timing for _ in range(2))
    assert (first.link_s, first.device_s) == (4, 6)
    assert (second.link_s, second.device_s) == (2, 3)


def test_dead_units_are_left_alone():
    dead = chip(0.3)
    corrections = Corrections(**{**vars(dead.truth), "dead_units": np.arange(9) == 8})
    guarded = DriftGuard(Trim(dead, corrections, 0.5), reads=10**6)
    guarded.settle(asked())
    assert guarded.inner.field_offset[8] == corrections.field_offset[8]


def test_what_cannot_be_guarded_is_refused():
    with pytest.raises(ConfigError, match="a trim with a reserve"):
        guard(chip(), reserve=0.0)
    with pytest.raises(ConfigError, match="every >= 1"):
        guard(chip(), every=0)
    with pytest.raises(CapabilityError, match="at a beta above 0"):
        guard(chip()).settle(SettleRequest(problem(), schedule=Annealing.constant(0.0, 1)))
    assert metropolis().capabilities.schedules == {Annealing}
