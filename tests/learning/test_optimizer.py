"""Optimizers against their formulas, layer by layer."""

import numpy as np
import pytest

from isingeq.errors import ConfigError, DivergenceError
from isingeq.learning.optimizer import Optimizer, Update
from isingeq.learning.parameters import Parameters

SHAPES = (("input-h.weight", (3, 4)), ("h-o.weight", (4, 2)), ("h.bias", (4,)), ("o.bias", (2,)))


def start():
    p = Parameters.zeros(SHAPES, np.float64)
    p.vector[:] = np.random.default_rng(0).normal(size=p.vector.size)
    return p


def gradients(count):
    rng = np.random.default_rng(1)
    return [start().like(rng.normal(size=26)) for _ in range(count)]


FACTORS = {"input-h.weight": 0.5, "h-o.weight": 2.0, "h.bias": 0.05, "o.bias": 0.2}


def test_sgd_has_a_rate_for_each_layer_and_decays_weights_only():
    p, update_rates = start(), (0.5, 2.0)
    o = Optimizer(
        "sgd", 0.1, update_rates, bias_rate=0.1, momentum=0.6, decay=0.05, anneal="linear"
    )
    update = Update(o, p)
    theta = {name: p[name].copy() for name in p}
    v = {name: np.zeros_like(p[name]) for name in p}
    for k, g in enumerate(gradients(4)):
        update.apply(g, k / 4)
        for name in theta:
            decay = 0.05 if name.endswith("weight") else 0.0
            v[name] = 0.6 * v[name] + g[name] + decay * theta[name]
            theta[name] = theta[name] - 0.1 * (1 - k / 4) * FACTORS[name] * v[name]
    for name in theta:
        np.testing.assert_allclose(p[name], theta[name], rtol=1e-12)


def test_adam_has_a_rate_for_each_layer_and_decays_weights_only():
    p = start()
    o = Optimizer("adam", 0.1, (0.5, 2.0), bias_rate=0.1, momentum=0.8, second=0.9, decay=0.05)
    update = Update(o, p)
    theta = {name: p[name].copy() for name in p}
    m, s = ({name: np.zeros_like(p[name]) for name in p} for _ in range(2))
    for k, g in enumerate(gradients(4), start=1):
        update.apply(g, 0.0)
        for name in theta:
            decay = 0.05 if name.endswith("weight") else 0.0
            m[name], s[name] = 0.8 * m[name] + 0.2 * g[name], 0.9 * s[name] + 0.1 * g[name] ** 2
            ahead = m[name] / (1 - 0.8**k) / (np.sqrt(s[name] / (1 - 0.9**k)) + 1e-8)
            theta[name] = theta[name] - 0.1 * FACTORS[name] * (ahead + decay * theta[name])
    for name in theta:
        np.testing.assert_allclose(p[name], theta[name], rtol=1e-10)


@pytest.mark.parametrize(
    ("anneal", "rates"),
    [("constant", (2, 2, 2)), ("linear", (2, 1.2, 0.4)), ("cosine", (2, 1.2, 0.4))],
)
def test_the_rate_falls_as_told(anneal, rates):
    o = Optimizer(rate=2.0, anneal=anneal, final_rate=0.2)
    np.testing.assert_allclose([o.rate_at(t) for t in (0, 0.5, 1)], rates)


def test_cosine_is_no_line():
    assert Optimizer(rate=1.0, anneal="cosine").rate_at(0.25) == pytest.approx(0.5 + np.sqrt(0.125))


def test_weights_and_biases_stay_within_their_limit():
    p = start()
    Update(Optimizer("sgd", 10.0, weight_limit=0.75), p).apply(gradients(1)[0], 0.0)
    assert p.vector.max() == 0.75
    assert p.vector.min() == -0.75


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("method", ["sgd", "adam"])
def test_a_gradient_that_is_not_finite_changes_nothing(method, bad):
    p = start()
    update = Update(Optimizer(method), p)
    update.apply(gradients(1)[0], 0.0)
    before = p.vector.copy(), update.first.copy(), update.num_steps
    g = gradients(1)[0]
    g.vector[5] = bad
    with pytest.raises(DivergenceError, match="update 2 is not finite"):
        update.apply(g, 0.0)
    np.testing.assert_array_equal(p.vector, before[0])
    np.testing.assert_array_equal(update.first, before[1])
    assert update.num_steps == before[2]


def test_parameters_that_run_away_are_said_while_they_are_finite():
    p = start().like(np.zeros(26, np.float32))
    update = Update(Optimizer("sgd", 1e6), p)
    g = p.like(np.full(26, 1e15, np.float32))
    with pytest.raises(DivergenceError, match="update 1 ran away: lower the learning rate"):
        update.apply(g, 0.0)
    assert np.isfinite(p.vector).all()


