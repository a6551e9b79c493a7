"""What a board does with each request, in each state: the answer, or the refusal with its detail."""

import numpy as np
import pytest
from host import COUPLINGS, DIGEST, LEGS, Host, N, changed, contents

from drivers.wire import requests as ask
from drivers.wire.constants import (
    BeginFlag,
    FaultBit,
    Memory,
    Opcode,
    RunFlag,
    RunState,
    Start,
    State,
    Status,
)
from drivers.wire.crc import couplings_digest
from drivers.wire.layout import pack
from drivers.wire.packing import pack_legs, pack_values
from firmware_models.server import Server

DATA = COUPLINGS.astype("<i1").tobytes()
SLOTS = 32
RUN = ask.Run(9, 7, 100, 0, 3, 2, 0, Start.RANDOM, 0, 0, 2, 4)
VALID = {
    Opcode.DESCRIBE: ask.Describe(0, 20),
    Opcode.ECHO: ask.Echo(b"abc"),
    Opcode.STATUS: ask.Nothing(),
    Opcode.SET_PARAMETER: ask.SetParameter(1, 0),
    Opcode.GET_PARAMETER: ask.GetParameter(1),
    Opcode.COUNTERS: ask.Nothing(),
    Opcode.BEGIN: ask.Begin(N, BeginFlag.KEEP),
    Opcode.LOAD_COUPLINGS: ask.LoadCouplings(0, DATA),
    Opcode.LOAD_FIELDS: ask.LoadFields(20, 1, b"\x01\x02"),
    Opcode.COMMIT: ask.Commit(DIGEST),
    Opcode.READBACK: ask.Stretch(Memory.COUPLINGS, 0, 0),
    Opcode.LOAD_STATES: ask.LoadStates(9, b"\x01"),
    Opcode.LOAD_CLAMPS: ask.LoadClamps(0, b"\x01"),
    Opcode.LOAD_LEGS: ask.LoadLegs(3, pack_legs(LEGS)),
    Opcode.PATCH_FIELDS: ask.PatchFields(8, 1, 1, 1, (2,), b"\x05"),
    Opcode.COPY_SLOTS: ask.CopySlots(8, 1, 0),
    Opcode.DIGEST: ask.Stretch(Memory.COUPLINGS, 0, 0),
    Opcode.RUN: RUN,
    Opcode.POLL: ask.RunId(3),
    Opcode.READ: ask.Read(3, 0, 0),
    Opcode.STREAM: ask.Stream(3, 0, 0),
    Opcode.ABORT: ask.RunId(3),
}
ALWAYS = {"DESCRIBE", "ECHO", "STATUS", "COUNTERS", "SET_PARAMETER", "GET_PARAMETER"}
LOADS = {"LOAD_FIELDS", "LOAD_STATES", "PATCH_FIELDS", "COPY_SLOTS"}
LOOKS = {"READBACK", "DIGEST"}
FOLLOWS = {"POLL", "READ"}
ENDS = {"STREAM", "ABORT"}
TAKEN = {
    State.EMPTY: ALWAYS | {"LOAD_LEGS", "BEGIN"},
    State.LOADING: ALWAYS
    | LOADS
    | LOOKS
    | {"LOAD_LEGS", "BEGIN", "LOAD_COUPLINGS", "LOAD_CLAMPS", "COMMIT"},
    State.READY: ALWAYS | LOADS | LOOKS | FOLLOWS | ENDS | {"LOAD_LEGS", "BEGIN", "LOAD_CLAMPS", "RUN"},
    State.RUNNING: ALWAYS | LOADS | LOOKS | FOLLOWS | ENDS,
    State.FAULTY: ALWAYS | LOOKS | FOLLOWS,
}  # fmt: skip
REFUSAL = {
    State.EMPTY: (Status.BAD_STATE, State.EMPTY),
    State.LOADING: (Status.BAD_STATE, State.LOADING),
    State.READY: (Status.BAD_STATE, State.READY),
    State.RUNNING: (Status.BUSY, 3),
    State.FAULTY: (Status.HARDWARE_FAULT, FaultBit.OVERHEAT),
}


def in_state(state):
    """A host whose board stands there; the last run, if any, is number 3."""
    host = Host()
    if state is State.EMPTY:
        host.hello()
        return host
    host.ready()
    if state is State.LOADING:
        host.begin(keep=True)
        return host
    host.start(run=3)
    if state is not State.RUNNING:
        host.finish()
    if state is State.FAULTY:
        host.frames(host.server.fail(FaultBit.OVERHEAT))
    assert host.ask(Opcode.STATUS).state is state
    return host


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("opcode", VALID)
def test_requests_are_taken_in_the_states_of_the_page(state, opcode):
    host = in_state(state)
    if opcode.name in TAKEN[state]:
        host.ask(opcode, VALID[opcode])
    else:
        before = contents(host.server)
        assert host.refused(opcode, VALID[opcode]) == REFUSAL[state]
        assert contents(host.server) == before


