"""What a board does with requests that start, follow, read and end runs."""

from collections.abc import Callable, Mapping

import numpy as np

from drivers.wire.constants import Opcode, RunFlag, RunState, Start, Status
from drivers.wire.layout import pack
from drivers.wire.packing import pack_values, packed_bytes
from drivers.wire.replies import Accepted, Condition, Sums
from firmware_models.board import Board
from firmware_models.core import WORD
from firmware_models.intake import Request, out_of_range
from firmware_models.memory import RefusalError
from firmware_models.runs import Run, gains_of, sweeps_of_slot


def status(board: Board, _: Request) -> bytes:
    """Return where the board stands."""
    memory, run = board.memory, board.run
    ready = run.rows_ready if run else 0
    condition = Condition(
        board.boot,
        board.state,
        board.faults,
        board.held_run,
        ready,
        memory.num_spins,
        memory.digest,
    )
    return pack(condition)


def run(board: Board, request: Request) -> bytes:
    """Start a run, or answer for the one that has this id already."""
    number, seed, sample, slot, num_slots, reads, thin, start, flags, leg, num_legs, shift = (
        request.numbers
    )
    if board.run is not None and board.run.number == number:
        return pack(Accepted(board.boot, number, board.run.estimate_us))
    _check_ranges(board, request)
    slots = range(slot, slot + num_slots)
    if start == Start.LAST:
        before = board.run
        if before is None or before.state is not RunState.COMPLETE or not before.covers(slots):
            raise RefusalError(Status.BAD_STATE, board.state)
        board.memory.set_starts(slot, before.last_rows(slots))
    memory, sign = board.memory, board.descriptor.update.energy_sign
    gains = gains_of(memory.legs[leg : leg + num_legs])
    sweeps = num_slots * sweeps_of_slot(len(gains), reads, thin)
    sweep_ns = round(board.descriptor.latency.sweep_s * 1e9)
    started = Run(
        number=number,
        num_spins=memory.num_spins,
        width=packed_bytes(memory.num_spins),
        sign=sign,
        seed=seed,
        sample=sample,
        slot=slot,
        num_slots=num_slots,
        reads=reads,
        thin=thin,
        random=start == Start.RANDOM,
        flags=flags,
        gains=gains,
        shift=shift,
        estimate_us=min(WORD, sweeps * memory.num_spins * sweep_ns // 1000),
    )
    if flags & RunFlag.STREAM:
        started.stream = 0, started.rows
    board.start(started)
    return pack(Accepted(board.boot, number, started.estimate_us))


def _check_ranges(board: Board, request: Request) -> None:
    number, _, _, slot, num_slots, reads, thin, start, flags, leg, num_legs, shift = request.numbers
    memory, schedule = board.memory, board.descriptor.schedule
    rows = board.descriptor.rows(memory.num_spins)
    legs = memory.legs[leg : leg + num_legs]
    fine = {
        "run": number > 0,
        "slot": slot + num_slots <= memory.num_slots,
        "num_slots": num_slots > 0,
        "reads": 1 <= reads <= board.descriptor.limits.reads and num_slots * reads <= rows,
        "thin": thin <= schedule.most_sweeps,
        "start": start in set(Start),
        "flags": not flags & ~(RunFlag.CORRELATE | RunFlag.ANNOUNCE | RunFlag.STREAM),
        "leg": leg + num_legs <= len(memory.legs) and (legs["sweeps"] > 0).all(),
        "num_legs": num_legs > 0,
        "shift": shift <= schedule.most_shift,
    }
    for name, inside in fine.items():
        if not inside:
            raise out_of_range(request.opcode, name)


def poll(board: Board, request: Request) -> bytes:
    """Return how far a run has come."""
    return pack(board.progress(_known(board, request)))


def read(board: Board, request: Request) -> bytes:
    """Return rows of a run."""
    known = _known(board, request)
    _, row, num_rows = request.numbers
    if row + num_rows > known.rows:
        raise out_of_range(request.opcode, "row")
    _check_ready(known, row + num_rows)
    return pack(board.rows(known, row, num_rows))


def stream(board: Board, request: Request) -> bytes:
    """Ask for rows as events, from now on and instead of those asked for before."""
    known = _known(board, request)
    _, row, credit = request.numbers
    if row > known.rows:
        raise out_of_range(request.opcode, "row")
    known.stream = row, min(row + credit, known.rows)
    return b""


def abort(board: Board, request: Request) -> bytes:
    """End the run under way; without one there is nothing to do."""
    if board.run is not None and board.run.under_way:
        _known(board, request)
        board.abort()
    return b""


def correlate(board: Board, request: Request) -> bytes:
    """Return sums over all rows of a run that was told to make them."""
    known = _known(board, request)
    _, offset, count = request.numbers
    if not known.flags & RunFlag.CORRELATE:
        raise out_of_range(request.opcode, "run")
    _check_ready(known, known.rows)
    spins, (i, j) = known.spins(), board.memory.pairs.T
    sums = np.concatenate([spins.sum(axis=0), (spins.T @ spins)[i, j]])
    if offset + count > len(sums):
        raise out_of_range(request.opcode, "offset")
    values = pack_values(sums[offset : offset + count], 4)
    return pack(Sums(board.boot, known.number, offset, values))


def _known(board: Board, request: Request) -> Run:
    """Return the run that a request names; it must be the last one."""
    if board.run is None or board.run.number != request.numbers[0]:
        raise RefusalError(Status.UNKNOWN_RUN, board.held_run)
    return board.run


def _check_ready(known: Run, rows: int) -> None:
    if rows > known.rows_ready:
        status = Status.NOT_READY if known.under_way else Status.ABORTED
        raise RefusalError(status, known.rows_ready)


ORDERS: Mapping[int, Callable[[Board, Request], bytes]] = {
    Opcode.STATUS: status,
    Opcode.RUN: run,
    Opcode.POLL: poll,
    Opcode.READ: read,
    Opcode.STREAM: stream,
    Opcode.ABORT: abort,
    Opcode.CORRELATE: correlate,
}
