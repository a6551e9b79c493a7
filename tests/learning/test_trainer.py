"""The trainer: what it does in an epoch, when it stops, and that a resumed run cannot tell."""

import numpy as np
import pytest
from nets import POOL, Counting
from trainers import blobs, network, records, trainer

from isingeq.backends.exact import exact
from isingeq.backends.simulator import conjugate, hopfield
from isingeq.errors import CheckpointError, ConfigError, DivergenceError
from isingeq.learning.augmentation import Augmentation
from isingeq.learning.checkpoint import previous
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.network import Network
from isingeq.learning.optimizer import Optimizer
from isingeq.learning.trainer import Course, Listener, predict
from isingeq.schedule import Annealing
from isingeq.units import Layer, Spin


@pytest.fixture(scope="module")
def backend():
    opened = hopfield()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def automatic():
    opened = conjugate()
    yield opened
    opened.close()


def test_learns(backend):
    run, epochs = trainer(backend, epochs=15), []
    assert run.run(Listener(on_epoch=epochs.append))
    assert [e.epoch for e in epochs] == list(range(1, 16))
    assert epochs[-1].validation_accuracy > 0.9 > epochs[0].validation_accuracy
    assert epochs[-1].cost < 0.5 * epochs[0].cost
    test = blobs(seed=0)
    assert (run.predict(test.x_validation) == test.y_validation).mean() == epochs[
        -1
    ].validation_accuracy


def test_an_epoch_meets_every_sample_once_in_an_order_of_its_own(backend):
    counting = Counting(backend)
    data = blobs(validation=0)
    run = trainer(counting, data=data, epochs=2, optimizer=Optimizer("sgd", rate=0.0))
    epochs = []
    run.run(Listener(on_epoch=epochs.append))
    free = [r for r in counting.requests if not r.terms]
    assert [r.problem.batch for r in free] == [5, 5, 5, 5, 3] * 2
    fields = np.concatenate([r.problem.fields for r in free])
    first, second = fields[:23], fields[23:]
    assert len(np.unique(first, axis=0)) == 23
    np.testing.assert_array_equal(np.unique(first, axis=0), np.unique(second, axis=0))
    assert not np.array_equal(first, second)
    assert epochs[0].settles == 3 * 23
    assert np.isnan(epochs[0].validation_accuracy)


def test_every_update_has_its_own_seed(backend):
    counting = Counting(backend)
    trainer(counting, data=blobs(validation=0), epochs=2).run()
    assert len({r.seed for r in counting.requests}) == len(counting.requests)


def test_the_same_seed_gives_the_same_run_and_another_another(backend):
    digests = []
    for seed in (3, 3, 4):
        run = trainer(backend, seed=seed, epochs=1)
        run.run()
        digests.append(run.parameters.sha256())
    assert digests[0] == digests[1] != digests[2]


BATCHES = 15  # three epochs of five
WAYS = {
    "hopfield": {},
    "conjugate": {},
    "augmented": {"augmentation": Augmentation((2, 2), 1, flip=True)},
    "warm": {"warm_start": True},
}


@pytest.fixture(scope="module", params=WAYS)
def reference(request, backend, automatic):
    """An uninterrupted run: the backend, its options, what it told and what it came to."""
    chosen = automatic if request.param == "conjugate" else backend
    options = {
        "optimizer": Optimizer(rate=0.02, anneal="cosine", decay=1e-3, warmup=0.2, clip_norm=0.5),
        "renew_every": 4,
        "keep_best": True,
        **WAYS[request.param],
    }
    run, epochs = trainer(chosen, **options), []
    run.run(Listener(on_epoch=epochs.append))
    return chosen, options, run, records(epochs)