@pytest.mark.parametrize("opcode", [Opcode.READBACK, Opcode.DIGEST])
def test_legs_may_be_looked_at_in_any_state(opcode):
    for state in State:
        in_state(state).ask(opcode, ask.Stretch(Memory.LEGS, 0, 2))


LENGTHS = {
    Opcode.HELLO: 7,
    Opcode.DESCRIBE: 4,
    Opcode.STATUS: 0,
    Opcode.SET_PARAMETER: 5,
    Opcode.GET_PARAMETER: 1,
    Opcode.COUNTERS: 0,
    Opcode.BEGIN: 3,
    Opcode.COMMIT: 4,
    Opcode.COPY_SLOTS: 6,
    Opcode.READBACK: 9,
    Opcode.DIGEST: 9,
    Opcode.RUN: 27,
    Opcode.POLL: 4,
    Opcode.READ: 10,
    Opcode.STREAM: 12,
    Opcode.ABORT: 4,
    Opcode.CORRELATE: 10,
    Opcode.RESET: 4,
    Opcode.SHUTDOWN: 4,
}
OPEN_LENGTHS = {
    Opcode.LOAD_COUPLINGS: 4,
    Opcode.LOAD_FIELDS: 5,
    Opcode.LOAD_STATES: 4,
    Opcode.LOAD_CLAMPS: 2,
    Opcode.LOAD_LEGS: 2,
    Opcode.PATCH_FIELDS: 7,
}


@pytest.mark.parametrize("opcode", {**LENGTHS, **OPEN_LENGTHS})
def test_a_wrong_length_is_refused_before_anything_else(opcode):
    """Even where the state and every number would be wrong, too."""
    size = {**LENGTHS, **OPEN_LENGTHS}[opcode]
    host = in_state(State.FAULTY)
    before = contents(host.server)
    for wrong in {size - 1, 0} - {-1, size}:
        assert host.refused(opcode, b"\xff" * wrong) == (Status.BAD_LENGTH, size)
    if opcode in LENGTHS:
        assert host.refused(opcode, b"\xff" * (size + 1)) == (Status.BAD_LENGTH, size)
    assert contents(host.server) == before


@pytest.mark.parametrize(
    ("opcode", "payload", "size"),
    [
        (Opcode.LOAD_LEGS, pack(ask.LoadLegs(0, bytes(7))), 2),
        (Opcode.LOAD_FIELDS, pack(ask.LoadFields(0, 2, bytes(3))), 5),
        (Opcode.PATCH_FIELDS, pack(ask.PatchFields(0, 2, 1, 1, (0,), b"\1")), 7),
        (Opcode.PATCH_FIELDS, pack(ask.PatchFields(0, 2, 2, 1, (0,), bytes(5))), 7),
        (Opcode.PATCH_FIELDS, bytes.fromhex("0000 0100 07 0200 0000"), 7),
        (Opcode.PATCH_FIELDS, bytes.fromhex("0000 0100 01 0100"), 7),
    ],
)
def test_values_come_whole(opcode, payload, size):
    host = in_state(State.READY)
    assert host.refused(opcode, payload) == (Status.BAD_LENGTH, size)


def test_two_bytes_per_coupling_above_eight_bits():
    wide = changed(coupling={"bits": 12, "low": -2000, "high": 2000})
    host = Host(Server(wide, uid=1, boot=1))
    host.hello()
    host.ask(Opcode.BEGIN, ask.Begin(3, 0))
    assert host.refused(Opcode.LOAD_COUPLINGS, ask.LoadCouplings(0, b"\1\2\3")) == (
        Status.BAD_LENGTH,
        4,
    )
    data = pack_values(np.array([-2000, 300, 7]), 2)
    host.ask(Opcode.LOAD_COUPLINGS, ask.LoadCouplings(0, data[:2]))
    host.ask(Opcode.LOAD_COUPLINGS, ask.LoadCouplings(1, data[2:]))
    beyond = ask.LoadCouplings(1, pack_values(np.array([2001]), 2))
    assert host.refused(Opcode.LOAD_COUPLINGS, beyond) == (Status.OUT_OF_RANGE, 4)
    host.ask(Opcode.COMMIT, ask.Commit(couplings_digest(3, data)))
    assert host.ask(Opcode.READBACK, ask.Stretch(Memory.COUPLINGS, 1, 2)).data == data[2:]


def out(at):
    return Status.OUT_OF_RANGE, at


