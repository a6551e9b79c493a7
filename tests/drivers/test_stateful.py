"""A host, a board and a line that misbehaves, in any order: what the host is told is what a plain model says.

Time is the test's own. Frames are lost, doubled and scrambled one by one; the board is reset, stalls, rots.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from drivers.errors import DeviceResetError, SessionTakenError
from drivers.profile import load_profile
from drivers.session import Session
from drivers.wire.cobs import stuff, unstuff
from drivers.wire.constants import Memory, Opcode, ResetCause, RunState, Start, State, Status
from drivers.wire.crc import couplings_digest
from drivers.wire.faults import RefusedError
from drivers.wire.packing import pack_legs, pack_values, unpack_spins
from drivers.wire.requests import (
    Begin,
    Commit,
    LoadCouplings,
    LoadFields,
    LoadLegs,
    Nothing,
    Read,
    Run,
    RunId,
    Stretch,
)
from firmware_models import core
from firmware_models.faults import Way
from firmware_models.line import Passage
from firmware_models.model import ModelTransport
from firmware_models.programme import Leg, Programme
from firmware_models.server import Server

PROFILE = load_profile("ref-avr64")
N = 5
LEGS = (Leg(8, 200, 6), Leg(200, 100, 3))
SHIFT = 4
SLOTS = 3
PENDING = 5
"""Mishaps ahead of each direction at most: where both have fewer than a question has tries, the line is not cut."""
FATES = ["lose", "double", "scramble", "again later"]


class Line:
    """Loses, doubles, scrambles or repeats much later the next frames of a direction, as it is told."""

    plain, baud = False, 115_200

    def __init__(self):
        self.fates = {way: [] for way in Way}
        self.late = {way: [] for way in Way}

    def to_device(self, data, now):
        return self._carry(Way.TO_DEVICE, data, now)

    def to_host(self, data, now):
        return self._carry(Way.TO_HOST, data, now)

    def _carry(self, way, data, now):
        out = b""
        for frame in data.split(b"\0")[:-1]:
            fate = self.fates[way].pop(0) if self.fates[way] and frame else "carry"
            if fate == "scramble":
                # The last byte of the payload, four of the check follow; the stuffing is right.
                data = unstuff(frame)
                frame = stuff(data[:-5] + bytes([data[-5] ^ 0x40]) + data[-4:])
            out += {"lose": b"", "double": 2 * (frame + b"\0")}.get(fate, frame + b"\0")
            out += b"".join(self.late[way])
            self.late[way] = [frame + b"\0"] if fate == "again later" else []
        return [Passage(now + 1e-3, way, out)] if out else []


class Conversation(RuleBasedStateMachine):
    """The board as the protocol's page has it: `self.b`."""

    @initialize()
    def attach(self):
        self.line = Line()
        self.server = Server(PROFILE, uid=3, boot=1)
        self.transport = ModelTransport(self.server, url="model://stateful", line=self.line)
        self.session = Session(self.transport)
        self.runs = 0
        self.forget()
        self.load_legs()
        self.begin(False)
        self.load_couplings(0, [50, -40, 30, -20])
        self.commit(True)

    def forget(self):
        edges = N * (N - 1) // 2
        self.b = SimpleNamespace(
            state=State.EMPTY, couplings=np.zeros(edges, int), fields=np.zeros((SLOTS, N), int),
            legs=False, run=None,
        )  # fmt: skip

    def ask(self, opcode, message, expected=None):
        """Ask, and compare a refusal with the one expected; return the reply."""
        reply = status = None
        try:
            reply = self.session.ask(opcode, message)
        except RefusedError as error:
            status = error.status
        assert status is expected
        return reply

    # What goes wrong

    @rule(
        way=st.sampled_from(Way),
        fate=st.sampled_from(FATES),
        count=st.integers(1, 3),
    )
    def mishap(self, way, fate, count):
        self.line.fates[way] = (self.line.fates[way] + [fate] * count)[:PENDING]

    @rule(kind=st.sampled_from(["stall", "stall", "reset", "intruder"]), seconds=st.floats(0.01, 3))
    def upset(self, kind, seconds):
        if kind == "stall":
            self.transport._device_at = self.transport.now() + seconds
            return
        if kind == "reset":
            self.server.reset(ResetCause.BROWN_OUT)
        else:
            Session(ModelTransport(self.server, url="model://intruder", line=Line()))
        with pytest.raises(DeviceResetError if kind == "reset" else SessionTakenError):
            self.session.ask(Opcode.STATUS, Nothing())
        if kind == "reset":
            self.forget()
        self.b.run = None

    @precondition(lambda self: self.b.state is not State.EMPTY)
    @rule(place=st.integers(0, 9))
    def rot(self, place):
        self.server.corrupt(Memory.COUPLINGS, place, 4)
        value = int(self.b.couplings[place])
        self.b.couplings[place] = np.array(value).astype(np.int8) ^ 4

    # What is asked

    @rule(keep=st.booleans())
    def begin(self, keep):
        keep = keep and self.b.state is not State.EMPTY
        self.ask(Opcode.BEGIN, Begin(N, int(keep)))
        if not keep:
            self.b.couplings[:] = 0
            self.b.fields[:] = 0
        self.b.state = State.LOADING

    @rule(offset=st.integers(0, 9), values=st.lists(st.integers(-127, 127), min_size=1, max_size=4))
    def load_couplings(self, offset, values):
        values = values[: 10 - offset]
        loading = self.b.state is State.LOADING
        message = LoadCouplings(offset, pack_values(np.array(values), 1))
        self.ask(Opcode.LOAD_COUPLINGS, message, None if loading else Status.BAD_STATE)
        if loading:
            self.b.couplings[offset : offset + len(values)] = values

    @rule(right=st.booleans())
    def commit(self, right):
        digest = couplings_digest(N, pack_values(self.b.couplings, 1)) ^ (not right)
        refusal = None if right else Status.BAD_DIGEST
        loading = self.b.state is State.LOADING
        self.ask(Opcode.COMMIT, Commit(digest), refusal if loading else Status.BAD_STATE)
        if loading and right:
            self.b.state = State.READY

    @rule(
        values=st.lists(
            st.lists(st.integers(-300, 300), min_size=N, max_size=N), min_size=1, max_size=12
        )
    )
    def load_fields(self, values):
        """Slot after slot and round again, all under way together: the last ones stay."""
        slots = [place % SLOTS for place in range(len(values))]
        asked = [
            (Opcode.LOAD_FIELDS, LoadFields(slot * N, 2, pack_values(np.array(row), 2)))
            for slot, row in zip(slots, values, strict=True)
        ]
        if self.b.state is State.EMPTY:
            self.ask(*asked[0], Status.BAD_STATE)
            return
        self.session.ask_all(asked)
        for slot, row in zip(slots, values, strict=True):
            self.b.fields[slot] = row

    @rule()
    def load_legs(self):
        table = np.array([[leg.first, leg.last, leg.sweeps] for leg in LEGS])
        self.ask(Opcode.LOAD_LEGS, LoadLegs(0, pack_legs(table)))
        self.b.legs = True

    @rule(seed=st.integers(0, 2**32 - 1), reads=st.integers(1, 3))
    def run(self, seed, reads):
        self.runs += 1
        message = Run(self.runs, seed, 4, 0, SLOTS, reads, 0, Start.RANDOM, 0, 0, len(LEGS), SHIFT)
        refusal = None if self.b.legs else Status.OUT_OF_RANGE
        ready = self.b.state is State.READY
        self.ask(Opcode.RUN, message, refusal if ready else Status.BAD_STATE)
        if not (ready and self.b.legs):
            return
        rows = [
            core.run(self.programme(slot), seed=seed, sample=4 + slot, read=read).spins
            for slot in range(SLOTS)
            for read in range(reads)
        ]
        self.b.run = (self.runs, np.array(rows))
        while self.ask(Opcode.POLL, RunId(self.runs)).state is not RunState.COMPLETE:
            self.transport.read(0.01)

    def programme(self, slot):
        return Programme(
            tuple(self.b.couplings.tolist()),
            tuple(self.b.fields[slot].tolist()),
            (0,) * N,
            LEGS,
            SHIFT,
        )

    @precondition(lambda self: self.b.run)
    @rule(first=st.integers(0, 8), count=st.integers(1, 4))
    def read(self, first, count):
        number, rows = self.b.run
        refusal = Status.OUT_OF_RANGE if first + count > len(rows) else None
        if self.b.state is State.LOADING:
            refusal = Status.BAD_STATE
        reply = self.ask(Opcode.READ, Read(number, first, count), refusal)
        if reply:
            assert (unpack_spins(reply.packed, N) == rows[first : first + count]).all()

    @rule()
    def look(self):
        condition = self.ask(Opcode.STATUS, Nothing())
        assert condition.state is self.b.state
        if self.b.state is not State.EMPTY:
            assert condition.digest == couplings_digest(N, pack_values(self.b.couplings, 1))
            held = self.ask(Opcode.READBACK, Stretch(Memory.FIELDS, 0, SLOTS * N)).data
            assert held == pack_values(self.b.fields, 2)

    @precondition(lambda self: self.b.run and self.b.state is not State.LOADING)
    @rule()
    def abort(self):
        self.ask(Opcode.ABORT, RunId(self.b.run[0]))


class TestConversation(Conversation.TestCase):
    settings = settings(max_examples=15, stateful_step_count=50, deadline=None)


@pytest.mark.slow
class TestLongConversation(Conversation.TestCase):
    settings = settings(max_examples=110, stateful_step_count=50, deadline=None)
