"""The committed ELFs: built from these sources; run by QEMU and simavr they answer and sample as the models do."""

import shutil
import time
from contextlib import closing

import numpy as np
import pytest
from asking import EmulatorLine, Host, first_reads
from conversations import Talker
from native_core import missing
from programmes import corners, hardest, oracle, random_cases

from drivers.profile import load_profile
from drivers.wire import requests as ask
from drivers.wire.constants import (
    RESET_MAGIC,
    SHUTDOWN_MAGIC,
    Event,
    Opcode,
    ResetCause,
    State,
    Status,
)
from drivers.wire.frame import REPLY, Frame, Receiver, encode_frame
from drivers.wire.layout import layout_of
from drivers.wire.messages import decode_reply
from drivers.wire.replies import Counts, Welcome
from firmware_models import build
from firmware_models.avr import simhost, start_simavr
from firmware_models.native import NativeDevice
from firmware_models.places import places_file
from firmware_models.qemu import start_qemu
from isingeq.errors import CapabilityError, DeviceError

UID = 0x0504030201
MOST_BYTES = 30_000


def start(name, elf=None):
    """Start an emulator, or skip where there is none."""
    try:
        if name == "avr":
            simhost()
        elf = elf or build.SOURCES / "elf" / f"{name}.elf"
        return {"lm3s": start_qemu, "avr": start_simavr}[name](elf, uid=UID)
    except DeviceError as error:
        missing(f"{name}: {error}")


def greeted(emulator, *, nonce=0xC0FFEE):
    """Return a host that has opened a session; the first requests may come before the receiver is on."""
    host = Host(EmulatorLine(emulator))
    emulator.send(b"\0")
    line, receiver = host.line, Receiver()
    hello = host.frame(Opcode.HELLO, ask.Hello(1, 1, 0, nonce))
    for _ in range(50):
        again = time.monotonic() + 0.1
        for data in line.exchange(encode_frame(hello)):
            for frame in receiver.feed(data):
                if frame.opcode == Opcode.HELLO | REPLY:
                    host.welcome = decode_reply(frame)
                    time.sleep(0.02)
                    emulator.receive()
                    return host
                host.events.append(frame)
            if time.monotonic() > again:
                break
    raise AssertionError(f"no reply to HELLO, but {host.events}")


@pytest.fixture(params=["lm3s", "avr"])
def name(request):
    return request.param


@pytest.fixture
def emulator(name):
    with closing(start(name)) as running:
        yield running


def test_headers_are_up_to_date():
    for target in build.TARGETS.values():
        text = build.profile_header(target.profile, load_profile(target.profile))
        assert (build.SOURCES / build.header_of(target)).read_text(encoding="ascii") == text


def test_sums_are_those_of_the_elves():
    elves = build.SOURCES / "elf"
    assert (build.SOURCES / build.SUMS).read_text(encoding="ascii") == build.sums_text(elves)
    assert all((elves / f"{name}.elf").stat().st_size < MOST_BYTES for name in build.TARGETS)


def built(name, out, sources):
    if shutil.which(build.TARGETS[name].compiler) is None:
        missing(f"{build.TARGETS[name].compiler} is not installed")
    build.build_elf(name, out, sources)
    return out


def test_elves_are_built_from_these_sources_wherever_they_lie(tmp_path, name):
    sources = tmp_path / "elsewhere"
    shutil.copytree(build.SOURCES, sources)
    fresh = built(name, tmp_path / "fresh", sources)
    committed = build.SOURCES / "elf" / f"{name}.elf"
    assert fresh.read_bytes() == committed.read_bytes()
    if build.TARGETS[name].reached:
        assert places_file(fresh).read_bytes() == places_file(committed).read_bytes()


