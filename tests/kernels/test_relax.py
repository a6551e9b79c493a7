"""The relaxation kernel against its twin in plain numpy, and what it promises about lanes, steps and residuals."""

import numpy as np
import pytest
from twin import motion, random_case, residual, run, step

INF = np.inf
BOXES = ((1.0, 0.0, 1.0), (2.5, -0.5, 1.5), (0.8, -INF, INF))
SIZES = (23, 12, 3)  # rows of ten, of two and of one all take part
RAMP = np.clip(1.93 - 0.217 * np.arange(12), 0, None)
SCHEMES = {
    "asynchronous": ("asynchronous", {}),
    "synchronous": ("synchronous", {"synchronous": 1}),
    "gradient": ("synchronous", {"synchronous": 1, "kick": 0.4}),
    "overrelaxed": ("asynchronous", {"kick": 1.2, "drift": 1.2}),
    "momentum": ("synchronous", {"synchronous": 1, "keep": 0.55, "kick": 0.7, "drift": 0.7}),
    "momentum asynchronous": ("asynchronous", {"keep": 0.4, "kick": 0.9, "drift": 0.9}),
    "damped more and more": (
        "synchronous",
        {"synchronous": 1, "keep": np.geomspace(0.9, 0.2, 12), "kick": 0.6, "drift": 0.6},
    ),
    "ramp": ("synchronous", {"synchronous": 1, "keep": 0.5, "ramp": RAMP}),
    "ramp without momentum": ("asynchronous", {"ramp": RAMP, "kick": 0.5}),
}
SCHEME = pytest.mark.parametrize("scheme", SCHEMES)


def replay(case, how, start=None, tolerance=None):
    """Run the twin; return positions and momenta after every step."""
    x = case.start.copy() if start is None else start
    y = case.momentum.copy() if len(case.momentum) else np.zeros_like(x)
    out = []
    for keep, ramp in zip(how.keep, how.ramp, strict=True):
        step(case, x, y, keep=keep, kick=how.kick, drift=how.drift, ramp=ramp, tolerance=tolerance)
        out.append((x.copy(), y.copy()))
    return out


def first_steps(how, count):
    return how._replace(keep=how.keep[:count], ramp=how.ramp[:count])


@SCHEME
def test_every_step_is_the_twins(scheme):
    order, options = SCHEMES[scheme]
    case, net = random_case(1, sizes=SIZES, batch=19, boxes=BOXES, order=order, momentum=0.3)
    how = motion(12, **options)
    for count, (x, y) in enumerate(replay(case, how), start=1):
        found, momentum = run(case, net, first_steps(how, count))
        np.testing.assert_allclose(found.states, x, atol=1e-12)
        if how.keep[count - 1] or how.ramp[count - 1]:
            np.testing.assert_allclose(momentum, y, atol=1e-12)
        np.testing.assert_allclose(found.residual, residual(case, x), atol=1e-12)
        assert (found.steps == count).all()
    assert np.ptp(found.states, axis=0).min() > 0, "all samples alike: the lanes are not told apart"


@pytest.mark.parametrize("scheme", ["asynchronous", "synchronous", "momentum", "ramp"])
def test_terms_act_as_the_twins_do(scheme):
    order, options = SCHEMES[scheme]
    case, net = random_case(
        2,
        sizes=SIZES,
        batch=17,
        boxes=BOXES,
        order=order,
        momentum=0.2,
        springy=2,
        frozen=(1,),
        force=True,
    )
    how = motion(8, **options | {k: v[:8] for k, v in options.items() if isinstance(v, np.ndarray)})
    x, _ = replay(case, how)[-1]
    found, _ = run(case, net, how)
    np.testing.assert_allclose(found.states, x, atol=1e-12)
    np.testing.assert_allclose(found.residual, residual(case, x), atol=1e-12)
    np.testing.assert_array_equal(found.states[:, 23:35], case.start[:, 23:35])
    assert np.abs(found.states - case.start)[:, :23].max(axis=1).min() > 0.1


@pytest.mark.parametrize("scheme", ["asynchronous", "synchronous"])
def test_cycles_of_layers_and_two_links_into_one(scheme):
    order, options = SCHEMES[scheme]
    case, net = random_case(
        3,
        sizes=(5, 11, 2, 4),
        batch=3,
        boxes=(*BOXES, BOXES[0]),
        order=order,
        links=[(0, 1), (1, 2), (2, 0), (3, 1)],
    )
    how = motion(6, **options)
    np.testing.assert_allclose(run(case, net, how)[0].states, replay(case, how)[-1][0], atol=1e-12)


@SCHEME
def test_single_precision_follows_closely(scheme):
    order, options = SCHEMES[scheme]
    case, net = random_case(4, sizes=SIZES, batch=9, boxes=BOXES, order=order, momentum=0.3)
    how = motion(12, **options)
    found, _ = run(case, net, how, dtype=np.float32)
    assert found.states.dtype == np.float32
    np.testing.assert_allclose(found.states, replay(case, how)[-1][0], atol=1e-5)


def test_the_own_start_is_the_point_of_the_box_next_to_zero():
    boxes = ((1.0, 0.5, 1.0), (1.0, -3.0, -2.0), (1.0, -INF, INF))
    case, net = random_case(
        5, sizes=(3, 2, 2), batch=2, boxes=boxes, order="synchronous", start=False
    )
    how = motion(1, kick=1e-9, synchronous=1)
    found, _ = run(case, net, how)
    np.testing.assert_allclose(found.states, [[0.5] * 3 + [-2.0] * 2 + [0.0] * 2] * 2, atol=1e-7)


