"""A Cortex-M3 in QEMU: the board lm3s6965evb.

QEMU starts stopped and is let go once everything is connected. Any command to its monitor wakes its main loop, which
can miss that a guest has switched its receiver on. Memory is reached by its debugger's socket.
"""

import contextlib
import json
import socket
from pathlib import Path
from typing import IO, Any

from drivers.wire.constants import Memory
from firmware_models.debugger import Debugger
from firmware_models.places import read_places
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

_ARM = 40
"""Machine in the header of an ELF (System V ABI)."""


def start_qemu(elf: Path = ELF / "lm3s.elf", *, uid: int = 0) -> Emulator:
    """Start QEMU's lm3s6965evb with an ELF; its uid is the number of its network interface.

    Raises:
        ConfigError: no firmware for it, or a uid of more than 40 bits.
        DeviceError: QEMU is not installed, or ended at once.
    """
    if uid >> 40:
        raise ConfigError(f"uid {uid:#x} is no address of a network card, as lm3s has: 40 bits fit")
    check(elf, _ARM, "lm3s")
    qemu = program("qemu-system-arm", "qemu-system-arm")
    mac = ":".join(f"{byte:02x}" for byte in uid.to_bytes(6, "big"))
    number = ["-net", f"nic,macaddr={mac}"] if uid else []
    with contextlib.ExitStack() as opened:
        uart, far_uart = pair(opened)
        monitor, far_monitor = pair(opened)
        debugger, far_debugger = pair(opened)
        process = spawn(
            [
                qemu, "-M", "lm3s6965evb", "-nodefaults", "-display", "none", "-S",
                "-chardev", f"socket,id=uart,fd={far_uart.fileno()}", "-serial", "chardev:uart",
                "-chardev", f"socket,id=qmp,fd={far_monitor.fileno()}", "-mon", "chardev=qmp,mode=control",
                "-chardev", f"socket,id=gdb,fd={far_debugger.fileno()}", "-gdb", "chardev:gdb",
                *number, "-kernel", str(elf),
                "-semihosting-config", "enable=on,target=native",
            ],
            (far_uart, far_monitor, far_debugger),
        )  # fmt: skip
        for far in (far_uart, far_monitor, far_debugger):
            far.close()
        control = _Monitor(monitor, Debugger(debugger), elf)
        emulator = Emulator(process, uart, control)
        try:
            control.open()
        except DeviceError as error:
            raise failed(emulator, "qemu-system-arm", error) from None
        opened.pop_all()
        return emulator


class _Monitor:
    """QEMU's machine protocol: one JSON object a line."""

    def __init__(self, end: socket.socket, debugger: Debugger, elf: Path) -> None:
        self._end, self._debugger, self._elf = end, debugger, elf
        self._frozen = False
        end.settimeout(PATIENCE_S)
        self._lines: IO[bytes] = end.makefile("rb")

    def open(self) -> None:
        """Wait for the greeting, and let the part run.

        Raises:
            DeviceError: QEMU has ended.
        """
        self._hear()
        self._do("qmp_capabilities")
        self._do("cont")

    def reset(self) -> None:
        self._do("system_reset")

    def freeze(self) -> None:
        self._do("stop")
        self._frozen = True

    def thaw(self) -> None:
        self._do("cont")
        self._frozen = False

    def corrupt(self, memory: Memory, offset: int, flips: int) -> None:
        places, debugger, frozen = read_places(self._elf), self._debugger, self._frozen
        self.freeze()
        num_spins = int.from_bytes(debugger.read(places.num_units, 2), "little")
        for spot in places.spots(memory, offset, num_spins=num_spins):
            debugger.write(spot, bytes([debugger.read(spot, 1)[0] ^ flips]))
        if not frozen:
            self.thaw()

    def nudge(self) -> None:
        self._do("query-status")

    def close(self) -> None:
        self._lines.close()
        self._end.close()
        self._debugger.close()

    def _do(self, command: str) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._end.sendall(json.dumps({"execute": command}).encode() + b"\n")
        while "event" in (answer := self._hear()):
            pass
        if "error" in answer:
            raise DeviceError(f"QEMU refused {command}: {answer['error'].get('desc')}")

    def _hear(self) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except OSError as error:
            raise DeviceError(f"QEMU does not answer: {error}") from None
        if not line:
            raise DeviceError("QEMU has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer
