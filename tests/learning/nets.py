"""Small networks whose every derivative can be checked, and a backend that counts."""

from dataclasses import dataclass, field

import numpy as np

from isingeq.backend import SettleRequest
from isingeq.backends.simulator import hopfield
from isingeq.kernels.pool import Pool
from isingeq.learning.cost import CrossEntropy, SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.gradient import estimate
from isingeq.learning.network import Network
from isingeq.units import Amplitude, Layer, Spin

POOL = Pool(1)
BOX, LINEAR = Amplitude(0.0, 1.0), Amplitude(-np.inf, np.inf, 1.3)
CLASSES = 3
TIGHT = {"precision": "float64", "tolerance": 1e-12, "free_steps": 5000, "nudged_steps": 5000}


def build(hidden=(6,), output=LINEAR, cost="squared", *, seed=0, batch=5):
    """Return network, parameters, inputs and labels in double precision, no unit near a wall it might cross."""
    sizes = (*hidden, CLASSES)
    units = (*(BOX for _ in hidden), output)
    layers = tuple(Layer(f"l{k}", s, u) for k, (s, u) in enumerate(zip(sizes, units, strict=True)))
    net = Network(4, layers, SquaredError(CLASSES) if cost == "squared" else CrossEntropy(CLASSES))
    for attempt in range(100):
        rng = np.random.default_rng([seed, attempt])
        parameters = net.initial(seed + attempt, (0.5,))
        parameters = parameters.like(parameters.vector.astype(np.float64))
        for layer in layers:
            parameters[f"{layer.name}.bias"][:] = rng.normal(0.35, 0.2, layer.size)
        x, labels = rng.normal(size=(batch, 4)), rng.integers(0, CLASSES, batch)
        if _clearance(net, parameters, x) > 0.015:
            return net, parameters, x, labels
    raise AssertionError("no network away from the kinks found")


def _clearance(net, parameters, x):
    """Distance of the nearest unit to where its wall begins or ends to hold it; also wants both kinds of units."""
    problem = net.problem(net.couplings(parameters), net.encode(parameters, x, POOL))
    backend = hopfield()
    states = backend.settle(
        SettleRequest(problem, precision="float64", tolerance=1e-12, max_steps=5000)
    ).states
    backend.close()
    stiffness = np.repeat(
        [layer.unit.stiffness for layer in net.layers], [layer.size for layer in net.layers]
    )
    aim = -problem.field(states) / stiffness
    low, high = problem.bounds
    free = (states > low) & (states < high)
    if (
        not all(0.3 < free[..., slice(*span)].mean() < 0.95 for span in net.spans[:-1])
        or free[..., slice(*net.spans[-1])].mean() < 0.3
    ):
        return 0.0
    return min(np.abs(aim - low).min(), np.abs(aim - high).min())


def gradient(net, backend, parameters, x, labels, schedule=None, **options):
    """Return one step of an estimator, tight unless told otherwise."""
    return estimate(
        Estimator(**TIGHT | options), net, backend, parameters, x, labels,
        seed=1, schedule=schedule, pool=POOL, out=parameters.like(),
    )  # fmt: skip


def differences(function, parameters, step=1e-5):
    """Return central finite differences of a function of parameters."""
    out = parameters.like()
    for k in range(parameters.vector.size):
        ends = []
        for sign in (1, -1):
            vector = parameters.vector.copy()
            vector[k] += sign * step
            ends.append(function(parameters.like(vector)))
        out.vector[k] = (ends[0] - ends[1]) / (2 * step)
    return out


def cosine(a, b):
    return float(a.ravel() @ b.ravel() / (np.linalg.norm(a) * np.linalg.norm(b)))


def error(a, b):
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def free_cost(net, backend, parameters, x, labels):
    """Return the mean cost of the mean free state; no nudged phase plays a part in it."""
    problem = net.problem(net.couplings(parameters), net.encode(parameters, x, POOL))
    found = backend.settle(
        SettleRequest(problem, precision="float64", tolerance=1e-12, max_steps=5000)
    )
    outputs = found.mean()[:, slice(*net.spans[-1])]
    return float(net.cost.values(parameters, outputs, labels).mean())


def spin_network(hidden=3, replicas=1):
    """Spins, few enough to be enumerated; targets are ±1."""
    layers = (Layer("hidden", hidden, Spin()), Layer("output", 2 * replicas, Spin()))
    return Network(4, layers, SquaredError(2, replicas, -1.0, 1.0))


@dataclass
class Counting:
    """A backend that writes down what it is asked."""

    inner: object
    requests: list = field(default_factory=list)

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def settle(self, request):
        self.requests.append(request)
        return self.inner.settle(request)