RANGES = [
    (State.EMPTY, Opcode.DESCRIBE, ask.Describe(60000, 1), out(0)),
    (State.EMPTY, Opcode.SET_PARAMETER, ask.SetParameter(3, 0), out(0)),
    (State.EMPTY, Opcode.SET_PARAMETER, ask.SetParameter(1, 2), out(1)),
    (State.EMPTY, Opcode.SET_PARAMETER, ask.SetParameter(2, -1), out(1)),
    (State.EMPTY, Opcode.GET_PARAMETER, ask.GetParameter(0), out(0)),
    (State.READY, Opcode.BEGIN, ask.Begin(0, 0), out(0)),
    (State.READY, Opcode.BEGIN, ask.Begin(65, 0), out(0)),
    (State.READY, Opcode.BEGIN, ask.Begin(5, 2), out(2)),
    (State.LOADING, Opcode.LOAD_COUPLINGS, ask.LoadCouplings(10, b"\1"), out(0)),
    (State.LOADING, Opcode.LOAD_COUPLINGS, ask.LoadCouplings(2**32 - 1, b"\1"), out(0)),
    (State.LOADING, Opcode.LOAD_COUPLINGS, ask.LoadCouplings(0, DATA + b"\0"), out(0)),
    (State.LOADING, Opcode.LOAD_COUPLINGS, ask.LoadCouplings(0, b"\1\x80"), out(4)),
    (State.LOADING, Opcode.COMMIT, ask.Commit(DIGEST ^ 1), (Status.BAD_DIGEST, DIGEST)),
    (State.READY, Opcode.LOAD_FIELDS, ask.LoadFields(SLOTS * N, 1, b"\1"), out(0)),
    (State.READY, Opcode.LOAD_FIELDS, ask.LoadFields(SLOTS * N - 1, 1, b"\1\1"), out(0)),
    (State.READY, Opcode.LOAD_FIELDS, ask.LoadFields(0, 3, b"\1"), out(4)),
    (State.READY, Opcode.LOAD_FIELDS, ask.LoadFields(0, 2, b"\0\x80"), out(5)),
    (State.READY, Opcode.PATCH_FIELDS, ask.PatchFields(31, 2, 1, 1, (0,), b"\1\1"), out(0)),
    (State.READY, Opcode.PATCH_FIELDS, ask.PatchFields(0, 1, 0, 1, (0,), b""), out(4)),
    (State.READY, Opcode.PATCH_FIELDS, ask.PatchFields(0, 1, 1, 2, (1, 5), b"\1\1"), out(7)),
    (State.READY, Opcode.PATCH_FIELDS, ask.PatchFields(0, 1, 2, 2, (0, 1), b"\1\0\0\x80"), out(11)),
    (State.READY, Opcode.COPY_SLOTS, ask.CopySlots(31, 2, 0), out(0)),
    (State.READY, Opcode.COPY_SLOTS, ask.CopySlots(0, 2, 31), out(4)),
    (State.READY, Opcode.COPY_SLOTS, ask.CopySlots(4, 3, 6), out(4)),
    (State.READY, Opcode.COPY_SLOTS, ask.CopySlots(6, 3, 4), out(4)),
    (State.READY, Opcode.LOAD_STATES, ask.LoadStates(SLOTS, b"\1"), out(0)),
    (State.READY, Opcode.LOAD_STATES, ask.LoadStates(0, b"\x1f\x20"), out(4)),
    (State.READY, Opcode.LOAD_CLAMPS, ask.LoadClamps(1, b"\1"), out(0)),
    (State.READY, Opcode.LOAD_CLAMPS, ask.LoadClamps(0, b"\x20"), out(2)),
    (State.READY, Opcode.LOAD_LEGS, ask.LoadLegs(31, pack_legs(LEGS)), out(0)),
    (State.READY, Opcode.LOAD_LEGS, ask.LoadLegs(0, pack_legs(np.array([[1, 2, 0]]))), out(2)),
    (State.READY, Opcode.READBACK, ask.Stretch(Memory.COUPLINGS, 9, 2), out(1)),
    (State.READY, Opcode.READBACK, b"\x05" + bytes(8), out(0)),
    (State.READY, Opcode.DIGEST, ask.Stretch(Memory.CLAMPS, 0, 2), out(1)),
    (State.READY, Opcode.DIGEST, ask.Stretch(Memory.LEGS, 32, 1), out(1)),
    (State.READY, Opcode.READ, ask.Read(3, 5, 2), out(4)),
    (State.RUNNING, Opcode.READ, ask.Read(3, 6, 1), out(4)),
    (State.READY, Opcode.STREAM, ask.Stream(3, 7, 1), out(4)),
    (State.READY, Opcode.POLL, ask.RunId(4), (Status.UNKNOWN_RUN, 3)),
    (State.READY, Opcode.READ, ask.Read(4, 0, 1), (Status.UNKNOWN_RUN, 3)),
    (State.READY, Opcode.STREAM, ask.Stream(4, 0, 1), (Status.UNKNOWN_RUN, 3)),
    (State.RUNNING, Opcode.ABORT, ask.RunId(4), (Status.UNKNOWN_RUN, 3)),
    (State.RUNNING, Opcode.READ, ask.Read(3, 0, 1), (Status.NOT_READY, 0)),
    (State.READY, Opcode.RESET, ask.Guarded(1), out(0)),
    (State.READY, Opcode.SHUTDOWN, ask.Guarded(1), out(0)),
]


