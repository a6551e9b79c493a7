from dataclasses import replace

import numpy as np
import pytest
from board import Board
from problems import couplings, nudges, problem

from calibration import Quantise, reports
from isingeq.backend import Claim, SettleRequest, Timing
from isingeq.backends.exact import exact
from isingeq.backends.metropolis import metropolis
from isingeq.backends.null import null
from isingeq.couplings import Dense, Edges
from isingeq.errors import CapabilityError, ConfigError
from isingeq.problem import Problem, lower
from isingeq.schedule import Annealing
from isingeq.spins import spin_fields
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge
from isingeq.units import Layer, Spin

STEP = 0.25
BETA = Annealing.constant(0.8, 1)


def layer(step=STEP, rounding="nearest", programmings=1, seed=0, **ends):
    ends = {"coupling_end": 2.0, "field_end": 8.0, **ends}
    return Quantise(Board(exact(), step=step, **ends), rounding, programmings, seed)


def told(found):
    (report,) = reports(found)
    return report


def by_hand(asked, terms, step=STEP):
    """The rounded problem, from the definition."""
    edges = lower(asked)
    J = step * np.rint(edges.J / step)
    h = step * np.rint(spin_fields(asked, terms) / step)
    return Problem(asked.layers, (Edges(asked.n, edges.i, edges.j, J),), h)


@pytest.mark.parametrize("terms", [(), nudges(), nudges()[::-1], nudges()[1:]])
@pytest.mark.parametrize("step", [0.25, 0.1, 1.0])
def test_states_are_of_the_rounded_problem_and_energies_of_the_one_asked(step, terms):
    """Fields and nudges are rounded together: the board holds their sum."""
    asked = SettleRequest(problem(), terms, schedule=BETA, precision="float64")
    found = layer(step).settle(asked)
    rounded = exact().settle(replace(asked, problem=by_hand(asked.problem, terms, step), terms=()))
    np.testing.assert_allclose(found.weights, rounded.weights, rtol=1e-9)
    straight = exact().settle(asked)
    np.testing.assert_array_equal(found.energies, straight.energies)
    assert found.request is asked
    assert np.abs(found.weights - straight.weights).max() > 1e-3


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_a_nudge_goes_below_as_one_where_it_acts_alone(rounding):
    """So a driver sends few fields, and a backend still knows that it is nudged."""
    quantise, terms = layer(rounding=rounding), nudges()
    quantise.settle(SettleRequest(problem()))
    quantise.settle(SettleRequest(problem(), terms))
    free, nudged = quantise.inner.seen
    np.testing.assert_array_equal(free.problem.fields, nudged.problem.fields)
    (term,) = nudged.terms
    assert isinstance(term, LinearNudge)
    assert np.flatnonzero(term.force.any(axis=0)).tolist() == [2, 4, 5, 6]
    assert nudged.nudged
    assert not free.nudged


def test_a_nudge_without_force_still_nudges():
    quantise = layer()
    quantise.settle(SettleRequest(problem(), (LinearNudge(np.zeros((3, 7))),)))
    assert quantise.inner.seen[-1].nudged


def test_nudges_that_rounding_swallows_are_counted():
    asked = problem().with_fields(np.full((3, 7), 0.5))
    force = np.zeros((3, 7))
    force[0, 1], force[1, 2], force[2, 6] = 0.1, -0.12, 0.2
    assert told(layer().settle(SettleRequest(asked, (LinearNudge(force),))))["num_nudges_lost"] == 2
    assert (
        told(layer(0.01).settle(SettleRequest(asked, (LinearNudge(force),))))["num_nudges_lost"]
        == 0
    )


def test_the_report_says_what_changed():
    J = np.array([[0.8, -0.1], [0.3, 0.0]])
    asked = Problem(
        (Layer("a", 2, Spin()), Layer("b", 2, Spin())),
        (Dense((0, 2), (2, 4), J),),
        np.array([[0.3, -0.6, 0.0, 0.05]]),
    )
    report = told(layer().settle(SettleRequest(asked)))
    errors = np.array([0.05, 0.1, 0.05, 0.0])  # to 0.75, 0, 0.25, 0
    assert report["couplings"] == pytest.approx(
        {
            "step": 0.25,
            "rms_error": np.sqrt((errors**2).mean()) / 0.8,
            "max_error": 0.1 / 0.8,
            "num_to_zero": 1,
            "effective_bits": np.log2(2 * 3 + 1),
        }
    )
    errors = np.array([0.05, 0.1, 0.0, 0.05])  # to 0.25, −0.5, 0, 0
    assert report["fields"] == pytest.approx(
        {
            "step": 0.25,
            "rms_error": np.sqrt((errors**2).mean()) / 0.6,
            "max_error": 0.1 / 0.6,
            "num_to_zero": 1,
            "effective_bits": np.log2(2 * 2 + 1),
        }
    )
    assert (report["layer"], report["rounding"], report["num_nudges_lost"]) == (
        "quantise",
        "nearest",
        0,
    )


