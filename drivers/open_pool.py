"""From a SPEC to a pool.

    pool:URL,URL,…     pool:URL*4     pool:FILE.toml          ?OPTION&…

`pool:/dev/ttyACM0,/dev/ttyACM1?baud=1000000&sweeps=50`, `pool:emulator://lm3s*4?baud=115200`. A URL with `*N` stands
for N boards, 64 at most, of a kind that is made when it is opened; they get the uids 1 to N. Options that the pool does
not know go to the transport of every board. Where boards differ in options, or a URL has a comma or a star in it, a
file lists them::

    boards = ["/dev/ttyACM0?baud=1000000", "/dev/ttyUSB0", "model://ref-arm192?uid=7"]

and an option there comes before the same one in the SPEC.
"""

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from drivers.agreement import check_members
from drivers.member import Member
from drivers.open import open_board
from drivers.pool import Pool
from drivers.record import record_from
from drivers.serial_backend import SerialBackend
from isingeq.errors import ConfigError
from isingeq.registry import Spec, parse_spec

_REPEATED = re.compile(r"(?P<url>.+)\*0*(?P<times>[0-9]+)")
_MOST = 64
"""Boards that a star stands for: each is opened, and has a thread."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that lists boards.

    Attributes:
        boards: SPECs of devices.
    """

    boards: tuple[str, ...]


def pool(
    argument: str,
    *,
    sweeps: int = 100,
    beta: float = math.inf,
    reverse: float = 0.25,
    timeout: float = 10.0,
    recovery: float = 3.0,
    mixed: bool = False,
    **options: str,
) -> Pool:
    """Open several boards as one backend; SPEC as in the heading of this module.

    Args:
        argument: the boards.
        sweeps: of the schedule suggested.
        beta: finite to sample at this inverse temperature.
        reverse: how far along its schedule a nudged request with initial states turns round.
        timeout: seconds without an answer after which a board is stuck.
        recovery: seconds that a board may take to come back before others get its samples.
        mixed: let real boards stand next to emulated or simulated ones; results count as the lesser kind.
        options: of the transports.

    Raises:
        ConfigError: no boards, boards that are no devices, or that do not go together.
        DeviceError: one of them does not answer.
        InUseError: a board is there twice, or another process has it.
    """
    if "record" in options:
        raise ConfigError("boards of a pool do not share a recording: record one by itself")
    members: list[Member] = []
    with ExitStack() as opened:
        for spec in _boards(argument, options):
            board = open_board(spec.argument, spec.options, timeout=timeout, recovery=recovery)
            opened.callback(board.close)
            members.append(Member(SerialBackend(spec.argument, board, sweeps, beta, reverse)))
        if not members:
            raise ConfigError("pool needs boards, as in pool:/dev/ttyACM0,/dev/ttyACM1")
        check_members([member.backend for member in members], mixed=mixed)
        opened.pop_all()
    return Pool(f"pool:{argument}", members)


def _boards(argument: str, options: Mapping[str, str]) -> Iterator[Spec]:
    """Yield URL and options of every board."""
    from_file = argument.endswith(".toml") and "://" not in argument
    for text in _listed(argument) if from_file else filter(None, argument.split(",")):
        spec = parse_spec(text)
        if spec.name != "serial":
            raise ConfigError(
                f"pool takes device paths and URLs, {text!r} is none: run it as a backend by itself"
            )
        repeated = None if from_file else _REPEATED.fullmatch(spec.argument)
        if repeated is None:
            yield Spec(spec.name, spec.argument, {**options, **spec.options})
            continue
        if len(repeated["times"]) > 2 or int(repeated["times"]) > _MOST:
            raise ConfigError(
                f"pool:{text[:60]} stands for too many boards: give {_MOST} at most after the star"
            )
        for number in range(1, int(repeated["times"]) + 1):
            yield Spec(spec.name, repeated["url"], {"uid": str(number), **options})


def _listed(path: str) -> tuple[str, ...]:
    try:
        data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"list of boards {path} cannot be read: {reason}") from None
    return record_from(Listed, data, path).boards
