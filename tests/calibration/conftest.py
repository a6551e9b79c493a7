from types import SimpleNamespace

import pytest
from board import Board

from isingeq import registry
from isingeq.backends.metropolis import metropolis

opened: list[Board] = []


def board(argument: str = "", *, bits: int = 8, sweeps: int = 40) -> Board:
    """SPEC `board?bits=8`: couplings of so many bits and fields of sixteen, annealed by Metropolis."""
    made = Board(metropolis(sweeps=sweeps), 2.0 ** (bits - 1) - 1)
    opened.append(made)
    return made


def lopsided(argument: str = "") -> Board:
    """SPEC `lopsided`: a range that nothing can be scaled to."""
    made = board()
    made.field_end = -1.0
    return made


@pytest.fixture
def boards(monkeypatch) -> list[Board]:
    """Make the SPECs `board` and `lopsided` known, and return those opened, in order."""
    genuine = registry.entry_points
    own = [
        SimpleNamespace(name=factory.__name__, load=lambda factory=factory: factory)
        for factory in (board, lopsided)
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: [*genuine(group=group), *own])
    opened.clear()
    return opened
