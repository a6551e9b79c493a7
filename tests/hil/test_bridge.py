"""The bridge in real time, with a target of the test's own at its far end."""

import os
import shutil
import socket
import threading
import time

import pytest
from emulated import until

from drivers.errors import LinkLostError
from drivers.transport import SerialTransport
from drivers.wire.constants import Memory
from firmware_models.faults import FaultPlan, Incident, Way, plan_from
from firmware_models.places import places_file
from firmware_models.processes import ELF
from firmware_models.serving import check_plan, serve, target
from isingeq.errors import ConfigError, DeviceError

BLOCK = bytes(range(1, 256)) * 8 + bytes(8)


class Parrot:
    """Says back what it hears, unless it stands still."""

    reader = None

    def __init__(self):
        self.busy = False
        self.waiting = 0
        self.closed = False
        self.held = None
        self.heard = b""
        self.corrupted = []

    def send(self, data):
        self.heard += data
        if self.held is not None:
            self.held += data
            return b""
        return data

    def receive(self):
        return b""

    def work(self):
        raise RuntimeError("on fire")

    def reset(self):
        return b"booted\0"

    def freeze(self):
        self.held = b""

    def thaw(self):
        held, self.held = self.held, None
        return held

    def corrupt(self, memory, offset, flips):
        self.corrupted.append((memory, offset, flips))

    def nudge(self):
        pass

    def close(self):
        self.closed = True


@pytest.fixture
def parrot():
    return Parrot()


def hear(transport, count, *, timeout=10.0):
    """Return at least `count` bytes, or what came before the timeout."""
    found, end = b"", time.monotonic() + timeout
    while len(found) < count and (left := end - time.monotonic()) > 0:
        found += transport.read(left)
    return found


def opened(bridge, baud=115200):
    return SerialTransport(bridge.url, baud=baud)


def num_open():
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def test_bytes_pass_unchanged_and_are_counted(parrot):
    seen = []
    with serve(lambda: parrot, watch=lambda *what: seen.append(what)) as bridge:
        port = opened(bridge)
        port.write(BLOCK)
        assert hear(port, len(BLOCK)) == BLOCK
        assert (bridge.traffic.to_device, bridge.traffic.to_host) == (len(BLOCK), len(BLOCK))
    assert b"".join(data for _, way, data in seen if way is Way.TO_DEVICE) == BLOCK
    assert b"".join(data for _, way, data in seen if way is Way.TO_HOST) == BLOCK
    assert parrot.closed


class Talker(Parrot):
    """Says a block by itself, a byte at a time, as emulators do, and ends."""

    def __init__(self):
        super().__init__()
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.reader = self.near.fileno()

    def say(self):
        for byte in BLOCK:
            self.far.send(bytes([byte]))
        self.far.close()

    def receive(self):
        try:
            return self.near.recv(65536) or None
        except BlockingIOError:
            return b""

    def close(self):
        super().close()
        self.near.close()


def test_bytes_one_by_one_go_to_the_host_together_and_none_is_left_at_the_end():
    talker = Talker()
    with serve(lambda: talker) as bridge:
        writes, write = [], bridge._port.write
        bridge._port.write = lambda data: writes.append(write(data)) or writes[-1]
        port = opened(bridge)
        talker.say()
        assert hear(port, len(BLOCK)) == BLOCK
    assert sum(writes) == len(BLOCK)
    assert len(writes) < len(BLOCK) / 10


def test_a_paced_line_keeps_its_rate(parrot):
    baud, grain = 115200, 64
    least = (len(BLOCK) + grain) * 10 / baud  # ways overlap but for the first part
    with serve(lambda: parrot, baud=baud) as bridge:
        port = opened(bridge, baud)
        times = []
        while not times or (min(times) > 1.1 * least and len(times) < 12):  # neighbours may delay
            began = time.monotonic()
            port.write(BLOCK)
            assert hear(port, len(BLOCK)) == BLOCK
            times.append(time.monotonic() - began)
        assert (
            least <= min(times) < 2 * least
        )  # a line that paced both ways one after the other would take that


