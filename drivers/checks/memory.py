"""What is written must be there when it is read."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from drivers.board import Board
from drivers.checks.expecting import NotTestedError, expect
from drivers.descriptor import Integers
from drivers.session import Ask
from drivers.uploads import load_couplings, load_fields, load_states
from drivers.wire.constants import Memory, Opcode, Status
from drivers.wire.crc import couplings_digest, crc32
from drivers.wire.faults import RefusedError
from drivers.wire.packing import pack_spins, pack_values, packed_bytes, value_bytes
from drivers.wire.requests import Begin, Commit, LoadClamps, Nothing, Stretch


def couplings(board: Board) -> str:
    """Load random couplings of all spins, be refused with a wrong digest, and read them back."""
    session, d = board.session, board.session.descriptor
    n, most = d.units.most, session.link.best_payload
    width = value_bytes(d.coupling.bits)
    values = _spread(d.coupling, d.topology.num_pairs(n), seed=2)
    data = pack_values(values, width)
    digest = couplings_digest(n, data)
    begin: Ask = (Opcode.BEGIN, Begin(n, 0))
    session.ask_all([begin, *load_couplings(None, values, width=width, most=most)])
    try:
        session.ask(Opcode.COMMIT, Commit(digest ^ 1))
    except RefusedError as error:
        expect(error.status is Status.BAD_DIGEST, f"a wrong digest is refused with {error.status}")
    else:
        expect(False, "a wrong digest is taken")
    session.ask(Opcode.COMMIT, Commit(digest))
    expect(session.ask(Opcode.STATUS, Nothing()).digest == digest, "STATUS finds another digest")
    _compare(board, Memory.COUPLINGS, data, width)
    return f"{values.size} of {d.coupling.bits} bits, {d.coupling.low} to {d.coupling.high}"


def fields(board: Board) -> str:
    """Load random fields into all slots, then change a few spins in all of them; read both back."""
    session, d = board.session, board.session.descriptor
    n, most = d.units.most, session.link.best_payload
    k, width = d.slots(n), value_bytes(d.field.bits)
    values = _spread(d.field, k * n, seed=3).reshape(k, n)
    session.ask_all(load_fields(None, values, most=most))
    _compare(board, Memory.FIELDS, pack_values(values, width), width)
    changed = values.copy()
    few = np.unique([0, n // 2, n - 1])
    changed[:, few] = _spread(d.field, k * few.size, seed=4).reshape(k, few.size)
    session.ask_all(load_fields(values, changed, most=most))
    _compare(board, Memory.FIELDS, pack_values(changed, width), width)
    return f"{k} slots of {n}, then {few.size} spins in each"


def states(board: Board) -> str:
    """Load random start states into all slots and read them back."""
    session, d = board.session, board.session.descriptor
    n = d.units.most
    spins = _spins(d.slots(n), n, seed=5)
    session.ask_all(load_states(spins, most=session.link.best_payload))
    _compare(board, Memory.STATES, pack_spins(spins), 1)
    return f"{len(spins)} slots of {n}"


def clamps(board: Board) -> str:
    """Load a random mask, read it back, and clear it."""
    session, d = board.session, board.session.descriptor
    if not d.features.clamp:
        raise NotTestedError("this device holds no spins")
    n = d.units.most
    for mask in (pack_spins(_spins(1, n, seed=6)), bytes(packed_bytes(n))):
        session.ask(Opcode.LOAD_CLAMPS, LoadClamps(0, mask))
        _compare(board, Memory.CLAMPS, mask, 1)
    return f"{n} spins"


def _compare(board: Board, memory: Memory, data: bytes, width: int) -> None:
    """Compare what a memory holds with what it was told, by digest and byte by byte."""
    session = board.session
    count = len(data) // width
    step = (session.link.best_payload - 6) // width
    parts = [Stretch(memory, at, min(step, count - at)) for at in range(0, count, step)]
    asked: Iterable[Ask] = [(Opcode.READBACK, part) for part in parts]
    replies = session.ask_all(asked, reply_bytes=6 + step * width)
    back = np.frombuffer(b"".join(reply.data for reply in replies), np.uint8)
    expect(back.size == len(data), f"{back.size} bytes of {memory.name} came, not {len(data)}")
    wrong = np.flatnonzero(back != np.frombuffer(data, np.uint8))
    expect(not wrong.size, f"{wrong.size} bytes of {memory.name} differ, the first at {wrong[:1]}")
    digest = session.ask(Opcode.DIGEST, Stretch(memory, 0, count)).digest
    expect(digest == crc32(data), f"DIGEST of {memory.name} is not that of its bytes")


def _spread(numbers: Integers, count: int, *, seed: int) -> NDArray[np.int64]:
    """Return random numbers of a range, both ends among them."""
    values = np.random.default_rng(seed).integers(numbers.low, numbers.high, count, endpoint=True)
    values[: min(2, count)] = (numbers.low, numbers.high)[: min(2, count)]
    return values


def _spins(k: int, n: int, *, seed: int) -> NDArray[np.int8]:
    return np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), (k, n))
