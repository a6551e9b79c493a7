"""Frames: bytes worked out by hand, round trips, and a receiver that nothing throws off."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.wire import cobs
from drivers.wire.constants import LONGEST_FRAME, SHORT_FRAME, Flag, Opcode
from drivers.wire.crc import couplings_digest, crc16, crc32
from drivers.wire.faults import Fault, FrameError
from drivers.wire.frame import (
    HEADER,
    Frame,
    Receiver,
    decode_frame,
    encode_frame,
    needs_crc32,
)
from isingeq.errors import DeviceError


def bitwise_crc16(data: bytes) -> int:
    value = 0xFFFF
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1 ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
    return value


def bitwise_crc32(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def test_check_values_of_the_catalogue():
    assert crc16(b"123456789") == 0x29B1
    assert crc32(b"123456789") == 0xCBF43926


@given(st.binary(max_size=80))
def test_checks_are_those_of_their_polynomials(data):
    assert crc16(data) == bitwise_crc16(data)
    assert crc32(data) == bitwise_crc32(data)


def test_the_digest_of_couplings_is_over_number_and_values():
    assert couplings_digest(0x0102, b"\x05\xff") == bitwise_crc32(b"\x02\x01\x05\xff")


def run_of(first: int, last: int) -> bytes:
    return bytes(range(first, last + 1))


@pytest.mark.parametrize(
    ("data", "stuffed"),
    [
        (b"", b"\x01"),
        (b"\0", b"\x01\x01"),
        (b"\0\0", b"\x01\x01\x01"),
        (b"\x11\x22\0\x33", b"\x03\x11\x22\x02\x33"),
        (b"\x11\0\0\0", b"\x02\x11\x01\x01\x01"),
        (run_of(1, 254), b"\xff" + run_of(1, 254)),
        (run_of(1, 255), b"\xff" + run_of(1, 254) + b"\x02\xff"),
        (b"\0" + run_of(1, 254), b"\x01\xff" + run_of(1, 254)),
        (run_of(1, 254) + b"\0", b"\xff" + run_of(1, 254) + b"\x01\x01"),
        (run_of(2, 255) + b"\0\x01", b"\xff" + run_of(2, 255) + b"\x01\x02\x01"),
    ],
)
def test_stuffing_by_hand(data, stuffed):
    assert cobs.stuff(data) == stuffed
    assert cobs.unstuff(stuffed) == data


FEW = st.lists(st.sampled_from([b"\0", b"\x01", b"\xff", b"\x07" * 253, b"\x09" * 254]), max_size=6)


@given(st.one_of(st.binary(max_size=600), FEW.map(b"".join)))
def test_stuffing_round_trip_and_bound(data):
    stuffed = cobs.stuff(data)
    assert 0 not in stuffed
    assert len(stuffed) <= cobs.longest(len(data))
    assert cobs.unstuff(stuffed) == data


def test_a_closing_empty_block_of_other_encoders_is_understood():
    assert cobs.unstuff(b"\xff" + run_of(1, 254) + b"\x01") == run_of(1, 254)


@pytest.mark.parametrize("stuffed", [b"", b"\0", b"\x03\x11", b"\x02\x11\x05", b"\x02\x11\0\x01"])
def test_broken_stuffing(stuffed):
    with pytest.raises(FrameError) as caught:
        cobs.unstuff(stuffed)
    assert caught.value.fault is Fault.STUFFING
    assert isinstance(caught.value, DeviceError)


def test_a_short_frame_by_hand():
    """ECHO of 00 2a, session 0x1234, sequence 0x0005: check bitwise, stuffing by hand."""
    body = bytes.fromhex("10 03 34 12 05 00 00 2a")
    check = bitwise_crc16(body).to_bytes(2, "little")
    assert 0 not in check
    line = b"\x06\x10\x03\x34\x12\x05" + b"\x01" + b"\x04\x2a" + check + b"\0"
    frame = Frame(Opcode.ECHO, 0x1234, 5, b"\0\x2a")
    assert encode_frame(frame) == line
    assert decode_frame(line[:-1]) == frame


def test_a_strong_frame_by_hand():
    """ABORT of run 1 sent again: flags 1 and 8, CRC-32."""
    body = bytes.fromhex("19 25 34 12 ff ff 01 00 00 00")
    check = bitwise_crc32(body).to_bytes(4, "little")
    assert 0 not in check
    line = b"\x08" + body[:7] + b"\x01\x01\x05" + check + b"\0"
    frame = Frame(
        Opcode.ABORT, 0x1234, 0xFFFF, b"\x01\0\0\0", flags=Flag.RETRANSMISSION, strong=True
    )
    assert encode_frame(frame) == line
    assert decode_frame(line[:-1]) == frame


FRAMES = st.builds(
    Frame,
    opcode=st.integers(0, 255),
    session=st.integers(0, 65535),
    sequence=st.integers(0, 65535),
    payload=st.binary(max_size=300),
    flags=st.integers(0, 7),
    strong=st.booleans(),
)


def as_decoded(frame: Frame) -> Frame:
    size = HEADER.size + len(frame.payload)
    strong = frame.strong or needs_crc32(frame.opcode, size)
    return frame._replace(strong=strong)


@given(FRAMES)
def test_frames_round_trip(frame):
    line = encode_frame(frame)
    assert line.count(0) == 1
    assert decode_frame(line[:-1]) == as_decoded(frame)


def framed(body: bytes, *, strong: bool = False) -> bytes:
    check = crc32(body).to_bytes(4, "little") if strong else crc16(body).to_bytes(2, "little")
    return cobs.stuff(body + check)


@pytest.mark.parametrize(
    ("stuffed", "fault"),
    [
        (framed(bytes.fromhex("20 03 01 00 01 00")), Fault.VERSION),
        (framed(bytes.fromhex("10 03 01 00 01")), Fault.SHORT),
        (cobs.stuff(bytes.fromhex("18 03 01 00 01 00 11 22")), Fault.SHORT),
        (framed(bytes.fromhex("10 03 01 00 01 00") + b"x" * 59), Fault.WEAK),
        (framed(bytes.fromhex("10 01 01 00 01 00")), Fault.WEAK),
        (cobs.stuff(bytes.fromhex("10 03 01 00 01 00 11 22")), Fault.CHECK),
    ],
)
def test_every_fault_of_a_whole_frame(stuffed, fault):
    with pytest.raises(FrameError) as caught:
        decode_frame(stuffed)
    assert caught.value.fault is fault


def test_the_longest_short_frame_may_go_with_crc16():
    assert SHORT_FRAME == 64
    frame = Frame(Opcode.ECHO, 1, 1, b"x" * 58)
    assert not decode_frame(encode_frame(frame)[:-1]).strong
    assert decode_frame(encode_frame(Frame(Opcode.ECHO, 1, 1, b"x" * 59))[:-1]).strong


def test_no_frame_is_longer_than_any_device_takes():
    encode_frame(Frame(Opcode.ECHO, 1, 1, b"x" * (LONGEST_FRAME - 10)))
    with pytest.raises(FrameError, match=f"{LONGEST_FRAME} are allowed"):
        encode_frame(Frame(Opcode.ECHO, 1, 1, b"x" * (LONGEST_FRAME - 9)))


GOOD = Frame(Opcode.ECHO, 7, 9, b"\x01\0\x02", strong=True)
PIECES = st.lists(
    st.one_of(
        st.binary(max_size=200),
        st.just(b"\xff" * 150),
        FRAMES.map(encode_frame),
        FRAMES.map(lambda frame: encode_frame(frame)[1:]),
    ),
    max_size=8,
)


@settings(max_examples=300)
@given(PIECES, st.integers(1, 40))
def test_the_receiver_finds_the_next_good_frame_and_never_grows(pieces, step):
    receiver = Receiver(100)
    noise = b"".join(pieces)
    for at in range(0, len(noise), step):
        receiver.feed(noise[at : at + step])
        assert receiver.held <= cobs.longest(100)
    assert receiver.feed(b"\0" + encode_frame(GOOD))[-1:] == [GOOD]
    assert receiver.held == 0


@given(st.lists(FRAMES, min_size=1, max_size=5), st.data())
def test_however_the_bytes_are_cut(frames, data):
    line = b"".join(map(encode_frame, frames))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(line)), max_size=6)))
    receiver = Receiver()
    found = []
    for first, last in zip([0, *cuts], [*cuts, len(line)], strict=True):
        found += receiver.feed(line[first:last])
    assert found == [as_decoded(frame) for frame in frames]
    assert receiver.frames == len(frames)
    assert not receiver.faults


@given(FRAMES, st.data())
def test_no_single_byte_can_be_changed_unseen(frame, data):
    frame = frame._replace(strong=True)
    line = bytearray(encode_frame(frame))
    at = data.draw(st.integers(0, len(line) - 1))
    line[at] ^= data.draw(st.integers(1, 255))
    found = Receiver(strong=True).feed(bytes(line) + b"\0" + encode_frame(GOOD))
    assert found[-1] == GOOD
    assert all(other == as_decoded(frame) for other in found[:-1])


def test_a_long_frame_is_counted_once_and_dropped_to_the_next_zero():
    receiver = Receiver(20)
    for _ in range(1000):
        assert receiver.feed(b"\x05" * 50) == []
        assert receiver.held <= cobs.longest(20)
    assert receiver.feed(b"\0" + encode_frame(GOOD)) == [GOOD]
    assert receiver.faults == {Fault.LONG: 1}


def test_a_strict_receiver_drops_frames_with_crc16():
    weak = Frame(Opcode.ECHO, 7, 9, b"\x01")
    receiver = Receiver(strong=True)
    assert receiver.feed(encode_frame(weak) + encode_frame(GOOD)) == [GOOD]
    assert receiver.faults == {Fault.WEAK: 1}
    hello = Frame(Opcode.HELLO, 7, 9, b"\x01")
    assert len(receiver.feed(encode_frame(hello))) == 1


def test_zeros_between_frames_are_no_fault():
    receiver = Receiver()
    assert receiver.feed(b"\0\0" + encode_frame(GOOD) + b"\0") == [GOOD]
    assert not receiver.faults