def test_a_check_tells_what_differs(tmp_path, monkeypatch, capsys):
    sources = tmp_path / "c"
    shutil.copytree(build.SOURCES, sources)
    built_before = build.SOURCES / "elf"
    monkeypatch.setattr(build, "SOURCES", sources)

    def copied(name, out):
        elf = built_before / f"{name}.elf"
        shutil.copy(elf, out)
        if build.TARGETS[name].reached:
            shutil.copy(places_file(elf), places_file(out))

    monkeypatch.setattr(build, "build_elf", copied)
    assert build.main(["--check"]) == 0
    (sources / "elf" / "avr.elf").write_bytes(b"another")
    (sources / "elf" / "lm3s.json").write_bytes(b"{}")
    assert build.main(["--check"]) == 1
    told = capsys.readouterr().out
    names = ("elf/lm3s.json", "elf/avr.elf", build.SUMS)
    differing = [f"{name} differs from what is built here" for name in names]
    assert told.splitlines() == differing
    assert build.main([]) == 0
    assert build.main(["--check"]) == 0


def test_a_source_that_does_not_compile_is_told(tmp_path):
    sources = tmp_path / "c"
    shutil.copytree(build.SOURCES, sources)
    (sources / "core.c").write_text("int x = ;\n", encoding="ascii")
    with pytest.raises(CapabilityError, match="refused the firmware"):
        built("avr", tmp_path / "fresh", sources)


def test_without_its_compiler_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(CapabilityError, match="avr-gcc is not on the path"):
        build.build_elf("avr", tmp_path / "fresh")


def board_cases(name, seed):
    """Random programmes, hard ones, and the largest the board takes."""
    hard = [case for case in corners() if case.programme.num_units in (12, 13)][::4]
    n = {"lm3s": 192, "avr": 64}[name]
    return [*first_reads(random_cases(64, seed=seed) + hard), hardest(n), hardest(n, sign=-1)]


def test_random_programmes_bit_for_bit(name, emulator):
    cases = board_cases(name, seed=21)
    assert len(cases) > 50
    host = greeted(emulator)
    found = [host.of_case(case, number) for number, case in enumerate(cases, 1)]
    assert found == [oracle(case) for case in cases]


class Pair:
    """The emulated board and the native build of the same sources, asked the same."""

    def __init__(self, name, host):
        self.host = host
        self.native = NativeDevice(build.TARGETS[name].profile, uid=UID, boot=host.welcome.boot)
        self.events = []

    def ask(self, data):
        """Return the reply of either, None where there is none."""
        expected, found = self._reply(self.native.feed(data, 0.0), self.events), None
        if expected is None:
            self.host.line.emulator.send(data)
            return None, None
        for heard in self.host.line.exchange(data):
            found = self._reply(heard, self.host.events, self.host.receiver)
            if found is not None:
                return expected, found
        return expected, None

    def settle(self, talker):
        """Wait for the run under way; a pure request that has been answered before moves nothing."""
        while self.native.busy:
            self._reply(self.native.work(0.0)[0], self.events)
        behind = (talker.sequence - 1) % 65536
        asked = Frame(Opcode.STATUS, talker.session, behind, b"", 0, talker.strong)
        for _ in range(1000):
            if self.host.reply(asked).payload[5] != State.RUNNING:
                return
        raise AssertionError("the run does not end")

    def _reply(self, data, events, receiver=None):
        frames = (receiver or Receiver()).feed(data)
        events += [frame for frame in frames if not frame.opcode & REPLY]
        return next((frame for frame in frames if frame.opcode & REPLY), None)


def without(frame, field):
    """The payload of a granted reply without one field."""
    kinds = {Opcode.COUNTERS: Counts, Opcode.HELLO: Welcome}
    at = 1 + dict(layout_of(kinds[frame.opcode & ~REPLY]).offsets)[field]
    return frame.payload[:at] + frame.payload[at + (4 if field == "frames" else 1) :]


def alike(expected, found):
    """Whether two replies are the same but for what the parts know themselves."""
    field = {Opcode.COUNTERS | REPLY: "frames", Opcode.HELLO | REPLY: "cause"}.get(expected.opcode)
    if field is None or expected.payload[0]:
        return expected == found
    return without(expected, field) == without(found, field)


