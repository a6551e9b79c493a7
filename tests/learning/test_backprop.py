import numpy as np
import pytest

from isingeq.errors import ConfigError
from isingeq.kernels.pool import Pool
from isingeq.learning.backprop import backprop, forward
from isingeq.learning.cost import CrossEntropy, SquaredError
from isingeq.learning.network import Network
from isingeq.units import Amplitude, Layer, Logistic, Spin

LINEAR = Amplitude(-np.inf, np.inf)
RNG = np.random.default_rng(2)
X, LABELS = RNG.random((6, 5)), RNG.integers(0, 3, 6)
NETWORKS = {
    "boxes": Network(5, (Layer("h", 8, Amplitude(-0.4, 0.9, 1.3)), Layer("g", 6, Amplitude()), Layer("o", 3, LINEAR)),
                     SquaredError(3)),
    "logistic": Network(5, (Layer("h", 8, Logistic(3.0)), Layer("o", 3, LINEAR)), SquaredError(3)),
    "cross-entropy": Network(5, (Layer("h", 8, Amplitude()), Layer("g", 6, Amplitude(-1, 1))), CrossEntropy(3)),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_gradient_is_that_of_finite_differences(name):
    network, pool = NETWORKS[name], Pool(1)
    drawn = network.initial(4)
    parameters = drawn.like(
        drawn.vector + 0.1 * np.random.default_rng(1).standard_normal(drawn.vector.shape)
    )
    parameters = parameters.like(parameters.vector.astype(np.float64))
    found, cost, correct = backprop(
        network, parameters, X, LABELS, pool=pool, out=parameters.like()
    )

    def cost_at(vector):
        moved = parameters.like(vector)
        outputs = forward(network, moved, X, pool).layers[-1]
        return network.cost.values(moved, outputs, LABELS).mean()

    assert cost == pytest.approx(cost_at(parameters.vector), rel=1e-12)
    assert 0 <= correct <= 6
    step = 1e-6
    sure = np.empty_like(parameters.vector)
    for k in range(sure.size):
        up, down = parameters.vector.copy(), parameters.vector.copy()
        up[k] += step
        down[k] -= step
        sure[k] = (cost_at(up) - cost_at(down)) / (2 * step)
    assert np.linalg.norm(sure) > 0.1
    np.testing.assert_allclose(found.vector, sure, atol=1e-7)


def test_spins_have_no_derivative():
    network = Network(5, (Layer("h", 4, Spin()), Layer("o", 3, Spin())), SquaredError(3, low=-1))
    with pytest.raises(ConfigError, match="needs amplitudes"):
        forward(network, network.initial(0), X, Pool(1))