@pytest.mark.parametrize(("host", "device"), [(115200, 9600), (9600, 115200), (74880, 115200)])
def test_another_rate_of_the_host_garbles_both_ways(parrot, host, device):
    with serve(lambda: parrot, baud=device) as bridge:
        port = opened(bridge, host)
        port.write(b"UNSEEN\0")
        until(lambda: parrot.heard)
        assert b"UNSEEN" not in parrot.heard
        bridge.reset()
        assert b"booted" not in hear(port, 500, timeout=0.1)
        assert bridge.line.struck["misread"] >= 2


def test_a_host_at_the_right_rate_is_understood(parrot):
    with serve(lambda: parrot, baud=250_001) as bridge:  # a rate that has no name
        port = opened(bridge, 250_001)
        port.write(b"heard\0")
        assert hear(port, 6) == b"heard\0"


def test_faults_of_a_plan_come(parrot):
    with serve(lambda: parrot, faults=FaultPlan(flip=0.01, seed=3)) as bridge:
        port = opened(bridge)
        port.write(BLOCK)
        found = hear(port, len(BLOCK))
        assert len(found) == len(BLOCK)
        wrong = sum((a ^ b).bit_count() for a, b in zip(BLOCK, found, strict=True))
        assert 0 < wrong <= bridge.line.struck["flip"]


def test_a_stalled_board_answers_later(parrot):
    with serve(lambda: parrot) as bridge:
        port = opened(bridge)
        began = time.monotonic()
        bridge.stall(0.15)
        port.write(b"late\0")
        assert hear(port, 5) == b"late\0"
        assert time.monotonic() - began >= 0.15


def test_a_pulled_plug_cuts_the_line_and_comes_back_under_its_link(parrot, tmp_path):
    link = tmp_path / "board"
    with serve(lambda: parrot, link=link) as bridge:
        port = SerialTransport(str(link))
        before = bridge.url
        bridge.unplug()
        assert not bridge.plugged
        assert not link.exists()
        with pytest.raises(LinkLostError):
            port.read(5.0)
        with pytest.raises(LinkLostError):
            port.write(b"x")
        keep = os.openpty()  # so that the name is taken
        bridge.replug()
        assert bridge.url != before or os.ttyname(keep[1]) != before
        assert str(link.readlink()) == bridge.url
        again = SerialTransport(str(link))
        again.write(b"back\0")
        assert hear(again, 5) == b"back\0"
        for end in keep:
            os.close(end)
    assert not link.is_symlink()


def test_a_link_takes_no_place_of_anything_else(parrot, tmp_path):
    before = num_open()
    mine = tmp_path / "mine"
    mine.write_text("precious")
    for link, why in ((mine, "no symbolic link"), (tmp_path / "nowhere" / "board", "No such")):
        with pytest.raises(ConfigError, match=f"{link.name} .*{why}"):
            serve(lambda: parrot, link=link)
    assert mine.read_text() == "precious"
    assert num_open() <= before


def test_a_port_that_is_taken_is_named(parrot):
    with serve(lambda: parrot, tcp=0) as bridge:
        port = int(bridge.url.rpartition(":")[2])
        with pytest.raises(ConfigError, match=f"port {port} cannot be had: Address already in use"):
            serve(lambda: parrot, tcp=port)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("lm3s", {"native": True}, "lm3s runs its own firmware"),
        ("avr", {"ideal": True}, "avr runs its own firmware"),
        ("ref-arm192", {"elf": "my.elf"}, "elf is for lm3s and avr"),
    ],
)
def test_an_option_that_a_board_does_not_have_is_refused(name, options, words):
    with pytest.raises(ConfigError, match=words):
        target(name, **options)


def test_memory_rots_where_somebody_reaches_it(tmp_path):
    plan = FaultPlan(incidents=(Incident("corrupt"),))
    check_plan(plan, "ref-arm192")
    check_plan(plan, "lm3s")
    with pytest.raises(ConfigError, match="the memory of avr cannot be reached"):
        check_plan(plan, "avr")
    check_plan(FaultPlan(incidents=(Incident("reset"),)), "avr")
    other = tmp_path / "other.elf"
    shutil.copy(ELF / "lm3s.elf", other)
    with pytest.raises(ConfigError, match=r"other\.json: No such file"):
        check_plan(plan, "lm3s", elf=str(other))
    shutil.copy(places_file(ELF / "lm3s.elf"), places_file(other))
    check_plan(plan, "lm3s", elf=str(other))
    other.write_bytes(other.read_bytes() + b"1")
    with pytest.raises(ConfigError, match="of another build"):
        check_plan(plan, "lm3s", elf=str(other))


