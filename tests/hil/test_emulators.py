"""Real firmware in emulators: boots, answers, and takes what a harness does to it."""

import os
import re
import subprocess
import threading
import time
from contextlib import closing
from functools import partial
from typing import ClassVar

import numpy as np
import pytest
from emulated import EMULATED, PATIENCE_S, Talk, board, need, until

from drivers.errors import LinkLostError
from drivers.transport import SerialTransport
from drivers.wire import requests as ask
from drivers.wire.constants import SHUTDOWN_MAGIC, Memory, Opcode, RunFlag, Status
from drivers.wire.crc import couplings_digest
from drivers.wire.layout import pack, unpack
from drivers.wire.replies import Welcome
from firmware_models.avr import start_simavr
from firmware_models.emulator import open_emulator
from firmware_models.faults import plan_from
from firmware_models.model import open_model
from firmware_models.processes import ELF
from firmware_models.qemu import start_qemu
from firmware_models.serving import serve
from isingeq.errors import ConfigError, DeviceError

ALL = pytest.mark.parametrize("name", EMULATED)


def children():
    """Return the processes that this one started and that are still there."""
    found = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "pid=,comm="], capture_output=True, text=True
    )
    return [line for line in found.stdout.splitlines() if " ps" not in line]


def traces():
    return (
        len(os.listdir("/proc/self/fd")),  # noqa: PTH208
        threading.active_count(),
        children(),
    )


def nothing_more_than(before):
    """Say whether nothing is left; files of tests before may have been collected meanwhile."""
    now = traces()
    return now[0] <= before[0] and now[1:] == before[1:]


def until_lost(talk):
    for _ in range(5):
        talk.echo(timeout=1.0)


def boots(name, times):
    before = traces()
    for _ in range(times):
        with board(name) as bridge:
            talk = Talk(SerialTransport(bridge.url))
            welcome = talk.greet()
            assert welcome.payload[0] == Status.OK
            assert talk.echo()
            talk.transport.close()
    assert nothing_more_than(before)


@ALL
def test_a_board_boots_again_and_again(name):
    boots(name, 5)


@pytest.mark.slow
@ALL
def test_a_board_boots_forty_times(name):
    boots(name, 40)


@ALL
def test_a_reset_ends_the_session(name):
    with board(name) as bridge:
        talk = Talk(SerialTransport(bridge.url))
        talk.greet()
        bridge.reset()
        end = time.monotonic() + PATIENCE_S
        found = None
        while found is None and time.monotonic() < end:
            found = talk.ask(Opcode.STATUS, timeout=0.1)
        assert found is not None
        assert found.payload[0] == Status.STALE_SESSION
        talk.greet()
        assert talk.echo()


@ALL
def test_a_stalled_board_answers_when_it_goes_on(name):
    with board(name) as bridge:
        talk = Talk(SerialTransport(bridge.url))
        talk.greet()
        began = time.monotonic()
        bridge.stall(0.2)
        assert talk.echo()
        assert time.monotonic() - began >= 0.2


@ALL
def test_an_unplugged_board_keeps_its_session(name):
    with board(name) as bridge:
        talk = Talk(SerialTransport(bridge.url))
        talk.greet()
        bridge.unplug(0.05)
        with pytest.raises(LinkLostError):
            talk.echo()
        talk.sequence -= 1
        until(lambda: bridge.plugged)
        talk.transport = SerialTransport(bridge.url)
        assert talk.echo()


@ALL
def test_a_board_has_the_number_it_was_given(name):
    need(name)
    transport = open_emulator(name, uid=0x3B2C4D5E6F)
    try:
        welcome = unpack(Welcome, Talk(transport).greet().payload[1:])
        assert welcome.uid == 0x3B2C4D5E6F
        assert transport.kind == "emulated"
    finally:
        transport.close()


@ALL
def test_a_key_on_the_terminal_does_not_reach_the_emulator(name):
    with board(name) as bridge:
        pid = bridge.ask(lambda: bridge._target.process.pid)
        assert os.getpgid(pid) != os.getpgid(0)