@pytest.mark.parametrize("stops", [(0,), (1,), (4,), (5,), (7,), (10,), (14,), (2, 3, 11)], ids=str)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(reference, tmp_path, stops):
    chosen, options, whole, told = reference
    path, epochs, done = tmp_path / "checkpoint.npz", [], [0]

    def count(position, batches):
        done[0] += 1

    for stop in stops:
        part = trainer(chosen, path=path, identity={"a": 1}, **options)
        if path.exists():
            assert part.resume() is None
        assert not part.run(
            Listener(
                on_batch=count,
                on_epoch=epochs.append,
                should_stop=lambda stop=stop: done[0] >= stop,
            )
        )
        assert done[0] == stop
    last = trainer(chosen, path=path, identity={"a": 1}, **options)
    last.resume()
    assert last.run(Listener(on_batch=count, on_epoch=epochs.append))
    assert done[0] == BATCHES
    assert last.parameters.sha256() == whole.parameters.sha256()
    assert last.best.sha256() == whole.best.sha256()
    for name, array in whole.update.state().items():
        np.testing.assert_array_equal(last.update.state()[name], array)
    assert records(epochs) == told
    assert last.position.schedule == whole.position.schedule
    if whole.states is not None:
        np.testing.assert_array_equal(last.states, whole.states)


def test_resuming_a_finished_run_does_nothing(backend, tmp_path):
    path = tmp_path / "checkpoint.npz"
    run = trainer(backend, path=path, epochs=1)
    run.run()
    again = trainer(backend, path=path, epochs=1)
    again.resume()
    assert again.run(
        Listener(on_batch=lambda position, batches: pytest.fail("a batch was trained"))
    )
    assert again.parameters.sha256() == run.parameters.sha256()


def test_schedules_of_annealing_survive_a_checkpoint(tmp_path):
    net = Network(4, (Layer("h", 3, Spin()), Layer("o", 3, Spin())), SquaredError(3, 1, -1.0, 1.0))
    options = {
        "net": net,
        "path": tmp_path / "c.npz",
        "epochs": 2,
        "data": blobs(train=10, validation=0),
    }
    digests = []
    for stop in (99, 1):
        done = [0]
        run = trainer(
            exact(beta=0.7, draw=True), estimator=Estimator(reads=3, nudging=0.5), **options
        )
        run.run(
            Listener(
                on_batch=lambda p, b, done=done: done.append(0),
                should_stop=lambda done=done, stop=stop: len(done) > stop,
            )
        )
        if stop == 1:
            run = trainer(
                exact(beta=0.7, draw=True), estimator=Estimator(reads=3, nudging=0.5), **options
            )
            run.resume()
            assert run.position.schedule == Annealing((0.7,))
            run.run()
        digests.append(run.parameters.sha256())
    assert digests[0] == digests[1]


def test_resume_refuses_another_configuration_and_names_what_differs(backend, tmp_path):
    path = tmp_path / "checkpoint.npz"
    run = trainer(backend, path=path, identity={"learning.nudging": 0.1, "seed": 3, "old": 1})
    run.save()
    other = trainer(backend, path=path, identity={"learning.nudging": 0.2, "seed": 3, "new": 1})
    before = other.parameters.sha256()
    with pytest.raises(
        CheckpointError, match=r"another learning.nudging, new, old: resume with the same"
    ):
        other.resume()
    assert other.parameters.sha256() == before


def test_resume_from_the_one_before_says_what_was_wrong(backend, tmp_path):
    path = tmp_path / "checkpoint.npz"
    run = trainer(backend, path=path, epochs=2)
    run.run()
    assert previous(path).exists()
    path.write_bytes(b"gone")
    again = trainer(backend, path=path, epochs=2)
    assert "damaged" in again.resume()
    assert again.position.epoch == 1
    again.run()
    assert again.parameters.sha256() == run.parameters.sha256()


def test_checkpoints_inside_an_epoch_come_by_the_clock(backend, tmp_path, monkeypatch):
    for every, expected in ((0.0, 5 + 1), (1e9, 1)):
        run, saves = (
            trainer(backend, path=tmp_path / "c.npz", epochs=1, checkpoint_every_s=every),
            [],
        )
        save = run.save
        monkeypatch.setattr(run, "save", lambda save=save, saves=saves: (saves.append(0), save()))
        run.run()
        assert len(saves) == expected


