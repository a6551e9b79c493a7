"""Messages: golden bytes of each kind, round trips of all, and payloads that are refused."""

import struct
from contextlib import suppress
from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.wire import replies, requests
from drivers.wire.constants import (
    PURE,
    Event,
    Memory,
    Opcode,
    ResetCause,
    RunFlag,
    RunState,
    Start,
    Status,
)
from drivers.wire.faults import FrameError, MessageError, RefusedError
from drivers.wire.frame import REPLY, Frame
from drivers.wire.layout import layout_of, pack, unpack
from drivers.wire.messages import (
    EVENTS,
    REPLIES,
    REQUESTS,
    decode_event,
    decode_reply,
    decode_request,
    encode_refusal,
    encode_reply,
)
from isingeq.errors import DeviceError

GOLDEN = [
    (requests.Hello(1, 1, 1, 0xA1B2C3D4), "01 01 01 d4 c3 b2 a1"),
    (
        replies.Welcome(1, ResetCause.PIN, 0xA1B2C3D4, 7, 0x1122334455667788, 936, 9, 1024, 2048),
        "01 02 d4 c3 b2 a1 07 00 00 00 88 77 66 55 44 33 22 11 a8 03 09 00 00 00 00 04 00 08",
    ),
    (requests.Describe(256, 200), "00 01 c8 00"),
    (requests.SetParameter(2, -2), "02 fe ff ff ff"),
    (requests.Begin(192, 1), "c0 00 01"),
    (requests.LoadCouplings(18000, b"\x7f\x81"), "50 46 00 00 7f 81"),
    (requests.LoadFields(64, 2, b"\x01\x80"), "40 00 00 00 02 01 80"),
    (requests.Commit(0xCBF43926), "26 39 f4 cb"),
    (requests.Stretch(Memory.STATES, 3, 5), "02 03 00 00 00 05 00 00 00"),
    (requests.LoadLegs(1, b"\x01\x02\x03\x04\x05\x06"), "01 00 01 02 03 04 05 06"),
    (
        requests.PatchFields(8, 2, 1, 3, (60, 61, 300), b"\x01\x02\x03\xff\xfe\xfd"),
        "08 00 02 00 01 03 00 3c 00 3d 00 2c 01 01 02 03 ff fe fd",
    ),
    (
        requests.Run(
            5,
            0x01020304,
            96,
            0,
            32,
            1,
            0,
            Start.GIVEN,
            RunFlag.CORRELATE | RunFlag.ANNOUNCE,
            2,
            1,
            7,
        ),
        "05 00 00 00 04 03 02 01 60 00 00 00 00 00 20 00 01 00 00 00 02 03 02 00 01 00 07",
    ),
    (
        replies.Progress(7, 5, RunState.STOPPED, 12, 0xFF, 0xABCDEF),
        "07 00 00 00 05 00 00 00 03 0c 00 00 00 ff 00 00 00 ef cd ab 00",
    ),
    (requests.Read(5, 0x10000, 8), "05 00 00 00 00 00 01 00 08 00"),
    (
        replies.Rows(7, 5, 2, 1, b"\xf0\x0f"),
        "07 00 00 00 05 00 00 00 02 00 00 00 01 00 f0 0f",
    ),
]


@pytest.mark.parametrize(("message", "text"), GOLDEN)
def test_bytes_by_hand(message, text):
    assert pack(message) == bytes.fromhex(text)
    assert unpack(type(message), bytes.fromhex(text)) == message


KINDS = sorted(
    {*REQUESTS.values(), *REPLIES.values(), *EVENTS.values()}, key=lambda kind: kind.__name__
)
RANGES = {"u8": 8, "u16": 16, "u32": 32, "u64": 64}


@st.composite
def a_message(draw, kind):
    layout = layout_of(kind)
    kinds = {name: meanings for _, name, meanings in layout.kinds}
    values = {}
    for _, name, code in layout.rows:
        if name in kinds:
            values[name] = draw(st.sampled_from(list(kinds[name])))
        elif code in RANGES:
            values[name] = draw(st.integers(0, 2 ** RANGES[code] - 1))
        elif code == "i32":
            values[name] = draw(st.integers(-(2**31), 2**31 - 1))
        elif code == "bytes":
            values[name] = draw(st.binary(max_size=20))
        else:
            values[name] = tuple(draw(st.lists(st.integers(0, 65535), max_size=9)))
            values["num_" + name] = len(values[name])
    return kind(**values)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(data=st.data())
