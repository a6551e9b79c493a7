"""Shares of a batch add up to the gradient of the whole, on any number of threads."""

from dataclasses import replace

import numpy as np
import pytest
from nets import TIGHT, build

from isingeq.backends.simulator import conjugate, hopfield
from isingeq.errors import ProblemError
from isingeq.kernels.pool import Pool
from isingeq.learning import shares
from isingeq.learning.estimator import Estimator
from isingeq.learning.gradient import estimate
from isingeq.learning.shares import estimate_in_shares
from isingeq.testing.reference import PlainRelaxation


@pytest.fixture
def small_shares(monkeypatch):
    monkeypatch.setattr(shares, "SHARE", 4)


def in_shares(net, backend, parameters, x, labels, threads, **options):
    pool, out = Pool(threads), parameters.like()
    steps = estimate_in_shares(
        Estimator(**TIGHT | options), net, backend, parameters, x, labels, np.arange(len(x)),
        seed=1, schedule=None, pool=pool, out=out,
    )  # fmt: skip
    pool.close()
    return out, steps


@pytest.mark.parametrize("cost", ["squared", "cross_entropy"])
@pytest.mark.parametrize("batch", [4, 5, 11])
def test_shares_add_up_to_the_whole(cost, batch, small_shares):
    net, parameters, x, labels = build(cost=cost, batch=batch)
    whole = estimate(
        Estimator(**TIGHT), net, hopfield(), parameters, x, labels,
        seed=1, schedule=None, pool=Pool(1), out=parameters.like(),
    )  # fmt: skip
    gradient, steps = in_shares(net, hopfield(), parameters, x, labels, 1)
    assert [step.num_samples for step in steps] == [4] * (batch // 4) + [batch % 4] * (
        batch % 4 > 0
    )
    np.testing.assert_allclose(gradient.vector, whole.gradient.vector, rtol=1e-9, atol=1e-12)
    assert np.abs(gradient.vector).max() > 1e-3
    assert sum(step.cost * step.num_samples for step in steps) == pytest.approx(whole.cost * batch)
    assert sum(step.num_correct for step in steps) == whole.num_correct


def test_threads_do_not_change_a_bit(small_shares):
    net, parameters, x, labels = build(batch=23)
    found = [
        in_shares(net, hopfield(threads=t), parameters, x, labels, t)[0].vector for t in (1, 2, 3)
    ]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_shares_draw_their_own_noise(small_shares):
    net, parameters, x, labels = build(batch=8)
    x[4:], labels[4:] = x[:4], labels[:4]
    _, steps = in_shares(
        net,
        conjugate(damping="0.5", force_noise=0.05),
        parameters,
        x,
        labels,
        2,
        free_steps=50,
        precision="float32",
    )
    assert not np.array_equal(steps[0].free.states, steps[1].free.states)
    _, steps = in_shares(net, hopfield(), parameters, x, labels, 2)
    assert np.array_equal(steps[0].free.states, steps[1].free.states)


def test_a_backend_that_settles_one_at_a_time_gets_the_whole_batch(small_shares):
    net, parameters, x, labels = build(batch=11)
    sound = PlainRelaxation()
    backend = PlainRelaxation(capabilities=replace(sound.capabilities, concurrent=False))
    _, steps = in_shares(net, backend, parameters, x, labels, 2, tolerance=1e-9)
    assert len(steps) == 1
    assert len(in_shares(net, sound, parameters, x, labels, 2, tolerance=1e-9)[1]) == 3


def test_an_error_in_a_share_comes_out(small_shares):
    net, parameters, x, labels = build(batch=11)
    x[9, 0] = np.nan
    with pytest.raises(ProblemError, match="NaN or infinite"):
        in_shares(net, hopfield(), parameters, x, labels, 2)
