"""What a host asks, as data.

The annotations are the byte layout (`layout`). Numbers of slots, rows and spins count from 0; a *slot* holds
the fields and the start state of one sample, a *row* is one read, row = slot in the run × reads + read. Spins
are packed eight to a byte, lowest bit first, 1 for +1, each row or slot from a fresh byte. Couplings take one byte
up to 8 bits and two above, fields the `width` their message names, all signed; offsets count values for these two
and bytes for packed spins.
"""

from dataclasses import dataclass
from typing import Annotated

from drivers.wire.constants import Memory, Start
from drivers.wire.layout import I32, U8, U16, U32, Spins


@dataclass(frozen=True, slots=True)
class Hello:
    """Opens a session: its id, not 0, stands in the header; sequence numbers go on from this frame's."""

    lowest: U8
    highest: U8
    options: U8
    nonce: U32


@dataclass(frozen=True, slots=True)
class Describe:
    """Asks for a part of the descriptor."""

    offset: U16
    count: U16


@dataclass(frozen=True, slots=True)
class Echo:
    """Bytes to come back, and bytes come back."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Nothing:
    """No payload."""


@dataclass(frozen=True, slots=True)
class SetParameter:
    """Sets a parameter."""

    parameter: U8
    value: I32


@dataclass(frozen=True, slots=True)
class GetParameter:
    """Reads a parameter."""

    parameter: U8


@dataclass(frozen=True, slots=True)
class Begin:
    """Starts an upload; without KEEP every coupling becomes 0, and so does every field."""

    num_spins: U16
    flags: U8


@dataclass(frozen=True, slots=True)
class LoadCouplings:
    """Couplings in canonical order of edges, from `offset` on."""

    offset: U32
    values: bytes


@dataclass(frozen=True, slots=True)
class LoadFields:
    """Fields of `width` bytes from `offset` = slot × num_spins + spin on; may run over several slots."""

    offset: U32
    width: U8
    values: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """Ends an upload: digest over num_spins (u16) and all couplings."""

    digest: U32


@dataclass(frozen=True, slots=True)
class Stretch:
    """`count` values or bytes of a memory (READBACK, DIGEST)."""

    memory: Annotated[Memory, "B"]
    offset: U32
    count: U32


@dataclass(frozen=True, slots=True)
class LoadStates:
    """Packed start states from byte `offset` on; may run over several slots."""

    offset: U32
    packed: bytes


@dataclass(frozen=True, slots=True)
class LoadClamps:
    """Packed mask for all slots from byte `offset` on: 1 keeps a spin at its start."""

    offset: U16
    packed: bytes


@dataclass(frozen=True, slots=True)
class LoadLegs:
    """Legs from number `leg` of the table on, six bytes each: gain first u16, gain last u16, sweeps u16."""

    leg: U16
    values: bytes


@dataclass(frozen=True, slots=True)
class PatchFields:
    """New fields (not differences) of `width` bytes of the spins listed, for `num_slots` slots, slot by slot."""

    slot: U16
    num_slots: U16
    width: U8
    num_spins: U16
    spins: Spins
    values: bytes


@dataclass(frozen=True, slots=True)
class CopySlots:
    """Gives slots from `slot` on the fields and start states of as many from `source` on; the two do not overlap."""

    slot: U16
    num_slots: U16
    source: U16


@dataclass(frozen=True, slots=True)
class Run:
    """Runs slots `slot` … `slot + num_slots − 1`, `reads` rows each; sample `sample` stands in the first slot.

    The schedule is legs `leg` … `leg + num_legs − 1`, every gain divided by 2^`shift`. With `thin` 0 every read
    takes all of it from the start; else the first does, and each other goes on from the one before with `thin`
    sweeps at the last gain.
    """

    run: U32
    seed: U32
    sample: U32
    slot: U16
    num_slots: U16
    reads: U16
    thin: U16
    start: Annotated[Start, "B"]
    flags: U8
    leg: U16
    num_legs: U16
    shift: U8


@dataclass(frozen=True, slots=True)
class RunId:
    """Names a run (POLL, ABORT)."""

    run: U32


@dataclass(frozen=True, slots=True)
class Read:
    """Asks for rows `row` … `row + num_rows − 1`."""

    run: U32
    row: U32
    num_rows: U16


@dataclass(frozen=True, slots=True)
class Stream:
    """Asks for up to `credit` rows from `row` on as events; asking again replaces what was asked before."""

    run: U32
    row: U32
    credit: U32


@dataclass(frozen=True, slots=True)
class Correlate:
    """Asks for `count` sums from `offset` on: one per spin, then one per coupling in canonical order."""

    run: U32
    offset: U32
    count: U16


@dataclass(frozen=True, slots=True)
class Guarded:
    """RESET or SHUTDOWN, with its magic word."""

    magic: U32
