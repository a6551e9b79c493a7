"""The coherent Ising machine as a backend: conformance, options, and training on its amplitudes."""

from dataclasses import replace

import numpy as np
import pytest

from isingeq.backend import Backend, Claim, SettleRequest
from isingeq.backends.coherent import coherent
from isingeq.errors import BackendError, CapabilityError, ConfigError, DivergenceError
from isingeq.kernels.pool import Pool
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.gradient import estimate
from isingeq.learning.network import Network
from isingeq.schedule import Drive, Relaxation
from isingeq.terms import Clamp
from isingeq.testing import BackendConformance
from isingeq.units import Layer, Quartic


class TestSpins(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return coherent()


@pytest.mark.slow
class TestFinalSpins(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return coherent(keep="final", threads=2)


@pytest.mark.slow
class TestMeasured(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return coherent(variant="ahc", noise=0.1)


class TestAmplitudes(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return coherent(readout="amplitude")


def test_options_are_in_the_provenance(frustrated):
    backend = coherent(variant="ahc", sweeps=30, dt=0.05, keep="final", noise=0.2)
    details = backend.settle(SettleRequest(frustrated)).provenance.as_dict()
    backend.close()
    assert details["backend"] == "coherent"
    assert (details["variant"], details["keep"], details["noise"]) == ("ahc", "final", 0.2)
    assert details["schedule"]["sweeps"] == 30
    assert details["schedule"]["dt"] == 0.05
    assert details["representation"] in ("sparse", "dense")
    assert details["control"]["follows"] is True


def test_a_schedule_is_taken_and_a_step_beyond_stability_refused(frustrated):
    backend = coherent()
    drive = backend.suggest_schedule(frustrated)
    assert isinstance(drive, Drive)
    with pytest.raises(ConfigError, match="at most"):
        backend.settle(SettleRequest(frustrated, schedule=replace(drive, dt=100.0)))
    backend.settle(SettleRequest(frustrated, schedule=replace(drive, sweeps=7)))
    backend.close()


def test_spins_that_are_all_held_need_no_machine(frustrated):
    backend = coherent(sweeps=3)
    values = np.where(np.arange(15).reshape(3, 5) % 2, 1.0, -1.0)
    found = backend.settle(SettleRequest(frustrated, (Clamp(np.ones(5, bool), values),)))
    assert np.array_equal(found.states[:, 0], values)
    backend.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"argument": "x"}, "no argument"),
        ({"readout": "phase"}, "readout 'phase'"),
        ({"variant": "sfc"}, "variant 'sfc'"),
        ({"readout": "amplitude", "noise": 0.1}, "dt and threads alone"),
        ({"readout": "amplitude", "dt": -1.0}, "dt -1.0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        coherent(**options)


CLASSES = 3


@pytest.fixture(scope="module")
def amplitudes():
    opened = coherent(readout="amplitude")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def pool():
    opened = Pool(1)
    yield opened
    opened.close()


def network(hidden, pump):
    sizes = (*hidden, CLASSES)
    layers = tuple(Layer(f"l{k}", size, Quartic(pump - 0.1 * k)) for k, size in enumerate(sizes))
    net = Network(4, layers, SquaredError(CLASSES))
    rng = np.random.default_rng(2)
    parameters = net.initial(1, (0.6,))
    parameters = parameters.like(parameters.vector.astype(np.float64))
    for layer in layers:
        parameters[f"{layer.name}.bias"][:] = rng.normal(0.2, 0.3, layer.size)
    return net, parameters, rng.normal(size=(5, 4)), rng.integers(0, CLASSES, 5)


class TestTraining:
    # 1.2 is above the threshold: an equilibrium is then the one that the flow finds.
    @pytest.mark.parametrize(
        ("hidden", "pump"),
        [
            ((6,), -0.5),
            ((6, 5), 1.2),
            *(
                pytest.param(*more, marks=pytest.mark.slow)
                for more in (((6,), 0.4), ((6,), 1.2), ((6, 5), -0.5), ((6, 5), 0.4))
            ),
        ],
    )
    def test_centred_is_the_gradient_of_the_cost_at_equilibrium(
        self, amplitudes, pool, hidden, pump
    ):
        net, parameters, x, labels = network(hidden, pump)

        def cost(p):
            problem = net.problem(net.couplings(p), net.encode(p, x, pool))
            found = amplitudes.settle(
                SettleRequest(problem, precision="float64", tolerance=1e-12, max_steps=20_000)
            )
            assert (found.residual <= 1e-12).all()
            return float(net.cost.values(p, found.mean()[:, slice(*net.spans[-1])], labels).mean())

        found = estimate(
            Estimator(
                precision="float64", tolerance=1e-12, free_steps=20_000, nudged_steps=20_000,
                nudging=3e-4,
            ),
            net, amplitudes, parameters, x, labels,
            seed=1, schedule=None, pool=pool, out=parameters.like(),
        )  # fmt: skip
        assert found.cost == pytest.approx(cost(parameters), rel=1e-10)
        true = parameters.like()
        for k in range(parameters.vector.size):
            ends = []
            for sign in (1, -1):
                vector = parameters.vector.copy()
                vector[k] += sign * 1e-5
                ends.append(cost(parameters.like(vector)))
            true.vector[k] = (ends[0] - ends[1]) / 2e-5
        for name in parameters:
            size = np.linalg.norm(true[name])
            assert size > 1e-3, f"{name} has no gradient to compare"
            assert np.linalg.norm(found.gradient[name] - true[name]) < 2e-5 * size

    def test_a_schedule_of_another_kind_of_machine_is_refused(self, amplitudes, pool):
        net, parameters, x, _ = network((6,), 0.4)
        problem = net.problem(net.couplings(parameters), net.encode(parameters, x, pool))
        assert amplitudes.capabilities.claim is Claim.FIXED_POINT
        for order, damping in (("asynchronous", np.inf), ("synchronous", 1.0)):
            schedule = Relaxation(order, 0.5, (damping, damping))
            with pytest.raises(CapabilityError, match="synchronous"):
                amplitudes.settle(SettleRequest(problem, schedule=schedule))

    def test_divergence_is_an_error(self, pool):
        net, parameters, x, _ = network((6,), 0.4)
        parameters["l0-l1.weight"][:] *= 1e4
        problem = net.problem(net.couplings(parameters), net.encode(parameters, x, pool))
        wild = coherent(readout="amplitude", dt=1e30)
        with pytest.raises(DivergenceError, match="lower dt"):
            wild.settle(SettleRequest(problem, max_steps=500))
        wild.close()
        with pytest.raises(BackendError, match="closed"):
            wild.settle(SettleRequest(problem))

    def test_threads_and_batch_do_not_matter_much(self, amplitudes, pool):
        net, parameters, _, _ = network((6, 5), 0.4)
        x = np.random.default_rng(0).normal(size=(200, 4))
        problem = net.problem(net.couplings(parameters), net.encode(parameters, x, pool))
        request = SettleRequest(problem, precision="float64", tolerance=1e-10, max_steps=2000)
        two = coherent(readout="amplitude", threads=2)
        one, other = amplitudes.settle(request), two.settle(request)
        two.close()
        assert one.states == pytest.approx(other.states, abs=1e-12)
        assert np.abs(one.steps - other.steps).max() <= 1
