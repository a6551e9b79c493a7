"""One tiny network on several machines: what each says the gradient is, and how well it trains there.

The task is to tell a handwritten 3 from an 8. A network of amplitudes goes to relaxing machines, which all look for
the same fixed point. One of spins goes to enumeration and to simulated annealing at the same beta, which sample the
same distribution: enumeration has its exact means, annealing those of a few reads, and more reads bring them closer.
"""

import numpy as np
from sklearn.datasets import load_digits

from isingeq.backend import Backend
from isingeq.kernels.pool import Pool
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.gradient import estimate
from isingeq.learning.network import Network
from isingeq.learning.optimizer import Optimizer
from isingeq.learning.trainer import Course, Trainer
from isingeq.registry import open_backend
from isingeq.tasks import from_arrays
from isingeq.units import Amplitude, Layer, Spin

images, digits = load_digits(return_X_y=True)
images, is_eight = images[np.isin(digits, (3, 8))], digits[np.isin(digits, (3, 8))] == 8
data = from_arrays(
    images[:200], is_eight[:200].astype(int), images[200:], is_eight[200:].astype(int),
    full_scale=16, validation_size=0,
)  # fmt: skip
linear = Amplitude(-np.inf, np.inf)
amplitudes = Network(
    64, (Layer("hidden", 6, Amplitude()), Layer("output", 2, linear)), SquaredError(2)
)
spins = Network(
    64, (Layer("hidden", 6, Spin()), Layer("output", 2, Spin())), SquaredError(2, low=-1.0)
)
pool = Pool()


def first_gradient(network: Network, backend: Backend, estimator: Estimator) -> np.ndarray:
    """Return the gradient (p,) at the initial weights over the whole training part."""
    parameters = network.initial(0)
    encoded = network.encode(parameters, data.x_train, pool)
    problem = network.problem(network.couplings(parameters), encoded)
    step = estimate(
        estimator, network, backend, parameters, data.x_train, data.y_train,
        seed=0, schedule=backend.suggest_schedule(problem), pool=pool, out=parameters.like(),
    )  # fmt: skip
    return step.gradient.vector


def accuracy_reached(network: Network, backend: Backend, estimator: Estimator) -> float:
    """Return the share of test examples that is right after a short course."""
    trainer = Trainer(
        network, backend, data, estimator=estimator, optimizer=Optimizer(rate=1e-2, anneal="cosine"),
        course=Course(epochs=10, batch_size=20), seed=0, pool=pool,
    )  # fmt: skip
    trainer.run()
    return float((trainer.predict(data.x_test) == data.y_test).mean())


def compare(network: Network, estimator: Estimator, specs: tuple[str, ...]) -> None:
    """Print a line per backend; the cosine is that to the gradient of the first."""
    first = None
    for spec in specs:
        backend = open_backend(spec)
        gradient = first_gradient(network, backend, estimator)
        first = gradient if first is None else first
        cosine = gradient @ first / np.linalg.norm(gradient) / np.linalg.norm(first)
        accuracy = accuracy_reached(network, backend, estimator)
        claim = backend.capabilities.claim.name
        print(f"{spec:26} {claim:12} cosine {cosine:.4f}   test accuracy {accuracy:.3f}")
        backend.close()


compare(amplitudes, Estimator(nudging=0.1), ("conjugate", "hopfield", "hopfield?update=gradient"))
compare(spins, Estimator(nudging=0.3, reads=50), ("exact?beta=1", "neal?beta=1&sweeps=20"))
