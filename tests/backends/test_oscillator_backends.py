"""Backends `oscillator` and `xy`: conformance of every form, and their options."""

import numpy as np
import pytest

from isingeq.backend import Backend, Claim, SettleRequest
from isingeq.backends.oscillator import oscillator, xy
from isingeq.couplings import Cosine, Dense, Edges, Injection
from isingeq.errors import CapabilityError, ConfigError
from isingeq.problem import Problem
from isingeq.terms import Clamp, CosineNudge, LogCosNudge
from isingeq.testing import BackendConformance
from isingeq.units import Layer, Phase


class TestOscillatorPhases(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return oscillator(readout="phase")


class TestOscillatorSpins(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return oscillator(sweeps=300)


class TestXY(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return xy(threads=2)


@pytest.mark.slow
class TestBlurredPhases(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return oscillator(readout="phase", noise=0.01, spread=0.05, readout_bits=5)


def problem(rows=40):
    rng = np.random.default_rng(0)
    layers = (Layer("a", 12, Phase()), Layer("b", 4, Phase()))
    couplings = (
        Cosine(Dense((0, 12), (12, 16), rng.normal(size=(12, 4)) / 3)),
        Cosine(Edges(16, np.array([0, 3]), np.array([5, 14]), rng.normal(size=2))),
        Injection(rng.normal(size=16) / 5),
    )
    return Problem(layers, couplings, rng.normal(size=(rows, 16, 2)))


def test_what_blurs_phases_takes_the_claim():
    exact, blurred = oscillator(readout="phase"), oscillator(readout="phase", noise=0.1)
    assert exact.capabilities.claim is Claim.FIXED_POINT
    for one in (blurred, oscillator(readout="phase", spread=0.1), xy(readout_bits=4)):
        assert one.capabilities.claim is Claim.NONE
    assert oscillator().capabilities.claim is Claim.GROUND_STATE
    assert blurred.settle(SettleRequest(problem(), max_steps=5)).residual is None


@pytest.mark.parametrize("bits", [1, 4, 10])
def test_phases_are_read_in_steps(bits):
    request = SettleRequest(problem(), max_steps=300, seed=3)
    exact = xy().settle(request).states
    read = xy(readout_bits=bits).settle(request)
    step = 2 * np.pi / 2**bits
    np.testing.assert_allclose(read.states / step, np.rint(read.states / step), atol=1e-4)
    assert np.abs(read.states - exact).max() <= 0.5001 * step
    assert read.provenance.details["readout_bits"] == bits


def test_phases_start_where_they_are_told():
    request = SettleRequest(problem(), max_steps=1, seed=3)
    states = oscillator(readout="phase", start="1.5", dt=1e-9).settle(request).states
    np.testing.assert_allclose(states, 1.5, atol=1e-6)
    drawn = oscillator(readout="phase", dt=1e-9).settle(request).states
    other = oscillator(readout="phase", dt=1e-9).settle(
        SettleRequest(problem(), max_steps=1, seed=4)
    )
    assert np.abs(drawn).max() > 3
    assert not np.array_equal(drawn, other.states)


def test_every_read_starts_on_its_own():
    answer = xy().settle(SettleRequest(problem(2), reads=5, max_steps=1, tolerance=0.0))
    assert np.unique(answer.states[:, :, 0].round(5)).size == 10


@pytest.mark.parametrize(
    "make", [lambda t: oscillator(readout="phase", threads=t), lambda t: xy(threads=t)]
)
def test_threads_change_nothing(make):
    request = SettleRequest(problem(100), reads=2, max_steps=30, seed=3)
    one, three = (make(threads).settle(request) for threads in (1, 3))
    np.testing.assert_array_equal(one.states, three.states)
    np.testing.assert_array_equal(one.steps, three.steps)


def test_nudges_of_single_reads_are_those_of_their_sample():
    """Springs and pulls per sample reach every read of the sample, and no other."""
    whole, rng = problem(3), np.random.default_rng(5)
    spring = CosineNudge((12, 16), rng.choice([-1.0, 1.0], (3, 4)), np.array([2.0, -1.0, 0.5]))
    pull = LogCosNudge((0, 3), rng.uniform(-1, 1, (3, 3)), np.array([0.2, 1.0, 0.0]))
    start = rng.uniform(-1, 1, (3, 1, 16))
    together = xy().settle(
        SettleRequest(
            whole, (spring, pull), reads=4, initial=np.repeat(start, 4, axis=1), max_steps=20
        )
    )
    for row in range(3):
        part = slice(row, row + 1)
        terms = (
            CosineNudge((12, 16), spring.targets[part], spring.strength[part]),
            LogCosNudge((0, 3), pull.targets[part], pull.strength[part]),
        )
        alone = xy().settle(
            SettleRequest(
                whole.with_fields(whole.fields[part]), terms, initial=start[part], max_steps=20
            )
        )
        for read in range(4):
            np.testing.assert_array_equal(together.states[row, read], alone.states[0, 0])


def test_two_nudges_of_a_kind_are_refused():
    term = CosineNudge((12, 16), np.ones((40, 4)), np.ones(40))
    with pytest.raises(CapabilityError, match="one CosineNudge at a time"):
        xy().settle(SettleRequest(problem(), (term, term)))


def test_clamps_add_up_unit_by_unit():
    rng = np.random.default_rng(1)
    masks = np.arange(16) % 5 == 0, np.arange(16) == 13
    values = rng.uniform(-3, 3, (40, 16))
    terms = tuple(Clamp(mask, values) for mask in masks)
    answer = xy().settle(SettleRequest(problem(), terms, max_steps=3000))
    held = masks[0] | masks[1]
    np.testing.assert_array_equal(answer.states[:, 0, held], values[:, held].astype(np.float32))
    assert answer.settled.all()


def test_a_warm_start_with_other_phases_by_whole_turns_is_the_same():
    request = SettleRequest(problem(), max_steps=2000, tolerance=1e-3)
    rest = xy().settle(request)
    again = xy().settle(
        SettleRequest(problem(), max_steps=10, tolerance=2e-3, initial=rest.states + 2 * np.pi)
    )
    assert (again.steps == 0).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"readout": "amplitude"}, "spin or phase"),
        ({"readout_bits": 4}, "readout=phase only"),
        ({"start": "0"}, "readout=phase only"),
        ({"readout": "phase", "sweeps": 10}, "readout=spin only"),
        ({"readout": "phase", "injection": 1.0}, "readout=spin only"),
        ({"readout": "phase", "heat": 0.0}, "readout=spin only"),
        ({"readout": "phase", "start": "anywhere"}, "angle"),
        ({"readout": "phase", "start": "nan"}, "angle"),
        ({"readout": "phase", "readout_bits": 25}, "readout_bits"),
        ({"argument": "x"}, "takes no argument"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        oscillator(**options)


def test_xy_takes_no_argument():
    with pytest.raises(ConfigError, match="takes no argument"):
        xy("x")
