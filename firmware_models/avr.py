"""An ATmega2560 in libsimavr, run by a small program of our own that is compiled on this machine."""

import contextlib
import hashlib
import signal
import subprocess
import tempfile
from pathlib import Path

from drivers.wire.constants import Memory
from firmware_models.native import cache_folder
from firmware_models.processes import (
    ELF,
    PATIENCE_S,
    Emulator,
    check,
    failed,
    pair,
    program,
    spawn,
)
from isingeq.errors import ConfigError, DeviceError

_AVR = 83
"""Machine in the header of an ELF (System V ABI)."""
_SIMHOST = Path(__file__).parent / "simavr" / "simhost.c"


def start_simavr(elf: Path = ELF / "avr.elf", *, uid: int = 0) -> Emulator:
    """Start an ATmega2560 at 16 MHz with an ELF; its uid stands in the first eight bytes of its EEPROM.

    Raises:
        ConfigError: no firmware for it.
        DeviceError: libsimavr or a compiler is missing, or the program ended at once.
    """
    check(elf, _AVR, "avr")
    host = simhost()
    with contextlib.ExitStack() as opened:
        uart, far = pair(opened)
        command = [str(host), str(elf), "atmega2560", "16000000", str(far.fileno()), f"{uid:x}"]
        process = spawn(command, (far,))
        far.close()
        uart.settimeout(PATIENCE_S)
        try:
            ready = uart.recv(1)
        except OSError:
            ready = b""
        emulator = Emulator(process, uart, _Signals(process))
        if not ready:
            raise failed(emulator, "simhost", DeviceError("it does not answer"))
        opened.pop_all()
        return emulator


def simhost() -> Path:
    """Return our host program of libsimavr, compiled once into the user's cache.

    Raises:
        DeviceError: no compiler, or no libsimavr.
    """
    key = hashlib.sha256(_SIMHOST.read_bytes()).hexdigest()[:24]
    host = cache_folder() / f"simhost-{key}"
    if host.is_file():
        return host
    compiler = program("cc", "gcc")
    host.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=host.parent) as scratch:
        fresh = Path(scratch) / host.name
        done = subprocess.run(
            [compiler, "-std=gnu11", "-O2", str(_SIMHOST), "-o", str(fresh), "-lsimavr", "-lelf"],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["no message"]
            raise DeviceError(
                f"simhost cannot be built: install libsimavr-dev and libelf-dev ({said[0]})"
            )
        fresh.replace(host)
    return host


class _Signals:
    """What simhost understands."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def reset(self) -> None:
        self._process.send_signal(signal.SIGUSR1)

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def corrupt(self, memory: Memory, offset: int, flips: int) -> None:
        raise ConfigError("memory of avr cannot be reached from outside: take lm3s or model://")

    def nudge(self) -> None:
        """Nothing to do: it looks at its socket by itself."""

    def close(self) -> None:
        """Nothing is held."""
