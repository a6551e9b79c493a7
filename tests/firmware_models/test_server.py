"""The link of a served board: what is dropped and counted, what it says unasked, and how it ends."""

import random

import numpy as np
from host import DIGEST, PROFILE, Host, changed, describe, open_host
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.descriptor import Imperfections, decode_descriptor
from drivers.wire import requests as ask
from drivers.wire.cobs import stuff
from drivers.wire.constants import (
    RESET_MAGIC,
    SHUTDOWN_MAGIC,
    Event,
    HelloOption,
    Memory,
    Opcode,
    ResetCause,
    RunFlag,
    RunState,
    State,
    Status,
)
from drivers.wire.crc import couplings_digest, crc16
from drivers.wire.frame import Frame, encode_frame
from drivers.wire.replies import Booted, Counts
from firmware_models.server import Server


def test_a_reply_that_does_not_fit_is_too_long():
    host = Host().ready()
    most = 250 - 6 - 4 - 1
    assert host.ask(Opcode.ECHO, bytes(most)).data == bytes(most)
    assert host.refused(Opcode.ECHO, bytes(most + 1)) == (Status.TOO_LONG, 250)
    fields = lambda count: ask.Stretch(Memory.FIELDS, 0, count)  # noqa: E731
    assert len(host.ask(Opcode.DIGEST, fields(160)).__slots__) == 1
    assert len(host.ask(Opcode.READBACK, fields(117)).data) == 234
    assert host.refused(Opcode.READBACK, fields(118)) == (Status.TOO_LONG, 250)
    host.start(run=5, num_slots=3, reads=85)
    assert host.refused(Opcode.READ, ask.Read(5, 0, 255)) == (Status.NOT_READY, 0)
    host.finish()
    assert host.ask(Opcode.READ, ask.Read(5, 0, 225)).num_rows == 225
    assert host.refused(Opcode.READ, ask.Read(5, 0, 226)) == (Status.TOO_LONG, 250)
    assert host.ask(Opcode.DESCRIBE, ask.Describe(0, 237)).offset == 0
    assert host.refused(Opcode.DESCRIBE, ask.Describe(0, 238)) == (Status.TOO_LONG, 250)


def test_frames_are_strong_where_they_must_be():
    host = open_host()
    short, long = (host.reply(Opcode.ECHO, bytes(size)) for size in (57, 58))
    assert (short.strong, long.strong) == (False, True)
    host.strong = True
    assert host.reply(Opcode.ECHO, b"x").strong


def test_a_strong_session_drops_what_is_weak():
    host = Host()
    host.hello(options=HelloOption.STRONG)
    assert host.reply(Opcode.ECHO, b"x").strong
    host.strong = False
    assert host.send(host.frame(Opcode.ECHO, b"x")) == []
    host.strong = True
    assert host.ask(Opcode.COUNTERS).bad_frames == 1
    host.ask(Opcode.SET_PARAMETER, ask.SetParameter(1, 1))
    host.begin()
    host.commit()
    host.ask(Opcode.LOAD_LEGS, ask.LoadLegs(0, b"\1\0\1\0\1\0" * 2))
    host.start(flags=RunFlag.ANNOUNCE)
    host.finish()
    assert [frame.strong for frame in host.events] == [True]
    host.server.reset(ResetCause.PIN)
    stale = host.reply(Opcode.STATUS)
    assert stale.strong
    weak = Host(host.server)
    weak.hello()
    assert not weak.reply(Opcode.ECHO).strong


def test_bad_frames_are_dropped_and_counted():
    host = open_host()
    good = encode_frame(host.frame(Opcode.ECHO, b"abc"))
    feed = lambda data: host.frames(host.server.feed(data, 0.0))  # noqa: E731
    assert feed(b"\0\0\0") == []
    assert feed(b"\x05" + good[1:-2] + b"\x55\0") == []  # check
    assert feed(b"\xff\x01\0") == []  # stuffing
    assert feed(b"\x03ab\0") == []  # short
    body = bytes.fromhex("20 03 34 12 01 00")  # version 2
    assert feed(stuff(body + crc16(body).to_bytes(2, "little")) + b"\0") == []
    assert feed(b"\x01" * 400 + b"\0") == []  # long
    counts = host.ask(Opcode.COUNTERS)
    assert counts == Counts(7, 2, 1, 4, 0, 0, 0, 0)


def test_a_frame_may_be_as_long_as_promised_and_no_longer():
    """Zeros take no room once stuffed, so that the limit has to be looked at twice."""
    host = open_host()
    for fill in (b"\0", b"\1"):
        longest = 250 - 6 - 4
        assert host.refused(Opcode.ECHO, fill * longest) == (Status.TOO_LONG, 250)
        assert host.send(host.frame(Opcode.ECHO, fill * (longest + 1))) == []


def test_bytes_may_come_one_by_one():
    host = open_host()
    data = b"".join(
        encode_frame(Frame(Opcode.ECHO, host.session, 1 + k, b"abc" * k)) for k in range(5)
    )
    whole = Host(host.server)._receiver
    found = [frame for byte in data for frame in whole.feed(host.server.feed(bytes([byte]), 0.0))]
    assert [frame.payload for frame in found] == [b"\0" + b"abc" * k for k in range(5)]