@pytest.mark.parametrize("method", ["sgd", "adam"])
def test_a_restored_update_goes_on_bit_for_bit(method):
    p, gs = start(), gradients(6)
    update = Update(Optimizer(method, 0.1), p)
    for g in gs[:3]:
        update.apply(g, 0.0)
    q = p.like(p.vector.copy())
    other = Update(Optimizer(method, 0.1), q)
    other.restore({k: v.copy() for k, v in update.state().items()})
    for g in gs[3:]:
        update.apply(g, 0.0)
        other.apply(g, 0.0)
    np.testing.assert_array_equal(p.vector, q.vector)
    assert other.num_steps == update.num_steps == 6


@pytest.mark.parametrize("rates", [(1.0,), (1.0, 1.0, 1.0)])
def test_rates_are_none_or_one_for_each_matrix(rates):
    with pytest.raises(ConfigError, match="2 weight matrices"):
        Update(Optimizer(rates=rates), start())


@pytest.mark.parametrize(
    "bad",
    [
        {"rate": -1.0},
        {"rate": np.nan},
        {"rate": 1e7},
        {"rate": np.inf},
        {"momentum": 1.0},
        {"momentum": -0.1},
        {"second": 1.0},
        {"decay": -1.0},
        {"warmup": 1.0},
        {"warmup": -0.1},
        {"clip_norm": 0.0},
        {"clip_norm": -1.0},
        {"clip_norm": np.nan},
        {"clip_norm": np.inf},
    ],
    ids=str,
)
def test_numbers_that_make_no_sense_are_refused(bad):
    with pytest.raises(ConfigError):
        Optimizer(**bad)


def test_the_rate_rises_first_and_falls_over_what_is_left():
    o = Optimizer(rate=2.0, anneal="linear", warmup=0.2)
    np.testing.assert_allclose(
        [o.rate_at(t) for t in (0, 0.05, 0.1, 0.2, 0.6, 1)], [0, 0.5, 1, 2, 1, 0]
    )
    steady = Optimizer(rate=2.0, warmup=0.5)
    assert [steady.rate_at(t) for t in (0.25, 0.5, 1)] == [1, 2, 2]


@pytest.mark.parametrize("method", ["sgd", "adam"])
def test_a_longer_gradient_is_scaled_down_whole_and_a_shorter_one_left_alone(method):
    p, q, gs = start(), start(), gradients(3)
    lengths = [np.linalg.norm(g.vector) for g in gs]
    limit = sorted(lengths)[1]
    clipping, plain = (
        Update(Optimizer(method, 0.1, clip_norm=limit), p),
        Update(Optimizer(method, 0.1), q),
    )
    told = [clipping.apply(g.like(g.vector.copy()), 0.0) for g in gs]
    for g, length in zip(gs, lengths, strict=True):
        assert not plain.apply(g.like(g.vector * min(1.0, limit / length)), 0.0)
    assert sorted(told) == [False, False, True]  # one as long as the limit is not clipped
    assert told.index(True) == int(np.argmax(lengths))
    np.testing.assert_allclose(p.vector, q.vector, rtol=1e-12)


def test_the_length_of_a_gradient_is_that_of_all_parameters_together():
    p = start()
    g = p.like()
    g["input-h.weight"][0, 0], g["o.bias"][1] = 3.0, 4.0
    before = p.vector.copy()
    assert Update(Optimizer("sgd", 1.0, momentum=0.0, clip_norm=1.0), p).apply(g, 0.0)
    moved = p.like(before - p.vector)
    np.testing.assert_allclose([moved["input-h.weight"][0, 0], moved["o.bias"][1]], [0.6, 0.8])
    assert np.count_nonzero(moved.vector) == 2


def test_biases_follow_the_first_weights_that_lead_to_their_layer():
    shapes = (
        ("input-a.weight", (2, 3)),
        ("a-b.weight", (3, 2)),
        ("b-c.weight", (2, 2)),
        ("a-c.weight", (3, 2)),
        *((f"{name}.bias", (2,)) for name in "abc"),
    )
    p = Parameters.zeros(shapes, np.float64)
    g = p.like(np.ones(p.vector.size))
    Update(Optimizer("sgd", 1.0, (1.0, 2.0, 4.0, 8.0), momentum=0.0), p).apply(g, 0.0)
    assert [float(p[f"{name}.bias"][0]) for name in "abc"] == [-1.0, -2.0, -4.0]


def test_images_have_a_rate_for_each_kernel_too():
    shapes = (
        ("input-a.weight", (2, 2, 1, 3)),
        ("a-b.weight", (3, 3, 3, 2)),
        ("b-o.weight", (8, 2)),
        ("a.bias", (3,)),
    )
    p = Parameters.zeros(shapes, np.float64)
    g = p.like(np.ones(p.vector.size))
    Update(Optimizer("sgd", 0.5, (1.0, 2.0, 4.0), bias_rate=8.0, momentum=0.0), p).apply(g, 0.0)
    assert {name: np.unique(p[name]).tolist() for name in p} == {
        "input-a.weight": [-0.5], "a-b.weight": [-1.0], "b-o.weight": [-2.0], "a.bias": [-4.0],
    }  # fmt: skip
