"""The transport on a virtual clock, with a tiny device of the test's own and with the served model."""

import math

import pytest
from native_core import compiler

from drivers.errors import LinkLostError
from drivers.profile import load_profile
from drivers.wire.constants import Memory, Opcode, ResetCause
from drivers.wire.frame import Frame, encode_frame
from firmware_models.faults import FaultPlan, Incident, plan_from
from firmware_models.line import Line
from firmware_models.model import ModelTransport, open_model
from isingeq.errors import ConfigError

PING = encode_frame(Frame(Opcode.ECHO, 1, 0, b"ping"))
BOOT_S = load_profile("ref-arm192").latency.boot_s
COMMAND_S = load_profile("ref-arm192").latency.command_s


class Parrot:
    """Says back what it hears, and has slices of work of a tenth of a second each."""

    kind = "simulated"

    def __init__(self, slices=0):
        self.descriptor = load_profile("ref-arm192")
        self.slices = slices
        self.begun = False
        self.heard = []
        self.ticks = []
        self.corrupted = []

    @property
    def busy(self):
        return self.slices > 0

    def feed(self, data, now):
        self.heard.append((now, data))
        return data

    def work(self, now):
        self.slices -= self.begun
        self.begun = True
        return (b"", 0.1) if self.slices else (b"done\0", 0.0)

    def tick(self, now):
        self.ticks.append(now)
        return b""

    def reset(self, cause):
        assert cause is ResetCause.PIN
        self.slices = 0
        return b"booted\0"

    def corrupt(self, memory, offset, flips):
        self.corrupted.append((memory, offset, flips))


def opened(device, plan="", *, baud=None):
    plan = plan if isinstance(plan, FaultPlan) else plan_from(plan)
    return ModelTransport(device, url="model://parrot", line=Line(plan, baud=baud))


def test_a_reply_is_there_at_once_and_takes_no_time():
    transport = opened(Parrot())
    transport.write(PING)
    assert transport.read(0.0) == PING
    assert transport.now() == 0.0
    assert (transport.kind, transport.baud) == ("simulated", None)


def test_waiting_for_nothing_takes_as_long_as_it_was_to():
    transport = opened(device := Parrot())
    assert transport.read(1.5) == b""
    assert transport.read(0.25) == b""
    assert transport.now() == 1.75
    assert device.ticks == [1.5, 1.75]


def test_a_paced_line_takes_its_time_both_ways():
    transport = opened(device := Parrot(), baud=1000)
    transport.write(PING)
    there = len(PING) / 100
    assert transport.read(there * 1.5) == b""
    assert transport.now() == pytest.approx(there * 1.5)
    assert transport.read(9.0) == PING
    assert transport.now() == pytest.approx(2 * there)
    assert device.heard == [(pytest.approx(there), PING)]


def test_a_run_takes_the_time_of_its_slices():
    transport = opened(Parrot(slices=3))
    assert transport.read(0.15) == b""
    assert transport.now() == pytest.approx(0.15)
    assert transport.read(9.0) == b"done\0"
    assert transport.now() == pytest.approx(0.3)


def test_a_busy_device_answers_in_the_time_of_a_command():
    transport = opened(device := Parrot(slices=3))
    transport.read(0.05)
    transport.write(PING)
    assert transport.read(9.0) == PING
    assert transport.now() == pytest.approx(0.05 + COMMAND_S)
    assert device.slices == 3


def test_polling_without_waiting_still_gets_somewhere():
    transport = opened(Parrot(slices=2))
    answers = b""
    for _ in range(round(0.21 / COMMAND_S)):
        transport.write(PING)
        answers += transport.read(0.2)
        if b"done" in answers:
            break
    assert b"done" in answers
    assert transport.now() == pytest.approx(0.2, abs=0.01)


