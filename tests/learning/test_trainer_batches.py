"""What is trained on and from where: augmented batches, warm starts, clipped gradients, older checkpoints."""

import numpy as np
import pytest
from nets import POOL, Counting
from trainers import blobs, trainer

from isingeq.backends.exact import exact
from isingeq.backends.gibbs import gibbs
from isingeq.backends.simulator import hopfield
from isingeq.errors import CapabilityError, CheckpointError, ConfigError
from isingeq.learning import warm
from isingeq.learning.augmentation import Augmentation
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.network import Network
from isingeq.learning.optimizer import Optimizer
from isingeq.learning.trainer import Listener
from isingeq.units import Layer, Spin


@pytest.fixture(scope="module")
def backend():
    opened = hopfield()
    yield opened
    opened.close()


def test_an_augmented_batch_is_drawn_anew_and_everything_else_is_left_alone(backend):
    counting, data = Counting(backend), blobs(validation=6)
    before = data.x_train.copy()
    run = trainer(
        counting,
        data=data,
        epochs=2,
        optimizer=Optimizer("sgd", rate=0.0),
        augmentation=Augmentation((2, 2), 1),
    )
    run.run()
    np.testing.assert_array_equal(data.x_train, before)
    free = [r.problem.fields for r in counting.requests if not r.terms]
    epochs = [np.concatenate(free[:5]), np.concatenate(free[6:11])]
    assert set(map(bytes, epochs[0])) != set(map(bytes, epochs[1]))
    np.testing.assert_array_equal(free[5], free[11])  # validation
    order = np.random.default_rng([3, 1, 0]).permutation(23)[:5]
    images = run.augmentation.images(data.x_train, order, seed=3, update=0)
    encoded = run.network.encode(run.parameters, images, POOL)
    np.testing.assert_array_equal(free[0], encoded.fields)


def test_free_phases_start_where_their_sample_was_left_an_epoch_ago(backend):
    counting, data = Counting(backend), blobs(validation=0)
    found = {}

    def settle(request):
        counting.requests.append(request)
        answer = backend.settle(request)
        found[len(counting.requests) - 1] = answer.states
        return answer

    counting.settle = settle
    run = trainer(counting, data=data, epochs=2, warm_start=True)
    run.run()
    free = [k for k, r in enumerate(counting.requests) if not r.terms]
    orders = [np.random.default_rng([3, 1, epoch]).permutation(23) for epoch in (0, 1)]
    assert all(counting.requests[k].initial is None for k in free[:5])
    states = np.empty((23, 1, 11), np.float32)
    states[orders[0]] = np.concatenate([found[k] for k in free[:5]])
    starts = np.concatenate([counting.requests[k].initial for k in free[5:]])
    np.testing.assert_array_equal(starts, states[orders[1]])
    states[orders[1]] = np.concatenate([found[k] for k in free[5:]])
    np.testing.assert_array_equal(run.states, states)


def test_warm_starts_save_steps(backend):
    steps = {}
    for is_warm in (False, True):
        epochs = []
        trainer(backend, epochs=4, optimizer=Optimizer(rate=1e-3), warm_start=is_warm).run(
            Listener(on_epoch=epochs.append)
        )
        steps[is_warm] = [epoch.mean_free_steps for epoch in epochs]
    assert steps[True][0] == steps[False][0]
    assert max(steps[True][1:]) < min(steps[False][1:])


def test_spins_are_kept_as_they_were_read():
    net = Network(4, (Layer("h", 3, Spin()), Layer("o", 3, Spin())), SquaredError(3, 1, -1.0, 1.0))
    options = {"net": net, "epochs": 2, "data": blobs(train=10, validation=0), "warm_start": True}
    sampler = gibbs(beta=0.7, sweeps=5)
    run = trainer(sampler, estimator=Estimator(reads=3, nudging=0.5), **options)
    run.run()
    sampler.close()
    assert run.states.shape == (10, 3, 6)
    assert set(np.unique(run.states)) == {-1, 1}


