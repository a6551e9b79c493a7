"""A Cortex-M3 in QEMU: the board lm3s6965evb.

QEMU starts stopped and is let go once everything is connected. Any command to its monitor wakes its main loop, which
can miss that a guest has switched its receiver on.
"""

import contextlib
import json
import socket
from pathlib import Path
from typing import IO, Any

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
        process = spawn(
            [
                qemu, "-M", "lm3s6965evb", "-nodefaults", "-display", "none", "-S",
                "-chardev", f"socket,id=uart,fd={far_uart.fileno()}", "-serial", "chardev:uart",
                "-chardev", f"socket,id=qmp,fd={far_monitor.fileno()}", "-mon", "chardev=qmp,mode=control",
                *number, "-kernel", str(elf),
                "-semihosting-config", "enable=on,target=native",
            ],
            (far_uart, far_monitor),
        )  # fmt: skip
        far_uart.close()
        far_monitor.close()
        control = _Monitor(monitor)
        emulator = Emulator(process, uart, control)
        try:
            control.open()
        except DeviceError as error:
            raise failed(emulator, "qemu-system-arm", error) from None
        opened.pop_all()
        return emulator


class _Monitor:
    """QEMU's machine protocol: one JSON object a line."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
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

    def thaw(self) -> None:
        self._do("cont")

    def nudge(self) -> None:
        self._do("query-status")

    def close(self) -> None:
        self._lines.close()
        self._end.close()

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