def test_every_message_round_trips(kind, data):
    message = data.draw(a_message(kind))
    assert unpack(kind, pack(message)) == message


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(payload=st.binary(max_size=60))
def test_a_decoder_raises_its_own_error_or_none(kind, payload):
    try:
        message = unpack(kind, payload)
    except MessageError:
        return
    assert pack(message) == payload


@pytest.mark.parametrize("kind", [kind for kind in KINDS if layout_of(kind).size])
def test_a_byte_too_few_or_too_many_is_refused(kind):
    layout = layout_of(kind)
    with pytest.raises(MessageError, match="at least"):
        unpack(kind, bytes(layout.size - 1))
    if layout.tail is None:
        with pytest.raises(MessageError, match="are allowed"):
            unpack(kind, bytes(layout.size + 1))


@pytest.mark.parametrize("kind", [FrameError, MessageError, RefusedError])
def test_what_a_peer_does_wrong_is_a_device_error(kind):
    assert issubclass(kind, DeviceError)


def test_numbers_that_mean_nothing_are_refused():
    with pytest.raises(MessageError, match=r"Stretch\.memory is 9"):
        unpack(requests.Stretch, b"\x09" + bytes(8))


def test_lists_are_as_long_as_they_say():
    with pytest.raises(MessageError, match="lists 4 spins"):
        unpack(requests.PatchFields, bytes.fromhex("00 00 01 00 01 04 00 01 00 02 00 03 00"))
    with pytest.raises(MessageError, match="counts its spins wrongly"):
        pack(requests.PatchFields(0, 1, 1, 2, (1,), b""))


def test_a_number_beyond_its_field_is_refused():
    with pytest.raises(MessageError, match="does not fit"):
        pack(requests.Describe(65536, 0))


def test_every_opcode_has_a_request_and_a_reply():
    assert set(REQUESTS) == set(REPLIES) == set(Opcode)
    assert set(EVENTS) == set(Event)
    codes = [*Opcode, *(opcode | REPLY for opcode in Opcode), *Event]
    assert len(set(codes)) == len(codes)


def test_what_may_not_run_twice_replies_with_status_and_one_number_at_most():
    """A device remembers eight replies of five bytes: those of HELLO and RUN it makes again from what it holds."""
    empty = {opcode for opcode in Opcode if not fields(REPLIES[opcode])}
    assert set(Opcode) - PURE == empty | {Opcode.HELLO, Opcode.RUN}
    assert not empty & PURE


@given(st.integers(0, 255), st.binary(max_size=40))
def test_requests_and_events_of_any_bytes(opcode, payload):
    for decode in (decode_request, decode_event, decode_reply):
        with suppress(MessageError, RefusedError):
            decode(Frame(opcode, 1, 1, payload))


def test_a_request_is_known_by_its_opcode():
    assert decode_request(Frame(Opcode.POLL, 1, 1, b"\x05\0\0\0")) == requests.RunId(5)
    with pytest.raises(MessageError, match="opcode 0x24 is no request"):
        decode_request(Frame(0x24, 1, 1))


def test_an_event_is_known_by_its_opcode():
    assert decode_event(Frame(Event.BOOTED, 0, 1, b"\x03")) == replies.Booted(ResetCause.WATCHDOG)
    with pytest.raises(MessageError, match="is no event"):
        decode_event(Frame(0x4F, 0, 1))


def test_replies_grant_or_refuse():
    granted = encode_reply(replies.Accepted(7, 5, 1000))
    assert granted == b"\0" + struct.pack("<III", 7, 5, 1000)
    assert decode_reply(Frame(Opcode.RUN | REPLY, 1, 1, granted)) == replies.Accepted(7, 5, 1000)
    refused = encode_refusal(Status.BAD_DIGEST, 0xDEADBEEF)
    assert refused == bytes.fromhex("06 ef be ad de")
    with pytest.raises(RefusedError, match="refused COMMIT: BAD_DIGEST") as caught:
        decode_reply(Frame(Opcode.COMMIT | REPLY, 1, 1, refused))
    error = caught.value
    assert (error.opcode, error.status, error.detail) == (
        Opcode.COMMIT, Status.BAD_DIGEST, 0xDEADBEEF,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("opcode", "payload", "words"),
    [
        (Opcode.RUN, b"\0", "is no reply"),
        (Opcode.RUN | REPLY, b"", "is no reply"),
        (0x24 | REPLY, b"\0", "is no reply"),
        (Opcode.RUN | REPLY, b"\xc8", "status 200 has no meaning"),
        (Opcode.RUN | REPLY, b"\x05", "refusal of 1 bytes"),
    ],
)
def test_replies_that_are_none(opcode, payload, words):
    with pytest.raises(MessageError, match=words):
        decode_reply(Frame(opcode, 1, 1, payload))
