"""An emulator as a process: bytes of its UART over a socket, and what else one can do to it.

It dies with the thread that started it (setpriv of util-linux, where there is one), whatever ends that; a bridge starts
it in its own thread. Ctrl-C does not reach it: it has a session of its own.
"""

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from drivers.wire.constants import Memory
from isingeq.errors import ConfigError, DeviceError

ELF = Path(__file__).parent / "c" / "elf"
PATIENCE_S = 10.0
"""After which an emulator that does not answer has failed."""
_CHUNK = 65536


class Control(Protocol):
    """What one can do to an emulator besides talking to its UART."""

    def reset(self) -> None:
        """Pull the reset pin."""

    def freeze(self) -> None:
        """Stop the part."""

    def thaw(self) -> None:
        """Let it go on."""

    def corrupt(self, memory: Memory, offset: int, flips: int) -> None:
        """Flip bits of its memory; see `bridge.Target.corrupt`."""

    def nudge(self) -> None:
        """Wake the emulator's main loop."""

    def close(self) -> None:
        """Let go of what the control holds."""


class Emulator:
    """A running emulator: the target of a bridge.

    Attributes:
        process: itself.
        busy: never; it works by itself.
    """

    busy = False

    def __init__(
        self, process: "subprocess.Popen[bytes]", uart: socket.socket, control: Control
    ) -> None:
        self.process = process
        self._uart, self._control = uart, control
        self._held = b""
        uart.setblocking(False)

    @property
    def reader(self) -> int | None:
        """See `bridge.Target`."""
        return self._uart.fileno()

    @property
    def waiting(self) -> int:
        """See `bridge.Target`."""
        return len(self._held)

    def send(self, data: bytes) -> bytes:
        """See `bridge.Target.send`."""
        self._held += data
        with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            self._held = self._held[self._uart.send(self._held) :]
        return b""

    def receive(self) -> bytes | None:
        """See `bridge.Target.receive`.

        Raises:
            DeviceError: it did not end by itself.
        """
        try:
            if data := self._uart.recv(_CHUNK):
                return data
        except BlockingIOError:
            return b""
        except OSError:
            pass
        if (code := self.process.wait(PATIENCE_S)) != 0:
            raise DeviceError(f"the emulator has ended with code {code}: start it again")
        return None

    def work(self) -> bytes:
        """See `bridge.Target.work`."""
        return b""

    def reset(self) -> bytes:
        """See `bridge.Target.reset`."""
        self._control.reset()
        return b""

    def freeze(self) -> None:
        """See `bridge.Target.freeze`."""
        self._control.freeze()

    def thaw(self) -> bytes:
        """See `bridge.Target.thaw`."""
        self._control.thaw()
        return b""

    def corrupt(self, memory: Memory, offset: int, flips: int) -> None:
        """See `bridge.Target.corrupt`."""
        self._control.corrupt(memory, offset, flips)

    def nudge(self) -> None:
        """See `bridge.Target.nudge`."""
        self._control.nudge()

    def close(self) -> None:
        """Kill it and wait for its end."""
        self.process.kill()
        self.process.wait()
        self._control.close()
        self._uart.close()
        if self.process.stderr is not None:
            self.process.stderr.close()


def check(elf: Path, machine: int, name: str) -> None:
    """Refuse what is no firmware for this part; QEMU would run any bytes.

    Raises:
        ConfigError: no ELF, or one for another machine.
    """
    try:
        with elf.open("rb") as file:
            head = file.read(20)
    except OSError as error:
        raise ConfigError(f"firmware {elf} cannot be read: {error.strerror}") from None
    if head[:4] != b"\x7fELF" or int.from_bytes(head[18:20], "little") != machine:
        raise ConfigError(f"{elf} is no firmware for {name}: an ELF for that part is needed")


def program(name: str, package: str) -> str:
    """Return the path of a program.

    Raises:
        DeviceError: it is not installed.
    """
    found = shutil.which(name)
    if found is None:
        raise DeviceError(f"{name} is not on the path: install the package {package}")
    return found


def pair(opened: contextlib.ExitStack) -> tuple[socket.socket, socket.socket]:
    """Return two ends of a socket, ours and the emulator's; `opened` closes both."""
    near, far = socket.socketpair()
    opened.callback(near.close)
    opened.callback(far.close)
    return near, far


def spawn(command: Sequence[str], ends: Sequence[socket.socket]) -> "subprocess.Popen[bytes]":
    """Start a process that holds these ends and dies with the thread that called."""
    guard = shutil.which("setpriv")
    guarded = [guard, "--pdeathsig", "KILL", *command] if guard else list(command)
    return subprocess.Popen(
        guarded, pass_fds=[end.fileno() for end in ends], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def failed(emulator: Emulator, name: str, error: BaseException) -> DeviceError:
    """End an emulator that did not come up, and return why."""
    emulator.process.kill()
    said = emulator.process.communicate()[1].decode(errors="replace").strip()
    emulator.close()
    return DeviceError(f"{name} did not start: {said.splitlines()[-1] if said else error}")