def test_the_report_of_a_large_problem_is_that_of_its_parts():
    """Changes are looked at in blocks, which nobody is to see."""
    rng = np.random.default_rng(3)
    fields = rng.normal(size=(6000, 7))
    report = told(layer().settle(SettleRequest(problem().with_fields(fields))))["fields"]
    errors = STEP * np.rint(fields / STEP) - fields
    assert report["rms_error"] == pytest.approx(np.sqrt((errors**2).mean()) / np.abs(fields).max())
    assert report["max_error"] == pytest.approx(np.abs(errors).max() / np.abs(fields).max())
    assert report["num_to_zero"] == (np.abs(fields) <= STEP / 2).sum()


def test_couplings_are_rounded_once_and_uploaded_when_their_steps_change():
    """Master weights that move by less than rounding sees cost no upload; each coupling has its own version."""
    quantise = layer()
    first = couplings()
    for seed in (1, 2):
        quantise.settle(SettleRequest(problem(seed, shared=first), nudges(seed=seed)))
    assert quantise.inner.uploads == 1
    kept = quantise.inner.seen[-1].problem
    close = tuple(replace(c, J=c.J + 1e-9, version=c.version + 10**6) for c in first)
    quantise.settle(SettleRequest(problem(shared=close)))
    now = quantise.inner.seen[-1].problem
    assert quantise.inner.uploads == 1
    assert now.version == kept.version
    assert now.structure == kept.structure
    further = (close[0], replace(close[1], J=close[1].J + 0.3, version=close[1].version + 1))
    quantise.settle(SettleRequest(problem(shared=further)))
    moved = quantise.inner.seen[-1].problem
    assert quantise.inner.uploads == 2
    assert moved.version[0] == kept.version[0]
    assert moved.version[1] > kept.version[1]


def test_another_network_of_the_same_values_is_another_structure():
    quantise = layer()
    J = np.full((2, 2), 0.5)
    layers = tuple(Layer(name, 2, Spin()) for name in "abc")
    for units in ((2, 4), (4, 6)):
        pairs = Dense((0, 2), units, J.copy())
        found = quantise.settle(SettleRequest(Problem(layers, (pairs,), np.ones((1, 6)))))
        assert quantise.inner.seen[-1].problem.couplings[0].b == units
        assert told(found)["couplings"]["num_to_zero"] == 0
    assert quantise.inner.uploads == 2


def test_stochastic_rounding_is_right_on_average():
    """Mean over seeds of what the board holds, within five standard errors; nothing moves by a whole step."""
    asked, count = problem(kind=np.float32), 400
    fields, J = [], []
    for seed in range(count):
        quantise = layer(rounding="stochastic", seed=seed)
        quantise.settle(SettleRequest(asked, seed=seed))
        below = quantise.inner.seen[-1].problem
        fields.append(below.fields)
        J.append(lower(below).J)
    for drawn, wanted in ((fields, asked.fields), (J, lower(asked).J)):
        steps = wanted.astype(np.float64) / STEP
        share = steps - np.floor(steps)
        error = STEP * np.sqrt(share * (1 - share) / count)
        assert (np.abs(np.mean(drawn, axis=0) - wanted) <= 5 * error + 1e-6).all()
        assert np.abs(np.array(drawn) - wanted).max() < STEP
        assert np.std(drawn, axis=0).max() > 0.4 * STEP


def test_stochastic_rounding_follows_the_seed_and_not_the_batch():
    asked = problem(rows=5)
    request = SettleRequest(asked, nudges(rows=5), seed=9)
    held = {}
    for name, which in (
        ("whole", request),
        ("again", request),
        ("other", replace(request, seed=10)),
        (
            "part",
            replace(request, problem=asked.with_fields(asked.fields[:2]), terms=nudges(rows=5)),
        ),
    ):
        if name == "part":
            force, spring = which.terms
            which = replace(
                which,
                terms=(
                    LinearNudge(force.force[:2]),
                    QuadraticNudge(spring.units, spring.targets[:2], spring.strength[:2]),
                ),
            )
        quantise = layer(rounding="stochastic")
        quantise.settle(which)
        below = quantise.inner.seen[-1]
        held[name] = spin_fields(below.problem, below.terms)
    np.testing.assert_array_equal(held["whole"], held["again"])
    np.testing.assert_array_equal(held["whole"][:2], held["part"])
    assert (held["whole"] != held["other"]).any()


