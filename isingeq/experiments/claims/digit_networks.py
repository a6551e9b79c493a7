"""Networks of amplitudes on the 8 × 8 digits, and trainings of them that take a second."""

import numpy as np

from isingeq.backend import Backend
from isingeq.kernels.pool import Pool
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.network import Network
from isingeq.learning.optimizer import Optimizer
from isingeq.learning.parameters import Parameters
from isingeq.learning.trainer import Course, Trainer
from isingeq.tasks import Dataset
from isingeq.units import Amplitude, Layer

RATE = 2e-3
NUDGING = 0.1
GAIN = 0.5
"""Gain of the initial weights; with 1, deep networks of amplitudes in [0, 1] start beyond their walls."""


def network(hidden: tuple[int, ...]) -> Network:
    """Return a network of amplitudes in [0, 1] with a linear output."""
    layers = tuple(Layer(f"hidden{k}", size, Amplitude()) for k, size in enumerate(hidden, 1))
    return Network(64, (*layers, Layer("output", 10, Amplitude(-np.inf, np.inf))), SquaredError(10))


def trainer(
    hidden: tuple[int, ...], backend: Backend, data: Dataset, *, free_steps: int, nudged_steps: int, epochs: int,
    seed: int, tolerance: float = 0.0,
) -> Trainer:  # fmt: skip
    """Return a trainer by centred equilibrium propagation and Adam; without a tolerance all steps are run."""
    return Trainer(
        network(hidden), backend, data,
        estimator=Estimator(
            nudging=NUDGING, free_steps=free_steps, nudged_steps=nudged_steps, tolerance=tolerance
        ),
        optimizer=Optimizer(rate=RATE, anneal="cosine"), course=Course(epochs=epochs, batch_size=32),
        seed=seed, pool=Pool(1), gains=(GAIN,),
    )  # fmt: skip


def trained(
    hidden: tuple[int, ...], backend: Backend, data: Dataset, *, epochs: int, seed: int
) -> tuple[Parameters, float]:
    """Return parameters that were trained on settled states, and their test accuracy."""
    run = trainer(
        hidden, backend, data, free_steps=300, nudged_steps=100, epochs=epochs, seed=seed, tolerance=1e-3
    )  # fmt: skip
    run.run()
    return run.parameters, accuracy(run, data)


def accuracy(run: Trainer, data: Dataset) -> float:
    """Return the share of test examples that a trainer's network gets right."""
    return float((run.predict(data.x_test) == data.y_test).mean())
