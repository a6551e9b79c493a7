"""A small data set, and trainers of a small network on it."""

from dataclasses import asdict, dataclass

import numpy as np
from nets import BOX, LINEAR, POOL

from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.network import Network
from isingeq.learning.optimizer import Optimizer
from isingeq.learning.trainer import Course, Trainer
from isingeq.units import Layer


@dataclass
class Blobs:
    """Three noisy blobs in four dimensions."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray


def blobs(train=23, validation=15, seed=0):
    rng = np.random.default_rng(seed)
    centres = 1.5 * rng.normal(size=(3, 4))
    labels = np.arange(train + validation) % 3
    x = (centres[labels] + 0.5 * rng.normal(size=(len(labels), 4))).astype(np.float32)
    return Blobs(x[:train], labels[:train], x[train:], labels[train:])


def network():
    return Network(4, (Layer("h", 8, BOX), Layer("o", 3, LINEAR)), SquaredError(3))


def trainer(
    backend,
    *,
    data=None,
    optimizer=None,
    path=None,
    identity=None,
    net=None,
    estimator=None,
    seed=3,
    augmentation=None,
    assumed=None,
    **course,
):
    return Trainer(
        net or network(), backend, data or blobs(), estimator=estimator or Estimator(),
        optimizer=optimizer or Optimizer(rate=0.02), seed=seed, pool=POOL, path=path, identity=identity,
        augmentation=augmentation, assumed=assumed,
        course=Course(**{"epochs": 3, "batch_size": 5} | course),
    )  # fmt: skip


def records(listened):
    """Epochs without what the clock says."""
    return [
        {k: v for k, v in asdict(epoch).items() if k not in ("wall_s", "cpu_s")}
        for epoch in listened
    ]
