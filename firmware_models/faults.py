"""What goes wrong on a line, as data: chances per byte, and incidents at given frames or at random.

A plan comes from TOML, where `[[incidents]]` are tables of `Incident`, or from a short text, in which incidents keep
their defaults::

    flip:0.001,drop:0.001,insert:0.0005,seed:7      chances per byte
    device_baud:9600                                the device runs at another rate than the line
    reset:0.001                                     at random, with this chance per frame
    reset@RUN   lose@READ:3   stall@:100            at the first RUN, the third reply to READ, the hundredth frame

| fault                                  | as                                                                 |
|----------------------------------------|--------------------------------------------------------------------|
| byte flipped, dropped, inserted        | `flip`, `drop`, `insert`                                           |
| garbage burst, bootloader chatter      | `garbage`, `count` bytes ahead of a frame                          |
| partial frame, then silence            | `cut`: half a frame, then nothing gets through for `seconds`       |
| lost, doubled, late reply              | `lose`, `double`, `delay` by `seconds`                             |
| reset while uploading, during a run    | `reset@LOAD_COUPLINGS:2`; `reset` at RUN, `wait_s` later           |
| brown-out: memory rots, no reset       | `corrupt`: `count` bits of byte `offset` in `memory`, at a reply   |
| stall                                  | `stall` for `seconds`                                              |
| unplug, replug under a new name        | `unplug`, back after `seconds`; `inf`: never                       |
| another version of the protocol        | `version`: replies to HELLO become BAD_VERSION                     |
| baud mismatch                          | `device_baud`                                                      |
| not a device: a plain loopback         | `echo`: what the host sends comes back, the device hears nothing   |
| receiver overrun                       | `overrun`: `count` bytes from the middle of a frame on are lost    |
| fewer rows than asked for              | `short`: a reply to READ without its last row                      |

A second host and a killed one are no faults of a line; tests make them with processes.
"""

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from drivers.record import record_from
from drivers.wire.constants import Event, Memory, Opcode
from isingeq.errors import ConfigError


class Way(StrEnum):
    """A direction of the line."""

    TO_DEVICE = "to device"
    TO_HOST = "to host"


KINDS: Mapping[str, Way] = {
    "garbage": Way.TO_HOST,
    "cut": Way.TO_DEVICE,
    "lose": Way.TO_HOST,
    "double": Way.TO_HOST,
    "delay": Way.TO_HOST,
    "short": Way.TO_HOST,
    "version": Way.TO_HOST,
    "echo": Way.TO_DEVICE,
    "overrun": Way.TO_DEVICE,
    "reset": Way.TO_DEVICE,
    "corrupt": Way.TO_HOST,
    "stall": Way.TO_DEVICE,
    "unplug": Way.TO_DEVICE,
}
"""Kinds of incidents, and the direction whose frames each is counted by where a plan does not say.

Memory rots by replies: a part that is emulated has only then done what it was asked."""

ON_THE_DEVICE = frozenset({"reset", "corrupt", "stall", "unplug"})
"""Kinds that befall the device or its plug; all others change bytes on the line."""

LASTING = frozenset({"echo", "version"})
"""Kinds that a short text means for ever: what they imitate does not heal."""

PER_PLAN = ("seed", "flip", "drop", "insert", "device_baud")
"""What a short text says of the plan itself."""

