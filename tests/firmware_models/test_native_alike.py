"""Whatever is asked, the firmware compiled for this machine answers as the Python model does, byte for byte."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from asking import Host
from conversations import Talker
from hypothesis import given, settings
from hypothesis import strategies as st
from native_core import compiler

from drivers.profile import load_profile
from drivers.wire import requests as ask
from drivers.wire.constants import (
    RESET_MAGIC,
    Event,
    Memory,
    Opcode,
    Parameter,
    ResetCause,
    RunFlag,
    Start,
    Status,
)
from drivers.wire.crc import couplings_digest
from drivers.wire.frame import REPLY, Receiver, encode_frame
from drivers.wire.layout import layout_of, pack
from drivers.wire.messages import EXCHANGES, decode_event
from drivers.wire.replies import Ended
from firmware_models.native import NativeDevice
from firmware_models.server import Server

PROFILES = "ref-arm192", "ref-avr64"


@pytest.fixture(scope="module", autouse=True)
def needs_a_compiler():
    compiler()


def pair(profile):
    """The same board twice: the model and its firmware."""
    return (
        Server(load_profile(profile), uid=77, boot=5, ideal=True),
        NativeDevice(profile, uid=77, boot=5),
    )


def finished(device):
    out = b""
    while device.busy:
        out += device.work(0.0)[0]
    return out


def lost_its_session(answers):
    stale = [f for f in answers if f.payload[:1] == bytes([Status.STALE_SESSION])]
    return any(f.opcode != Opcode.STATUS | REPLY for f in stale)


def unnumbered(data):
    """Frames, the numbers of events left out."""
    return [f if f.opcode & REPLY else f._replace(sequence=0) for f in Receiver().feed(data)]


def told(data):
    """Rows and ends in the events of a run: the model has several rows ready at once, and tells of them together."""
    events = Receiver().feed(data)
    messages = [decode_event(f) for f in events if f.opcode in (Event.ROWS, Event.ENDED)]
    ends = [replace(m, row=0, packed=b"") for m in messages if isinstance(m, Ended)]
    return b"".join(m.packed for m in messages), ends


def converse(profile, seed, steps):
    """Ask both the same; return how many requests, each answered alike, were refused and granted."""
    rng = np.random.default_rng(seed)
    model, firmware = pair(profile)
    talker = Talker(model.descriptor, rng, strong=seed % 3 == 0)
    due, counts, streamed = [talker.hello()], [0, 0], False
    for step in range(steps):
        data = due.pop() if due else talker.next()
        answer, mine = model.feed(data, step * 0.01), firmware.feed(data, step * 0.01)
        alike = mine == answer or (streamed and unnumbered(mine) == unnumbered(answer))
        assert alike, (profile, seed, step, talker.sent[-1])
        heard = Receiver().feed(answer)
        for frame in heard:
            counts[frame.payload[0] == 0] += bool(frame.opcode & REPLY)
        assert model.busy == firmware.busy
        if model.busy and rng.uniform() < 0.3:
            rows, ends = told(finished(model))
            assert told(finished(firmware)) == (rows, ends)
            streamed = streamed or bool(rows)
        if model.off:
            assert model.reset(ResetCause.PIN) == firmware.reset(ResetCause.PIN)
        if model.off or lost_its_session(heard) or rng.uniform() < 0.003:
            due.append(talker.hello())
        talker.running = model.busy
    return counts


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_asked_the_model_answers_alike(profile, seed):
    refused, granted = converse(profile, seed, 500)
    assert refused > 50
    assert granted > 150


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_whatever_is_asked_the_model_answers_alike_for_long(profile):
    for seed in range(100, 130):
        converse(profile, seed, 1000)


def good_start():
    """A session, five spins, and one leg: from here on anything may come."""
    values = bytes(range(10))
    host = Host(None)
    digest = ask.Commit(couplings_digest(5, values))
    asked = [
        (Opcode.HELLO, ask.Hello(1, 1, 0, 9)),
        (Opcode.LOAD_LEGS, ask.LoadLegs(0, bytes([9, 0, 90, 0, 2, 0]))),
        (Opcode.BEGIN, ask.Begin(5, 0)),
        (Opcode.LOAD_COUPLINGS, ask.LoadCouplings(0, values)),
        (Opcode.COMMIT, digest),
    ]
    return host, [encode_frame(host.frame(opcode, message)) for opcode, message in asked]


def every_length_alike():
    """Ask everything at every length; the first answer that differs fails."""
    model, firmware = pair("ref-arm192")
    host, lines = good_start()
    for opcode in sorted(set(Opcode) - {Opcode.HELLO}):
        lines += [encode_frame(host.frame(opcode, b"\1" * length)) for length in range(45)]
    for line in lines:
        assert model.feed(line, 0.0) == firmware.feed(line, 0.0), line


def test_every_length_of_every_request_is_answered_alike():
    every_length_alike()


REQUEST_SIZES = {code: layout_of(asked).size for code, (asked, _) in EXCHANGES.items()}
small = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 10, 31, 32, 127, 128, 255])
payloads = st.one_of(st.binary(max_size=40), st.lists(small, max_size=40).map(bytes))
opcodes = st.one_of(st.sampled_from(sorted(set(Opcode) - {Opcode.HELLO})), st.integers(0, 255))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(opcodes, payloads, st.integers(0, 20)), max_size=25), st.booleans())
def test_payloads_that_mean_nothing_are_answered_alike(asked, ready):
    model, firmware = pair("ref-avr64")
    host, frames = good_start()
    lines = frames if ready else frames[:1]
    for opcode, payload, kind in asked:
        if opcode in REQUEST_SIZES and kind < 15:
            payload = (payload + bytes(40))[: REQUEST_SIZES[opcode]]
        lines.append(encode_frame(host.frame(opcode, payload)))
        if kind == 20:
            host.sequence -= 2
    for line in lines:
        assert model.feed(line, 0.0) == firmware.feed(line, 0.0)
        assert model.busy == firmware.busy
        if model.busy and sum(line) % 2:
            finished(model)
            finished(firmware)


def test_lists_whose_length_wraps_are_too_long():
    """With 32 bits, 2 × 32768 × 65535 − 0 is − 2 × 32768: what a list that is not there would be."""
    model, firmware = pair("ref-avr64")
    host, lines = good_start()
    payload = struct.pack("<HHBH", 0, 65535, 2, 32768)
    for line in [*lines, encode_frame(host.frame(Opcode.PATCH_FIELDS, payload))]:
        answer = model.feed(line, 0.0)
        assert firmware.feed(line, 0.0) == answer
    assert Receiver().feed(answer)[0].payload == bytes([Status.BAD_LENGTH, 7, 0, 0, 0])


@pytest.mark.parametrize("memory", Memory)
def test_model_and_firmware_rot_alike(memory):
    model, firmware = pair("ref-avr64")
    host, lines = good_start()
    lines = [*lines, encode_frame(host.frame(Opcode.DIGEST, pack(ask.Stretch(memory, 0, 1))))]
    for line in lines[:-1]:
        assert model.feed(line, 0.0) == firmware.feed(line, 0.0)
    for offset in (0, 3, 7, 1000):
        model.corrupt(memory, offset, 0x10)
        firmware.corrupt(memory, offset, 0x10)
        count = {
            Memory.COUPLINGS: 10,
            Memory.FIELDS: 160,
            Memory.STATES: 32,
            Memory.CLAMPS: 1,
            Memory.LEGS: 32,
        }[memory]
        asked = encode_frame(host.frame(Opcode.DIGEST, ask.Stretch(memory, 0, count)))
        assert model.feed(asked, 0.0) == firmware.feed(asked, 0.0)


def a_run(number):
    return ask.Run(number, 5, 0, 0, 1, 3, 0, Start.RANDOM, RunFlag.ANNOUNCE, 0, 1, 3)


def test_a_fault_ends_runs_until_a_reset():
    model, firmware = pair("ref-avr64")
    host, lines = good_start()
    more = [
        (Opcode.SET_PARAMETER, ask.SetParameter(Parameter.EVENTS, 1)),
        (Opcode.RUN, a_run(1)),
    ]
    lines += [encode_frame(host.frame(opcode, message)) for opcode, message in more]
    for line in lines:
        assert model.feed(line, 0.0) == firmware.feed(line, 0.0)
    told = firmware.fail(16)
    assert model.fail(16) == told
    assert {f.opcode for f in Receiver().feed(told)} == {Event.ENDED, Event.FAULT}
    for opcode, message in [
        (Opcode.RUN, a_run(2)), (Opcode.POLL, ask.RunId(1)), (Opcode.STATUS, b""),
        (Opcode.BEGIN, ask.Begin(3, 0)), (Opcode.READBACK, ask.Stretch(Memory.LEGS, 0, 1)),
        (Opcode.RESET, ask.Guarded(RESET_MAGIC)),
    ]:  # fmt: skip
        asked = encode_frame(host.frame(opcode, message))
        assert model.feed(asked, 0.0) == firmware.feed(asked, 0.0)
