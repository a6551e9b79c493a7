"""A link and a served board on a clock of the test's own, and what may be lost between them."""

from drivers.link import Call, Link
from drivers.profile import load_profile
from drivers.wire.constants import HelloOption, Opcode
from drivers.wire.frame import Receiver, encode_frame
from drivers.wire.requests import Echo, Hello
from firmware_models.server import Server

PROFILE = load_profile("ref-arm192")


class Conversation:
    """Frames go over at once; `lose` is asked for each whether it gets lost: (to the device?, frame)."""

    def __init__(self, *, baud=None, lose=lambda to_device, frame: False):
        self.server = Server(PROFILE, uid=7, boot=1)
        self.link = Link(session=99, sequence=65534, baud=baud)
        self.now = 0.0
        self.lose = lambda to_device, frame: False
        self.seen = []
        hello = Call(Opcode.HELLO, Hello(1, 1, HelloOption.STRONG, 5), interval=0.1)
        self.run(hello)
        self.link.longest, self.link.window = 1024, 2048
        self.lose = lose
        self.seen.clear()

    def step(self):
        """Let what is due go over; return whether anything went."""
        out = self.link.output(self.now)
        for frame in Receiver().feed(out):
            self.seen.append((frame.opcode, frame.sequence))
            if self.lose(True, frame):
                continue
            for reply in Receiver().feed(self.server.feed(encode_frame(frame), self.now)):
                if not self.lose(False, reply):
                    self.link.feed(encode_frame(reply), self.now)
        return bool(out)

    def run(self, *calls, most=200):
        """Submit requests, and let time pass until all are answered."""
        for call in calls:
            self.link.submit(call)
        for _ in range(most):
            if all(call.done for call in calls):
                return [call.reply for call in calls]
            if not self.step():
                self.now = self.link.due
        raise AssertionError("not answered")

    def echoes(self, count, size=3):
        return [Call(Opcode.ECHO, Echo(bytes([k % 256] * size))) for k in range(count)]