def test_warm_starts_that_cannot_be_are_refused_in_one_line(backend, monkeypatch):
    def refused(error, says, on=backend, **options):
        with pytest.raises(error, match=says) as refusal:
            trainer(on, warm_start=True, **options)
        assert "\n" not in str(refusal.value)

    refused(ConfigError, "leave either away", augmentation=Augmentation((2, 2), 1))
    refused(CapabilityError, "exact takes no initial states: set warm_start = false", on=exact())
    refused(ConfigError, "backprop settles nothing", estimator=Estimator("backprop"))
    monkeypatch.setattr(warm, "MOST_BYTES", 22 * 11 * 4)
    refused(ConfigError, r"23 × 11 states, .* set warm_start = false, or train on 22 samples")
    trainer(backend, warm_start=True, data=blobs(train=22))


def test_clipped_gradients_are_counted(backend):
    shares = []
    for limit in (None, 1e-9, 1e9):
        epochs = []
        trainer(backend, epochs=1, optimizer=Optimizer(rate=0.02, clip_norm=limit)).run(
            Listener(on_epoch=epochs.append)
        )
        shares.append(epochs[0].clipped_gradients)
    assert shares == [0, 1, 0]


def test_a_checkpoint_older_than_a_key_had_its_default(backend, tmp_path):
    path = tmp_path / "checkpoint.npz"
    trainer(backend, path=path, identity={"seed": 3}).save()
    now = {"seed": 3, "learning.shift": 0}
    defaults = {"seed": 0, "learning.shift": 0, "learning.epochs": 10}
    assert trainer(backend, path=path, identity=now, assumed=defaults).resume() is None
    for ours, differs in (
        ({**now, "learning.shift": 1}, "learning.shift"),
        ({**now, "seed": 0}, "seed"),
    ):
        with pytest.raises(CheckpointError, match=f"another {differs}: resume"):
            trainer(backend, path=path, identity=ours, assumed=defaults).resume()


def test_every_pass_of_an_epoch_meets_every_sample_in_an_order_of_its_own(backend):
    counting = Counting(backend)
    run = trainer(
        counting, data=blobs(validation=0), epochs=2, passes=3, optimizer=Optimizer("sgd", rate=0.0)
    )
    epochs = []
    run.run(Listener(on_epoch=epochs.append))
    assert run.num_batches == 15
    assert run.position.update == 30
    free = [r.problem.fields for r in counting.requests if not r.terms]
    passes = [np.concatenate(free[k : k + 5])[:, 0] for k in range(0, 30, 5)]
    assert len({p.tobytes() for p in passes}) == 6
    assert len({np.sort(p).tobytes() for p in passes}) == 1
    assert [epoch.epoch for epoch in epochs] == [1, 2]


def test_a_run_stopped_within_its_passes_goes_on_where_it_was(backend, tmp_path):
    whole = trainer(backend, epochs=2, passes=2)
    whole.run()
    left = iter(range(7))
    first = trainer(backend, epochs=2, passes=2, path=tmp_path / "c.npz")
    assert not first.run(Listener(should_stop=lambda: next(left, None) is None))
    second = trainer(backend, epochs=2, passes=2, path=tmp_path / "c.npz")
    second.resume()
    assert second.position.batch == 7
    second.run()
    np.testing.assert_array_equal(second.parameters.vector, whole.parameters.vector)


@pytest.mark.parametrize("stop_cost", [0.0, 1e9])
def test_a_low_cost_is_enough_also_after_a_resume(backend, tmp_path, stop_cost):
    run = trainer(backend, epochs=3, stop_cost=stop_cost, path=tmp_path / "c.npz")
    assert run.run()
    assert run.position.epoch == (3 if stop_cost == 0 else 1)
    again = trainer(backend, epochs=3, stop_cost=stop_cost, path=tmp_path / "c.npz")
    again.resume()
    assert again.run()
    assert again.position.update == run.position.update
