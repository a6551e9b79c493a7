import random

import pytest
from conversation import Conversation

from drivers.link import Call, Link, Loss
from drivers.wire.constants import Opcode, Parameter, Status
from drivers.wire.faults import MessageError, RefusedError
from drivers.wire.frame import Frame, encode_frame
from drivers.wire.requests import Echo, Nothing, RunId, SetParameter


def lose_once(to_device, opcode):
    """Lose the first frame of this opcode that goes in this direction."""
    lost = []

    def lose(way, frame):
        if way == to_device and frame.opcode & 0x7F == opcode and not lost:
            lost.append(frame)
            return True
        return False

    return lose


def test_several_requests_are_under_way_and_answered_in_order():
    talk = Conversation()
    calls = talk.echoes(20)
    replies = talk.run(*calls)
    assert [reply.data for reply in replies] == [call.message.data for call in calls]
    assert [sequence for _, sequence in talk.seen] == [(65535 + k) % 65536 for k in range(20)]
    assert talk.link.counters.retries == 0
    assert talk.link.due == float("inf")


def test_no_more_are_under_way_than_a_device_remembers():
    link = Link(session=1, longest=1024, window=60_000)
    for call in Conversation().echoes(12):
        link.submit(call)
    link.output(0.0)
    assert len(link._open) == 8


@pytest.mark.parametrize(("size", "fit"), [(500, 3), (900, 2), (1000, 2)])
def test_no_more_bytes_are_under_way_than_the_window_holds(size, fit):
    link = Link(session=1, longest=1024, window=2048)
    for _ in range(8):
        link.submit(Call(Opcode.ECHO, Echo(bytes(size))))
    out = link.output(0.0)
    assert len(link._open) == fit
    assert len(out) <= 2048 + 1


@pytest.mark.parametrize("to_device", [True, False])
def test_a_lost_frame_costs_itself_and_what_followed(to_device):
    talk = Conversation(lose=lose_once(to_device, Opcode.SET_PARAMETER))
    calls = talk.echoes(3)
    calls.insert(1, Call(Opcode.SET_PARAMETER, SetParameter(Parameter.SILENCE_MS, 77)))
    talk.run(*calls)
    # A lost request makes those behind it be refused and sent once more; a lost reply, itself alone.
    assert talk.link.counters.retries == (3 if to_device else 1)
    assert talk.now == 0.0, "found out without waiting"


def test_the_last_one_lost_is_sent_again_when_its_time_is_over():
    talk = Conversation(lose=lose_once(True, Opcode.STATUS))
    call = Call(Opcode.STATUS, Nothing(), patience=0.5)
    talk.run(call)
    assert 0.5 < talk.now < 0.6
    assert call.sent == 2


def test_waits_double_up_to_a_second():
    link = Link(session=1)
    link.submit(Call(Opcode.ECHO, Echo(b"x")))
    times, now = [], 0.0
    for _ in range(9):
        link.output(now)
        times.append(link.due - now)
        now = link.due
    assert times[0] == pytest.approx(0.02)
    assert times[1:4] == pytest.approx([0.04, 0.08, 0.16])
    assert times[-1] == pytest.approx(1.0)


def test_waits_include_both_frames_on_a_slow_line():
    link = Link(session=1, baud=1000, longest=1024, window=2048)
    link.submit(Call(Opcode.ECHO, Echo(bytes(100)), reply_bytes=101))
    link.output(0.0)
    assert 2 * 100 / 100 < link.due < 6


@pytest.mark.parametrize("seed", range(12))
def test_each_request_is_executed_once_whatever_gets_lost(seed):
    """RUN refuses an id of before; a run that began twice would be seen in the sequence that was executed."""
    chance = random.Random(seed)
    talk = Conversation(lose=lambda way, frame: chance.random() < 0.3)
    executed = []
    attempt = talk.server._attempt

    def watched(order, frame):
        executed.append((frame.opcode, frame.sequence))
        return attempt(order, frame)

    talk.server._attempt = watched
    values = [Call(Opcode.SET_PARAMETER, SetParameter(Parameter.SILENCE_MS, k)) for k in range(30)]
    talk.run(*values, most=2000)
    assert [sequence for _, sequence in executed] == [(65535 + k) % 65536 for k in range(30)]
    (now,) = talk.run(Call(Opcode.GET_PARAMETER, _parameter()), most=2000)
    assert now.value == 29


def _parameter():
    from drivers.wire.requests import GetParameter

    return GetParameter(Parameter.SILENCE_MS)


def test_a_refusal_is_the_answer_to_its_request_alone():
    talk = Conversation()
    calls = [*talk.echoes(1), Call(Opcode.POLL, RunId(3)), *talk.echoes(1)]
    talk.run(*calls)
    assert isinstance(calls[1].error, RefusedError)
    assert calls[1].error.status is Status.BAD_STATE
    assert calls[0].reply
    assert calls[2].reply


def test_late_and_foreign_replies_are_counted_and_dropped():
    talk = Conversation()
    (call,) = talk.echoes(1)
    talk.run(call)
    reply = Frame(Opcode.ECHO | 0x80, 99, call.sequence, b"\0\0", strong=True)
    foreign = Frame(Opcode.ECHO | 0x80, 98, (call.sequence + 1) % 65536, b"\0\0", strong=True)
    talk.link.feed(encode_frame(reply) + encode_frame(foreign), 0.0)
    assert talk.link.counters.strays == 2


def test_a_reply_that_makes_no_sense_is_an_error_and_not_tried_again():
    link = Link(session=3)
    call = link.submit(Call(Opcode.STATUS, Nothing()))
    link.output(0.0)
    link.feed(encode_frame(Frame(Opcode.STATUS | 0x80, 3, 0, b"\0short", strong=True)), 0.0)
    assert isinstance(call.error, MessageError)


def test_a_request_longer_than_the_device_takes_is_refused_before_it_is_sent():
    link = Link(session=3, longest=68)
    with pytest.raises(MessageError, match="the device takes 68"):
        link.submit(Call(Opcode.ECHO, Echo(bytes(80))))


def test_weak_frames_are_dropped_and_counted():
    link = Link(session=3)
    link.submit(Call(Opcode.ECHO, Echo(b"x")))
    link.output(0.0)
    link.feed(encode_frame(Frame(Opcode.ECHO | 0x80, 3, 0, b"\0x")), 0.0)
    assert link.faults == {"weak": 1}
    assert link._open


class TestLoss:
    def test_a_clean_line_carries_the_longest_frames(self):
        loss = Loss()
        loss.note(10_000, 0)
        assert loss.best_frame(1024) == 1024

    def test_half_a_percent_of_bad_bytes_asks_for_short_ones(self):
        loss = Loss()
        for _ in range(200):
            loss.note(1000, 5)
        assert 60 <= loss.best_frame(1024) <= 70

    def test_a_line_that_has_healed_carries_long_ones_again(self):
        loss = Loss()
        loss.note(1000, 5)
        assert loss.best_frame(1024) < 200
        for _ in range(1000):
            loss.note(1000, 0)
        assert loss.best_frame(1024) == 1024
