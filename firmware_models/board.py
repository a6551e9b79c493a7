"""The state of a board between two resets: its memory, the run it holds, and which requests it takes when.

Requests are checked in the order of docs/protocol.md: opcode and length (`intake`), capability, state, ranges; nothing
is written before all have passed. `loading` and `running` then do what is asked. Where the page leaves a choice:

- BAD_LENGTH says how many bytes the message has before its values.
- A stretch that goes beyond its memory is refused at the place of its first number (offset, slot, leg, row).
- In RUNNING, RUN is refused as BUSY even with the id of the run under way; in READY the id is looked at before ranges.
- RUN wants at least one slot, read and leg, legs that were loaded, and no unknown flag.
- Memories stay over BEGIN, but for couplings and fields; the run before is forgotten where the number of spins changes.
- A run is PENDING until its first row is worked on.
- A reply that does not fit is found too long last of all.
"""

from collections.abc import Mapping

from drivers.descriptor import Descriptor
from drivers.wire.constants import Event, Memory, Opcode, RunState, State, Status
from drivers.wire.layout import layout_of, pack
from drivers.wire.replies import Ended, Faulted, Progress, Rows
from firmware_models.intake import Request, capable
from firmware_models.memory import BoardMemory, RefusalError
from firmware_models.runs import Notice, Run, SpinArray

LOADED = frozenset({State.LOADING, State.READY})
AFTER = frozenset({State.READY, State.RUNNING, State.FAULTY})
TAKEN: Mapping[int, frozenset[State]] = {
    Opcode.BEGIN: LOADED | {State.EMPTY},
    Opcode.LOAD_LEGS: LOADED | {State.EMPTY},
    Opcode.LOAD_COUPLINGS: frozenset({State.LOADING}),
    Opcode.COMMIT: frozenset({State.LOADING}),
    Opcode.LOAD_FIELDS: LOADED | {State.RUNNING},
    Opcode.LOAD_STATES: LOADED | {State.RUNNING},
    Opcode.PATCH_FIELDS: LOADED | {State.RUNNING},
    Opcode.COPY_SLOTS: LOADED | {State.RUNNING},
    Opcode.LOAD_CLAMPS: LOADED,
    Opcode.READBACK: LOADED | AFTER,
    Opcode.DIGEST: LOADED | AFTER,
    Opcode.RUN: frozenset({State.READY}),
    Opcode.POLL: AFTER,
    Opcode.READ: AFTER,
    Opcode.CORRELATE: AFTER,
    Opcode.STREAM: frozenset({State.READY, State.RUNNING}),
    Opcode.ABORT: frozenset({State.READY, State.RUNNING}),
}
"""States in which a request is taken; in all where it is not listed. READBACK and DIGEST of legs always are."""

LEAST_BYTES = 128
"""Rows of a stream wait until they come to this, or there are no more to come."""

ROWS_HEAD, ENDED_HEAD = layout_of(Rows).size, layout_of(Ended).size


