import numpy as np
import pytest

from isingeq.backends.simulator import conjugate, hopfield
from isingeq.errors import CapabilityError
from isingeq.kernels.pool import Pool
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.gradient import estimate
from isingeq.learning.network import Network
from isingeq.units import Amplitude, Layer, Logistic

LINEAR = Amplitude(-np.inf, np.inf)
NETWORK = Network(6, (Layer("h", 9, Logistic()), Layer("o", 4, LINEAR)), SquaredError(4))
RNG = np.random.default_rng(5)
X, LABELS = RNG.random((7, 6)), RNG.integers(0, 4, 7)


def gradient(backend=None, network=NETWORK, **options):
    parameters = network.initial(3, (0.4,))
    exact = parameters.like(parameters.vector.astype(np.float64))
    estimator = Estimator(
        tolerance=1e-13, free_steps=5000, nudged_steps=5000, precision="float64", **options
    )
    step = estimate(
        estimator, network, backend or hopfield(), exact, X, LABELS,
        seed=0, schedule=None, pool=Pool(1), out=exact.like(),
    )  # fmt: skip
    return step.gradient.vector.copy()


def error(truth, **options):
    found = gradient(method="holomorphic", **options)
    return np.linalg.norm(found - truth) / np.linalg.norm(truth)


def test_the_error_falls_with_the_number_of_points_as_the_power_of_the_nudging():
    truth = gradient(method="holomorphic", nudging=0.02, points=8)
    for points in (2, 4):
        wide, narrow = (error(truth, nudging=nudging, points=points) for nudging in (0.08, 0.04))
        assert np.log2(wide / narrow) == pytest.approx(points, abs=0.35)
    assert error(truth, nudging=0.05, points=6) < 1e-2 * error(truth, nudging=0.05, points=2)


def test_two_points_are_the_centred_estimate():
    np.testing.assert_allclose(
        gradient(method="holomorphic", nudging=0.1, points=2),
        gradient(method="centred", nudging=0.1),
        rtol=1e-9,
    )


def test_complex_nudging_is_refused_where_it_has_no_meaning():
    with pytest.raises(CapabilityError, match="real nudging"):
        gradient(conjugate(), network=boxed(), method="holomorphic", points=4)
    with pytest.raises(CapabilityError, match="smooth"):
        gradient(network=boxed(), method="holomorphic", points=4)


def boxed():
    return Network(6, (Layer("h", 9, Amplitude()), Layer("o", 4, LINEAR)), SquaredError(4))