@ALL
def test_a_board_that_is_shut_down_answers_before_it_ends(name):
    with board(name) as bridge:
        talk = Talk(SerialTransport(bridge.url))
        talk.greet()
        found = talk.ask(Opcode.SHUTDOWN, SHUTDOWN_MAGIC.to_bytes(4, "little"))
        assert found is not None
        assert found.payload == bytes([Status.OK])
        with pytest.raises(LinkLostError):
            until_lost(talk)
        assert bridge.traffic.ended == "the device has ended"


@ALL
def test_a_killed_emulator_is_a_lost_link(name):
    need(name)
    before = traces()
    transport = open_emulator(name)
    talk = Talk(transport)
    talk.greet()
    transport.bridge.ask(lambda: transport.bridge._target.process.kill())
    with pytest.raises(LinkLostError, match="ended"):
        until_lost(talk)
    transport.close()
    assert nothing_more_than(before)


@ALL
def test_a_board_survives_a_noisy_paced_line(name):
    with board(name, baud=1_000_000, faults=plan_from("flip:0.002,drop:0.002,seed:1")) as bridge:
        talk = Talk(SerialTransport(bridge.url, baud=1_000_000))
        talk.greet()
        heard = 0
        for at in range(400):
            heard += talk.echo(bytes([at & 255, 0, 255]) * 10, timeout=0.04)
            if heard == 15:
                break
        assert heard == 15
        assert bridge.line.struck["flip"]
        assert bridge.line.struck["drop"]


@pytest.mark.parametrize(("name", "start"), [("lm3s", start_qemu), ("avr", start_simavr)])
def test_a_firmware_that_is_none_is_refused(name, start, tmp_path):
    need(name)
    before = traces()
    wrong = tmp_path / "wrong.elf"
    wrong.write_bytes(b"no firmware at all")
    other = ELF / ("avr.elf" if name == "lm3s" else "lm3s.elf")
    for elf in (wrong, other, tmp_path / "none.elf"):
        with pytest.raises(ConfigError, match="firmware"):
            serve(partial(start, elf))
    assert nothing_more_than(before)


def test_an_emulator_that_fails_at_once_says_why(tmp_path, monkeypatch):
    program = tmp_path / "qemu-system-arm"
    program.write_text("#!/bin/sh\necho 'no such machine' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    before = traces()
    with pytest.raises(DeviceError, match=r"did not start: no such machine"):
        serve(start_qemu)
    assert nothing_more_than(before)


def test_a_program_that_is_missing_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DeviceError, match="install the package qemu-system-arm"):
        serve(start_qemu)


class Loaded:
    """A board with 11 spins, and what its memories hold."""

    SIZES: ClassVar = {"COUPLINGS": 55, "FIELDS": 99, "STATES": 18, "CLAMPS": 2, "LEGS": 2}

    def __init__(self, transport):
        self.talk = Talk(transport)
        self.talk.greet()
        rng = np.random.default_rng(4)
        values = rng.integers(-9, 10, 55).astype(np.int8)
        couplings, fields = values.tobytes(), rng.integers(-9, 10, 99).astype(np.int8).tobytes()
        for opcode, message in (
            (Opcode.BEGIN, ask.Begin(11, 0)),
            (Opcode.LOAD_COUPLINGS, ask.LoadCouplings(0, couplings)),
            (Opcode.COMMIT, ask.Commit(couplings_digest(11, couplings))),
            (Opcode.LOAD_FIELDS, ask.LoadFields(0, 1, fields)),
            (Opcode.LOAD_STATES, ask.LoadStates(0, b"\x5a\x03" * 9)),
            (Opcode.LOAD_CLAMPS, ask.LoadClamps(0, b"\x24\x01")),
            (Opcode.LOAD_LEGS, ask.LoadLegs(0, bytes(range(1, 5)) * 3)),
        ):
            assert self.talk.ask(opcode, pack(message)).payload == bytes([Status.OK])

    def holds(self):
        stretches = [(Memory[name], size) for name, size in self.SIZES.items()]
        asked = [pack(ask.Stretch(memory, 0, size)) for memory, size in stretches]
        return [self.talk.ask(Opcode.READBACK, payload).payload for payload in asked]

    def rows(self):
        run = ask.Run(7, 5, 0, 0, 9, 1, 0, 0, RunFlag.STREAM, 0, 1, 4)
        assert self.talk.ask(Opcode.SET_PARAMETER, pack(ask.SetParameter(1, 1))).payload == b"\0"
        assert self.talk.ask(Opcode.RUN, pack(run)).payload[0] == Status.OK
        while True:
            found = self.talk.ask(Opcode.READ, pack(ask.Read(7, 0, 9))).payload
            if found[0] != Status.NOT_READY:
                return found[1 + 14 :]


