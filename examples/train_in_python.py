"""Train a network of 64-128-10 units on handwritten digits, and count the digits it gets right."""

import numpy as np

from isingeq.kernels.pool import Pool
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.network import Network
from isingeq.learning.optimizer import Optimizer
from isingeq.learning.trainer import Course, Listener, Trainer
from isingeq.registry import open_backend
from isingeq.tasks import load
from isingeq.units import Amplitude, Layer

data = load("digits", validation_size=144)
network = Network(
    inputs=data.x_train.shape[1],
    layers=(
        Layer("hidden", 128, Amplitude()),  # in the box [0, 1]
        Layer("output", data.num_classes, Amplitude(-np.inf, np.inf)),
    ),
    cost=SquaredError(data.num_classes),
)
backend = open_backend("conjugate")
trainer = Trainer(
    network,
    backend,
    data,
    estimator=Estimator(method="centred", nudging=0.1, free_steps=60, nudged_steps=20),
    optimizer=Optimizer(rate=2e-3, anneal="cosine"),
    course=Course(epochs=10),
    seed=0,
    pool=Pool(threads=1),
    gains=(0.5,),
)
trainer.run(
    Listener(
        on_epoch=lambda e: print(
            f"epoch {e.epoch:2}: cost {e.cost:.4f}, validation accuracy {e.validation_accuracy:.3f}"
        )
    )
)
accuracy = (trainer.predict(data.x_test) == data.y_test).mean()
print(f"test accuracy {accuracy:.3f}")
backend.close()
