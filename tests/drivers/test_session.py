import pytest

from drivers.errors import (
    BaudError,
    DeviceResetError,
    DeviceTimeoutError,
    NotADeviceError,
    SessionTakenError,
    VersionError,
)
from drivers.profile import load_profile
from drivers.session import Session
from drivers.wire.constants import Opcode, ResetCause, Status
from drivers.wire.faults import RefusedError
from drivers.wire.requests import Echo, Nothing, Read
from firmware_models.faults import FaultPlan, Incident, plan_from
from firmware_models.line import Line
from firmware_models.model import ModelTransport
from firmware_models.server import Server
from isingeq.errors import DeviceError

PROFILE = load_profile("ref-avr64")


def transport(faults="", *, baud=None, server=None, plan=None):
    server = server or Server(PROFILE, uid=7, boot=1)
    line = Line(plan or plan_from(faults), baud=baud)
    return ModelTransport(server, url="model://board", line=line)


class Talker:
    """Something else at the other end: answers every write with what `says` makes of it."""

    url, kind, baud = "/dev/ttyX", "real", 9600

    def __init__(self, says):
        self.says = says
        self._now = 0.0
        self._said = b""

    def now(self):
        return self._now

    def read(self, timeout):
        found, self._said = self._said, b""
        if not found:
            self._now += timeout
        return found

    def write(self, data):
        self._said += self.says(data)

    def close(self):
        pass


def test_a_session_knows_who_answers():
    session = Session(transport(baud=9600))
    assert session.welcome.uid == 7
    assert session.descriptor == PROFILE
    assert session.name == "ref-avr64 at model://board"


def test_the_first_hello_may_be_lost():
    session = Session(transport("lose@HELLO"))
    assert session.transport.now() == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("says", "error", "said"),
    [
        (lambda data: b"", DeviceTimeoutError, "nothing answers at /dev/ttyX.* 9600 its baud rate"),
        (lambda data: data, NotADeviceError, "a loopback, not a device"),
        (lambda data: b"\r\nlogin: ", NotADeviceError, r"sends text \('login:'\)"),
        (lambda data: bytes([0x80, 0xFE, 3, 0xF8, 0]), BaudError, "check the baud rate .now 9600"),
    ],
)
def test_what_is_no_device_is_named_within_the_boot_timeout(says, error, said):
    talker = Talker(says)
    with pytest.raises(error, match=said):
        Session(talker)
    assert talker.now() == pytest.approx(2.5)


def test_another_version_names_both():
    plan = FaultPlan(incidents=(Incident("version", times=0),))
    with pytest.raises(VersionError, match=r"speaks versions \d+ to \d+ .* this host 1"):
        Session(transport(plan=plan))


def test_a_descriptor_that_is_not_what_was_announced_is_refused():
    with pytest.raises(DeviceError, match="not what HELLO announced"):
        Session(_Alternating(Server(PROFILE, uid=7, boot=1)))


class _Alternating:
    """Lets HELLO see one descriptor and DESCRIBE another."""

    def __init__(self, server):
        self._inner, self._server = transport(server=server), server

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def write(self, data):
        self._inner.write(data)
        self._server._text = self._server._text.replace(b"isingeq", b"asingeq")


def test_a_reset_is_noticed_at_the_next_request():
    line = transport()
    session = Session(line)
    line.device.reset(ResetCause.WATCHDOG)
    with pytest.raises(DeviceResetError, match=r"was reset \(watchdog\)"):
        session.ask(Opcode.STATUS, Nothing())
    assert session.ask(Opcode.ECHO, Echo(b"again")).data == b"again"


def test_an_intruder_is_noticed_at_the_next_request():
    server = Server(PROFILE, uid=7, boot=1)
    session = Session(transport(server=server))
    Session(transport(server=server))
    with pytest.raises(SessionTakenError, match="another host opened a session"):
        session.ask(Opcode.STATUS, Nothing())


def test_a_refusal_is_raised_as_it_is():
    session = Session(transport())
    with pytest.raises(RefusedError) as refused:
        session.ask(Opcode.READ, Read(1, 0, 1))
    assert refused.value.status is Status.BAD_STATE
    assert session.ask(Opcode.ECHO, Echo(b"fine")).data == b"fine"


def test_a_stalled_device_is_given_up_at_the_deadline():
    line = transport(plan=FaultPlan(incidents=(Incident("stall", opcode="ECHO", seconds=60.0),)))
    session = Session(line, timeout=3.0)
    session.ask(Opcode.ECHO, Echo(b"answered, then it stalls"))
    started = line.now()
    with pytest.raises(
        DeviceTimeoutError, match=r"no answer to ECHO from .* within 3 s \(\d+ tries\)"
    ):
        session.ask(Opcode.ECHO, Echo(b"x"))
    assert 3.0 <= line.now() - started < 3.5


def test_another_device_on_the_same_port_is_not_taken_for_the_old_one():
    session = Session(transport())
    with pytest.raises(NotADeviceError, match="device 0x8 answers, 0x7 was there"):
        session.moved_to(transport(server=Server(PROFILE, uid=8, boot=1)))


@pytest.mark.parametrize("seed", range(5))
def test_a_line_that_loses_half_a_percent_of_its_bytes_is_usable(seed):
    plan = FaultPlan(seed=seed, flip=0.002, drop=0.002, insert=0.001)
    session = Session(transport(plan=plan, baud=115200))
    data = bytes(range(1, 41))
    for _ in range(50):
        assert session.ask(Opcode.ECHO, Echo(data), reply_bytes=42).data == data
    assert session.link.best_payload < 120


def test_a_reset_while_a_session_is_opened_opens_it_again():
    session = Session(transport("reset@DESCRIBE"))
    assert session.descriptor == PROFILE
    assert session.welcome.cause is ResetCause.PIN


def test_a_device_that_is_always_reset_is_given_up():
    """A weak supply: it greets, and is gone as soon as there is work."""
    with pytest.raises(DeviceResetError, match=r"again and again \(pin\): is its supply"):
        Session(transport("reset@DESCRIBE:1,reset:1"))
    line = transport()
    session = Session(line)
    session.ask(Opcode.STATUS, Nothing())
    line.line = Line(plan_from("reset:1"))
    session.ask(Opcode.STATUS, Nothing())  # is answered, and then it comes
    with pytest.raises(DeviceResetError, match="again and again"):
        session.ask(Opcode.STATUS, Nothing())
