"""Numbers of the protocol.

Generated from drivers/wire/protocol.toml by `python -m drivers.generate`; not to be edited.
"""

from enum import IntEnum

VERSION = 1
"""Version of the protocol."""
SHORT_FRAME = 64
"""most bytes of header and payload that CRC-16 may check; every device takes as many"""
LONGEST_FRAME = 4096
"""most bytes of header, payload and check that any device may offer"""
REPLAY_DEPTH = 8
"""replies a device remembers, hence requests in flight"""
HELLO_INTERVAL_MS = 100
"""between two HELLOs while a device boots"""
BOOT_TIMEOUT_MS = 2500
"""after which a device that did not answer is not there"""
REPLY_SLACK_MS = 20
"""added to the latency a device declares"""
RESET_MAGIC = 0x21545352
"""guards RESET: 'RST!'"""
SHUTDOWN_MAGIC = 0x2146464F
"""guards SHUTDOWN: 'OFF!'"""
CRC16_POLYNOMIAL = 0x1021
"""CRC-16/IBM-3740, most significant bit first"""
CRC16_START = 0xFFFF
"""value before the first byte"""
CRC32_POLYNOMIAL = 0xEDB88320
"""CRC-32/ISO-HDLC, least significant bit first"""
CRC32_START = 0xFFFFFFFF
"""value before the first byte, and what the result is xored with"""


class Flag(IntEnum):
    """Low four bits of the first byte of a frame."""

    RETRANSMISSION = 1
    """request sent again, or reply played again"""
    EVENT = 2
    """sent by the device unasked"""
    MORE = 4
    """another event of the same run follows at once"""
    CRC32 = 8
    """the frame ends in CRC-32 instead of CRC-16"""


class Opcode(IntEnum):
    """What a frame asks for; a reply has bit 7 set as well, events stand at 0x40 and up."""

    HELLO = 0x01
    """opens a session"""
    DESCRIBE = 0x02
    """a part of the descriptor"""
    ECHO = 0x03
    """the same bytes back"""
    STATUS = 0x04
    """state, faults, digest of the couplings"""
    SET_PARAMETER = 0x05
    """sets one parameter"""
    GET_PARAMETER = 0x06
    """reads one parameter"""
    COUNTERS = 0x07
    """what the link and the board went through"""
    BEGIN = 0x10
    """starts an upload of couplings"""
    LOAD_COUPLINGS = 0x11
    """couplings from an absolute offset"""
    LOAD_FIELDS = 0x12
    """fields from an absolute offset, across slots"""
    COMMIT = 0x13
    """ends an upload; the digests must agree"""
    READBACK = 0x14
    """bytes of a memory"""
    LOAD_STATES = 0x15
    """start states from an absolute offset, across slots"""
    LOAD_CLAMPS = 0x16
    """which spins stay as they start"""
    LOAD_LEGS = 0x17
    """legs of schedules, from an absolute place in their table"""
    PATCH_FIELDS = 0x18
    """a few fields of many slots: the same spins in each"""
    COPY_SLOTS = 0x1A
    """fields and start states of some slots into others"""
    DIGEST = 0x19
    """CRC-32 over a stretch of a memory"""
    RUN = 0x20
    """starts a run over a range of slots"""
    POLL = 0x21
    """how far a run has come"""
    READ = 0x22
    """rows of a run: packed spins"""
    STREAM = 0x23
    """asks for rows as events"""
    ABORT = 0x25
    """ends a run"""
    CORRELATE = 0x26
    """sums over the rows of a run"""
    RESET = 0x7E
    """restarts the device"""
    SHUTDOWN = 0x7F
    """ends an emulated device"""


class Event(IntEnum):
    """What a device says unasked; the host may use it and never needs it."""

    BOOTED = 0x40
    """the device has started"""
    ROWS = 0x41
    """rows that STREAM asked for"""
    ENDED = 0x42
    """a run came to its end"""
    FAULT = 0x43
    """a fault arose"""


