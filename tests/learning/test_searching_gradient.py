"""Whatever searches in the free phase, the gradient of equilibrium propagation is the same."""

import numpy as np
import pytest
from nets import build, cosine, differences, free_cost, gradient

from isingeq.backends.searching import amplitude_error, partner, state_adam
from isingeq.backends.simulator import Simulator, conjugate
from isingeq.machines.conjugate import Conjugate

BACKENDS = {
    "partner": lambda: partner(momentum=0.1),
    "amplitude-error": lambda: amplitude_error(spread=0.1),
    "state-adam": lambda: state_adam(),
    "state-adam, hopfield": lambda: state_adam(relaxation="hopfield"),
    "ramp": lambda: conjugate(damping="0.8", final_damping=2.0, dt=0.7, ramp=1.0, momentum=0.1),
    "own friction": lambda: Simulator("own", Conjugate(nudged_damping=1.5)),
}


@pytest.mark.parametrize("name", BACKENDS)
def test_gradients_are_those_of_conjugate(name):
    net, parameters, x, labels = build(hidden=(8, 6), seed=2)
    reference, backend = conjugate(), BACKENDS[name]()
    wanted = gradient(net, reference, parameters, x, labels, nudging=0.003).gradient
    found = gradient(net, backend, parameters, x, labels, nudging=0.003).gradient
    for key in parameters:
        assert cosine(found[key], wanted[key]) >= 0.9999
    np.testing.assert_allclose(found.vector, wanted.vector, atol=1e-7)
    assert np.linalg.norm(wanted.vector) > 0.01
    reference.close()
    backend.close()


def test_and_those_of_finite_differences():
    net, parameters, x, labels = build(hidden=(6,), seed=1)
    backend = partner()

    def cost(at):
        return free_cost(net, backend, at, x, labels)

    found = gradient(net, backend, parameters, x, labels, nudging=0.003).gradient
    assert cosine(found.vector, differences(cost, parameters).vector) >= 0.9999
    backend.close()
