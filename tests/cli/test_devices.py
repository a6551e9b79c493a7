import json
import os
from contextlib import closing

import pytest

from drivers.open import open_board
from drivers.transport import Port
from firmware_models.serving import serve, target


@pytest.fixture
def ports(monkeypatch):
    there = []
    monkeypatch.setattr(
        "drivers.discovery.serial_ports", lambda: [Port(path, "") for path in there]
    )
    return there


def test_without_a_device_there_is_one_kind_line(isingeq, ports):
    ended = isingeq("devices")
    assert (ended.code, ended.err, ended.out.count("\n")) == (0, "", 1)
    assert ended.out.startswith("no device answers: is it powered")
    assert "isingeq emulate or model://ref-arm192 gives one to try" in ended.out
    assert json.loads(isingeq("devices", "--json").out) == {"devices": []}


def test_ports_without_a_device_are_shown_on_demand(isingeq, ports):
    ports.append("/dev/nowhere")
    assert "/dev/nowhere" not in isingeq("devices").out
    ended = isingeq("devices", "--all")
    assert "/dev/nowhere cannot be opened: No such file or directory" in " ".join(ended.out.split())
    assert "no device answers" in ended.out
    assert ended.code == 0
    asked = isingeq("devices", "/dev/other")
    assert "/dev/other" in asked.out
    assert asked.code == 8
    assert isingeq("devices", "/dev/other", "model://ref-avr64", "--json").code == 8
    assert isingeq("devices", "model://ref-avr64").code == 0


def test_devices_and_who_uses_them(isingeq, ports):
    with serve(target("ref-arm192", uid=42)[0]) as one, serve(target("ref-avr64", uid=7)[0]) as two:
        ports += [one.url, two.url]
        with closing(open_board(two.url)):
            found = json.loads(isingeq("devices", "--json").out)["devices"]
            text = " ".join(isingeq("devices").out.split())
    assert [(d["url"], d["uid"], d["model"]) for d in found] == [
        (one.url, 42, "ref-arm192"), (two.url, None, ""),
    ]  # fmt: skip
    assert found[1]["owner"]["pid"] == os.getpid()
    assert "isingeq ref-arm192, firmware 1" in text
    assert "0x2a" in text
    assert f"in use by process {os.getpid()} (" in text
    assert "no device answers" not in text


def test_the_rate_is_for_ports_and_options_for_urls(isingeq, ports):
    ended = isingeq("devices", "model://ref-avr64?uid=9&baud=9600", "--baud", "57600", "--json")
    (found,) = json.loads(ended.out)["devices"]
    assert (found["uid"], found["state"], found["version"]) == (9, "empty", 1)
    ended = isingeq("devices", "model://ref-avr64?bawd=1")
    assert ended.code == 2
    assert "no option 'bawd'" in ended.err