class Board:
    """A board from one reset to the next.

    Attributes:
        descriptor: what it says of itself.
        memory: what it holds.
        state: where it stands.
        faults: bits of `FaultBit`.
        boot: id of this boot.
        run: the last one of this session.
    """

    def __init__(self, descriptor: Descriptor, array: SpinArray, *, boot: int) -> None:
        self.descriptor = descriptor
        self.memory = BoardMemory(descriptor)
        self.state = State.EMPTY
        self.faults = 0
        self.boot = boot
        self.run: Run | None = None
        self._array = array
        self._end_untold = False

    @property
    def held_run(self) -> int:
        """Id of the last run; 0 where there is none."""
        return self.run.number if self.run else 0

    def admit(self, request: Request) -> None:
        """Check capability and state.

        Raises:
            RefusalError: the board does not offer this, or not now.
        """
        memory = self.memory
        if not capable(request, self.descriptor, memory.num_spins + memory.num_couplings):
            raise RefusalError(Status.NOT_CAPABLE)
        states = TAKEN.get(request.opcode)
        if states is not None and self.state not in states:
            reads = request.opcode in (Opcode.READBACK, Opcode.DIGEST)
            if not (reads and request.numbers[0] == Memory.LEGS):
                raise self.not_now()

    def not_now(self) -> RefusalError:
        """Return the refusal that the state gives."""
        if self.state is State.RUNNING:
            return RefusalError(Status.BUSY, self.held_run)
        if self.state is State.FAULTY:
            return RefusalError(Status.HARDWARE_FAULT, self.faults)
        return RefusalError(Status.BAD_STATE, self.state)

    def outside_the_run(self, slots: range) -> None:
        """Check that none of these slots is being run.

        Raises:
            RefusalError: one is.
        """
        if self.state is State.RUNNING and self.run and self.run.holds(slots):
            raise self.not_now()

    def start(self, run: Run) -> None:
        """Begin a run; rows of the one before are gone."""
        self.run = run
        self.state = State.RUNNING

    def work(self, now: float) -> float:
        """End the part of the run that was begun and begin the next; return the seconds until that is done."""
        run = self.run
        if run is None or self.state is not State.RUNNING:
            return 0.0
        run.finish()
        if run.rows_ready == run.rows:
            run.couplings_digest = self.memory.digest
            self._end(RunState.COMPLETE)
            return 0.0
        sweeps = run.work(self.memory, self._array, now)
        return sweeps * run.num_spins * self.descriptor.latency.sweep_s

    def abort(self) -> None:
        """End the run under way, if there is one; rows ready stay."""
        if self.state is State.RUNNING:
            self._end(RunState.STOPPED)

    def forget(self) -> None:
        """End the session: no run is under way, and there was none before."""
        self.abort()
        self.run = None
        self._end_untold = False

    def fail(self, faults: int) -> None:
        """A fault arises: it ends the run under way, and there is none until a reset."""
        if self.state is State.RUNNING:
            self._end(RunState.FAILED)
        self.faults |= faults
        self.state = State.FAULTY

    def fault_notice(self) -> Notice:
        """Return the event that tells of faults."""
        return Notice(Event.FAULT, pack(Faulted(self.boot, self.faults)))

    def notices(self, most: int) -> list[Notice]:
        """Return the events that are due, of at most `most` bytes: rows of a stream, then the end of a run."""
        run = self.run
        if run is None:
            return []
        found = []
        row, end = run.stream
        each = (most - ROWS_HEAD) // run.width
        ready = min(end, run.rows_ready)
        if run.under_way and (ready - row) * run.width < LEAST_BYTES and ready < end:
            ready = row
        held = (most - ENDED_HEAD) // run.width if self._end_untold else 0
        while each and ready - row > held:
            count = min(each, ready - row)
            found.append(Notice(Event.ROWS, pack(self.rows(run, row, count)), row + count < end))
            row += count
        if self._end_untold:
            self._end_untold = False
            rest = ready - row if 0 < ready - row <= held else 0
            packed = run.packed_rows(row, rest)
            found.append(Notice(Event.ENDED, pack(self.ended(run, row, packed))))
            row += rest
        run.stream = row, end
        return found

    def hush(self) -> None:
        """Leave the end of a run untold."""
        self._end_untold = False

    def rows(self, run: Run, first: int, count: int) -> Rows:
        """Return rows of a run as a message."""
        return Rows(self.boot, run.number, first, count, run.packed_rows(first, count))

    def progress(self, run: Run) -> Progress:
        """Return how far a run has come as a message."""
        couplings = run.couplings_digest
        return Progress(self.boot, run.number, run.state, run.rows_ready, run.digest, couplings)

    def ended(self, run: Run, row: int, packed: bytes) -> Ended:
        """Return how far a run came, and its last rows, as a message."""
        couplings = run.couplings_digest
        return Ended(
            self.boot, run.number, run.state, run.rows_ready, run.digest, couplings, row, packed
        )

    def _end(self, how: RunState) -> None:
        assert self.run is not None
        self.run.state = how
        self.state = State.READY
        self._end_untold = self.run.announces