def test_reset_is_a_new_beginning():
    host = Host(Server(PROFILE, uid=42, boot=2**32 - 1)).ready()
    host.ask(Opcode.SET_PARAMETER, ask.SetParameter(1, 1))
    host.start()
    host.ask(Opcode.RESET, ask.Guarded(RESET_MAGIC))
    (booted,) = host.events
    assert (booted.opcode, booted.session, booted.sequence) == (Event.BOOTED, 0, 0)
    assert host.told() == [Booted(ResetCause.COMMAND)]
    assert not host.server.busy
    assert host.refused(Opcode.STATUS) == (Status.STALE_SESSION, 0)
    welcome = host.hello(nonce=5)
    assert (welcome.boot, welcome.cause) == (0, ResetCause.COMMAND)
    condition = host.ask(Opcode.STATUS)
    assert (condition.state, condition.num_spins) == (State.EMPTY, 0)
    assert condition.digest == couplings_digest(0, b"")
    assert not host.ask(Opcode.READBACK, ask.Stretch(Memory.LEGS, 0, 2)).data.strip(b"\0")
    assert host.ask(Opcode.COUNTERS) == Counts(0, 5, 0, 0, 0, 0, 0, 1)
    assert host.frames(host.server.reset(ResetCause.BROWN_OUT)) == []
    assert host.told() == [Booted(ResetCause.BROWN_OUT)]
    assert host.hello().boot == 1


def test_after_shutdown_a_board_is_silent_until_power_comes_back():
    host = Host().ready()
    host.start()
    host.ask(Opcode.SHUTDOWN, ask.Guarded(SHUTDOWN_MAGIC))
    assert host.server.off
    assert not host.server.busy
    assert host.send(host.frame(Opcode.HELLO, ask.Hello(1, 1, 0, 3))) == []
    host.server.reset(ResetCause.POWER)
    assert host.hello(nonce=3).boot == 8


def test_a_silent_host_loses_its_run():
    host = Host().ready()
    host.ask(Opcode.SET_PARAMETER, ask.SetParameter(1, 1))
    host.ask(Opcode.SET_PARAMETER, ask.SetParameter(2, 250))
    host.now = 10.0
    host.start(run=4, flags=RunFlag.ANNOUNCE)
    assert host.server.tick(10.2) == b""
    host.now = 10.2
    host.ask(Opcode.POLL, ask.RunId(4))
    host.server.feed(b"no frame\0", 10.4)
    assert host.server.tick(10.44) == b""
    assert host.server.busy
    host.frames(host.server.tick(10.46))
    assert not host.server.busy
    assert [(m.run, m.state) for m in host.told()] == [(4, RunState.STOPPED)]
    assert host.server.tick(99.0) == b""


def test_events_have_numbers_of_their_own():
    host = Host().ready()
    host.ask(Opcode.SET_PARAMETER, ask.SetParameter(1, 1))
    for _ in range(2):
        host.start(flags=RunFlag.ANNOUNCE)
        host.finish()
    assert [(frame.session, frame.sequence) for frame in host.events] == [(0x1234, 1), (0x1234, 2)]


def test_ideal_leaves_imperfections_out_and_says_so():
    imperfect = changed(imperfections={"gain_sigma": 0.2, "readout_error": 0.1})
    told = [
        decode_descriptor(describe(open_host(server=Server(imperfect, uid=1, boot=1, ideal=ideal))))
        for ideal in (False, True)
    ]
    assert [descriptor.imperfections for descriptor in told] == [
        Imperfections(gain_sigma=0.2, readout_error=0.1),
        Imperfections(),
    ]
    ideal = Host(Server(imperfect, uid=1, boot=1, ideal=True)).ready()
    assert np.array_equal(ideal.sample(reads=9), Host().ready().sample(reads=9))


READS = frozenset(
    {Opcode.STATUS, Opcode.ECHO, Opcode.DESCRIBE, Opcode.COUNTERS, Opcode.READ, Opcode.POLL}
)


@given(data=st.binary(max_size=600), cuts=st.lists(st.integers(1, 40), max_size=20))
@settings(max_examples=150, deadline=None)
def test_any_bytes_leave_a_board_as_it_was(data, cuts):
    server = _loaded()
    for cut in cuts:
        server.feed(data[:cut], 0.0)
        data = data[cut:]
    server.feed(data + b"\0", 0.0)
    host = Host(server, sequence=server._session.expected)
    assert host.ask(Opcode.STATUS).digest == DIGEST


@given(
    requests=st.lists(
        st.tuples(
            st.sampled_from([*sorted(Opcode), 0x00, 0x24, 0x7D]),
            st.one_of(st.binary(max_size=40), st.lists(st.integers(0, 3), max_size=40).map(bytes)),
            st.integers(-9, 1),
        ),
        max_size=12,
    )
)
@settings(max_examples=150, deadline=None)
def test_any_payloads_are_answered_and_couplings_only_written_by_those_who_may(requests):
    server = _loaded()
    session = server._session
    for opcode, payload, shift in requests:
        before = server._board.memory.digest
        sequence = (session.expected + shift) % 65536
        host = Host(server, sequence=sequence)
        host.strong = server._receiver.strong
        found = host.send(host.frame(opcode, payload))
        assert len(found) == 1 or shift < 0
        if opcode not in (Opcode.BEGIN, Opcode.LOAD_COUPLINGS):
            assert server._board.memory.digest == before
        if server.busy:
            server.work(0.0)
        assert server._session is session or opcode == Opcode.HELLO
        session = server._session


def _loaded():
    host = Host().ready()
    host.sample()
    return host.server


def test_a_scrambled_conversation_never_raises():
    rng = random.Random(6)
    frames = [
        encode_frame(Frame(opcode, 0x1234, k, rng.randbytes(rng.randrange(30))))
        for k, opcode in enumerate(rng.choices(sorted(READS), k=300))
    ]
    server = _loaded()
    for frame in frames:
        data = bytearray(frame)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        server.feed(bytes(data), 0.0)
    host = Host(server)
    host.hello(nonce=9)
    counts = host.ask(Opcode.COUNTERS)
    assert counts.bad_checks + counts.bad_frames > 250
    assert host.ask(Opcode.STATUS).digest == DIGEST