@pytest.mark.parametrize("batch", [1, 15, 16, 17, 48, 49])
def test_a_sample_alone_gives_bitwise_what_it_gives_in_a_batch(batch):
    case, net = random_case(
        6, sizes=SIZES, batch=batch, boxes=BOXES, order="asynchronous", springy=2, momentum=0.1
    )
    how = motion(60, keep=0.3, tolerance=1e-3)
    whole, _ = run(case, net, how, dtype=np.float32)
    if batch > 1:
        assert np.unique(whole.steps).size > 1, (
            "all stop together: the stop of one lane is not put to the test"
        )
    for i in {0, batch // 2, batch - 1}:
        alone, _ = run(case, net, how, dtype=np.float32, rows=slice(i, i + 1))
        np.testing.assert_array_equal(alone.states[0], whole.states[i])
        assert (alone.steps[0], alone.residual[0]) == (whole.steps[i], whole.residual[i])


def test_tiles_may_be_done_in_pieces():
    case, net = random_case(7, sizes=SIZES, batch=49, boxes=BOXES, order="asynchronous")
    how = motion(40, tolerance=1e-3)
    whole, _ = run(case, net, how)
    pieces, _ = run(case, net, how, pieces=[(2, 4), (0, 1), (1, 2)])
    for one, other in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("scheme", ["asynchronous", "momentum"])
def test_a_sample_stops_at_the_first_step_in_which_no_unit_moves(scheme):
    order, options = SCHEMES[scheme]
    tolerance = 1e-4
    case, net = random_case(8, sizes=SIZES, batch=17, boxes=BOXES, order=order)
    how = motion(200, tolerance=tolerance, **options)
    found, _ = run(case, net, how)
    x, y = case.start.copy(), np.zeros_like(case.start)
    steps = np.full(17, -1)
    for t in range(200):
        before = x.copy()
        moved, worst = step(
            case,
            x,
            y,
            keep=how.keep[t],
            kick=how.kick,
            drift=how.drift,
            ramp=0.0,
            tolerance=tolerance,
        )
        still = ~moved & (steps < 0)
        np.testing.assert_allclose(found.residual[still], worst[still], atol=1e-12)
        np.testing.assert_allclose(found.states[still], before[still], atol=1e-12)
        steps[still] = t
    np.testing.assert_array_equal(found.steps, steps)
    assert (steps > 0).all()
    assert (found.residual < tolerance).all()
    assert np.unique(steps).size > 1


def test_a_start_at_rest_takes_no_step():
    case, net = random_case(9, sizes=SIZES, batch=3, boxes=BOXES, order="asynchronous")
    settled, _ = run(case, net, motion(400, tolerance=1e-12))
    case.start = settled.states
    again, _ = run(case, net, motion(400, tolerance=1e-9))
    np.testing.assert_array_equal(again.steps, 0)
    np.testing.assert_array_equal(again.states, settled.states)


def test_tolerance_zero_runs_all_steps_even_at_rest():
    case, net = random_case(9, sizes=SIZES, batch=3, boxes=BOXES, order="asynchronous")
    found, _ = run(case, net, motion(300, tolerance=0.0))
    np.testing.assert_array_equal(found.steps, 300)
    assert found.residual.max() < 1e-12


def test_nothing_stops_while_the_ramp_lasts():
    case, net = random_case(10, sizes=SIZES, batch=3, boxes=BOXES, order="synchronous")
    how = motion(
        60, keep=0.2, ramp=np.where(np.arange(60) < 30, 1e-9, 0.0), tolerance=10.0, synchronous=1
    )
    np.testing.assert_array_equal(run(case, net, how)[0].steps, 30)


def test_nan_is_reported_not_hidden():
    case, net = random_case(
        11, sizes=(3, 2), batch=2, boxes=(BOXES[2], BOXES[2]), order="synchronous"
    )
    case.fields[1, 0] = np.nan
    found, _ = run(case, net, motion(5, tolerance=1e-3, synchronous=1))
    assert np.isfinite(found.residual[0])
    assert np.isnan(found.residual[1])


def flip_flop(order):
    """Two boxes that want to agree, strongly: started apart, both flip at every synchronous step."""
    case, net = random_case(12, sizes=(1, 1), batch=3, boxes=(BOXES[0], BOXES[0]), order=order)
    case.fields[:] = 1.0
    case.start = np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    return case, net._replace(w=np.array([2.0, 2.0]))


@pytest.mark.parametrize("steps", [20, 21])
def test_a_two_cycle_is_found_where_it_is(steps):
    case, net = flip_flop("synchronous")
    found, _ = run(case, net, motion(steps, tolerance=1e-3, synchronous=1))
    np.testing.assert_array_equal(found.two_cycle, [True, False, True])
    np.testing.assert_allclose(found.residual, [1, 0, 1])
    np.testing.assert_array_equal(found.steps, [steps, 0, steps])


def test_a_sample_that_is_lost_hides_no_two_cycle_of_its_neighbours():
    case, net = flip_flop("synchronous")
    case.fields[1] = np.nan
    found, _ = run(case, net, motion(20, tolerance=1e-3, synchronous=1))
    np.testing.assert_array_equal(found.two_cycle, [True, False, True])
    np.testing.assert_allclose(found.residual, [1, np.nan, 1])


def test_no_two_cycle_is_found_in_asynchronous_order():
    case, net = flip_flop("asynchronous")
    found, _ = run(case, net, motion(20, tolerance=1e-3))
    assert not found.two_cycle.any()
    assert (found.residual < 1e-3).all()


def test_slow_progress_is_no_two_cycle():
    case, net = random_case(13, sizes=SIZES, batch=5, boxes=BOXES, order="synchronous")
    found, _ = run(case, net, motion(5, kick=0.05, tolerance=1e-6, synchronous=1))
    assert (found.residual > 1e-3).all()
    assert not found.two_cycle.any()
