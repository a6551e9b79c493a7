"""Train on arrays of your own: points on three rings, told apart by their distance from the middle."""

import numpy as np

from isingeq.kernels.pool import Pool
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.network import Network
from isingeq.learning.optimizer import Optimizer
from isingeq.learning.trainer import Course, Trainer
from isingeq.registry import open_backend
from isingeq.tasks import from_arrays
from isingeq.units import Amplitude, Layer

rng = np.random.default_rng(0)
labels = np.arange(900) % 3
radius, angle = labels + 1 + rng.normal(0, 0.15, 900), rng.uniform(0, 2 * np.pi, 900)
points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)

data = from_arrays(
    points[:600],
    labels[:600],
    points[600:],
    labels[600:],
    name="rings",
    full_scale=None,  # each feature to [0, 1], by what the training part spans
    validation_size=100,
)
print(data.scaling)

network = Network(
    inputs=2,
    layers=(Layer("hidden", 64, Amplitude()), Layer("output", 3, Amplitude(-np.inf, np.inf))),
    cost=SquaredError(3),
)
backend = open_backend("conjugate")
trainer = Trainer(
    network,
    backend,
    data,
    estimator=Estimator(nudging=0.1),
    optimizer=Optimizer(rate=1e-2, anneal="cosine"),
    course=Course(epochs=60, keep_best=True),
    seed=0,
    pool=Pool(),
    gains=(2.0, 0.5),
)
trainer.run()
predicted = trainer.predict(data.x_test, parameters=trainer.result())
print(f"test accuracy {(predicted == data.y_test).mean():.3f}")
backend.close()
