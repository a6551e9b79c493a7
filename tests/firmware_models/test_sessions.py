"""Sessions of a served board, and what is executed once."""

import pytest
from host import DIGEST, PROFILE, Host, N, describe, open_host

from drivers.descriptor import decode_descriptor
from drivers.wire import requests as ask
from drivers.wire.constants import (
    RESET_MAGIC,
    Flag,
    Opcode,
    ResetCause,
    RunFlag,
    State,
    Status,
)
from drivers.wire.crc import crc32
from drivers.wire.messages import decode_reply, encode_refusal
from drivers.wire.replies import Accepted, ParameterValue, Welcome
from firmware_models.server import Server


def test_hello_is_answered_with_who_it_is():
    host = Host(Server(PROFILE, uid=2**63 + 5, boot=2**32 - 1), sequence=65535)
    welcome = host.hello(nonce=0xA1B2C3D4)
    text = describe(host)
    assert welcome == Welcome(
        1, ResetCause.POWER, 0xA1B2C3D4, 2**32 - 1, 2**63 + 5, len(text), crc32(text), 250, 256
    )
    assert decode_descriptor(text) == PROFILE


@pytest.mark.parametrize(
    ("hello", "session", "expected"),
    [
        (ask.Hello(2, 3, 0, 1), 5, (Status.BAD_VERSION, 0x0101)),
        (ask.Hello(0, 0, 0, 1), 5, (Status.BAD_VERSION, 0x0101)),
        (ask.Hello(2, 1, 0, 1), 5, (Status.BAD_VERSION, 0x0101)),
        (ask.Hello(0, 9, 2, 1), 5, (Status.OUT_OF_RANGE, 2)),
        (ask.Hello(1, 1, 0, 1), 0, (Status.OUT_OF_RANGE, 0)),
        (b"\1\1\0", 5, (Status.BAD_LENGTH, 7)),
    ],
)
def test_a_refused_hello_changes_nothing(hello, session, expected):
    host = open_host()
    stranger = Host(host.server, session=session)
    assert stranger.refused(Opcode.HELLO, hello) == expected
    assert host.ask(Opcode.ECHO, b"still here").data == b"still here"


def test_a_range_of_versions_that_holds_ours_is_fine():
    host = Host()
    assert host.ask(Opcode.HELLO, ask.Hello(0, 9, 0, 1)).version == 1


def test_hello_again_only_repeats_the_reply():
    host = open_host()
    host.ask(Opcode.SET_PARAMETER, ask.SetParameter(2, 500))
    again = Host(host.server)
    assert again.hello().nonce == 1
    assert host.ask(Opcode.GET_PARAMETER, ask.GetParameter(2)) == ParameterValue(2, 500)


@pytest.mark.parametrize("changes", [{"session": 9}, {"nonce": 2}])
def test_another_hello_takes_the_board_over(changes):
    host = Host().ready()
    host.ask(Opcode.SET_PARAMETER, ask.SetParameter(1, 1))
    host.ask(Opcode.SET_PARAMETER, ask.SetParameter(2, 500))
    host.start(run=3, flags=RunFlag.ANNOUNCE)
    heir = Host(host.server, session=changes.get("session", host.session), sequence=77)
    heir.hello(nonce=changes.get("nonce", 1))
    condition = heir.ask(Opcode.STATUS)
    assert (condition.state, condition.run, condition.rows_ready) == (State.READY, 0, 0)
    assert condition.digest == DIGEST
    assert not host.server.busy
    assert heir.refused(Opcode.POLL, ask.RunId(3)) == (Status.UNKNOWN_RUN, 0)
    for parameter in (1, 2):
        assert heir.ask(Opcode.GET_PARAMETER, ask.GetParameter(parameter)).value == 0
    assert heir.told() == []
    if "session" in changes:
        before = heir.server._session.expected
        assert host.refused(Opcode.ABORT, ask.RunId(3)) == (Status.STALE_SESSION, 0)
        assert host.refused(0x77) == (Status.STALE_SESSION, 0)
        assert heir.server._session.expected == before


def test_without_a_session_every_request_is_stale():
    host = Host()
    for opcode in set(Opcode) - {Opcode.HELLO}:
        assert host.refused(opcode, b"\0" * 40) == (Status.STALE_SESSION, 0)


