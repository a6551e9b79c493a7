import numpy as np
import pytest

from isingeq.backend import Capabilities, Claim, SettleRequest, check_request
from isingeq.connectivity import Connectivity
from isingeq.couplings import Dense, Edges
from isingeq.errors import CapabilityError, ConfigError
from isingeq.lattices import lattice
from isingeq.problem import Problem
from isingeq.units import Layer, Spin

RING = Connectivity(4, np.array([0, 0, 1, 2]), np.array([1, 3, 2, 3]))


def problem(*couplings, n=4):
    return Problem((Layer("s", n, Spin()),), couplings, np.zeros((1, n)))


def edges(*pairs, n=4):
    i, j = np.array(pairs).T
    return Edges(n, i, j, np.ones(len(pairs)))


def test_pairs_are_found_by_their_ends():
    found = RING.find(np.array([2, 0, 0, 1]), np.array([3, 2, 1, 3]))
    assert found.tolist() == [3, -1, 0, -1]
    none = Connectivity(3, np.zeros(0, int), np.zeros(0, int))
    assert none.find(np.array([0]), np.array([1])).tolist() == [-1]
    assert RING.degrees.tolist() == [2, 2, 2, 2]
    assert RING.num_edges == 4


def test_every_coupling_of_a_problem_has_its_places_in_order():
    both = problem(edges((2, 3), (0, 1)), Dense((0, 1), (1, 2), np.ones((1, 1))))
    assert RING.places("chip", both).tolist() == [3, 0, 0]
    assert RING.places("chip", both) is RING.places("chip", both)


def test_a_problem_of_fewer_units_uses_the_first_ones():
    assert RING.places("chip", problem(edges((0, 1), (1, 2), n=3), n=3)).tolist() == [0, 2]


def test_pairs_that_are_not_coupled_are_refused_before_any_work():
    with pytest.raises(
        CapabilityError, match=r"chip does not couple units 0 and 2 \(edges; 1 of 2"
    ):
        RING.places("chip", problem(edges((0, 1), (0, 2))))
    c = Capabilities(
        units=frozenset({"spin"}), couplings=frozenset({"edges"}), claim=Claim.NONE,
        terms=frozenset(), connectivity=RING,
    )  # fmt: skip
    check_request("chip", c, SettleRequest(problem(edges((0, 1), (0, 3)))))
    with pytest.raises(CapabilityError, match="embed it"):
        check_request("chip", c, SettleRequest(problem(edges((1, 3)))))


def test_what_does_not_work_is_taken_out():
    chip = lattice("kings", 3, 3)
    units, couplers = np.zeros(9, bool), np.zeros(chip.num_edges, bool)
    units[4], couplers[chip.find(np.array([0]), np.array([1]))] = True, True
    left = chip.without(units, couplers)
    assert (left.n, left.kind, left.shape) == (9, "kings", (3, 3))
    assert left.degrees.tolist() == [1, 3, 2, 4, 0, 4, 2, 4, 2]


@pytest.mark.parametrize(
    ("i", "j"), [([0, 1], [1]), ([1], [1]), ([2], [1]), ([0], [4]), ([-1], [2]), ([0, 0], [2, 1])]
)
def test_edges_stand_once_in_order_between_units_that_are_there(i, j):
    with pytest.raises(ConfigError):
        Connectivity(4, np.array(i), np.array(j))