def test_a_stalled_device_answers_late_and_in_order():
    transport = opened(Parrot(), "stall@:1")
    transport.write(PING)
    assert transport.read(0.4) == PING  # it heard this one before it stood still
    transport.write(PING)
    assert transport.read(0.4) == b""
    assert transport.read(0.4) == PING
    assert transport.now() == pytest.approx(0.5)


def test_a_reset_device_is_deaf_until_it_has_booted():
    transport = opened(device := Parrot(slices=9), "reset@:1")
    transport.write(PING)
    assert transport.read(0.15) == PING
    transport.read(COMMAND_S)  # lets the reset come
    transport.write(PING)
    assert transport.read(9.0) == b"booted\0"
    assert transport.now() == pytest.approx(2 * COMMAND_S + BOOT_S)
    assert transport.read(0.0) == b""
    assert device.slices == 0
    assert len(device.heard) == 1
    transport.write(PING)
    assert transport.read(0.0) == PING


def test_a_brown_out_flips_bits_in_memory():
    plan = FaultPlan(incidents=(Incident("corrupt", memory="FIELDS", offset=5, count=3),))
    transport = opened(device := Parrot(), plan)
    transport.write(PING)
    transport.read(0.0)
    transport.read(0.0)
    assert device.corrupted == [(Memory.FIELDS, 5, 0b111)]


def test_a_pulled_plug_is_noticed_by_every_call():
    transport = opened(Parrot(), FaultPlan(incidents=(Incident("unplug", seconds=math.inf),)))
    transport.write(PING)
    assert transport.read(0.0) == PING
    for call in (
        lambda: transport.read(1.0),
        lambda: transport.read(0.0),
        lambda: transport.write(PING),
    ):
        with pytest.raises(LinkLostError, match="unplugged"):
            call()


def test_a_closed_transport_says_so():
    transport = opened(Parrot())
    transport.close()
    with pytest.raises(LinkLostError, match="closed"):
        transport.read(0.0)
    with pytest.raises(LinkLostError, match="closed"):
        transport.write(PING)


def test_a_served_model_comes_back_where_its_plug_was_pulled():
    first = open_model("ref-avr64", uid=7, faults="unplug@ECHO:2")
    for _ in range(2):
        first.write(PING)
        first.read(0.0)
    with pytest.raises(LinkLostError):
        first.read(1.0)
    again = open_model("ref-avr64", uid=7, faults="unplug@ECHO:2")
    assert again.device is first.device
    assert again.now() == pytest.approx(0.5)
    for _ in range(3):  # its plan goes on and does not start again
        again.write(PING)
        assert again.read(0.1)
    assert open_model("ref-avr64", uid=7, faults="unplug@ECHO:2").device is not first.device
    with pytest.raises(LinkLostError):
        first.read(0.0)


def test_the_firmware_in_c_stands_behind_the_same_url():
    compiler()
    replies = []
    for native, kind in ((False, "simulated"), (True, "emulated")):
        transport = open_model("ref-avr64", native=native, uid=9)
        assert transport.kind == kind
        transport.write(PING)  # no session yet
        replies.append(transport.read(0.0))
    assert replies[0] == replies[1] != b""


def test_each_opening_has_a_boot_id_of_its_own():
    hello = encode_frame(Frame(Opcode.HELLO, 1, 0, bytes([1, 1, 0, 1, 2, 3, 4])))

    def answer():
        transport = open_model("ref-arm192", uid=3)
        transport.write(hello)
        return transport.read(0.0)

    assert len({answer() for _ in range(3)}) == 3


def test_what_cannot_be_opened_is_refused():
    with pytest.raises(ConfigError):
        open_model("nosuch")
    with pytest.raises(ConfigError):
        open_model("ref-arm192", faults="nosuch:1")
    with pytest.raises(ConfigError, match="baud"):
        open_model("ref-arm192", faults="device_baud:9600")
    for wrong in ({"uid": -1}, {"uid": 2**64}, {"seed": -1}):
        with pytest.raises(ConfigError, match="count from 0, and a uid has 64 bits"):
            open_model("ref-arm192", **wrong)
