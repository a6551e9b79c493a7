"""The firmware compiled for this machine: it samples as the core does, and is a board by itself."""

import itertools
import shutil
from dataclasses import replace

import numpy as np
import pytest
from asking import DeviceLine, Host, expected_rows, first_reads, slots_case
from native_core import compiler
from programmes import corners, hardest, oracle, random_cases

from drivers.profile import SHIPPED
from drivers.wire import requests as ask
from drivers.wire.constants import (
    RESET_MAGIC,
    SHUTDOWN_MAGIC,
    Event,
    Memory,
    Opcode,
    Parameter,
    ResetCause,
    RunFlag,
    RunState,
    Start,
    State,
    Status,
)
from drivers.wire.frame import Frame, Receiver, encode_frame
from drivers.wire.layout import pack
from drivers.wire.messages import decode_event
from drivers.wire.packing import unpack_spins
from firmware_models import native
from firmware_models.core import run
from firmware_models.native import NativeDevice, build_library
from firmware_models.programme import Leg
from isingeq.errors import CapabilityError

PROFILES = "ref-arm192", "ref-avr64"


@pytest.fixture(scope="module", autouse=True)
def needs_a_compiler():
    compiler()


@pytest.fixture
def host():
    return Host(DeviceLine(NativeDevice("ref-arm192", uid=3, boot=40)))


def test_a_thousand_programmes_over_the_wire_equal_the_core(host):
    cases = first_reads(random_cases(1400, seed=11) + corners())
    assert len(cases) > 1000
    host.hello()
    found = [host.of_case(case, number) for number, case in enumerate(cases, 1)]
    assert found == [oracle(case) for case in cases]


def test_the_largest_problem_of_each_board():
    for profile, n in zip(PROFILES, (192, 64), strict=True):
        host = Host(DeviceLine(NativeDevice(profile, uid=0, boot=0)))
        host.hello()
        case = hardest(n)
        assert host.of_case(case, 1) == oracle(case)


def loaded(host, *, slots=4, n=11, legs=((40, 400, 5),)):
    rng = np.random.default_rng(n)
    programme, fields = slots_case(rng, n, slots)
    programme = replace(programme, legs=tuple(Leg(*leg) for leg in legs))
    host.load(programme)
    host.asks(Opcode.LOAD_FIELDS, ask.LoadFields(0, 2, fields.astype("<i2").tobytes()))
    return programme, fields


def request(run, *, slots=4, reads=3, first=0, start=Start.RANDOM, flags=0, shift=3, thin=0):
    return ask.Run(run, 5, first, first, slots, reads, thin, start, flags, 0, 1, shift)


def test_slots_and_reads_are_rows_in_order(host):
    host.hello()
    programme, fields = loaded(host)
    rows = unpack_spins(host.run(request(1)), 11)
    assert rows.tolist() == [list(s) for s in expected_rows(programme, fields, seed=5, reads=3)]
    parts = [host.run(request(2 + k, slots=2, first=2 * k)) for k in range(2)]
    assert np.array_equal(unpack_spins(b"".join(parts), 11), rows)


