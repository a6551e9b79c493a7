"""Small networks of images, and a backend that settles any coupling by plain iteration."""

import numpy as np

from isingeq.backend import Capabilities, Claim, Equilibrium, Provenance, check_request
from isingeq.learning.cost import CrossEntropy, SquaredError
from isingeq.learning.images import stack_windows
from isingeq.learning.network import Network
from isingeq.machines.rest import iterate
from isingeq.terms import LinearNudge, QuadraticNudge
from isingeq.units import Amplitude, Layer

BOX, LINEAR = Amplitude(0.0, 1.0, 1.2), Amplitude(-np.inf, np.inf, 1.3)
CLASSES = 3


class Resting:
    """All layers at once until they rest, in double precision and plain numpy; fixed points to 1e-12.

    It starts where it last ended: differences take a settle each, all of them next to one another.
    """

    name = "resting"
    capabilities = Capabilities(
        units=frozenset({"amplitude", "logistic", "quartic"}),
        couplings=frozenset({"edges", "dense", "convolution"}),
        claim=Claim.FIXED_POINT,
        terms=frozenset({LinearNudge, QuadraticNudge}),
    )

    def __init__(self):
        self.last = None

    def suggest_schedule(self, problem):
        return None

    def settle(self, request):
        check_request(self.name, self.capabilities, request)
        start = np.full(request.problem.fields.shape, 0.3)
        if self.last is not None and self.last.shape == start.shape:
            start = self.last
        if request.initial is not None:
            start = request.initial[:, 0].astype(np.float64)
        found = iterate(
            request.problem, request.terms, start, order="synchronous", steps=2000, tolerance=1e-12
        )
        assert (found.residual <= 1e-12).all()
        self.last = found.states
        return Equilibrium(request, found.states[:, None], Provenance(self.name, "exact", 0))

    def close(self):
        pass


def image_network(pooling="max", *, skips=((0, 2),), cost="squared", output=LINEAR, pool=(1, 2, 1)):
    """Three layers of images on 6 × 6 inputs, the middle one pooled, a skip from first to third, and a dense output."""
    windows = stack_windows(
        (6, 6, 2), (3, 4, 3), kernel=(3,), padding=(1,), pool=pool, pooling=(pooling,)
    )
    layers = [Layer(f"conv{k}", int(np.prod(w.target)), BOX) for k, w in enumerate(windows, 1)]
    layers.append(Layer("output", CLASSES, output))
    costs = {"squared": SquaredError(CLASSES), "cross-entropy": CrossEntropy(CLASSES)}
    return Network(72, tuple(layers), costs[cost], windows=windows, skips=skips)


def drawn(net, *, seed=0, batch=2, gain=0.4):
    """Return parameters, inputs and labels in double precision, with few units at walls."""
    rng = np.random.default_rng([seed, 5])
    parameters = net.initial(seed, (gain,))
    parameters = parameters.like(parameters.vector.astype(np.float64))
    for layer in net.layers:
        bias = parameters[f"{layer.name}.bias"]
        bias[:] = rng.normal(0.3, 0.1, bias.size)
    return parameters, rng.normal(size=(batch, net.inputs)), rng.integers(0, CLASSES, batch)


def slope_along(function, parameters, name, seed, step=1e-5):
    """Return the central difference of a function of parameters along random changes of one array, and the changes."""
    along = np.random.default_rng([seed, 9]).normal(size=parameters[name].shape)
    ends = []
    for sign in (1, -1):
        moved = parameters.like(parameters.vector.copy())
        moved[name][:] += sign * step * along
        ends.append(function(moved))
    return (ends[0] - ends[1]) / (2 * step), along
