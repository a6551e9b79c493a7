import numpy as np
import pytest
from board import Board
from problems import problem

from calibration import Limits, Quantise, Scale, mapped, open_mapped, reports
from isingeq.backend import SettleRequest
from isingeq.backends.exact import exact
from isingeq.backends.simulator import conjugate
from isingeq.errors import BackendError, CapabilityError, ConfigError


def names(backend):
    """Return the layers from the outermost in."""
    found = []
    while isinstance(backend, Scale | Quantise):
        found.append(type(backend).__name__)
        backend = backend.inner
    return found


@pytest.mark.parametrize(
    ("ends", "layers"),
    [
        ({}, ["Scale", "Quantise"]),
        ({"step": None}, ["Scale"]),
        ({"coupling_end": None, "step": None}, ["Scale"]),
        ({"coupling_end": None, "field_end": None}, ["Quantise"]),
        ({"coupling_end": None, "field_end": None, "step": None}, []),
    ],
)
def test_exactly_the_layers_that_are_needed(ends, layers):
    board = Board(exact(), **ends)
    assert names(mapped(board)) == layers
    assert [r["layer"] for r in reports(mapped(board).settle(SettleRequest(problem())))] == [
        name.lower() for name in layers
    ]


@pytest.mark.parametrize("backend", [exact(), conjugate()])
def test_what_takes_any_value_stays_as_it_is(backend):
    assert mapped(backend) is backend


def test_whole_numbers_that_fit_stay_what_they_are():
    """With a headroom of 1, as for a problem that comes alone: nothing is rounded, down to the ends of the range."""
    whole = problem().with_fields(np.full((1, 7), 120.0))
    backend = mapped(Board(exact(), 1000.0, 127.0, 1.0), headroom=1)
    backend.settle(SettleRequest(whole))
    assert backend.factor.value == 1
    assert mapped(Board(exact(), 1000.0, 127.0)).factor.headroom == 2


def test_the_mapping_of_a_spec(boards):
    assert names(open_mapped("board")) == ["Scale", "Quantise"]
    assert open_mapped("board", limits=Limits(1, 2)).factor.value > 100
    assert names(open_mapped("board", "none")) == []
    with pytest.raises(ConfigError, match="mapping is auto or none, got 'maybe'"):
        open_mapped("board", "maybe")
    assert len(boards) == 3


def test_a_backend_that_cannot_be_mapped_is_closed_again(boards):
    with pytest.raises(CapabilityError, match="scaling needs 0 inside"):
        open_mapped("lopsided")
    (board,) = boards
    with pytest.raises(BackendError):
        board.inner.settle(SettleRequest(problem()))
