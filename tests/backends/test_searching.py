"""A search in the free phase, then a relaxation: where it rests, what it costs, and what it is good for."""

from dataclasses import replace

import numpy as np
import pytest

from isingeq.backend import Claim, SettleRequest, residual_of
from isingeq.backends.searching import amplitude_error, partner, state_adam
from isingeq.backends.simulator import conjugate, hopfield
from isingeq.couplings import Convolution, Dense, Edges, Window
from isingeq.errors import BackendError, ConfigError, DivergenceError
from isingeq.problem import Problem
from isingeq.terms import QuadraticNudge
from isingeq.testing import BackendConformance
from isingeq.units import Amplitude, Layer

INF = np.inf
OPEN = {"partner": partner, "amplitude-error": amplitude_error, "state-adam": state_adam}
EVERY = pytest.mark.parametrize("name", OPEN)


class TestPartner(BackendConformance):
    @pytest.fixture
    def backend(self):
        return partner(momentum=0.2)


class TestAmplitudeError(BackendConformance):
    @pytest.fixture
    def backend(self):
        return amplitude_error(spread=0.1)


class TestStateAdam(BackendConformance):
    @pytest.fixture
    def backend(self):
        return state_adam(relaxation="hopfield")


def network(batch=4, strength=0.5):
    rng = np.random.default_rng(3)
    layers = (
        Layer("a", 9, Amplitude(0, 1, 1.4)),
        Layer("b", 6, Amplitude(-0.5, 1.5, 0.9)),
        Layer("c", 3, Amplitude(-INF, INF, 1.2)),
    )
    couplings = (
        Dense((0, 9), (9, 15), strength * rng.normal(size=(9, 6))),
        Dense((9, 15), (15, 18), strength * rng.normal(size=(6, 3))),
    )
    return Problem(layers, couplings, 0.7 * rng.normal(size=(batch, 18)))


def images(batch=3):
    """A 6 × 6 image, nine pools of its largest pulls in two channels, and a linear output."""
    rng = np.random.default_rng(8)
    window = Window((6, 6, 1), 2, 3, padding=1, pool=2, pooling="max")
    layers = (
        Layer("a", 36, Amplitude(0, 1)),
        Layer("b", 18, Amplitude(0, 1)),
        Layer("c", 3, Amplitude(-INF, INF)),
    )
    couplings = (
        Convolution((0, 36), (36, 54), window, 0.2 * rng.normal(size=window.shape)),
        Dense((36, 54), (54, 57), 0.2 * rng.normal(size=(18, 3))),
    )
    return Problem(layers, couplings, 0.6 * rng.normal(size=(batch, 57)))


def glass(seed, half=30, norm=3.0):
    """Spin-like amplitudes in two layers, couplings of both signs and three times the stiffness."""
    rng = np.random.default_rng(seed)
    J = rng.normal(size=(half, half))
    layers = tuple(Layer(name, half, Amplitude(-1, 1)) for name in "ab")
    coupling = Dense((0, half), (half, 2 * half), J * (norm / np.linalg.norm(J, 2)))
    return Problem(layers, (coupling,), 0.1 * rng.normal(size=(1, 2 * half)))


def settled(backend, asked):
    try:
        return backend.settle(asked)
    finally:
        backend.close()


@EVERY
@pytest.mark.parametrize("kind", ["dense", "edges", "convolution"])
def test_it_rests_where_the_energy_is_stationary(name, kind):
    problem = images() if kind == "convolution" else network()
    if kind == "edges":
        listed = tuple(Edges(problem.n, *k.edges()) for k in problem.couplings)
        problem = replace(problem, couplings=listed)
    asked = SettleRequest(problem, precision="float64", tolerance=1e-10, max_steps=3000)
    found = settled(OPEN[name](), asked)
    assert problem.residual(found.states).max() <= 1e-10
    assert found.settled.all()
    assert found.states.dtype == np.float64


@EVERY
def test_a_nudged_phase_is_the_relaxation_alone(name):
    problem = network()
    nudge = QuadraticNudge((15, 18), np.ones((4, 3)), np.array([0.3, -0.3, 0.1, -0.1]))
    start = np.clip(np.random.default_rng(0).normal(size=(4, 1, 18)), *problem.bounds)
    asked = SettleRequest(problem, (nudge,), initial=start, max_steps=300, seed=2)
    found, plain = settled(OPEN[name](), asked), settled(conjugate(), asked)
    np.testing.assert_array_equal(found.states, plain.states)
    np.testing.assert_array_equal(found.steps, plain.steps)
    assert found.provenance.details["stages"] == {"search": 0, "relaxation": "conjugate"}
    assert residual_of(asked, found.states).max() <= asked.tolerance


