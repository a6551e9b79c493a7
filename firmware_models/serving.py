"""A device for other programs: an emulator, or a model in this process, behind a bridge with a pty or a TCP port."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from drivers.wire.constants import Memory, ResetCause
from firmware_models.avr import start_simavr
from firmware_models.bridge import Bridge, Target
from firmware_models.device import Device, Kind
from firmware_models.faults import FaultPlan, Way
from firmware_models.line import Line
from firmware_models.places import read_places
from firmware_models.port import Port, Pty, Tcp
from firmware_models.processes import ELF
from firmware_models.qemu import start_qemu
from isingeq.errors import ConfigError

EMULATORS = {"lm3s": start_qemu, "avr": start_simavr}
"""Emulated boards by name; each runs the ELF of that name."""
NATIVE = "ref-arm192"
"""Profile of `native`: the firmware in C, compiled for this machine."""
_GRAIN = 64
"""Bytes after which a frame on a paced line arrives in part."""


class Hosted:
    """A device in this process as the target of a bridge; it works as fast as this machine does.

    Attributes:
        reader: none; it is driven, and does not speak by itself.
    """

    reader = None

    def __init__(self, device: Device) -> None:
        self._device = device
        self._held = b""
        self._frozen = False

    @property
    def busy(self) -> bool:
        """See `bridge.Target`."""
        return self._device.busy and not self._frozen

    @property
    def waiting(self) -> int:
        """See `bridge.Target`."""
        return len(self._held)

    def send(self, data: bytes) -> bytes:
        """See `bridge.Target.send`."""
        if self._frozen:
            self._held += data
            return b""
        return self._device.feed(data, time.monotonic())

    def receive(self) -> bytes | None:
        """See `bridge.Target.receive`."""
        return b""

    def work(self) -> bytes:
        """See `bridge.Target.work`."""
        said, _ = self._device.work(time.monotonic())
        return said + self._device.tick(time.monotonic())

    def reset(self) -> bytes:
        """See `bridge.Target.reset`."""
        return self._device.reset(ResetCause.PIN)

    def freeze(self) -> None:
        """See `bridge.Target.freeze`."""
        self._frozen = True

    def thaw(self) -> bytes:
        """See `bridge.Target.thaw`."""
        held, self._held, self._frozen = self._held, b"", False
        return self.send(held)

    def corrupt(self, memory: Memory, offset: int, flips: int) -> None:
        """See `bridge.Target.corrupt`."""
        self._device.corrupt(memory, offset, flips)

    def nudge(self) -> None:
        """Let it see that time has passed."""

    def close(self) -> None:
        """Nothing to end."""


def serve(
    start: Callable[[], Target], *, tcp: int | None = None, link: Path | None = None,
    baud: int | None = None, faults: FaultPlan | None = None,
    watch: Callable[[float, Way, bytes], None] | None = None,
) -> Bridge:  # fmt: skip
    """Serve a target until the bridge is closed; its `url` is what a host opens.

    Args:
        start: returns the target, as `target` gives it.
        tcp: port to listen on, 0 for any free one; a pty if left out.
        link: symbolic link to keep to the pty.
        baud: pace the line to this rate, and garble where the host's pty is set to another.
        faults: what goes wrong; `check_plan` says whether it can.
        watch: told the time, way and bytes of everything sent.

    Raises:
        ConfigError: a plan that needs a rate, or a port or link that cannot be had.
        DeviceError: the target did not start.
    """
    line = Line(faults or FaultPlan(), baud=baud, grain=_GRAIN)
    with ExitStack() as opened:
        port: Port = Pty(link) if tcp is None else Tcp(tcp)
        opened.callback(port.unplug)
        bridge = Bridge(start, port, line, watch=watch)
        opened.pop_all()
        return bridge


def check_plan(plan: FaultPlan, name: str, *, elf: str = "") -> None:
    """Refuse faults that cannot befall a board of this name.

    Raises:
        ConfigError: memory that is to rot, in an emulated part where nobody reaches it.
    """
    if all(incident.kind != "corrupt" for incident in plan.incidents):
        return
    if name == "avr":
        raise ConfigError(
            "the memory of avr cannot be reached from outside: take lm3s or a model for `corrupt`"
        )
    if name in EMULATORS:
        read_places(Path(elf) if elf else ELF / f"{name}.elf")


def target(
    name: str, *, native: bool = False, uid: int = 0, seed: int = 0, ideal: bool = False, elf: str = ""
) -> tuple[Callable[[], Target], Kind]:  # fmt: skip
    """Return what starts a board by its name, and what kind of board it is.

    Args:
        name: lm3s, avr, native, or a profile for a model in Python.
        native: run a profile's firmware in C, compiled for this machine.
        uid: of the board; 0 for none.
        seed: of a model's imperfections.
        ideal: a model without imperfections.
        elf: another firmware for lm3s and avr.

    Raises:
        ConfigError: no such profile, or an option that this kind of board does not have.
        DeviceError: no compiler for a native one.
    """
    emulated = name in EMULATORS
    if emulated and (native or ideal):
        raise ConfigError(
            f"{name} runs its own firmware as it is: native and ideal are for profiles"
        )
    if elf and not emulated:
        raise ConfigError(f"{name} runs no ELF: elf is for {' and '.join(EMULATORS)}")
    if emulated:
        return partial(EMULATORS[name], Path(elf) if elf else ELF / f"{name}.elf", uid=uid), "emulated"  # fmt: skip
    from firmware_models.model import open_device  # its kernels take a second to load

    native = native or name == "native"
    profile = NATIVE if name == "native" else name
    device = open_device(profile, native=native, uid=uid, seed=seed, ideal=ideal)
    return lambda: Hosted(device), device.kind