def test_unknown_opcodes_are_refused_and_count_as_executed():
    host = open_host()
    for opcode in (0x00, 0x24, 0x40, 0x7D):
        assert host.refused(opcode, b"xyz") == (Status.UNKNOWN_OPCODE, 0)
    assert host.ask(Opcode.ECHO, b"").data == b""


def test_replies_are_not_answered_so_that_an_echo_dies_out():
    host = open_host()
    before = host.ask(Opcode.COUNTERS, ask.Nothing())
    for opcode in (0x80 | Opcode.HELLO, 0x80 | Opcode.COUNTERS, 0xC1):
        assert host.send(host.frame(opcode)) == []
    after = host.ask(Opcode.COUNTERS, ask.Nothing())
    assert after.bad_frames == before.bad_frames + 3
    assert after.frames == before.frames + 1


def test_parameters_keep_what_they_are_set_to():
    host = open_host()
    for parameter, value in [(1, 1), (2, 2**31 - 1), (1, 0), (2, 0)]:
        host.ask(Opcode.SET_PARAMETER, ask.SetParameter(parameter, value))
        got = host.ask(Opcode.GET_PARAMETER, ask.GetParameter(parameter))
        assert got == ParameterValue(parameter, value)


def test_a_request_sent_again_is_not_executed_again():
    """BEGIN would clear the couplings that were loaded after it."""
    host = open_host()
    begin = host.frame(Opcode.BEGIN, ask.Begin(N, 0))
    host.begin()
    (reply,) = host.send(begin)
    assert (reply.payload, reply.flags) == (b"\0", Flag.RETRANSMISSION)
    assert host.ask(Opcode.STATUS).digest == DIGEST
    assert host.ask(Opcode.COUNTERS).replays == 1


def test_the_window_of_replies_is_eight_deep_and_wraps():
    host = open_host(sequence=65530)
    frames = []
    for k in range(12):
        frames.append(host.frame(Opcode.SET_PARAMETER, ask.SetParameter(1, k)))
        host.sequence = (host.sequence + 1) % 65536
        host.send(frames[-1])
    # Of twelve, the last eight are remembered, with their detail; those before are dropped.
    for k, frame in enumerate(frames):
        found = host.send(frame)
        if k < 4:
            assert found == []
        else:
            assert found[0].payload == encode_refusal(Status.OUT_OF_RANGE, 1)
            assert found[0].sequence == (65531 + k) % 65536
    assert host.ask(Opcode.COUNTERS).replays == 8


def test_pure_requests_are_executed_again_but_not_from_far_behind():
    host = open_host()
    status = host.frame(Opcode.STATUS)
    host.ask(Opcode.STATUS)
    host.begin()
    host.commit()
    (reply,) = host.send(status)
    assert (decode_reply(reply).state, reply.flags) == (State.READY, 0)
    for _ in range(3):
        host.ask(Opcode.ECHO)
    assert host.ask(Opcode.COUNTERS).replays == 0
    (reply,) = host.send(status)
    host.ask(Opcode.ECHO)
    assert host.send(status) == []


def test_what_came_before_the_session_is_not_remembered():
    host = open_host(sequence=100)
    host.sequence = 98
    assert host.send(host.frame(Opcode.RESET, ask.Guarded(RESET_MAGIC))) == []
    assert host.send(host.frame(Opcode.HELLO | 0x80, b"")) == []


def test_requests_ahead_are_refused_and_not_executed():
    host = open_host()
    host.ask(Opcode.ECHO)
    expected = host.sequence
    for ahead in (1, 7, 32767):
        host.sequence = expected + ahead
        assert host.refused(Opcode.BEGIN, ask.Begin(N, 0)) == (Status.OUT_OF_ORDER, expected)
    host.sequence = (expected + 32768) % 65536
    assert host.send(host.frame(Opcode.BEGIN, ask.Begin(N, 0))) == []
    host.sequence = expected
    assert host.ask(Opcode.STATUS).state is State.EMPTY
    assert host.ask(Opcode.COUNTERS).out_of_order == 3


def test_a_replayed_run_repeats_its_estimate_and_starts_nothing():
    host = Host().ready()
    request = host.run_request(run=6)
    frame = host.frame(Opcode.RUN, request)
    first = host.ask(Opcode.RUN, request)
    host.finish()
    (reply,) = host.send(frame)
    assert decode_reply(reply) == first == Accepted(7, 6, first.estimate_us)
    assert reply.flags == Flag.RETRANSMISSION
    assert not host.server.busy