_CODES = {**{code.name: int(code) for code in Opcode}, **{code.name: int(code) for code in Event}}
_COUNTS = {"garbage": 64, "overrun": 32, "corrupt": 1}
_SECONDS = {"cut": 0.05, "delay": 0.2, "stall": 0.5, "unplug": 0.5}
_PLACED = re.compile(r"(?P<kind>\w+)@(?P<opcode>[A-Z_]*)(:(?P<nth>\d+))?")


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that happens at certain frames of one direction.

    Frames count if they carry `opcode` and begin at byte `after_bytes` or later. Of these it strikes `times` in a
    row from number `nth` on, each with chance `rate`. Requests, their replies and events go by their opcode's name.

    Attributes:
        kind: one of `KINDS`.
        way: `to device` or `to host`; empty for the usual one of its kind.
        opcode: name of an opcode or event; empty for all frames.
        after_bytes: bytes of this direction that go by first.
        nth: first frame struck, from 1 on.
        times: frames struck in a row; 0 for all that follow.
        rate: chance that a frame in question is struck.
        wait_s: seconds from the end of the frame to what befalls the device.
        seconds: how long it lasts; None for the usual length of its kind.
        count: bytes, or bits of one byte; 0 for the usual number of its kind.
        memory: name of the memory that rots.
        offset: byte at which it rots.
    """

    kind: str
    way: str = ""
    opcode: str = ""
    after_bytes: int = 0
    nth: int = 1
    times: int = 1
    rate: float = 1.0
    wait_s: float = 0.0
    seconds: float | None = None
    count: int = 0
    memory: str = Memory.COUPLINGS.name
    offset: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"no incident {self.kind!r}; there are {', '.join(KINDS)}")
        if self.way not in ("", *Way):
            raise ConfigError(f"way {self.way!r} of {self.kind} is not one of {', '.join(Way)}")
        if self.opcode and self.opcode not in _CODES:
            raise ConfigError(f"no opcode {self.opcode!r} for {self.kind}; as in docs/protocol.md")
        if self.memory not in Memory.__members__:
            raise ConfigError(
                f"no memory {self.memory!r}; there are {', '.join(Memory.__members__)}"
            )
        if not (self.nth >= 1 and 0 <= self.rate <= 1):
            raise ConfigError(f"{self.kind} needs nth from 1 on and a rate from 0 to 1")
        lengths = (self.after_bytes, self.times, self.count, self.offset, self.seconds or 0.0)
        if not (all(length >= 0 for length in lengths) and 0 <= self.wait_s < math.inf):
            raise ConfigError(f"{self.kind}: numbers count from 0 on, and wait_s comes to an end")

    @property
    def course(self) -> Way:
        """Direction whose frames it strikes."""
        return Way(self.way) if self.way else KINDS[self.kind]

    @property
    def code(self) -> int | None:
        """Number of its opcode; None for all frames."""
        return _CODES[self.opcode] if self.opcode else None

    @property
    def lasts_s(self) -> float:
        """Seconds it lasts."""
        return _SECONDS.get(self.kind, 0.0) if self.seconds is None else self.seconds

    @property
    def size(self) -> int:
        """Bytes or bits that it concerns."""
        return self.count or _COUNTS.get(self.kind, 0)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Everything that goes wrong; the same plan always goes wrong in the same places.

    Attributes:
        seed: of all chances.
        flip: chance that one bit of a byte flips.
        drop: chance that a byte is lost.
        insert: chance that a byte which nobody sent stands ahead of a byte.
        device_baud: rate of the device where it is not that of the line.
        incidents: the rest.
    """

    seed: int = 0
    flip: float = 0.0
    drop: float = 0.0
    insert: float = 0.0
    device_baud: int | None = None
    incidents: tuple[Incident, ...] = ()

    def __post_init__(self) -> None:
        chances = (self.flip, self.drop, self.insert)
        if not (all(chance >= 0 for chance in chances) and sum(chances) <= 1):
            raise ConfigError(f"chances {chances} of flip, drop, insert: from 0, at most 1 in sum")
        if self.seed < 0 or (self.device_baud is not None and self.device_baud < 1):
            raise ConfigError("seed of a fault plan counts from 0, device_baud from 1")


def plan_from(text: str, *, seed: int = 0) -> FaultPlan:
    """Return the plan in a short text or in a file that ends in .toml; no text, no faults.

    Args:
        text: as in the heading of this module, or a path.
        seed: where the plan names none.

    Raises:
        ConfigError: a file that cannot be read, or something that is no fault.
    """
    if text.endswith(".toml"):
        try:
            data = tomllib.loads(Path(text).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"fault plan {text} cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise ConfigError(f"fault plan {text} is no TOML: {error}") from None
        return record_from(FaultPlan, {"seed": seed, **data}, text)
    plan = FaultPlan(seed=seed)
    for part in filter(None, text.split(",")):
        plan = _with(plan, part)
    return plan


def _with(plan: FaultPlan, part: str) -> FaultPlan:
    """Add what one part of a short text says."""
    placed = _PLACED.fullmatch(part)
    name, _, number = part.partition(":")
    if placed:
        incident = Incident(
            placed["kind"],
            opcode=placed["opcode"],
            nth=int(placed["nth"] or 1),
            times=0 if placed["kind"] in LASTING else 1,
        )
        return replace(plan, incidents=(*plan.incidents, incident))
    change: dict[str, Any] = {}
    try:
        change[name] = int(number) if name in ("seed", "device_baud") else float(number)
    except ValueError:
        raise ConfigError(
            f"{part!r} is no fault: flip:0.001, reset:0.001, reset@RUN:2 are"
        ) from None
    if name in PER_PLAN:
        return replace(plan, **change)
    incident = Incident(name, rate=change[name], times=0)
    return replace(plan, incidents=(*plan.incidents, incident))