@EVERY
def test_steps_of_both_stages_are_counted_and_told(name):
    problem = network()
    asked = SettleRequest(problem, max_steps=1000, tolerance=1e-5)
    found = settled(OPEN[name](steps=25), asked)
    assert (found.steps > 25).all()
    told = found.provenance.as_dict()
    assert told["backend"] == name
    assert told["stages"] == {"search": 25, "relaxation": "conjugate"}
    machine = {"partner": "Partner", "amplitude-error": "AmplitudeError", "state-adam": "StateAdam"}
    assert told["search"]["machine"] == machine[name]
    assert told["schedule"]["order"] == "asynchronous"
    # a search leaves half of the steps, and of a single one all, to the relaxation
    for most, searched in ((9, 4), (1, 0)):
        short = settled(OPEN[name](steps=25), replace(asked, max_steps=most, tolerance=0.0))
        assert (short.steps == most).all()
        assert short.provenance.details["stages"]["search"] == searched


@EVERY
def test_a_trace_shows_both_stages(name):
    asked = SettleRequest(
        network(), max_steps=60, tolerance=1e-6, precision="float64", trace=True, reads=2, seed=4
    )
    found = settled(OPEN[name](steps=12), asked)
    assert found.trace.energy.shape == found.trace.residual.shape
    # the relaxation writes down the step at which it finds that nothing moves, too
    assert len(found.trace.energy) - found.steps.max() in (0, 1)
    np.testing.assert_allclose(found.trace.energy[-1], found.energies.mean(axis=1))
    plain = settled(OPEN[name](steps=12), replace(asked, trace=False))
    np.testing.assert_array_equal(found.states, plain.states)
    # the search by itself, one step of it at a time, ends where the trace says
    searched, _ = OPEN[name](steps=12)._searched(asked, 12)
    np.testing.assert_allclose(
        found.trace.energy[11], asked.problem.energy(searched).mean(axis=1), rtol=1e-12
    )


@pytest.mark.parametrize(
    "search", [partner(steps=120), amplitude_error(steps=120)], ids=lambda s: s.name
)  # fmt: skip
def test_a_search_ends_lower_than_descent_at_equal_work(search):
    """On glasses, the mean over 40 starts each, against descent and its fastest form, by many standard errors.

    Adam is not among them: on these it ends where descent does.
    """
    gained, gaps = [], []
    for seed in range(12):
        problem = glass(seed)
        start = np.random.default_rng(seed).uniform(-1, 1, (1, 40, problem.n))
        asked = SettleRequest(problem, reads=40, initial=start, tolerance=0.0, max_steps=200)
        found = search.settle(asked).energies
        descents = [settled(backend, asked).energies for backend in (hopfield(), conjugate())]
        lowest = min(energies.min() for energies in (found, *descents))
        descent = min(energies.mean() for energies in descents)
        gained.append((descent - found.mean()) / -lowest)
        gaps.append(((found.mean() - lowest) / -lowest, (descent - lowest) / -lowest))
    search.close()
    assert np.mean(gained) > 5 * np.std(gained, ddof=1) / np.sqrt(len(gained))
    ended, descended = np.mean(gaps, axis=0)
    assert ended < 0.6 * descended
    assert descended > 0.05


def test_the_partner_crosses_the_barrier_of_a_tilted_two_well():
    layers = tuple(Layer(name, 1, Amplitude(-1, 1)) for name in "ab")
    problem = Problem(layers, (Dense((0, 1), (1, 2), np.array([[-3.0]])),), np.full((1, 2), 0.3))
    asked = SettleRequest(problem, initial=np.ones((1, 1, 2)), max_steps=300)
    np.testing.assert_array_equal(settled(hopfield(), asked).states, 1)
    np.testing.assert_array_equal(settled(partner(strength=0.0), asked).states, 1)
    np.testing.assert_array_equal(settled(partner(strength=2.5, decay=1.0), asked).states, -1)


@EVERY
def test_searches_that_run_away_say_so(name):
    problem = network(strength=1e30)
    backend = OPEN[name]()
    if name == "state-adam":  # its steps are as long as its lr, whatever pulls
        backend = state_adam(lr=1e300)
    with pytest.raises(DivergenceError, match="diverged within"):
        settled(backend, SettleRequest(problem, max_steps=1000))


@EVERY
def test_what_it_takes_is_what_its_relaxation_takes(name):
    backend = OPEN[name]()
    assert backend.capabilities.claim is Claim.FIXED_POINT
    assert backend.capabilities.couplings == backend.relaxation.capabilities.couplings
    backend.close()
    with pytest.raises(BackendError, match=f"{name} is closed"):
        backend.settle(SettleRequest(network()))


@EVERY
@pytest.mark.parametrize(
    ("argument", "options", "said"),
    [
        ("x", {}, "takes no argument"),
        ("", {"relaxation": "coherent"}, "not one of conjugate, hopfield"),
        ("", {"steps": 0}, "at least 1 step"),
    ],
)
def test_wrong_options_are_refused(name, argument, options, said):
    with pytest.raises(ConfigError, match=said):
        OPEN[name](argument, **options)
