"""Sequence numbers: what a device does with the next request, so that none is executed twice."""

from enum import Enum

from drivers.wire.constants import REPLAY_DEPTH

WRAP = 1 << 16


class Turn(Enum):
    """How a sequence number stands to the one expected."""

    NEW = "execute it, remember its status and detail"
    AGAIN = "execute it again if it is pure, else reply what is remembered"
    AHEAD = "refuse it: OUT_OF_ORDER, the number expected as detail"
    OLD = "drop it"


def following(sequence: int) -> int:
    """Return the next sequence number."""
    return (sequence + 1) % WRAP


def turn(sequence: int, expected: int) -> Turn:
    """Return how `sequence` stands to the number expected next."""
    ahead = (sequence - expected) % WRAP
    if ahead == 0:
        return Turn.NEW
    if ahead < WRAP // 2:
        return Turn.AHEAD
    return Turn.AGAIN if WRAP - ahead <= REPLAY_DEPTH else Turn.OLD