def test_incidents_of_a_plan_befall_the_board(parrot):
    plan = FaultPlan(
        incidents=(
            Incident("corrupt", nth=1, memory="FIELDS", offset=2, count=2),
            Incident("reset", nth=2),
            Incident("unplug", nth=3, seconds=0.1),
        )
    )
    with serve(lambda: parrot, faults=plan) as bridge:
        port = opened(bridge)
        port.write(b"one\0")
        assert hear(port, 4) == b"one\0"
        port.write(b"two\0")
        assert hear(port, 11) == b"two\0booted\0"
        assert parrot.corrupted == [(Memory.FIELDS, 2, 0b11)]
        port.write(b"three\0")
        with pytest.raises(LinkLostError):
            hear(port, 99)
        until(lambda: bridge.plugged)
        again = opened(bridge)
        again.write(b"four\0")
        assert hear(again, 5) == b"four\0"


def test_a_tcp_port_takes_one_host_at_a_time(parrot):
    with serve(lambda: parrot, tcp=0) as bridge:
        first = SerialTransport(bridge.url)
        first.write(b"mine\0")
        assert hear(first, 5) == b"mine\0"
        address = ("127.0.0.1", int(bridge.url.rsplit(":", 1)[1]))
        with socket.create_connection(address, timeout=5) as second:
            assert second.recv(1) == b""
        first.close()
        third = SerialTransport(bridge.url)
        third.write(b"next\0")
        assert hear(third, 5) == b"next\0"
        bridge.unplug(0.1)
        with pytest.raises(LinkLostError):
            hear(third, 99)
        until(lambda: bridge.plugged)
        fourth = SerialTransport(bridge.url)
        fourth.write(b"back\0")
        assert hear(fourth, 5) == b"back\0"
        fourth.close()


def test_a_host_that_does_not_read_holds_nobody_up(parrot):
    with serve(lambda: parrot) as bridge:
        port = opened(bridge)
        for _ in range(200):
            port.write(BLOCK)
        until(lambda: bridge.traffic.to_device == 200 * len(BLOCK))
        found = hear(port, 200 * len(BLOCK), timeout=0.3)
        assert len(found) < 200 * len(BLOCK)
        assert found.endswith(BLOCK)


def test_a_board_that_fails_ends_the_bridge(parrot):
    bridge = serve(lambda: parrot)
    port = opened(bridge)
    parrot.busy = True
    port.write(b"work\0")
    with pytest.raises(LinkLostError):
        hear(port, 99)
    assert "on fire" in bridge.traffic.ended
    with pytest.raises(DeviceError, match="on fire"):
        bridge.reset()
    bridge.close()
    assert parrot.closed


def test_a_board_that_does_not_start_leaves_nothing():
    def start():
        raise DeviceError("no such board")

    before, threads = num_open(), threading.active_count()
    with pytest.raises(DeviceError, match="no such board"):
        serve(start)
    # What tests before left to the garbage collector may go meanwhile.
    assert num_open() <= before
    assert threading.active_count() == threads


def test_nothing_is_left_of_forty_bridges():
    before, threads = num_open(), threading.active_count()
    for at in range(40):
        with serve(Parrot, tcp=0 if at == 7 else None) as bridge:
            port = opened(bridge)
            port.write(b"x\0")
            assert hear(port, 2) == b"x\0"
            port.close()
        bridge.close()  # twice is fine
    # What tests before left to the garbage collector may go meanwhile.
    assert num_open() <= before
    assert threading.active_count() == threads
    with pytest.raises(DeviceError, match="closed"):
        bridge.reset()


def test_an_error_inside_leaves_nothing():
    before = num_open()
    with pytest.raises(ConfigError, match="refused"), serve(Parrot):
        raise ConfigError("refused")
    assert num_open() <= before
    with pytest.raises(ConfigError, match="baud"):
        serve(Parrot, faults=plan_from("device_baud:9600"))
    assert num_open() <= before
