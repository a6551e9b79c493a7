"""What a line does to bytes, on a clock that the test turns."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.wire.constants import Opcode, Status
from drivers.wire.frame import REPLY, Frame, decode_frame, encode_frame
from drivers.wire.layout import pack, unpack
from drivers.wire.replies import Rows
from firmware_models.faults import FaultPlan, Incident, Way, plan_from
from firmware_models.line import Line, misread
from isingeq.errors import ConfigError

RANDOM = bytes((7 * at * at + 13 * at + 5) % 251 for at in range(4000))


def request(opcode, payload=b"", sequence=0):
    return encode_frame(Frame(opcode, 1, sequence, payload))


def reply(opcode, payload=b"\0", sequence=0):
    return encode_frame(Frame(opcode | REPLY, 1, sequence, payload))


def joined(passages):
    """Return what arrives, in order of time."""
    return b"".join(passage.data for passage in sorted(passages, key=lambda p: p.at))


def test_a_flawless_line_does_nothing():
    line = Line()
    assert line.plain
    (passage,) = line.to_device(RANDOM, 3.0)
    assert (passage.at, passage.data, passage.way) == (3.0, RANDOM, Way.TO_DEVICE)
    assert not Line(baud=9600).plain
    assert not Line(plan_from("lose@READ")).plain
    assert Line(FaultPlan(seed=4)).plain


def test_a_byte_takes_ten_bit_times_and_directions_are_independent():
    line = Line(baud=1000)
    first = line.to_device(b"abc\0defg\0h", 1.0)
    assert [(p.at, p.data) for p in first] == [
        (pytest.approx(1.04), b"abc\0"),
        (pytest.approx(1.09), b"defg\0"),
        (pytest.approx(1.10), b"h"),
    ]
    (queued,) = line.to_device(b"ij", 1.05)  # the line is busy until 1.10
    assert queued.at == pytest.approx(1.12)
    (behind,) = line.to_device(b"l", 1.06)
    assert behind.at == pytest.approx(1.13)
    (after,) = line.to_device(b"k", 2.0)
    assert after.at == pytest.approx(2.01)
    (other,) = line.to_host(b"xy", 1.0)
    assert (other.at, other.way) == (pytest.approx(1.02), Way.TO_HOST)


def test_a_long_frame_arrives_in_parts_of_the_grain():
    line = Line(baud=1000, grain=4)
    parts = line.to_host(b"0123456789\0ab", 0.0)
    assert [p.data for p in parts] == [b"0123", b"4567", b"89\0", b"ab"]
    assert [p.at for p in parts] == pytest.approx([0.04, 0.08, 0.11, 0.13])


@given(cuts=st.lists(st.integers(0, len(RANDOM)), max_size=6))
def test_the_same_bytes_suffer_however_a_stream_is_cut(cuts):
    plan = FaultPlan(seed=3, flip=0.02, drop=0.02, insert=0.02)
    whole = joined(Line(plan).to_device(RANDOM, 0.0))
    line, ends = Line(plan), [0, *sorted(cuts), len(RANDOM)]
    pieces = [line.to_device(RANDOM[a:b], 0.0) for a, b in pairwise(ends)]
    assert b"".join(joined(piece) for piece in pieces) == whole


def test_noise_comes_as_often_as_the_plan_says():
    line = Line(FaultPlan(seed=1, flip=0.01, drop=0.02, insert=0.03))
    data, rounds = RANDOM * 10, 5
    came = sum(len(joined(line.to_host(data, 0.0))) for _ in range(rounds))
    total = len(data) * rounds
    for kind, chance in (("flip", 0.01), ("drop", 0.02), ("insert", 0.03)):
        spread = math.sqrt(total * chance * (1 - chance))
        assert abs(line.struck[kind] - total * chance) < 5 * spread
    assert came == total - line.struck["drop"] + line.struck["insert"]


def test_a_flip_changes_one_bit_and_any_bit():
    line = Line(FaultPlan(seed=2, flip=0.1))
    changed = [a ^ b for a, b in zip(RANDOM, joined(line.to_device(RANDOM, 0.0)), strict=True)]
    assert {mask for mask in changed if mask} == {1 << place for place in range(8)}


def test_an_insert_stands_ahead_and_a_drop_takes_its_own_byte():
    only = FaultPlan(seed=2, insert=1.0)
    assert joined(Line(only).to_device(b"abcd", 0.0))[1::2] == b"abcd"
    assert joined(Line(FaultPlan(seed=2, drop=1.0)).to_device(b"abcd", 0.0)) == b""


def test_seeds_and_directions_suffer_differently():
    def marks(seed, way):
        line = Line(FaultPlan(seed=seed, flip=0.05))
        return joined((line.to_device if way else line.to_host)(RANDOM, 0.0))

    assert len({marks(seed, way) for seed in (0, 1, 2) for way in (0, 1)}) == 6


@pytest.mark.parametrize("ratio", [0.96, 1.0, 1.04])
def test_a_receiver_that_is_nearly_right_reads_right(ratio):
    assert misread(RANDOM, 115200, round(115200 * ratio)) == RANDOM


def test_a_receiver_at_another_rate_reads_something_else():
    fast, slow = misread(RANDOM, 9600, 115200), misread(RANDOM, 115200, 9600)
    assert len(fast) > len(RANDOM) * 1.5
    assert 0 < len(slow) < len(RANDOM) / 4
    # by hand: at half the rate 0x55 (0 10101010 1) is seen at bits 1, 3, 5, 7, 9, all 1 or past the end
    assert misread(b"\x55", 9600, 4800)[:1] == bytes([0xFF])
    # at twice the rate a start bit looks like a start bit and the lowest bit, 0; then two looks at each bit
    assert misread(b"\x0f", 9600, 19200)[:1] == bytes([0b11111110])


def test_a_line_garbles_both_ways_where_rates_differ():
    line = Line(plan_from("device_baud:9600"), baud=115200)
    data = request(Opcode.STATUS)
    (there,) = line.to_device(data, 0.0)
    (back,) = line.to_host(data, 0.0)
    assert there.data != data
    assert back.data != data
    assert there.at == pytest.approx(len(data) * 10 / 115200)
    assert back.at == pytest.approx(len(data) * 10 / 9600)
    assert line.struck["misread"] == 2
    line.host_baud = 9600  # as whoever sees the host's port would say
    assert joined(line.to_device(data, 9.0)) == data
    with pytest.raises(ConfigError, match="baud"):
        Line(plan_from("device_baud:9600"))
    for none in (0, -9600):
        with pytest.raises(ConfigError, match=f"baud={none} is no rate"):
            Line(baud=none)


def test_an_incident_strikes_where_it_was_placed():
    line = Line(FaultPlan(incidents=(Incident("lose", opcode="READ", nth=2, times=2),)))
    seen = []
    for number in range(6):
        seen.append(joined(line.to_host(reply(Opcode.POLL), 0.0)) != b"")
        seen.append(joined(line.to_host(reply(Opcode.READ, sequence=number), 0.0)) != b"")
    assert seen[::2] == [True] * 6
    assert seen[1::2] == [True, False, False, True, True, True]
    assert line.struck == {"lose": 2}


def test_an_incident_waits_for_its_bytes():
    frame = reply(Opcode.ECHO, b"\0abc")
    plan = FaultPlan(incidents=(Incident("lose", after_bytes=2 * len(frame) - 1, times=0),))
    line = Line(plan)
    assert [bool(line.to_host(frame, 0.0)) for _ in range(4)] == [True, True, False, False]


def test_an_incident_at_random_comes_as_often_as_it_should():
    line = Line(plan_from("lose:0.2", seed=5))
    lost = sum(not line.to_host(reply(Opcode.ECHO), 0.0) for _ in range(2000))
    assert abs(lost - 400) < 5 * math.sqrt(2000 * 0.2 * 0.8)


def test_frames_are_found_however_bytes_come_and_lone_zeros_do_not_count():
    data = b"\0" + b"".join(reply(Opcode.ECHO, bytes([0, at])) for at in range(5)) + b"\0"
    whole = joined(Line(plan_from("lose@ECHO:3")).to_host(data, 0.0))
    line = Line(plan_from("lose@ECHO:3"))
    bytewise = b"".join(joined(line.to_host(data[at : at + 1], 0.0)) for at in range(len(data)))
    assert whole == bytewise
    assert len(whole) == len(data) - len(reply(Opcode.ECHO, b"\0\1"))


def test_what_befalls_the_device_comes_after_its_frame():
    plan = FaultPlan(incidents=(Incident("reset", opcode="RUN", wait_s=0.5), Incident("stall")))
    frame = request(Opcode.RUN)
    passages = sorted(Line(plan, baud=1000).to_device(frame, 2.0), key=lambda p: p.at)
    end = 2.0 + len(frame) / 100
    assert [p.incident and p.incident.kind for p in passages] == [None, "stall", "reset"]
    assert [p.at for p in passages] == pytest.approx([end, end, end + 0.5])


def test_garbage_stands_ahead_of_a_whole_frame():
    frame = reply(Opcode.STATUS)
    found = joined(Line(plan_from("garbage@")).to_host(frame, 0.0))
    assert found.endswith(frame)
    assert len(found) == 64 + len(frame)
    assert len(set(found[:64])) > 32


def test_a_reply_may_be_doubled_or_late():
    frame = reply(Opcode.STATUS)
    assert joined(Line(plan_from("double@")).to_host(frame, 0.0)) == 2 * frame
    line = Line(plan_from("delay@:1"), baud=1000)
    (late,) = line.to_host(frame, 0.0)
    (next_one,) = line.to_host(frame, 0.0)
    assert late.at == pytest.approx(len(frame) / 100 + 0.2)
    assert next_one.at == pytest.approx(2 * len(frame) / 100)


def test_a_cut_frame_is_followed_by_silence():
    frame = request(Opcode.LOAD_FIELDS, b"12345678")
    line = Line(plan_from("cut@"))
    (half,) = line.to_device(frame, 1.0)
    assert half.data == frame[: len(frame) // 2]
    assert line.to_device(frame, 1.04) == []
    assert joined(line.to_device(frame, 1.06)) == frame
    assert joined(line.to_host(frame, 1.01)) == frame


def test_an_overrun_loses_bytes_in_the_middle():
    frame = request(Opcode.LOAD_FIELDS, bytes(range(1, 101)))
    line = Line(FaultPlan(incidents=(Incident("overrun", count=7),)))
    found = joined(line.to_device(frame, 0.0))
    middle = len(frame) // 2
    assert found == frame[:middle] + frame[middle + 7 :]


def test_a_loopback_answers_with_what_was_sent():
    frame = request(Opcode.HELLO, bytes(7))
    (echo,) = Line(plan_from("echo@")).to_device(frame, 0.0)
    assert (echo.way, echo.data) == (Way.TO_HOST, frame)


def test_another_version_refuses_hello():
    welcome = encode_frame(Frame(Opcode.HELLO | REPLY, 9, 4, bytes(29)))
    line = Line(plan_from("version@HELLO"))
    for _ in range(3):
        frame = decode_frame(joined(line.to_host(welcome, 0.0))[:-1])
        assert (frame.opcode, frame.session, frame.sequence) == (Opcode.HELLO | REPLY, 9, 4)
        assert frame.payload == bytes([Status.BAD_VERSION, 2, 2, 0, 0])


def test_a_reply_to_read_may_lack_its_last_row():
    rows = Rows(boot=1, run=2, row=3, num_rows=3, packed=b"abcdef")
    whole = reply(Opcode.READ, bytes([Status.OK]) + pack(rows))
    frame = decode_frame(joined(Line(plan_from("short@READ")).to_host(whole, 0.0))[:-1])
    assert unpack(Rows, frame.payload[1:]) == Rows(1, 2, 3, 2, b"abcd")
    refusal = reply(Opcode.READ, bytes([Status.NOT_READY, 0, 0, 0, 0]))
    assert joined(Line(plan_from("short@READ")).to_host(refusal, 0.0)) == refusal


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_no_bytes_upset_a_line_with_incidents(pieces):
    line = Line(plan_from("garbage:0.3,short:0.5,version:0.5,lose@READ:1,cut:0.1,flip:0.05"))
    for at, piece in enumerate(pieces):
        line.to_host(piece + b"\0", float(at))
        line.to_device(piece, float(at))