def test_during_a_run_it_hears_and_answers(host):
    host.hello()
    loaded(host)
    whole = host.run(request(1, slots=3, reads=4))
    device, row = host.line.device, 2
    frames = Receiver()

    def asked(opcode, message):
        (answer,) = frames.feed(device.feed(encode_frame(host.frame(opcode, message)), 0.0))
        return answer.payload

    asked(Opcode.RUN, request(2, slots=3, reads=4))
    assert asked(Opcode.POLL, ask.RunId(2))[9] == RunState.PENDING
    for _ in range(5 * 5 + 2):
        device.work(0.0)
    poll = asked(Opcode.POLL, ask.RunId(2))
    assert (poll[9], poll[10]) == (RunState.ACTIVE, 5)
    assert asked(Opcode.READ, ask.Read(2, 1, 4))[15:] == whole[row : 5 * row]
    assert asked(Opcode.READ, ask.Read(2, 1, 5)) == bytes([Status.NOT_READY, 5, 0, 0, 0])
    busy = bytes([Status.BUSY, 2, 0, 0, 0])
    others, mine = ask.LoadFields(3 * 11, 1, b"\x07"), ask.LoadFields(3 * 11 - 1, 1, b"\x07\x07")
    assert asked(Opcode.LOAD_FIELDS, others) == b"\0"
    assert asked(Opcode.LOAD_FIELDS, mine) == busy
    assert asked(Opcode.PATCH_FIELDS, ask.PatchFields(3, 1, 1, 1, (2,), b"\5")) == b"\0"
    assert asked(Opcode.PATCH_FIELDS, ask.PatchFields(0, 1, 1, 1, (2,), b"\5")) == busy
    assert asked(Opcode.LOAD_STATES, ask.LoadStates(6, b"\1\1")) == b"\0"
    assert asked(Opcode.LOAD_STATES, ask.LoadStates(5, b"\1")) == busy
    assert asked(Opcode.BEGIN, ask.Begin(3, 0)) == busy
    assert asked(Opcode.ABORT, ask.RunId(2)) == b"\0"
    assert not device.busy
    assert asked(Opcode.READ, ask.Read(2, 5, 1)) == bytes([Status.ABORTED, 5, 0, 0, 0])
    assert asked(Opcode.READ, ask.Read(2, 0, 5))[15:] == whole[: 5 * row]
    assert host.run(request(3, slots=3, reads=4)) == whole


def test_a_phase_goes_on_from_the_last_rows(host):
    host.hello()
    programme, fields = loaded(host)
    free = unpack_spins(host.run(request(1, reads=2)), 11)[1::2]
    last = host.run(request(2, reads=1, start=Start.LAST))
    assert host.run(request(3, reads=1, start=Start.GIVEN)) == last
    for k, (h, s) in enumerate(zip(fields, free, strict=True)):
        told = replace(programme, fields=tuple(map(int, h)))
        expected = run(told, seed=5, sample=k, start=s.tolist()).spins
        assert tuple(unpack_spins(last, 11)[k].tolist()) == expected


def test_rows_are_streamed_as_they_come(host):
    host.hello()
    loaded(host)
    device = host.line.device
    host.asks(Opcode.SET_PARAMETER, ask.SetParameter(Parameter.EVENTS, 1))
    whole = host.run(request(1))
    device.feed(encode_frame(host.frame(Opcode.RUN, request(2, flags=RunFlag.ANNOUNCE))), 0.0)
    device.feed(encode_frame(host.frame(Opcode.STREAM, ask.Stream(2, 2, 7))), 0.0)
    said = b""
    while device.busy:
        said += device.work(0.0)[0]
    rows, end = Receiver().feed(said)
    assert (decode_event(rows).row, decode_event(rows).num_rows) == (2, 7)
    assert decode_event(rows).packed == whole[4:18]
    assert not rows.flags & 4
    assert decode_event(end).state is RunState.COMPLETE
    again = device.feed(encode_frame(host.frame(Opcode.STREAM, ask.Stream(2, 0, 99))), 0.0)
    (_, event) = Receiver().feed(again)
    assert decode_event(event).packed == whole


def test_a_silent_host_ends_a_run(host):
    host.hello()
    loaded(host)
    device = host.line.device
    host.asks(Opcode.SET_PARAMETER, ask.SetParameter(Parameter.SILENCE_MS, 300))
    host.asks(Opcode.SET_PARAMETER, ask.SetParameter(Parameter.EVENTS, 1))
    started = encode_frame(host.frame(Opcode.RUN, request(1, flags=RunFlag.ANNOUNCE)))
    device.feed(started, 7.0)
    device.tick(7.25)
    assert device.busy
    (event,) = Receiver().feed(device.tick(7.35))
    assert decode_event(event).state is RunState.STOPPED
    assert not device.busy


def test_boards_in_one_process_are_apart():
    hosts = [Host(DeviceLine(NativeDevice("ref-avr64", uid=k, boot=k))) for k in range(3)]
    assert [host.hello().uid for host in hosts] == [0, 1, 2]
    for k, host in enumerate(hosts):
        loaded(host, n=5 + k)
    rows = [host.run(request(1)) for host in hosts]
    assert rows == [host.run(request(2)) for host in hosts]
    assert [host.asks(Opcode.STATUS).num_spins for host in hosts] == [5, 6, 7]