def test_whatever_is_asked_the_native_build_answers_alike(name, emulator):
    host = greeted(emulator)
    both = Pair(name, host)
    rng = np.random.default_rng(5)
    talker = Talker(
        both.native.descriptor, rng, guarded_too=False, silence_too=False,
        most_noise=both.native.descriptor.limits.window // 2,
    )  # fmt: skip
    host.events.clear()
    due = [talker.hello()]
    for step in range(400):
        expected, found = both.ask(due.pop() if due else talker.next())
        if expected is None:
            # Another session's request has a reply, so that no more is under way than a window.
            assert both.ask(b"\0" + encode_frame(Frame(Opcode.ECHO, 1, 0, strong=True)))[1], step
            continue
        assert found is not None, (step, expected)
        assert alike(expected, found), (step, expected, found)
        if found.payload[0] == Status.STALE_SESSION:
            due.append(talker.hello())
        elif both.native.busy:
            both.settle(talker)
    both.ask(talker.said(Opcode.ECHO, b"the end"))
    said = [frame for frame in both.events if frame.opcode != Event.BOOTED]
    assert [f for f in host.events if not f.opcode & REPLY] == said
    assert said


def test_a_reset_starts_it_anew(name, emulator):
    host = greeted(emulator, nonce=11)
    causes = {"lm3s": ResetCause.UNKNOWN, "avr": ResetCause.POWER}
    assert (host.welcome.boot, host.welcome.cause, host.welcome.uid) == (11, causes[name], UID)
    host.asks(Opcode.BEGIN, ask.Begin(5, 0))
    host.events.clear()
    host.asks(Opcode.RESET, ask.Guarded(RESET_MAGIC))
    again = greeted(emulator, nonce=12)
    assert (again.welcome.boot, again.welcome.cause) == (12, ResetCause.COMMAND)
    booted = [frame for frame in host.events + again.events if frame.opcode == Event.BOOTED]
    assert [frame.payload for frame in booted] == [bytes([ResetCause.COMMAND])]
    assert again.asks(Opcode.STATUS).state is State.EMPTY
    assert again.asks(Opcode.COUNTERS).resets == 1


def test_shutdown_ends_the_emulator(emulator):
    host = greeted(emulator)
    host.asks(Opcode.SHUTDOWN, ask.Guarded(SHUTDOWN_MAGIC))
    assert emulator.process.wait(timeout=10) == 0


def test_a_run_that_would_take_minutes_can_be_ended(emulator):
    host = greeted(emulator)
    host.asks(Opcode.BEGIN, ask.Begin(40, 0))
    digest = host.status(Opcode.COMMIT, ask.Commit(0))[1]
    host.asks(Opcode.COMMIT, ask.Commit(digest))
    host.asks(Opcode.LOAD_LEGS, ask.LoadLegs(0, bytes([1, 0, 1, 0, 255, 255] * 8)))
    host.asks(Opcode.RUN, ask.Run(1, 5, 0, 0, 1, 20, 0, 0, 0, 0, 8, 3))
    assert host.status(Opcode.LOAD_FIELDS, ask.LoadFields(0, 1, b"\1")) == (Status.BUSY, 1)
    assert host.status(Opcode.LOAD_FIELDS, ask.LoadFields(40, 1, b"\1")) == (Status.OK, 0)
    assert host.asks(Opcode.ABORT, ask.RunId(1)) is not None
    assert host.asks(Opcode.STATUS).state is State.READY


def test_a_silent_host_ends_a_run(emulator):
    host = greeted(emulator)
    host.asks(Opcode.BEGIN, ask.Begin(40, 0))
    digest = host.status(Opcode.COMMIT, ask.Commit(0))[1]
    host.asks(Opcode.COMMIT, ask.Commit(digest))
    host.asks(Opcode.SET_PARAMETER, ask.SetParameter(2, 60))
    host.asks(Opcode.LOAD_LEGS, ask.LoadLegs(0, bytes([1, 0, 1, 0, 255, 255] * 8)))
    host.asks(Opcode.RUN, ask.Run(1, 5, 0, 0, 1, 20, 0, 0, 0, 0, 8, 3))
    assert host.asks(Opcode.STATUS).state is State.RUNNING
    end = time.monotonic() + 20.0
    pause = 0.2
    while host.asks(Opcode.STATUS).state is State.RUNNING:
        assert time.monotonic() < end
        # Time of the part, which an emulator may let pass more slowly than ours.
        time.sleep(pause)
        pause *= 2
