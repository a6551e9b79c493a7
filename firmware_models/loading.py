"""What a board does with requests that write or read its memories."""

from collections.abc import Callable, Mapping

import numpy as np

from drivers.wire.constants import BeginFlag, Memory, Opcode, State, Status
from drivers.wire.crc import crc32
from drivers.wire.layout import pack
from drivers.wire.packing import packed_bytes
from drivers.wire.replies import Content, Digest
from firmware_models.board import Board
from firmware_models.intake import Request, listed_spins, out_of_range, place
from firmware_models.memory import RefusalError

NOTHING = b""


def begin(board: Board, request: Request) -> bytes:
    """Start an upload."""
    num_spins, flags = request.numbers
    if not 1 <= num_spins <= board.descriptor.units.most:
        raise out_of_range(request.opcode, "num_spins")
    if flags & ~BeginFlag.KEEP:
        raise out_of_range(request.opcode, "flags")
    if num_spins != board.memory.num_spins:
        board.run = None
    board.memory.begin(num_spins, keep=bool(flags & BeginFlag.KEEP))
    board.state = State.LOADING
    return NOTHING


def load_couplings(board: Board, request: Request) -> bytes:
    """Write couplings."""
    at = place(request.opcode, "values")
    board.memory.load_couplings(request.numbers[0], request.tail, at=at)
    return NOTHING


def commit(board: Board, request: Request) -> bytes:
    """End an upload, if the couplings are those of the host."""
    digest = board.memory.digest
    if request.numbers[0] != digest:
        raise RefusalError(Status.BAD_DIGEST, digest)
    board.state = State.READY
    return NOTHING


def load_fields(board: Board, request: Request) -> bytes:
    """Write fields, of slots that are not being run."""
    offset, width = request.numbers
    board.outside_the_run(
        _touched(offset, len(request.tail) // max(width, 1), board.memory.num_spins)
    )
    if width not in (1, 2):
        raise out_of_range(request.opcode, "width")
    at = place(request.opcode, "values")
    board.memory.load_fields(offset, width, request.tail, at=at)
    return NOTHING


def patch_fields(board: Board, request: Request) -> bytes:
    """Write fields of the same spins in many slots."""
    slot, num_slots, width, num_spins = request.numbers
    board.outside_the_run(range(slot, slot + num_slots))
    if width not in (1, 2):
        raise out_of_range(request.opcode, "width")
    spins = np.array(listed_spins(request), np.uint16)
    values = request.tail[2 * num_spins :]
    at = place(request.opcode, "spins")
    board.memory.patch_fields(slice(slot, slot + num_slots), spins, values, at=at)
    return NOTHING


def copy_slots(board: Board, request: Request) -> bytes:
    """Give slots that are not being run what others hold."""
    slot, num_slots, source = request.numbers
    board.outside_the_run(range(slot, slot + num_slots))
    board.memory.copy_slots(
        slot,
        num_slots,
        source,
        places=(place(request.opcode, "slot"), place(request.opcode, "source")),
    )
    return NOTHING


def load_states(board: Board, request: Request) -> bytes:
    """Write start states, of slots that are not being run."""
    (offset,) = request.numbers
    each = packed_bytes(board.memory.num_spins)
    board.outside_the_run(_touched(offset, len(request.tail), each))
    board.memory.load_states(offset, request.tail, at=place(request.opcode, "packed"))
    return NOTHING


def load_clamps(board: Board, request: Request) -> bytes:
    """Write the mask of clamps."""
    at = place(request.opcode, "packed")
    board.memory.load_clamps(request.numbers[0], request.tail, at=at)
    return NOTHING


def load_legs(board: Board, request: Request) -> bytes:
    """Write legs into their table."""
    at = place(request.opcode, "values")
    board.memory.load_legs(request.numbers[0], request.tail, at=at)
    return NOTHING


def readback(board: Board, request: Request) -> bytes:
    """Return what a memory holds."""
    memory, offset, _ = request.numbers
    data = _content(board, request)
    return pack(Content(Memory(memory), offset, data))


def digest(board: Board, request: Request) -> bytes:
    """Return the digest of what a memory holds."""
    return pack(Digest(crc32(_content(board, request))))


def _content(board: Board, request: Request) -> bytes:
    memory, offset, count = request.numbers
    if memory not in set(Memory):
        raise out_of_range(request.opcode, "memory")
    at = place(request.opcode, "offset")
    return board.memory.content(Memory(memory), offset, count, at=at)


def _touched(offset: int, count: int, each: int) -> range:
    """Return the slots of `each` values that a stretch of them touches."""
    return range(offset // each, -(-(offset + count) // each) if count else offset // each)


ORDERS: Mapping[int, Callable[[Board, Request], bytes]] = {
    Opcode.BEGIN: begin,
    Opcode.LOAD_COUPLINGS: load_couplings,
    Opcode.LOAD_FIELDS: load_fields,
    Opcode.COMMIT: commit,
    Opcode.READBACK: readback,
    Opcode.LOAD_STATES: load_states,
    Opcode.LOAD_CLAMPS: load_clamps,
    Opcode.LOAD_LEGS: load_legs,
    Opcode.PATCH_FIELDS: patch_fields,
    Opcode.COPY_SLOTS: copy_slots,
    Opcode.DIGEST: digest,
}