def test_couplings_and_fields_draw_each_their_own_numbers():
    """Everything lies halfway between two steps: shared numbers would turn all of it the same way."""
    layers = tuple(Layer(name, 40, Spin()) for name in "abc")
    half = np.full((40, 40), STEP / 2)
    pairs = tuple(Dense((0, 40), units, half.copy()) for units in ((40, 80), (80, 120)))
    board = Board(null(), 2.0, 8.0, STEP)
    asked = Problem(layers, pairs, np.full((40, 120), STEP / 2))
    Quantise(board, "stochastic").settle(SettleRequest(asked, seed=3))
    below = board.seen[-1].problem
    first, second = (c.J.ravel() for c in below.couplings)
    for one, other in ((first, second), (first, below.fields.ravel()[:1600])):
        assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(1600)


def test_whole_numbers_stay_under_stochastic_rounding():
    fields = np.random.default_rng(0).integers(-30000, 30000, (5000, 7)).astype(np.float32)
    quantise = Quantise(Board(exact()), "stochastic")
    quantise.settle(SettleRequest(Problem(problem().layers, (), fields), seed=3))
    np.testing.assert_array_equal(quantise.inner.seen[-1].problem.fields, fields)


def test_a_step_of_couplings_alone_leaves_fields_and_nudges_as_they_are():
    board = Board(exact(), 2.0, None, None)
    coarse = replace(board.capabilities, coupling_step=STEP)
    inner = type("Coarse", (), {"capabilities": coarse, "name": "coarse", "settle": board.settle})()
    asked = SettleRequest(problem(), nudges(), schedule=BETA, precision="float64")
    found = Quantise(inner).settle(asked)
    assert told(found)["fields"] is None
    below = by_hand(asked.problem, ()).with_fields(asked.problem.fields)
    straight = exact().settle(replace(asked, problem=below))
    np.testing.assert_allclose(found.weights, straight.weights, rtol=1e-9)


def test_what_does_not_fit_is_refused_and_never_cut():
    with pytest.raises(CapabilityError, match=r"couplings in \[-2, 2\]"):
        layer().settle(SettleRequest(problem(reach=4.0)))
    with pytest.raises(CapabilityError, match=r"fields in \[-8, 8\]"):
        layer().settle(SettleRequest(problem().with_fields(np.full((1, 7), -9.0))))
    with pytest.raises(CapabilityError, match="nudged fields"):
        layer().settle(SettleRequest(problem(), (LinearNudge(np.full((3, 7), 9.0)),)))
    with pytest.raises(CapabilityError, match=r"rounds to \[.*, 1\.2\]"):
        layer(0.6, field_end=1.0).settle(
            SettleRequest(problem().with_fields(np.full((1, 7), 0.95)))
        )


def test_a_clamp_and_a_start_go_below_as_they_are():
    held = Clamp(np.arange(7) == 5, np.ones((3, 7)))
    quantise = layer()
    found = quantise.settle(SettleRequest(problem(), (held, *nudges())))
    assert quantise.inner.seen[-1].terms[1:] == (held,)
    assert (found.states[..., 5] == 1)[found.weights > 0].all()


def test_a_suggested_schedule_is_for_the_rounded_problem():
    quantise = layer()
    asked = []
    quantise.inner.suggest_schedule = asked.append  # type: ignore[method-assign]
    quantise.suggest_schedule(problem())
    np.testing.assert_array_equal(asked[0].fields, by_hand(problem(), ()).fields)


def test_it_claims_nothing_about_the_problem_asked():
    c = layer().capabilities
    assert c.claim is Claim.NONE
    assert (c.coupling_step, c.field_step) == (None, None)
    assert c.coupling_range == (-2.0, 2.0)
    assert QuadraticNudge in c.terms
    dull = Quantise(Board(exact(), terms=frozenset({Clamp}))).capabilities
    assert dull.terms == {Clamp}


def test_what_rounding_cannot_do_is_left_out():
    """No phases and amplitudes, complex strengths, traces: `null` has all but the last, `metropolis` that."""
    for inner in (null(), metropolis()):
        c = Quantise(Board(inner)).capabilities
        assert (c.units, c.complex_nudging, c.traces) == ({"spin"}, False, False)


def test_the_time_of_the_layer_is_time_of_the_host():
    class Slow(Board):
        def settle(self, request):
            return replace(super().settle(request), timing=Timing(1.0, 2.0, 3.0))

    timing = Quantise(Slow(exact())).settle(SettleRequest(problem())).timing
    assert 1 < timing.host_s < 2
    assert (timing.link_s, timing.device_s) == (2, 3)


def test_rounding_is_nearest_or_stochastic():
    with pytest.raises(ConfigError, match="nearest or stochastic"):
        layer(rounding="up")