def test_without_a_path_nothing_is_written(backend, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trainer(backend, epochs=1).run()
    assert not list(tmp_path.iterdir())


def with_accuracies(run, accuracies, monkeypatch):
    """Let the validation part be predicted right as often as told, epoch by epoch."""
    y = run.data.y_validation

    def fake(x):
        right = round(accuracies[run.position.epoch] * len(y))
        return np.where(np.arange(len(y)) < right, y, (y + 1) % 3)

    monkeypatch.setattr(run, "predict", fake)


def test_patience_stops_after_so_many_epochs_without_a_better_one(backend, monkeypatch):
    run, epochs = trainer(backend, epochs=10, patience=2), []
    with_accuracies(run, [0.2, 0.4, 0.4, 0.6, 0.6, 0.2, 1.0, 1.0, 1.0, 1.0], monkeypatch)
    assert run.run(Listener(on_epoch=epochs.append))
    assert len(epochs) == 6  # the best was the fourth; an equal one is not better


def test_without_a_validation_part_patience_has_nothing_to_go_by(backend):
    epochs = []
    trainer(backend, data=blobs(validation=0), epochs=4, patience=1).run(
        Listener(on_epoch=epochs.append)
    )
    assert len(epochs) == 4


@pytest.mark.parametrize(("keep_best", "epoch"), [(True, 2), (False, 4)])
def test_the_best_parameters_are_kept_where_wanted(backend, monkeypatch, keep_best, epoch):
    run, kept = trainer(backend, epochs=4, keep_best=keep_best), {}
    with_accuracies(run, [0.2, 0.8, 0.8, 0.4], monkeypatch)
    run.run(Listener(on_epoch=lambda e: kept.update({e.epoch: run.parameters.sha256()})))
    assert run.result().sha256() == kept[epoch]
    assert len(set(kept.values())) == 4


def test_without_a_validation_part_the_last_parameters_are_the_result(backend):
    run = trainer(backend, data=blobs(validation=0), keep_best=True)
    run.run()
    assert run.result() is run.parameters


@pytest.mark.parametrize("rate", [1e2, 1e4, 1e6])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_divergence_is_said_and_leaves_finite_parameters(backend, rate, momentum):
    run = trainer(backend, optimizer=Optimizer("sgd", rate, momentum=momentum), epochs=20)
    with pytest.raises(DivergenceError, match=r"lower .*the learning rate"):
        run.run()
    assert np.isfinite(run.parameters.vector).all()


def test_schedules_are_found_once_for_samplers_and_anew_for_relaxing_machines(
    automatic, monkeypatch
):
    asked = []

    def suggest(problem):
        asked.append(problem)
        return automatic.suggest_schedule(problem)

    counting = Counting(automatic)
    counting.suggest_schedule = suggest
    trainer(counting, renew_every=4, epochs=2, data=blobs(validation=0)).run()
    assert len(asked) == 3  # before updates 0, 4 and 8 of 10

    sampler, asked_again = Counting(exact(beta=0.7)), []
    sampler.suggest_schedule = lambda problem: (
        asked_again.append(problem) or sampler.inner.suggest_schedule(problem)
    )
    net = Network(4, (Layer("h", 3, Spin()), Layer("o", 3, Spin())), SquaredError(3, 1, -1.0, 1.0))
    trainer(sampler, net=net, renew_every=1, epochs=2, data=blobs(validation=0)).run()
    assert len(asked_again) == 1


def test_predictions_do_not_depend_on_their_batch(backend):
    net, data = network(), blobs(train=40)
    p = net.initial(0)
    found = [
        predict(
            net,
            backend,
            p,
            data.x_train,
            estimator=Estimator(),
            schedule=None,
            seed=0,
            pool=POOL,
            batch=batch,
        )
        for batch in (1, 7, 1000)
    ]
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[1], found[2])
    assert len(np.unique(found[0])) > 1


def test_more_samples_per_batch_than_there_are_is_refused(backend):
    with pytest.raises(ConfigError, match="batch_size 24 is larger than the 23 training samples"):
        trainer(backend, batch_size=24)
    trainer(backend, batch_size=23)


@pytest.mark.parametrize(
    "bad",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"renew_every": 0},
        {"evaluation_batch": 0},
        {"patience": 0},
    ],
    ids=str,
)
def test_a_course_that_makes_no_sense_is_refused(bad):
    with pytest.raises(ConfigError, match="at least 1"):
        Course(**bad)
