"""What a board must do before one trusts it, step by step, each with a figure.

It tests any device of the protocol: sizes, ranges, signs and what there is to test come from the descriptor, and what
the descriptor owns up to (stuck spins, dead couplers) is left out. All it draws has a fixed seed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from drivers.board import Board
from drivers.checks import line, memory, spins
from drivers.checks.expecting import NotTestedError
from drivers.errors import DeviceTimeoutError, LinkLostError, LossyLineError
from isingeq.errors import DeviceError, IsingeqError

Outcome = Literal["ok", "failed", "not tested"]
_TRIES = 6
"""Of a check on a line that loses much: after each, frames are shorter."""

CHECKS: Sequence[tuple[str, Callable[[Board], str]]] = (
    ("greeting", line.greeting),
    ("descriptor", line.descriptor),
    ("every byte", line.every_byte),
    ("round trip", line.round_trip),
    ("longest frames", line.longest_frames),
    ("couplings", memory.couplings),
    ("fields", memory.fields),
    ("start states", memory.states),
    ("clamps", memory.clamps),
    ("balance at beta 0", spins.balance),
    ("sign of the energy", spins.sign),
    ("ferromagnet", spins.magnet),
    ("given start", spins.given_start),
    ("held spins", spins.held),
    ("seeded rows repeat", spins.repeats),
    ("split over slots", spins.split),
    ("counters", line.counters),
)
RESET = ("reset", spins.reset)
"""Comes last where it is wanted: what the board holds is gone afterwards."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a self-test.

    Attributes:
        name: what is tested.
        outcome: how it went.
        figure: what was measured, or what is wrong.
        seconds: on the clock of the line.
    """

    name: str
    outcome: Outcome
    figure: str
    seconds: float

    def as_dict(self) -> dict[str, object]:
        """Return plain data for JSON."""
        return asdict(self)


def selftest(board: Board, *, reset: bool = False) -> Iterator[Step]:
    """Yield the steps as they are done; once the line is lost or the board is silent, nothing more is tested.

    Args:
        board: to be tested; what it holds is lost.
        reset: reset it, too.
    """
    gone = ""
    for name, check in (*CHECKS, *([RESET] if reset else [])):
        if gone:
            yield Step(name, "not tested", gone, 0.0)
            continue
        now = board.session.transport.now
        started = now()
        try:
            outcome, figure = _tried(check, board)
        except DeviceError as error:
            outcome, figure, gone = "failed", str(error), f"after {name} failed"
        yield Step(name, outcome, figure, max(0.0, now() - started))


def _tried(check: Callable[[Board], str], board: Board) -> tuple[Outcome, str]:
    """Do a check; whatever was under way when it failed does not get in the way of the next."""
    failure = ""
    for _ in range(_TRIES):
        try:
            return "ok", check(board)
        except NotTestedError as reason:
            return "not tested", str(reason)
        except LossyLineError as error:
            failure = str(error)
            board.revive()
        except (LinkLostError, DeviceTimeoutError):
            raise
        except IsingeqError as error:
            board.revive()
            return "failed", str(error)
    return "failed", failure
