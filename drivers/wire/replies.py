"""What a device answers, and what it says unasked, as data; layouts as in `requests`.

A reply without content is `requests.Nothing`, that to ECHO is `requests.Echo`.
"""

from dataclasses import dataclass
from typing import Annotated

from drivers.wire.constants import Memory, ResetCause, RunState, State
from drivers.wire.layout import I32, U8, U16, U32, U64


@dataclass(frozen=True, slots=True)
class Welcome:
    """Version chosen and who answers; `boot` changes at each reset, `uid` never."""

    version: U8
    cause: Annotated[ResetCause, "B"]
    nonce: U32
    boot: U32
    uid: U64
    descriptor_bytes: U16
    descriptor_digest: U32
    longest_frame: U16
    window_bytes: U16


@dataclass(frozen=True, slots=True)
class Description:
    """A part of the descriptor; shorter than asked for only at its end."""

    offset: U16
    data: bytes


@dataclass(frozen=True, slots=True)
class Condition:
    """State of a device; `digest` is computed from the couplings as they are in memory now."""

    boot: U32
    state: Annotated[State, "B"]
    faults: U8
    run: U32
    rows_ready: U32
    num_spins: U16
    digest: U32


@dataclass(frozen=True, slots=True)
class Counts:
    """Since the last reset, `resets` since power came on; each stops at its largest value."""

    boot: U32
    frames: U32
    bad_checks: U32
    bad_frames: U32
    overruns: U32
    replays: U32
    out_of_order: U32
    resets: U32


@dataclass(frozen=True, slots=True)
class ParameterValue:
    """A parameter."""

    parameter: U8
    value: I32


@dataclass(frozen=True, slots=True)
class Content:
    """What a memory holds."""

    memory: Annotated[Memory, "B"]
    offset: U32
    data: bytes


@dataclass(frozen=True, slots=True)
class Digest:
    """CRC-32 over the bytes of a stretch."""

    digest: U32


@dataclass(frozen=True, slots=True)
class Accepted:
    """A run is accepted, or was before; how long it is thought to take."""

    boot: U32
    run: U32
    estimate_us: U32


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come; `digest` over the packed bytes of the rows ready.

    `couplings` is their digest as of COMMIT, computed from memory after the last row; 0 while that is not there.
    """

    boot: U32
    run: U32
    state: Annotated[RunState, "B"]
    rows_ready: U32
    digest: U32
    couplings: U32


@dataclass(frozen=True, slots=True)
class Ended:
    """How far a run came, as POLL tells, and the rows of its stream, from `row` on, that were not sent yet."""

    boot: U32
    run: U32
    state: Annotated[RunState, "B"]
    rows_ready: U32
    digest: U32
    couplings: U32
    row: U32
    packed: bytes


@dataclass(frozen=True, slots=True)
class Rows:
    """Exactly the rows asked for (READ), or the next of a stream (ROWS)."""

    boot: U32
    run: U32
    row: U32
    num_rows: U16
    packed: bytes


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over all rows of a run, i32 each."""

    boot: U32
    run: U32
    offset: U32
    values: bytes


@dataclass(frozen=True, slots=True)
class Booted:
    """The device has started (session 0)."""

    cause: Annotated[ResetCause, "B"]


@dataclass(frozen=True, slots=True)
class Faulted:
    """Fault bits as they are now."""

    boot: U32
    faults: U8