def test_a_reset_is_another_boot(host):
    before = host.hello(nonce=1)
    loaded(host)
    booted = Receiver().feed(host.line.device.reset(ResetCause.BROWN_OUT))
    assert [(f.opcode, f.session, f.payload) for f in booted] == [(Event.BOOTED, 0, b"\4")]
    assert host.status(Opcode.STATUS)[0] is Status.STALE_SESSION
    after = host.hello(nonce=2)
    assert (before.boot, before.cause) == (40, ResetCause.POWER)
    assert (after.boot, after.cause, after.uid) == (41, ResetCause.BROWN_OUT, 3)
    assert host.asks(Opcode.STATUS).state is State.EMPTY
    host.asks(Opcode.RESET, ask.Guarded(RESET_MAGIC))
    assert host.hello(nonce=3).boot == 42
    assert host.asks(Opcode.COUNTERS).resets == 2


def test_once_shut_down_it_is_silent_until_a_reset(host):
    host.hello()
    host.asks(Opcode.SHUTDOWN, ask.Guarded(SHUTDOWN_MAGIC))
    status = host.frame(Opcode.STATUS, b"")
    assert host.line.device.feed(encode_frame(status), 0.0) == b""
    host.line.device.reset(ResetCause.POWER)
    assert host.hello().boot == 41


@pytest.mark.parametrize("memory", Memory)
def test_memory_that_rots_is_seen(host, memory):
    host.hello()
    loaded(host)
    stretch = ask.Stretch(memory, 0, 2)
    before, digest = host.asks(Opcode.READBACK, stretch).data, host.asks(Opcode.STATUS).digest
    host.line.device.corrupt(memory, 1, 0x41)
    after = host.asks(Opcode.READBACK, stretch).data
    assert [a ^ b for a, b in zip(before, after, strict=True)][:2] == [0, 0x41]
    assert (host.asks(Opcode.STATUS).digest != digest) == (memory is Memory.COUPLINGS)


def test_bytes_may_be_cut_anywhere(host):
    rng = np.random.default_rng(2)
    line = encode_frame(Frame(Opcode.HELLO, 4, 1, pack(ask.Hello(1, 1, 0, 6)))) + b"".join(
        encode_frame(Frame(Opcode.ECHO, 4, 2 + k, rng.bytes(int(rng.integers(0, 600)))))
        for k in range(20)
    )
    whole = host.line.device.feed(line, 0.0)
    other = NativeDevice("ref-arm192", uid=3, boot=40)
    cuts = [0, *sorted(rng.integers(0, len(line), 90).tolist()), len(line)]
    parts = [other.feed(line[a:b], 0.0) for a, b in itertools.pairwise(cuts)]
    assert b"".join(parts) == whole
    assert len(Receiver().feed(whole)) == 21


def test_a_slice_takes_what_the_latency_model_says(host):
    host.hello()
    loaded(host)
    device = host.line.device
    device.feed(encode_frame(host.frame(Opcode.RUN, request(1))), 0.0)
    took = 0.0
    while device.busy:
        took += device.work(0.0)[1]
    assert took == pytest.approx(4 * 3 * 5 * 11 * 1.4e-5)


def test_without_a_compiler_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(CapabilityError, match="needs a C compiler"):
        build_library("ref-avr64", tmp_path)


def test_what_was_compiled_serves_again(tmp_path, monkeypatch):
    library = build_library("ref-avr64", tmp_path)
    monkeypatch.setattr(native.subprocess, "run", None)
    assert build_library("ref-avr64", tmp_path) == library
    assert [path.name for path in tmp_path.iterdir()] == [library.name]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('kind = "all"', 'kind = "kings"\nrows = 8\ncolumns = 8', "topology all"),
        ("most = 64", "most = 300", "at most 255 spins"),
        ("sums = 0", "sums = 9", "no sums"),
        ("energy_sign = 1", "energy_sign = -1", "sequential gibbs"),
        ("low = -127", "low = -128", "couplings within"),
    ],
)
def test_a_profile_that_it_cannot_be_is_refused(tmp_path, old, new, told):
    text = (SHIPPED / "ref-avr64.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "other.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CapabilityError, match=told):
        NativeDevice(str(path), uid=0, boot=0)
