import json
import os
from contextlib import closing

import pytest
from attached import attached, strange_port

from drivers.discovery import discover, probe
from drivers.open import open_board
from drivers.transport import Port, serial_ports
from isingeq.errors import ConfigError

WAIT_S = 0.25


@pytest.fixture
def ports(monkeypatch):
    there = []
    monkeypatch.setattr(
        "drivers.discovery.serial_ports", lambda: [Port(path, "USB serial") for path in there]
    )
    return there


def test_who_is_there_and_who_is_not(ports):
    text = b"login: \r\nlogin: \r\n"
    with attached(uid=42) as board, strange_port() as silent, strange_port(text) as console:
        ports += [board.url, silent, console, "/dev/nowhere"]
        found = {one.url: one for one in discover(wait_s=WAIT_S)}
    assert list(found) == ports
    device = found[board.url]
    assert (device.uid, device.model, device.vendor, device.firmware) == (
        42, "ref-arm192", "isingeq", "1",
    )  # fmt: skip
    assert (device.version, device.state, device.owner, device.why) == (1, "empty", None, "")
    assert device.description == "USB serial"
    assert not any(found[port].answered for port in ports[1:])
    assert found[silent].why.startswith(f"nothing answers at {silent}")
    assert "sends text ('login:')" in found[console].why
    assert "No such file" in found["/dev/nowhere"].why
    json.dumps([one.as_dict() for one in found.values()])


def test_a_loopback_is_none(ports):
    with attached(faults="echo@") as bridge:
        (found,) = discover([bridge.url], wait_s=WAIT_S)
    assert not found.answered
    assert "loopback" in found.why


def test_a_device_in_use_is_left_alone(ports):
    with attached(uid=42) as board, closing(open_board(board.url)):
        told = board.traffic.to_device
        (found,) = discover([board.url], wait_s=WAIT_S)
        assert board.traffic.to_device == told
        assert (found.answered, found.owner.pid, found.why) == (False, os.getpid(), "in use")


def test_a_device_in_use_at_another_port_is_named(ports):
    with attached(uid=42) as one, attached(uid=42) as other, closing(open_board(one.url)):
        found = probe(other.url, wait_s=WAIT_S)
    assert found.uid == 42
    assert found.owner.pid == os.getpid()


def test_a_device_that_was_asked_is_free(ports):
    with attached(uid=42) as board:
        for _ in range(2):
            assert probe(board.url).uid == 42
        open_board(board.url).close()


def test_ports_are_asked_once_whatever_they_are_called(tmp_path, ports):
    with attached(uid=42, link=tmp_path / "one") as one, attached(uid=43, link=tmp_path / "two"):
        ports.append(one.url)
        found = discover([str(tmp_path / "*"), "model://ref-avr64?uid=9"], wait_s=WAIT_S)
    assert [(f.url, f.uid) for f in found] == [
        (str(tmp_path / "one"), 42), (str(tmp_path / "two"), 43), ("model://ref-avr64?uid=9", 9),
    ]  # fmt: skip


def test_ports_are_left_out_on_demand(ports):
    with attached(uid=42) as one, attached(uid=43) as two:
        ports += [one.url, two.url]
        assert [f.uid for f in discover(without=[one.url], wait_s=WAIT_S)] == [43]


def test_nothing_there_is_nothing_found(ports):
    assert discover() == []


def test_options_that_make_no_sense_are_refused(ports):
    with pytest.raises(ConfigError, match="no option 'bawd'"):
        discover(["model://ref-arm192?bawd=9600"])
    with attached() as board:
        ports.append(board.url)
        with pytest.raises(ConfigError, match="bawd"):
            discover(options={"bawd": "1"})


def test_ports_of_this_machine_have_paths():
    assert all(port.path for port in serial_ports())