def test_memory_of_an_emulated_arm_rots_as_that_of_its_model():
    need("lm3s")
    before = traces()
    with closing(open_emulator("lm3s")) as arm, closing(open_model("ref-arm192")) as model:
        both = Loaded(arm), Loaded(model)
        assert both[0].holds() == both[1].holds()
        for offset in range(0, 55, 3):
            arm.bridge.corrupt(Memory.COUPLINGS, offset, 0x31)
            model.device.corrupt(Memory.COUPLINGS, offset, 0x31)
        assert both[0].rows() == both[1].rows()
        for at, memory in enumerate(Memory):
            # 9_999: beyond the end, so counted from the start again
            for offset in (0, 1, 17, 9_999):
                arm.bridge.corrupt(memory, offset, 0x11 << at % 4)
                model.device.corrupt(memory, offset, 0x11 << at % 4)
        assert both[0].holds() == both[1].holds()
        digests = [loaded.talk.ask(Opcode.STATUS).payload[-4:] for loaded in both]
        assert digests[0] == digests[1]
    assert nothing_more_than(before)


def test_memory_that_rots_during_a_stall_does_not_end_it():
    with board("lm3s") as bridge:
        talk = Talk(SerialTransport(bridge.url))
        talk.greet()
        began = time.monotonic()
        bridge.stall(0.3)
        bridge.corrupt(Memory.COUPLINGS, 0, 1)  # none are loaded: nothing happens
        bridge.corrupt(Memory.LEGS, 0, 1)
        assert talk.echo()
        assert time.monotonic() - began >= 0.3
        legs = pack(ask.Stretch(Memory.LEGS, 0, 1))
        assert talk.ask(Opcode.READBACK, legs).payload[-6:] == b"\1\0\0\0\0\0"


def test_memory_of_an_avr_cannot_be_reached():
    with board("avr") as bridge, pytest.raises(ConfigError, match="model://"):
        bridge.corrupt(Memory.COUPLINGS, 0, 1)


def test_a_number_that_is_too_long_is_refused():
    need("lm3s")
    with pytest.raises(ConfigError, match="40 bits"):
        open_emulator("lm3s", uid=1 << 40)


def test_an_unplugged_emulator_is_found_again_by_its_url():
    need("lm3s")
    before = traces()
    first = open_emulator("lm3s", faults="unplug@ECHO:2")
    talk = Talk(first)
    talk.greet()
    assert talk.echo()
    with pytest.raises(LinkLostError):
        until_lost(talk)
    first.close()
    until(lambda: first.bridge.plugged)
    talk = Talk(open_emulator("lm3s", faults="unplug@ECHO:2"))
    assert talk.transport.bridge is first.bridge
    talk.greet()
    assert talk.echo()
    talk.transport.close()
    assert nothing_more_than(before)


def test_qemu_answers_on_its_own_pty():
    need("lm3s")
    command = ["qemu-system-arm", "-M", "lm3s6965evb", "-nodefaults", "-display", "none"]
    command += ["-serial", "pty", "-kernel", str(ELF / "lm3s.elf")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:  # fmt: skip
        try:
            path = re.search(r"redirected to (\S+)", process.stdout.readline()).group(1)
            talk = Talk(SerialTransport(path))
            talk.greet()
            assert talk.echo()
            talk.transport.close()
        finally:
            process.kill()
