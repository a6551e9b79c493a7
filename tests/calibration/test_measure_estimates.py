"""Estimates from counts, and the patterns that keep elements apart."""

import numpy as np
import pytest

from calibration.measure.log_odds import Kept, coupling_of, field_of
from calibration.measure.matchings import matchings, patterns
from calibration.measure.probe import levels
from isingeq.connectivity import Connectivity
from isingeq.errors import CalibrationError


def every_pair(n: int) -> Connectivity:
    i, j = np.triu_indices(n, 1)
    return Connectivity(n, i, j)


def kings(rows: int, columns: int) -> Connectivity:
    place = np.arange(rows * columns).reshape(rows, columns)
    pairs = [
        (place[:, :-1], place[:, 1:]),
        (place[:-1], place[1:]),
        (place[:-1, :-1], place[1:, 1:]),
        (place[:-1, 1:], place[1:, :-1]),
    ]
    i, j = (np.concatenate([pair[end].ravel() for pair in pairs]) for end in (0, 1))
    order = np.lexsort((j, i))
    return Connectivity(rows * columns, i[order], j[order], "kings", (rows, columns))


def read_pair(J: float, h: tuple[float, float], wrong: tuple[float, float]) -> np.ndarray:
    """Probabilities (2, 2) of what is read of a pair, up first."""
    s = np.array([1, -1])
    p = np.exp(-(h[0] * s[:, None] + h[1] * s + J * np.outer(s, s)))
    flips = [np.array([[1 - e, e], [e, 1 - e]]) for e in wrong]
    return flips[0] @ (p / p.sum()) @ flips[1].T


@pytest.mark.parametrize("J", [-1.3, 0.0, 0.4, 1.1])
def test_a_coupling_is_found_under_any_fields_and_readout_errors(J):
    wrong = (0.02, 0.05)
    counts = 1e9 * read_pair(J, (0.4, -0.7), wrong)[..., None]
    first, second = (Kept(np.array([1 - 2 * e]), np.zeros(1)) for e in wrong)
    found = coupling_of(counts, first, second)
    assert found.value[0] == pytest.approx(J, abs=1e-6)
    blind = coupling_of(counts, Kept(np.ones(1), np.zeros(1)), Kept(np.ones(1), np.zeros(1)))
    assert J == 0 or abs(blind.value[0] - J) > 0.01


def test_errors_of_couplings_are_those_of_repeated_draws():
    p, wrong = read_pair(0.9, (0.3, 0.1), (0.03, 0.0)).ravel(), 0.03
    draws = np.random.default_rng(3).multinomial(4000, p, size=2000).T.reshape(2, 2, 2000)
    kept = Kept(np.full(2000, 1 - 2 * wrong), np.zeros(2000))
    one = Kept(np.ones(2000), np.zeros(2000))
    found = coupling_of(draws.astype(float), kept, one)
    pull = (found.value - 0.9) / np.sqrt(found.variance)
    assert abs(pull.mean()) < 4 / np.sqrt(2000)
    assert pull.std() == pytest.approx(1, abs=4 / np.sqrt(4000))


def test_what_is_not_known_of_readout_errors_is_in_the_error():
    counts = 1e6 * read_pair(0.9, (0, 0), (0.03, 0.03))[..., None]
    sure = Kept(np.array([0.94]), np.zeros(1))
    unsure = Kept(np.array([0.94]), np.array([0.01]))
    step = Kept(np.array([0.95]), np.zeros(1))
    moved = coupling_of(counts, step, sure).value - coupling_of(counts, sure, sure).value
    more = coupling_of(counts, unsure, sure).variance - coupling_of(counts, sure, sure).variance
    assert np.sqrt(more[0]) == pytest.approx(abs(moved[0]), rel=0.05)


def test_fields_are_found_and_what_is_saturated_is_not():
    h, wrong = 0.8, 0.04
    mean = -(1 - 2 * wrong) * np.tanh(h)
    kept = Kept(np.full(2, 1 - 2 * wrong), np.zeros(2))
    found = field_of(np.array([mean * 1e8, 1e8]), 10**8, kept)
    assert found.value[0] == pytest.approx(h, abs=1e-6)
    assert np.isnan(found.value[1])
    assert np.isnan(found.variance[1])
    deviation = np.sqrt(1 - mean**2) / ((1 - 2 * wrong) * (1 - np.tanh(h) ** 2)) * 1e-4
    assert np.sqrt(found.variance[0]) == pytest.approx(deviation, rel=1e-3)


@pytest.mark.parametrize(
    ("graph", "most"), [(every_pair(8), 7), (every_pair(7), 7), (kings(6, 5), 10)], ids=str
)
def test_matchings_have_every_edge_once_and_no_unit_twice(graph, most):
    found = matchings(graph, np.arange(graph.num_edges))
    assert len(found) <= most
    assert sorted(np.concatenate(found).tolist()) == list(range(graph.num_edges))
    for edges in found:
        ends = np.concatenate([graph.i[edges], graph.j[edges]])
        assert np.unique(ends).size == ends.size


def test_matchings_leave_out_what_is_not_wanted():
    graph = every_pair(9)
    wanted = np.flatnonzero((graph.i != 4) & (graph.j != 4))
    found = matchings(graph, wanted)
    assert len(found) == 7
    assert sorted(np.concatenate(found).tolist()) == wanted.tolist()


@pytest.mark.parametrize("graph", [every_pair(11), kings(4, 5)], ids=["all", "kings"])
def test_neighbours_have_patterns_at_right_angles(graph):
    signs = patterns(graph).astype(int)
    assert (signs.sum(axis=0) == 0).all()
    assert ((signs[:, graph.i] * signs[:, graph.j]).sum(axis=0) == 0).all()


def test_levels_stand_on_steps_within_the_range():
    assert levels((-127, 127), 1.0, 99.7) == (-99, 99)
    assert levels((-1, 1), 1.0, 0.2) == (-1, 1)
    assert levels((0, 15), 1.0, 15) == (0, 15)
    assert levels((-2, 1), 0.0, 5) == (-2, 1)
    assert levels(None, 0.0, 0.3) == (-0.3, 0.3)
    with pytest.raises(CalibrationError, match="nothing but 0"):
        levels((0, 0), 1.0, 1)
