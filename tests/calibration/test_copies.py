"""Copies of a problem on one chip: every copy is a read of the distribution asked for."""

from dataclasses import replace

import numpy as np
import pytest
from board import Board

from calibration import Copies, MappingOptions, mapped, reports
from isingeq.backend import Backend, SettleRequest
from isingeq.backends.exact import exact
from isingeq.backends.gibbs import gibbs
from isingeq.backends.null import null
from isingeq.couplings import Dense, Edges
from isingeq.errors import CapabilityError, ConfigError
from isingeq.problem import Problem
from isingeq.registry import open_backend
from isingeq.schedule import Annealing
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge
from isingeq.testing import BackendConformance
from isingeq.units import Layer, Spin

N = 4


@pytest.fixture
def problem():
    rng = np.random.default_rng(3)
    layers = (Layer("a", 1, Spin()), Layer("b", 3, Spin()))
    ring = Edges(N, np.array([0, 1, 2]), np.array([1, 2, 3]), rng.normal(size=3))
    both = (Dense((0, 1), (1, 4), rng.normal(size=(1, 3))), ring)
    return Problem(layers, both, rng.normal(size=(2, N)), offset=0.7)


def terms_for(problem):
    mask = np.array([True, False, False, False])
    values = np.array([[1.0, 0, 0, 0], [-1.0, 0, 0, 0]])
    force = np.zeros((2, N))
    force[:, 1] = [0.4, -0.3]
    spring = QuadraticNudge((2, 4), np.array([[1.0, -1], [-1, -1]]), np.array([0.5, -0.8]))
    return (Clamp(mask, values), LinearNudge(force), spring)


@pytest.mark.parametrize("nudged", [False, True])
def test_every_copy_is_of_the_distribution_asked_for(problem, nudged):
    terms = terms_for(problem) if nudged else ()
    request = SettleRequest(problem, terms, schedule=Annealing.constant(0.6, 1))
    plain, copied = exact().settle(request), Copies(exact(), 3).settle(request)
    np.testing.assert_allclose(copied.weights.sum(axis=1), 1)
    for k in range(3):
        own, weights = copied.states[:, k::3], copied.weights[:, k::3]
        mean = np.einsum("br,brn->bn", weights * 3, own)
        wanted = np.einsum("br,brn->bn", plain.weights, plain.states)
        np.testing.assert_allclose(mean, wanted, atol=1e-9)
        pairs = np.einsum("br,bri,brj->bij", weights * 3, own, own)
        wanted = np.einsum("br,bri,brj->bij", plain.weights, plain.states, plain.states)
        np.testing.assert_allclose(pairs, wanted, atol=1e-9)


def test_reads_are_copies_and_no_more_than_asked_for(problem):
    backend = Copies(open_backend("gibbs?beta=0.6&sweeps=40"), 4)
    schedule = backend.suggest_schedule(problem)
    found = backend.settle(SettleRequest(problem, reads=10, schedule=schedule, seed=5))
    assert found.states.shape == (2, 10, N)
    report, *_ = reports(found)
    assert report == {"num_copies": 4, "num_anneals": 3, "layer": "copies"}
    np.testing.assert_allclose(found.energies, problem.energy(found.states))
    fewer = backend.settle(SettleRequest(problem, reads=1, schedule=schedule, seed=5))
    assert fewer.states.shape == (2, 1, N)


def test_starts_go_to_the_reads_that_they_are_of(problem):
    rng = np.random.default_rng(1)
    initial = rng.choice([-1.0, 1.0], (2, 5, N))
    found = Copies(null(), 2).settle(SettleRequest(problem, reads=5, initial=initial))
    np.testing.assert_array_equal(found.states, initial)


def test_couplings_that_stay_are_not_new_below(problem):
    board = Board(gibbs(sweeps=5), None, None, None)
    backend = Copies(board, 2)
    for seed in range(3):
        backend.settle(SettleRequest(problem, seed=seed))
    assert board.uploads == 1
    backend.settle(SettleRequest(replace(problem, couplings=problem.couplings[:1])))
    assert board.uploads == 2


def test_a_chip_holds_as_many_units_as_all_copies_have():
    chip = mapped(open_backend("profile:kings-256?ideal"), options=MappingOptions(copies=3))
    assert isinstance(chip, Copies)
    assert chip.capabilities.max_units == 256 // 3
    ring = Problem(
        (Layer("s", 20, Spin()),),
        (Edges(20, np.arange(19), np.arange(1, 20), np.full(19, -1.0)),),
        np.full((1, 20), -0.5),
    )
    found = chip.settle(SettleRequest(ring, reads=3))
    assert [report["layer"] for report in reports(found)][:2] == ["copies", "embed"]
    assert found.states.mean() > 0.9
    assert exact().capabilities.max_units // 2 == Copies(exact(), 2).capabilities.max_units


def test_what_cannot_be_copied_is_refused():
    with pytest.raises(CapabilityError, match="put Embed between"):
        Copies(open_backend("profile:kings-256?ideal"), 2)
    with pytest.raises(ConfigError, match="1 or more"):
        Copies(gibbs(), 0)
    with pytest.raises(ConfigError, match="copies 0"):
        MappingOptions(copies=0)


class TestSampler(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return Copies(open_backend("gibbs?beta=0.7&sweeps=30"), 2)


@pytest.mark.slow
class TestImperfectChip(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        chip = open_backend("profile:ideal?units=80&gain_sigma=0.1&offset_sigma=0.1&seed=1")
        return Copies(chip, 2)
