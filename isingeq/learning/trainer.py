"""Trainer: epochs of gradient and update over any backend, resumable bit for bit.

Nothing random is drawn from a stream that runs on: the order of an epoch comes from (seed, epoch), the seed of a
settle and what happens to the images of a batch from (seed, update). So a checkpoint holds counters instead of
generators, and a resumed run cannot tell.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Backend, Floats
from isingeq.errors import CheckpointError, ConfigError, DeviceError
from isingeq.kernels.pool import Pool
from isingeq.learning import checkpoint
from isingeq.learning.augmentation import Augmentation
from isingeq.learning.backprop import forward
from isingeq.learning.cost import Labels
from isingeq.learning.estimator import Estimator
from isingeq.learning.model import Model
from isingeq.learning.network import Network
from isingeq.learning.optimizer import Optimizer, Update
from isingeq.learning.parameters import Parameters
from isingeq.learning.phases import chosen, may_renew, settle_free
from isingeq.learning.progress import Epoch, Position, Tally
from isingeq.learning.rate_backprop import forward_rates
from isingeq.learning.rate_network import RateNetwork
from isingeq.learning.shares import estimate_in_shares
from isingeq.learning.warm import room_for_states
from isingeq.schedule import Schedule, schedule_data, schedule_from


class Split(Protocol):
    """The part of a data set that a trainer uses: never the test part."""

    @property
    def x_train(self) -> Floats: ...  # noqa: D102
    @property
    def y_train(self) -> Labels: ...  # noqa: D102
    @property
    def x_validation(self) -> Floats: ...  # noqa: D102
    @property
    def y_validation(self) -> Labels: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Course:
    """How long and in which portions to train.

    Attributes:
        epochs: after each there is a validation, a line of metrics and a checkpoint.
        passes: over the training part in an epoch; more than 1 where it is small.
        batch_size: samples per update; the last, smaller batch of an epoch is used too.
        patience: stop after this many epochs without a better validation accuracy; None trains to the end.
        stop_cost: stop after an epoch whose mean cost is not above this; None trains to the end.
        keep_best: hand out the parameters of the best validation accuracy instead of the last ones.
        renew_every: updates after which a relaxing backend's schedule is found anew.
        checkpoint_every_s: seconds between checkpoints inside an epoch; there is one after every epoch.
        evaluation_batch: samples per settle call when predicting.
        warm_start: free phases of training start from the free states of the epoch before.
    """

    epochs: int = 10
    passes: int = 1
    batch_size: int = 32
    patience: int | None = None
    stop_cost: float | None = None
    keep_best: bool = False
    renew_every: int = 200
    checkpoint_every_s: float = 300.0
    evaluation_batch: int = 1000
    warm_start: bool = False

    def __post_init__(self) -> None:
        if (
            self.epochs < 1
            or self.passes < 1
            or self.batch_size < 1
            or self.renew_every < 1
            or self.evaluation_batch < 1
        ):
            raise ConfigError(
                "epochs, passes, batch_size, renew_every and evaluation_batch must be at least 1"
            )
        if self.patience is not None and self.patience < 1:
            raise ConfigError(f"patience {self.patience} must be at least 1 epoch")


@dataclass(slots=True)
class Listener:
    """What a trainer tells while it works; each is optional."""

    on_batch: Callable[[Position, int], None] = lambda position, batches: None
    on_epoch: Callable[[Epoch], None] = lambda epoch: None
    should_stop: Callable[[], bool] = lambda: False


class Trainer:
    """Trains one network on one backend."""

    def __init__(
        self, network: Model, backend: Backend, data: Split, *, estimator: Estimator, optimizer: Optimizer,
        course: Course, seed: int, pool: Pool, gains: tuple[float, ...] | None = None,
        augmentation: Augmentation | None = None, path: Path | None = None,
        identity: Mapping[str, object] | None = None, assumed: Mapping[str, object] | None = None,
    ) -> None:  # fmt: skip
        """Set up a run.

        Args:
            network: to be trained.
            backend: that settles.
            data: training and validation part.
            estimator: of gradients.
            optimizer: of parameters.
            course: how long.
            seed: of initial weights, order and settles.
            pool: threads.
            gains: of the initial weights.
            augmentation: of training images; None for none.
            path: of the checkpoint file; None keeps none.
            identity: what must agree for a checkpoint to be resumed here.
            assumed: what holds of it where a checkpoint is older than the key.

        Raises:
            ConfigError: a batch larger than the training part, or warm starts that cannot be.
            CapabilityError: warm starts on a backend that takes no initial states.
        """
        if course.batch_size > len(data.x_train):
            raise ConfigError(
                f"batch_size {course.batch_size} is larger than the {len(data.x_train)} training samples: lower it"
            )
        if course.warm_start and augmentation is not None:
            raise ConfigError(
                "warm_start goes back to the same image, shift and flip make another of it: leave either away"
            )
        self.network, self.backend, self.data = network, backend, data
        self.estimator, self.course, self.seed, self.pool = estimator, course, seed, pool
        self.parameters = network.initial(seed, gains)
        self.best = self.parameters.like(self.parameters.vector.copy())
        self.update = Update(optimizer, self.parameters)
        self.gradient = self.parameters.like()
        self.position = Position()
        self.augmentation = augmentation
        self.states: Floats | None = None
        if course.warm_start:
            self.states = room_for_states(len(data.x_train), network, backend, estimator)
        self.path = path
        self.identity, self.assumed = dict(identity or {}), dict(assumed or {})
        self._saved_at = time.monotonic()

    @property
    def num_batches(self) -> int:
        """Updates per epoch."""
        return self.course.passes * self._per_pass

    @property
    def _per_pass(self) -> int:
        """Updates per pass over the training part."""
        return -(-len(self.data.x_train) // self.course.batch_size)

    def run(self, listener: Listener | None = None) -> bool:
        """Train to the end of the course, or until told to stop; a checkpoint is left either way.

        Returns:
            True when the course is done, False when it was stopped.

        Raises:
            DeviceError: a device failed for good; its batch is left out of the checkpoint, so that it is done anew.
        """
        try:
            return self._run(listener or Listener())
        except (
            DeviceError,
            OSError,
        ):  # or there is nobody left to tell: a terminal that was closed
            self.save()
            raise

    def _run(self, tell: Listener) -> bool:
        while self.position.epoch < self.course.epochs and not self._is_enough():
            started = time.perf_counter(), time.process_time()
            rng = np.random.default_rng([self.seed, 1, self.position.epoch])
            orders = [rng.permutation(len(self.data.x_train)) for _ in range(self.course.passes)]
            while self.position.batch < self.num_batches:
                if tell.should_stop():
                    self.save()
                    return False
                self._train_batch(orders[self.position.batch // self._per_pass])
                tell.on_batch(self.position, self.num_batches)
                if time.monotonic() - self._saved_at > self.course.checkpoint_every_s:
                    self.save()
            tell.on_epoch(
                self._finish_epoch(
                    time.perf_counter() - started[0], time.process_time() - started[1]
                )
            )
            self.save()
        return True

    def predict(
        self, x: Floats, *, parameters: Parameters | None = None, reads: int | None = None
    ) -> NDArray[np.int64]:
        """Return the classes (b,) that free states of inputs (b, inputs) stand for, of `reads` or as in training."""
        parameters = parameters or self.parameters
        estimator = replace(self.estimator, reads=reads or self.estimator.reads)
        self._renew_schedule(x, slice(64), parameters)
        return predict(
            self.network, self.backend, parameters, x, estimator=estimator, schedule=self.position.schedule,
            seed=self.seed, pool=self.pool, batch=self.course.evaluation_batch,
        )  # fmt: skip

    def _train_batch(self, order: NDArray[np.int64]) -> None:
        p, size = self.position, self.course.batch_size
        first = p.batch % self._per_pass * size
        part = order[first : first + size]
        self._renew_schedule(self.data.x_train, part[:64], self.parameters)
        x, labels, rows = self.data.x_train, self.data.y_train, part
        if self.augmentation is not None:
            x = self.augmentation.images(x, part, seed=self.seed, update=p.update)
            labels, rows = labels[part], np.arange(len(part))
        steps = estimate_in_shares(
            self.estimator, self.network, self.backend, self.parameters, x, labels, rows,
            seed=_settle_seed(self.seed, p.update), schedule=p.schedule, pool=self.pool, out=self.gradient,
            initial=self.states if p.epoch else None,  # an epoch meets every sample: all are known after the first
        )  # fmt: skip
        progress = p.update / (self.course.epochs * self.num_batches)
        p.tally.num_gradients_clipped += self.update.apply(self.gradient, progress)
        p.tally.updates += 1
        for step in steps:
            p.tally.add(step, self.estimator.tolerance)
        if self.states is not None:
            found = [step.free.states for step in steps if step.free is not None]
            self.states[part] = np.concatenate(found)
        p.batch += 1
        p.update += 1

    def _renew_schedule(
        self, x: Floats, rows: NDArray[np.int64] | slice, parameters: Parameters
    ) -> None:
        """Find the schedule once; again at declared updates where it changes the way and not the answer."""
        p = self.position
        if self.estimator.method == "backprop":
            return
        due = p.renewed_at < 0 or p.update - p.renewed_at >= self.course.renew_every
        if p.schedule is not None and not (due and may_renew(self.backend)):
            return
        if p.renewed_at == p.update:
            return
        encoded = self.network.encode(parameters, x[rows], self.pool)
        p.schedule = self.backend.suggest_schedule(
            self.network.problem(self.network.couplings(parameters), encoded)
        )
        p.renewed_at = p.update

    def _finish_epoch(self, wall_s: float, cpu_s: float) -> Epoch:
        p, t = self.position, self.position.tally
        accuracy = float("nan")
        if len(self.data.x_validation):
            accuracy = float(
                (self.predict(self.data.x_validation) == self.data.y_validation).mean()
            )
            if accuracy > p.best_accuracy:
                p.best_accuracy, p.best_epoch = accuracy, p.epoch + 1
                self.best.vector[:] = self.parameters.vector
        epoch = Epoch(
            epoch=p.epoch + 1,
            train_accuracy=t.correct / t.samples,
            validation_accuracy=accuracy,
            cost=t.cost / t.samples,
            mean_free_steps=t.free_steps / t.samples,
            mean_nudged_steps=t.nudged_steps / max(1, t.num_nudged),
            max_residual=t.residual,
            unsettled_fraction=t.num_unsettled / max(1, t.settles),
            num_two_cycles=t.num_two_cycles,
            num_clipped=t.num_clipped,
            num_rejected=t.num_rejected,
            settles=t.settles,
            clipped_gradients=t.num_gradients_clipped / max(1, t.updates),
            rate=self.update.optimizer.rate_at(p.update / (self.course.epochs * self.num_batches)),
            weight_rms=float(np.sqrt(np.mean(self.parameters.vector.astype(np.float64) ** 2))),
            wall_s=wall_s,
            cpu_s=cpu_s,
            schedule="none" if p.schedule is None else p.schedule.summary,
        )
        p.epoch, p.batch, p.tally, p.cost = p.epoch + 1, 0, Tally(), epoch.cost
        return epoch

    def _is_enough(self) -> bool:
        """Return whether training may stop before its last epoch."""
        p, course = self.position, self.course
        if course.stop_cost is not None and p.cost is not None and p.cost <= course.stop_cost:
            return True
        waited = p.best_epoch > 0 and p.epoch - p.best_epoch >= (course.patience or 0)
        return course.patience is not None and waited

    def result(self) -> Parameters:
        """Return the parameters to use: the last, or the best on validation data where the course says so."""
        return self.best if self.course.keep_best and self.position.best_epoch else self.parameters

    def save(self) -> None:
        """Write the checkpoint.

        Raises:
            CheckpointError: it cannot be written; the last good one is kept.
        """
        self._saved_at = time.monotonic()
        if self.path is None:
            return
        p = self.position
        data = {
            "identity": self.identity,
            "position": {k: v for k, v in asdict(p).items() if k != "schedule"},
            "schedule": schedule_data(p.schedule),
        }
        arrays = {
            "parameters": self.parameters.vector,
            "best": self.best.vector,
            **self.update.state(),
        }
        if self.states is not None:
            arrays["states"] = self.states
        checkpoint.save(self.path, arrays, data)

    def resume(self) -> str | None:
        """Take up the run where its checkpoint left off.

        Returns:
            What was wrong with the newest file, when the one before it had to be used.

        Raises:
            CheckpointError: no checkpoint can be read, or it belongs to another configuration.
        """
        assert self.path is not None
        found = checkpoint.load(self.path)
        theirs = {k: v for k, v in self.assumed.items() if k in self.identity}
        theirs |= cast(Mapping[str, object], found.data["identity"])
        if theirs != self.identity:
            changed = sorted(
                k for k in {*theirs, *self.identity} if theirs.get(k) != self.identity.get(k)
            )
            raise CheckpointError(
                f"the checkpoint was made with another {', '.join(changed)}: "
                "resume with the same configuration, or start a new run"
            )
        self.parameters.vector[:] = found.arrays["parameters"]
        self.best.vector[:] = found.arrays["best"]
        self.update.restore(
            {k: np.asarray(found.arrays[k]) for k in ("first", "second", "num_steps")}
        )
        if self.states is not None:
            # Not copied into the room that is there: that would hold them twice.
            self.states = np.asarray(found.arrays["states"], self.states.dtype)
        position = dict(cast(Mapping[str, Any], found.data["position"]))
        position["tally"] = Tally(**position["tally"])
        self.position = Position(
            **position,
            schedule=schedule_from(cast(Mapping[str, Any] | None, found.data["schedule"])),
        )
        return found.warning


def predict(
    network: Model, backend: Backend, parameters: Parameters, x: Floats, *, estimator: Estimator,
    schedule: Schedule | None, seed: int, pool: Pool, batch: int = 1000,
) -> NDArray[np.int64]:  # fmt: skip
    """Return the classes (b,) that the free states of inputs (b, inputs) stand for."""
    couplings = network.couplings(parameters)
    out = np.empty(len(x), np.int64)
    for first in range(0, len(x), batch):
        part = x[first : first + batch]
        if estimator.method == "backprop":
            if isinstance(network, RateNetwork):
                fields = network.encode(parameters, part, pool).fields
                states = forward_rates(network, couplings, fields)
            else:
                assert isinstance(network, Network)
                states = forward(network, parameters, part, pool).states
            out[first : first + batch] = network.predict(parameters, states)
            continue
        free = settle_free(
            estimator, network, backend, couplings, network.encode(parameters, part, pool),
            seed=_settle_seed(seed, first + 2**40), schedule=schedule,
        )  # fmt: skip
        out[first : first + batch] = network.predict(parameters, chosen(estimator, free))
    return out


def _settle_seed(seed: int, update: int) -> int:
    """Return the seed of the settles of one update."""
    return int(np.random.SeedSequence([seed, 2, update]).generate_state(1, np.uint32)[0])
