"""What the tests of emulated boards share: which boards there are here, and how to talk to one."""

import os
import shutil
import time

import pytest

from drivers.wire.constants import Opcode
from drivers.wire.frame import REPLY, Frame, Receiver, encode_frame
from firmware_models.avr import simhost
from firmware_models.serving import serve, target
from isingeq.errors import DeviceError

SESSION = 0x1234
HELLO = bytes([1, 1, 0, 0xD4, 0xC3, 0xB2, 0xA1])
PATIENCE_S = 10.0
EMULATED = ("lm3s", "avr")


def missing(reason):
    """Skip for want of a tool; where `ISINGEQ_EVERY_TOOL` is set, as in the whole check, fail instead."""
    (pytest.fail if os.environ.get("ISINGEQ_EVERY_TOOL") else pytest.skip)(reason)


def need(name):
    """Go on only if this board can be emulated here."""
    if name == "lm3s" and shutil.which("qemu-system-arm") is None:
        missing("lm3s needs qemu-system-arm (package qemu-system-arm)")
    if name == "avr":
        try:
            simhost()
        except DeviceError as error:
            missing(f"avr: {error}")


def board(name, **options):
    """Return a bridge to a board that this machine can emulate."""
    need(name)
    return serve(target(name)[0], **options)


def until(condition):
    """Wait for something that is bound to come."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.005)


class Talk:
    """Frames over a transport, one at a time."""

    def __init__(self, transport):
        self.transport = transport
        self.receiver = Receiver()
        self.sequence = 0
        self.frames = []

    def say(self, opcode, payload=b""):
        self.sequence += 1
        frame = Frame(opcode, SESSION, self.sequence, payload)
        self.transport.write(encode_frame(frame))

    def hear(self, timeout=PATIENCE_S):
        """Return the reply to what was said last; None if none comes."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            for frame in self.receiver.feed(self.transport.read(left)):
                self.frames.append(frame)
                if frame.opcode & REPLY and frame.sequence == self.sequence:
                    return frame
        return None

    def ask(self, opcode, payload=b"", *, timeout=PATIENCE_S):
        """Return the reply; where none came, the next request has the same number."""
        self.say(opcode, payload)
        found = self.hear(timeout)
        self.sequence -= found is None
        return found

    def greet(self, *, timeout=PATIENCE_S):
        """Open a session, as often as it takes a board to boot; return the reply."""
        end = time.monotonic() + timeout
        self.transport.write(b"\0")
        while time.monotonic() < end:
            found = self.ask(Opcode.HELLO, HELLO, timeout=0.1)
            if found is not None:
                return found
        raise AssertionError("no answer to HELLO")

    def echo(self, data=b"\0ping", *, timeout=PATIENCE_S):
        """Tell whether the board says the same."""
        found = self.ask(Opcode.ECHO, data, timeout=timeout)
        return found is not None and found.payload == b"\0" + data