class Status(IntEnum):
    """First byte of every reply."""

    OK = 0
    """done"""
    UNKNOWN_OPCODE = 1
    """no such opcode"""
    BAD_LENGTH = 2
    """payload too short, too long or not a whole number of values; detail: length taken"""
    OUT_OF_RANGE = 3
    """a number is outside its range; detail: position of its field in the payload"""
    BAD_STATE = 4
    """not in this state; detail: the state"""
    BUSY = 5
    """a run is under way; detail: its run id"""
    BAD_DIGEST = 6
    """the couplings are not those of the host; detail: the digest found"""
    STALE_SESSION = 7
    """no such session: the device was reset or another host said HELLO"""
    BAD_VERSION = 8
    """no common version; detail: the lowest and, times 256, the highest"""
    TOO_LONG = 9
    """the reply would not fit into a frame; detail: most bytes"""
    HARDWARE_FAULT = 11
    """the board failed; detail: fault bits"""
    ABORTED = 12
    """the run was ended before these rows came; detail: rows ready"""
    NOT_CAPABLE = 13
    """the descriptor does not offer this"""
    OUT_OF_ORDER = 14
    """an earlier request is missing; detail: the sequence number expected"""
    UNKNOWN_RUN = 15
    """no such run; detail: the run id held"""
    NOT_READY = 16
    """these rows are not there yet; detail: rows ready"""


class State(IntEnum):
    """Where a device stands."""

    EMPTY = 0
    """no couplings"""
    LOADING = 1
    """between BEGIN and COMMIT"""
    READY = 2
    """couplings committed, no run under way"""
    RUNNING = 3
    """a run is under way"""
    FAULTY = 4
    """a fault forbids runs until RESET"""


class RunState(IntEnum):
    """Where a run stands."""

    PENDING = 0
    """accepted, not started"""
    ACTIVE = 1
    """under way"""
    COMPLETE = 2
    """every row is there"""
    STOPPED = 3
    """aborted; the rows ready stay readable"""
    FAILED = 4
    """ended by a fault"""


class Start(IntEnum):
    """What a read starts from."""

    RANDOM = 0
    """spins drawn from the seed"""
    LAST = 1
    """the last row of the slot in the run before, which becomes its start state"""
    GIVEN = 2
    """the start state of the slot"""


class RunFlag(IntEnum):
    """Bits of RUN."""

    CORRELATE = 1
    """sum spins and products over the rows"""
    ANNOUNCE = 2
    """send ENDED"""
    STREAM = 4
    """send all rows as events, as if STREAM had asked for them"""


class Memory(IntEnum):
    """What READBACK and DIGEST look at."""

    COUPLINGS = 0
    """in canonical order of edges"""
    FIELDS = 1
    """slot by slot"""
    STATES = 2
    """start states, packed, slot by slot"""
    CLAMPS = 3
    """packed"""
    LEGS = 4
    """the table of legs"""


class BeginFlag(IntEnum):
    """Bits of BEGIN."""

    KEEP = 1
    """keep the couplings there are: only changes follow"""


class HelloOption(IntEnum):
    """Bits of HELLO."""

    STRONG = 1
    """from the reply on both sides drop frames without CRC-32"""


class ResetCause(IntEnum):
    """Why a device started."""

    UNKNOWN = 0
    """the part does not tell"""
    POWER = 1
    """power came on"""
    PIN = 2
    """the reset pin"""
    WATCHDOG = 3
    """the watchdog"""
    BROWN_OUT = 4
    """the supply dipped"""
    COMMAND = 5
    """RESET"""


class FaultBit(IntEnum):
    """What is wrong with a board."""

    SUPPLY = 1
    """supply out of range"""
    CLOCK = 2
    """no clock or no lock"""
    MEMORY = 4
    """a self-test of memory failed"""
    ARRAY = 8
    """the array of spins does not answer"""
    OVERHEAT = 16
    """too hot"""


class Parameter(IntEnum):
    """Parameters every device has; from 128 on they are its own."""

    EVENTS = 1
    """1 sends events, 0 (after HELLO) none"""
    SILENCE_MS = 2
    """a run is aborted after so long without a frame; 0 (after HELLO) never"""


PURE = frozenset(
    {
        Opcode.DESCRIBE,
        Opcode.ECHO,
        Opcode.STATUS,
        Opcode.GET_PARAMETER,
        Opcode.COUNTERS,
        Opcode.READBACK,
        Opcode.DIGEST,
        Opcode.POLL,
        Opcode.READ,
        Opcode.CORRELATE,
    }
)
"""Requests that change nothing: run again where they come again."""
