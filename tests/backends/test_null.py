import numpy as np
import pytest

from isingeq.backend import Claim, SettleRequest
from isingeq.backends.null import null
from isingeq.errors import BackendError, ConfigError
from isingeq.problem import Problem
from isingeq.schedule import Annealing, Relaxation
from isingeq.terms import Clamp
from isingeq.units import Amplitude, Layer, Logistic, Spin

LAYERS = (
    Layer("spins", 2, Spin()),
    Layer("hidden", 1, Amplitude(0.5, 2.0)),
    Layer("soft", 1, Logistic(4.0)),
)
PROBLEM = Problem(LAYERS, (), np.ones((3, 4)))


def test_without_a_start_units_rest_in_their_boxes():
    out = null().settle(SettleRequest(PROBLEM, reads=2))
    resting = [1.0, 1.0, 0.5, 1 / (1 + np.exp(2.0))]
    np.testing.assert_allclose(out.states, np.broadcast_to(resting, (3, 2, 4)), rtol=1e-6)
    assert out.states.dtype == np.float32
    assert np.isfinite(out.energies).all()
    assert out.residual is None


def test_a_start_comes_back_as_it_went_in():
    low, high = PROBLEM.bounds
    start = np.random.default_rng(0).uniform(low, high, (3, 2, 4))
    out = null().settle(SettleRequest(PROBLEM, reads=2, initial=start, precision="float64"))
    np.testing.assert_array_equal(out.states, start)
    assert not np.shares_memory(out.states, start)


def test_clamped_units_stand_where_they_are_clamped():
    mask = np.array([False, True, False, False])
    clamp = Clamp(mask, -np.ones((3, 4)))
    states = null().settle(SettleRequest(PROBLEM, (clamp,), reads=2)).states
    assert (states[..., 1] == -1).all()
    assert (states[..., 0] == 1).all()


@pytest.mark.parametrize(
    "schedule", [Annealing((1.0,)), Relaxation("synchronous", 1.0, (1.0, 1.0))]
)
def test_takes_every_schedule_and_promises_nothing(schedule):
    backend = null()
    assert backend.capabilities.claim is Claim.NONE
    assert backend.suggest_schedule(PROBLEM) is None
    assert backend.settle(SettleRequest(PROBLEM, schedule=schedule)).states.shape == (3, 1, 4)


def test_closed_or_misnamed():
    backend = null()
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.settle(SettleRequest(PROBLEM))
    with pytest.raises(ConfigError, match="no argument"):
        null("x")
