"""A host by hand: one frame out, the replies and events in, to talk to a served board in a test."""

import itertools
from dataclasses import replace

import numpy as np

from drivers.profile import load_profile
from drivers.wire import requests as ask
from drivers.wire.constants import Flag, HelloOption, Memory, Opcode, Start, Status
from drivers.wire.crc import couplings_digest
from drivers.wire.frame import Frame, Receiver, encode_frame
from drivers.wire.layout import pack
from drivers.wire.messages import decode_event, decode_reply
from drivers.wire.packing import pack_legs, unpack_spins
from firmware_models.server import Server

PROFILE = load_profile("ref-avr64")
N = 5
COUPLINGS = np.array([3, -5, 7, 1, 2, -4, 6, -8, 5, -2])
FIELDS = np.array([[4, -3, 2, 9, -6], [-7, 5, 1, -2, 3], [0, 8, -1, 6, -9]])
LEGS = np.array([[2, 30, 6], [30, 2, 4]])


def changed(descriptor=PROFILE, **tables):
    """A descriptor with some keys of its tables changed."""
    new = {name: replace(getattr(descriptor, name), **keys) for name, keys in tables.items()}
    return replace(descriptor, **new)


DIGEST = couplings_digest(N, COUPLINGS.astype("<i1").tobytes())


class Host:
    def __init__(self, server=None, *, session=0x1234, sequence=0):
        self.server = server or Server(PROFILE, uid=42, boot=7)
        self.session, self.sequence = session, sequence
        self.strong = False
        self.now = 0.0
        self.events = []
        self._receiver = Receiver()
        self._runs = itertools.count(1)

    def frame(self, opcode, message=b"", **changes):
        payload = message if isinstance(message, bytes) else pack(message)
        return Frame(opcode, self.session, self.sequence, payload, strong=self.strong, **changes)

    def frames(self, data):
        """Sort what came: events are kept, the rest is returned."""
        found = self._receiver.feed(data)
        self.events += [frame for frame in found if frame.flags & Flag.EVENT]
        assert not self._receiver.faults
        return [frame for frame in found if not frame.flags & Flag.EVENT]

    def send(self, frame):
        return self.frames(self.server.feed(encode_frame(frame), self.now))

    def reply(self, opcode, message=b""):
        """Return the reply as a frame; requests count up."""
        frame = self.frame(opcode, message)
        self.sequence = (self.sequence + 1) % 65536
        (reply,) = self.send(frame)
        assert (reply.session, reply.sequence) == (frame.session, frame.sequence)
        assert reply.opcode == opcode | 0x80
        return reply

    def ask(self, opcode, message=b""):
        return decode_reply(self.reply(opcode, message))

    def refused(self, opcode, message=b""):
        """Return status and detail of a refusal."""
        payload = self.reply(opcode, message).payload
        assert payload[0] != Status.OK
        assert len(payload) == 5
        return Status(payload[0]), int.from_bytes(payload[1:], "little")

    def hello(self, *, nonce=1, options=0):
        self.strong = bool(options & HelloOption.STRONG)
        return self.ask(Opcode.HELLO, ask.Hello(1, 1, options, nonce))

    def told(self):
        """Return the events since the last time, decoded."""
        events, self.events = self.events, []
        return [decode_event(frame) for frame in events]

    def begin(self, n=N, couplings=COUPLINGS, *, keep=False):
        self.ask(Opcode.BEGIN, ask.Begin(n, int(keep)))
        self.load(Opcode.LOAD_COUPLINGS, ask.LoadCouplings, couplings.astype("<i1").tobytes())

    def load(self, opcode, kind, data, *more, step=200, each=1):
        """Upload data in frames that fit any board."""
        for at in range(0, len(data), step):
            self.ask(opcode, kind(at // each, *more, data[at : at + step]))

    def commit(self, n=N, couplings=COUPLINGS):
        digest = couplings_digest(n, couplings.astype("<i1").tobytes())
        return self.ask(Opcode.COMMIT, ask.Commit(digest))

    def fields(self, fields=FIELDS):
        data = fields.astype("<i2").tobytes()
        self.load(Opcode.LOAD_FIELDS, ask.LoadFields, data, 2, each=2)

    def ready(self, n=N, couplings=COUPLINGS, fields=FIELDS, legs=LEGS):
        """Open a session and load a whole problem."""
        self.hello()
        self.begin(n, couplings)
        self.commit(n, couplings)
        self.fields(fields)
        self.ask(Opcode.LOAD_LEGS, ask.LoadLegs(0, pack_legs(legs)))
        return self

    def start(self, **changes):
        """Start a run over the slots of FIELDS; return what the board answers."""
        return self.ask(Opcode.RUN, self.run_request(**changes))

    def run_request(self, **changes):
        request = ask.Run(
            next(self._runs), 7, 100, 0, len(FIELDS), 2, 0, Start.RANDOM, 0, 0, len(LEGS), 4
        )
        return replace(request, **changes)

    def finish(self):
        """Let the run come to its end; return the seconds it took."""
        took = 0.0
        while self.server.busy:
            data, seconds = self.server.work(self.now)
            assert self.frames(data) == []
            took += seconds
        return took

    def rows(self, num_rows, n=N, *, first=0):
        """Return rows of the last run, (rows, n)."""
        run = self.ask(Opcode.STATUS).run
        reply = self.ask(Opcode.READ, ask.Read(run, first, num_rows))
        assert (reply.row, reply.num_rows) == (first, num_rows)
        return unpack_spins(reply.packed, n)

    def sample(self, n=N, **changes):
        """Run and return all rows, (slots, reads, n)."""
        request = self.run_request(**changes)
        self.ask(Opcode.RUN, request)
        self.finish()
        each = 128 // ((n + 7) // 8)
        total = request.num_slots * request.reads
        parts = [self.rows(min(each, total - at), n, first=at) for at in range(0, total, each)]
        return np.concatenate(parts).reshape(request.num_slots, request.reads, n)


def open_host(**more):
    host = Host(**more)
    host.hello()
    return host


def describe(host, step=100):
    """Fetch the descriptor in parts, up to an empty one."""
    text = b""
    while True:
        part = host.ask(Opcode.DESCRIBE, ask.Describe(len(text), step))
        assert part.offset == len(text)
        if not part.data:
            return text
        text += part.data


def contents(server):
    """All that a board holds, to see that nothing was written."""
    memory = server._board.memory
    return [memory._held(kind).tobytes() for kind in Memory]