@pytest.mark.parametrize(("state", "opcode", "message", "expected"), RANGES)
def test_numbers_out_of_range_are_refused_at_their_place(state, opcode, message, expected):
    host = in_state(state)
    before = contents(host.server)
    assert host.refused(opcode, message) == expected
    assert contents(host.server) == before
    assert host.ask(Opcode.STATUS).state is state


def test_gains_and_sweeps_have_limits_of_their_own():
    narrow = changed(schedule={"most_gain": 50, "most_sweeps": 9})
    host = Host(Server(narrow, uid=1, boot=1))
    host.hello()
    for wrong in ([51, 1, 1], [1, 51, 1], [1, 1, 10]):
        legs = pack_legs(np.array([[50, 50, 9], wrong]))
        assert host.refused(Opcode.LOAD_LEGS, ask.LoadLegs(0, legs)) == out(2)
    assert not host.ask(Opcode.READBACK, ask.Stretch(Memory.LEGS, 0, 2)).data.strip(b"\0")


CAPABILITIES = [
    ({"features": {"clamp": False}}, Opcode.LOAD_CLAMPS, ask.LoadClamps(0, b"\xff\xff")),
    ({"features": {"clamp": False}}, Opcode.DIGEST, ask.Stretch(Memory.CLAMPS, 0, 99)),
    ({"features": {"stream": False}}, Opcode.STREAM, ask.Stream(8, 0, 1)),
    (
        {"features": {"stream": False}},
        Opcode.RUN,
        ask.Run(1, 0, 0, 0, 1, 1, 0, Start.RANDOM, RunFlag.STREAM, 0, 1, 0),
    ),
    ({"features": {"shutdown": False}}, Opcode.SHUTDOWN, ask.Guarded(0)),
    ({}, Opcode.CORRELATE, ask.Correlate(8, 0, 1)),
    ({"schedule": {"reverse": False}}, Opcode.RUN, ask.Run(0, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0, 99)),
    ({}, Opcode.RUN, ask.Run(0, 0, 0, 0, 0, 0, 0, 0, RunFlag.CORRELATE, 0, 0, 99)),
    ({"limits": {"sums": 14}}, Opcode.RUN, ask.Run(0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 99)),
]


@pytest.mark.parametrize(("tables", "opcode", "message"), CAPABILITIES)
def test_capability_comes_before_state_and_ranges(tables, opcode, message):
    host = Host(Server(changed(**tables), uid=1, boot=1))
    host.hello()
    host.begin()
    assert host.refused(opcode, message) == (Status.NOT_CAPABLE, 0)


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"run": 0}, 0),
        ({"slot": 30}, 12),
        ({"num_slots": 0}, 14),
        ({"reads": 0}, 16),
        ({"reads": 86}, 16),
        ({"start": 3}, 20),
        ({"flags": 8}, 21),
        ({"leg": 31}, 22),
        ({"num_legs": 3}, 22),
        ({"num_legs": 0}, 24),
        ({"shift": 16}, 26),
        ({"reads": 0, "shift": 16}, 16),
    ],
)
def test_a_run_out_of_range_is_refused_at_its_place(changes, at):
    host = in_state(State.READY)
    fields = {name: getattr(RUN, name) for name in RUN.__slots__}
    assert host.refused(Opcode.RUN, ask.Run(**{**fields, **changes})) == out(at)
    assert host.ask(Opcode.STATUS).run == 3


def test_a_fault_ends_the_run_and_forbids_others():
    host = in_state(State.RUNNING)
    host.ask(Opcode.SET_PARAMETER, ask.SetParameter(1, 1))
    host.frames(host.server.fail(FaultBit.CLOCK))
    host.frames(host.server.fail(FaultBit.ARRAY))
    assert [event.faults for event in host.told()] == [2, 10]
    assert host.ask(Opcode.STATUS).faults == FaultBit.CLOCK | FaultBit.ARRAY
    assert host.ask(Opcode.POLL, ask.RunId(3)).state is RunState.FAILED
    assert host.refused(Opcode.READ, ask.Read(3, 0, 1)) == (Status.ABORTED, 0)
    assert not host.server.busy
    host.hello(nonce=2)
    assert host.ask(Opcode.STATUS).state is State.FAULTY
