"""Backend `bifurcation`."""

import numpy as np
import pytest

from isingeq.backend import Claim, SettleRequest
from isingeq.backends.bifurcation import bifurcation
from isingeq.backends.exact import exact
from isingeq.couplings import Edges
from isingeq.errors import BackendError, CapabilityError, ConfigError
from isingeq.problem import Problem
from isingeq.schedule import Annealing, Drive
from isingeq.testing import BackendConformance
from isingeq.units import Layer, Spin


class TestDiscrete(BackendConformance):
    @pytest.fixture
    def backend(self):
        return bifurcation()


@pytest.mark.slow
class TestHeated(BackendConformance):
    @pytest.fixture
    def backend(self):
        return bifurcation(heat=0.05, keep="final", threads=2)


class TestBallistic(BackendConformance):
    @pytest.fixture
    def backend(self):
        return bifurcation(variant="ballistic")


@pytest.mark.slow
class TestAdiabatic(BackendConformance):
    @pytest.fixture
    def backend(self):
        return bifurcation(variant="adiabatic")


def glass(n, values, *, seed=0, batch=1):
    rng = np.random.default_rng(seed)
    i, j = np.triu_indices(n, 1)
    fields = rng.normal(0, 0.3, (batch, n))
    return Problem((Layer("s", n, Spin()),), (Edges(n, i, j, rng.choice(values, i.size)),), fields)


@pytest.mark.parametrize(
    ("variant", "gap"), [("adiabatic", 0.06), ("ballistic", 0.06), ("discrete", 1e-6)]
)
@pytest.mark.parametrize("values", [(-1.0, 1.0), (-0.3, 0.71)])
def test_ground_states_of_small_glasses(variant, gap, values):
    """The smooth variants end in the same low state from almost any start; the discrete one finds the lowest."""
    problem = glass(16, values, batch=3)
    backend = bifurcation(variant=variant)
    assert backend.capabilities.claim is Claim.GROUND_STATE
    found = backend.settle(SettleRequest(problem, reads=60, seed=2)).energies.min(axis=1)
    lowest = exact().settle(SettleRequest(problem)).energies.min(axis=1)
    np.testing.assert_allclose(found, lowest, rtol=gap)


def test_what_ran_is_in_the_provenance():
    problem = glass(600, (-1.0, 1.0))
    details = bifurcation(sweeps=5).settle(SettleRequest(problem)).provenance.details
    assert details["representation"] == "bits"
    assert details["machine"] == "Bifurcation"
    assert details["variant"] == "discrete"
    assert details["schedule"]["kind"] == "Drive"
    assert details["schedule"]["sweeps"] == 5


def test_trace_has_a_row_per_sweep_and_a_column_per_sample():
    problem = glass(20, (-1.0, 1.0), batch=3)
    out = bifurcation(sweeps=30).settle(SettleRequest(problem, reads=2, trace=True))
    assert out.trace is not None
    for series in (out.trace.energy, out.trace.kinetic, *out.trace.details.values()):
        assert series.shape == (30, 3)
        assert np.isfinite(series).all()
    best = out.trace.details["best_energy"]
    assert (np.diff(best, axis=0) <= 0).all()
    np.testing.assert_allclose(best[-1], out.energies.mean(axis=1), rtol=1e-5)


def test_changed_couplings_are_noticed():
    """Same backend, same shapes, other values: nothing of the first problem is left."""
    backend = bifurcation(sweeps=100)
    problems = [glass(40, (-1.0, 1.0), seed=seed) for seed in (1, 2)]
    fresh = [bifurcation(sweeps=100).settle(SettleRequest(p, reads=3)).states for p in problems]
    for problem, states in zip(problems, fresh, strict=True):
        np.testing.assert_array_equal(
            backend.settle(SettleRequest(problem, reads=3)).states, states
        )


def test_a_step_beyond_stability_is_refused():
    problem = glass(30, (-1.0, 1.0))
    with pytest.raises(ConfigError, match="stability bound"):
        bifurcation(dt=1.9).settle(SettleRequest(problem))
    with pytest.raises(ConfigError, match="stability bound"):
        bifurcation().settle(SettleRequest(problem, schedule=Drive(10, 1.0, (0, 1), (5.0, 5.0))))


def test_refusals():
    problem = glass(10, (-1.0, 1.0))
    with pytest.raises(CapabilityError, match="Annealing"):
        bifurcation().settle(SettleRequest(problem, schedule=Annealing.constant(1.0, 5)))
    with pytest.raises(CapabilityError, match="initial"):
        bifurcation().settle(SettleRequest(problem, initial=np.ones((1, 1, 10))))
    with pytest.raises(ConfigError, match="no argument"):
        bifurcation("x")
    with pytest.raises(ConfigError, match="got 'quantum'"):
        bifurcation(variant="quantum")
    backend = bifurcation(threads=2)
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.settle(SettleRequest(problem))
