"""The transport `emulator://`: a board of one's own behind a pty, started when the URL is opened.

A host reaches it like any serial port, by pyserial. When its plug is pulled, opening the same URL again finds the same
board, as soon as it is back.
"""

import contextlib

from drivers.errors import LinkLostError
from drivers.transport import BAUD, SerialTransport
from firmware_models.bridge import Bridge
from firmware_models.device import Kind
from firmware_models.faults import plan_from
from firmware_models.serving import check_plan, serve, target


class EmulatorTransport:
    """A serial port with an emulator at its far end (`drivers.transport.Transport`).

    Attributes:
        url: as the user wrote it.
        kind: emulated; simulated for a model in Python.
        baud: of the line; None where bytes take no time.
        bridge: to the board; resets, stalls and unplugs it.
    """

    def __init__(self, bridge: Bridge, *, url: str, kind: Kind) -> None:
        self.url = url
        self.kind: Kind = kind
        self.baud = bridge.line.baud
        self.bridge = bridge
        self._pulled = False
        self._port = SerialTransport(bridge.url, baud=self.baud or BAUD, kind=kind)
        self.now = self._port.now

    def read(self, timeout: float) -> bytes:
        """See `Transport.read`."""
        try:
            return self._port.read(timeout)
        except LinkLostError as error:
            raise self._lost(error) from None

    def write(self, data: bytes) -> None:
        """See `Transport.write`."""
        try:
            self._port.write(data)
        except LinkLostError as error:
            raise self._lost(error) from None

    def close(self) -> None:
        """Let go of the port, and end the board unless it is only unplugged."""
        self._port.close()
        if not self._pulled:
            self.bridge.close()

    def _lost(self, error: LinkLostError) -> LinkLostError:
        if not self.bridge.traffic.ended and not self._pulled:
            self._pulled = True
            _unplugged[self.url] = self
        reason = self.bridge.traffic.ended or error
        return LinkLostError(f"{self.url} is gone: {reason}")


_unplugged: dict[str, EmulatorTransport] = {}
"""Boards whose plug was pulled, by the URL that finds them again; bridges end with the process at the latest."""


def open_emulator(
    rest: str, *, baud: int | None = None, uid: int = 0, seed: int = 0, faults: str = "", elf: str = "",
) -> EmulatorTransport:  # fmt: skip
    """Start an emulated board and open its port; closing the transport ends the board.

    Args:
        rest: lm3s (Cortex-M3 in QEMU), avr (ATmega2560 in simavr), native, or a profile.
        baud: pace the line to this rate.
        uid: of the board; 0 for a board that has none.
        seed: of imperfections, and of faults where their plan names none.
        faults: a plan, as text or path (`firmware_models.faults`).
        elf: another firmware for lm3s and avr.

    Raises:
        ConfigError: no such board or fault.
        DeviceError: the emulator is missing or did not start.
        LinkLostError: its plug is pulled, and not back yet.
    """
    options = {"baud": baud, "uid": uid, "seed": seed, "faults": faults, "elf": elf}
    query = "&".join(f"{key}={value}" for key, value in options.items() if value)
    url = f"emulator://{rest}" + f"?{query}" * bool(query)
    pulled = _unplugged.get(url)
    if pulled is not None:
        if pulled.bridge.traffic.ended:
            del _unplugged[url]
        if not pulled.bridge.plugged:
            raise LinkLostError(f"{url} is unplugged: try again when it is back")
        transport = EmulatorTransport(pulled.bridge, url=url, kind=pulled.kind)
        del _unplugged[url]
        return transport
    start, kind = target(rest, uid=uid, seed=seed, elf=elf)
    plan = plan_from(faults, seed=seed)
    check_plan(plan, rest, elf=elf)
    with contextlib.ExitStack() as opened:
        bridge = serve(start, baud=baud, faults=plan)
        opened.callback(bridge.close)
        transport = EmulatorTransport(bridge, url=url, kind=kind)
        opened.pop_all()
    return transport
