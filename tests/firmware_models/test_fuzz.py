"""The firmware is told anything at all, under the address and undefined-behaviour sanitizers."""

import subprocess

import pytest
from native_core import SOURCES, STRICT, compiler, missing

from drivers.profile import load_profile
from drivers.wire import requests as ask
from drivers.wire.constants import SHUTDOWN_MAGIC, Event, Opcode
from drivers.wire.frame import REPLY, Frame, Receiver, encode_frame
from drivers.wire.layout import pack
from firmware_models.build import FIRMWARE, profile_header

SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
FRAMES = 50_000


def compiled(folder, profile, files, *flags, sources=SOURCES):
    """Compile the firmware of a profile into a program and return its path."""
    descriptor = load_profile(profile)
    (folder / "profile.h").write_text(profile_header(profile, descriptor), encoding="ascii")
    program = folder / "program"
    command = [
        compiler(), *STRICT, *flags, f"-DCORE_MAX_UNITS={descriptor.units.most}", "-I", str(folder),
        *(str(sources / name) for name in (*FIRMWARE, *files)), "-o", str(program),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, text=True)
    return program


def sanitizers(folder):
    probe = folder / "probe.c"
    probe.write_text("int main(void) { return 0; }\n", encoding="utf-8")
    command = [compiler(), *SANITIZERS, str(probe), "-o", str(folder / "probe")]
    if subprocess.run(command, capture_output=True).returncode:
        missing("the C compiler has no address and undefined-behaviour sanitizers")
    return SANITIZERS


def fuzzed(program, seed, frames, *, limit_s=120):
    """Return how many requests were granted and refused; a finding fails."""
    done = subprocess.run(
        [str(program), str(seed), str(frames)], capture_output=True, text=True, timeout=limit_s
    )
    assert done.returncode == 0, done.stderr[-3000:]
    granted, _, refused, _ = done.stdout.replace(",", "").split()
    return int(granted), int(refused)


@pytest.mark.parametrize("profile", ["ref-avr64"])
def test_sanitizers_find_nothing_in_frames_of_all_kinds(tmp_path, profile):
    program = compiled(tmp_path, profile, ["fuzz.c"], *sanitizers(tmp_path))
    granted, refused = fuzzed(program, 1, FRAMES)
    assert granted > FRAMES / 5
    assert refused > FRAMES / 5


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["ref-avr64", "ref-arm192"])
def test_sanitizers_find_nothing_in_many_more(tmp_path, profile):
    program = compiled(tmp_path, profile, ["fuzz.c"], *sanitizers(tmp_path))
    for seed in range(100, 110):
        fuzzed(program, seed, 1_000_000)


def test_a_process_is_a_board(tmp_path):
    flags = ("-O1", "-DFIRMWARE_IN_A_PROCESS")
    program = compiled(tmp_path, "ref-avr64", ["main.c", "hal_process.c"], *flags)
    frames = [
        Frame(Opcode.HELLO, 7, 1, pack(ask.Hello(1, 1, 0, 9))),
        Frame(Opcode.ECHO, 7, 2, b"\0hello\0"),
        Frame(Opcode.SHUTDOWN, 7, 3, pack(ask.Guarded(SHUTDOWN_MAGIC))),
        Frame(Opcode.ECHO, 7, 4, b"nobody is there"),
    ]
    said = b"".join(map(encode_frame, frames))
    done = subprocess.run([str(program)], input=said, capture_output=True, timeout=20)
    heard = Receiver().feed(done.stdout)
    assert done.returncode == 0
    assert [f.opcode for f in heard] == [Event.BOOTED, *(f.opcode | REPLY for f in frames[:3])]
    assert heard[2].payload == b"\0\0hello\0"
