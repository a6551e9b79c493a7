"""A device that is only late is waited for longer; nothing is held against the line."""

from conversation import Conversation

from drivers.wire.frame import Receiver, encode_frame


def late(conversation, calls, delay):
    """Answer every request `delay` after it was sent, on an otherwise perfect line; return how many were sent."""
    link, server = conversation.link, conversation.server
    for call in calls:
        link.submit(call)
    coming, sent = [], 0
    while not all(call.done for call in calls):
        out = link.output(conversation.now)
        for frame in Receiver().feed(out):
            sent += 1
            coming.append((conversation.now + delay, server.feed(encode_frame(frame), 0.0)))
        arrives = coming[0][0] if coming else link.due
        conversation.now = min(arrives, link.due)
        while coming and coming[0][0] <= conversation.now:
            link.feed(coming.pop(0)[1], conversation.now)
    return sent, [data for _, data in coming]


def test_replies_that_come_twice_make_the_host_patient():
    talk = Conversation()
    frame = talk.link.best_payload
    counts = []
    for _ in range(4):
        sent, spare = late(talk, talk.echoes(8), 0.15)
        counts.append(sent)
        for data in spare:
            talk.link.feed(data, talk.now)
    assert counts[0] >= 16  # asked again in vain
    assert counts[-1] == 8
    assert talk.link.counters.strays > 0
    assert talk.link.best_payload == frame  # nothing was lost, so frames stay long


def test_what_is_lost_does_not_make_it_patient():
    lost = []

    def lose(to_device, frame):
        if to_device and frame.sequence % 3 == 0 and frame.sequence not in lost:
            lost.append(frame.sequence)
            return True
        return False

    talk = Conversation(lose=lose)
    before = talk.link.loss.slack
    talk.run(*talk.echoes(30))
    assert len(lost) >= 10
    assert talk.link.loss.slack <= before
    assert talk.link.loss.faults > 5


def test_patience_wears_off_with_bytes_carried():
    talk = Conversation()
    talk.link.loss.in_vain()
    start = talk.link.loss.slack
    talk.run(*talk.echoes(400, size=300), most=1000)
    assert talk.link.loss.slack < start
