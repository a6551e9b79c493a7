"""The memory of a part that stands still, read and written by the remote serial protocol of GDB.

    $ packet # two hex digits: the sum of the packet's bytes        + says that it came whole

Only `m` (read) and `M` (write) are spoken. Whoever calls stops the part first: QEMU takes what it hears from a debugger
while the part runs for a wish that it stop.
"""

import socket
from typing import IO

from firmware_models.processes import PATIENCE_S
from isingeq.errors import DeviceError


class Debugger:
    """The near end of a debugger's socket."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        end.settimeout(PATIENCE_S)
        self._heard: IO[bytes] = end.makefile("rb")

    def read(self, address: int, count: int) -> bytes:
        """Return bytes of memory.

        Raises:
            DeviceError: there is none, or the part has ended.
        """
        return bytes.fromhex(self._ask(f"m{address:x},{count:x}"))

    def write(self, address: int, data: bytes) -> None:
        """Write bytes of memory.

        Raises:
            DeviceError: there is none, or the part has ended.
        """
        self._ask(f"M{address:x},{len(data):x}:{data.hex()}")

    def close(self) -> None:
        """Let go of the socket."""
        self._heard.close()
        self._end.close()

    def _ask(self, packet: str) -> str:
        body = packet.encode()
        try:
            self._end.sendall(b"+$%b#%02x" % (body, sum(body) % 256))
            # Each stop of the part was told as a packet, T…, that nobody has read.
            while (answer := self._hear()).startswith("T"):
                pass
        except OSError as error:
            raise DeviceError(f"QEMU's debugger does not answer: {error}") from None
        if answer.startswith("E") or not answer:
            raise DeviceError(f"QEMU's debugger refused {packet[:40]}: {answer or 'not known'}")
        return answer

    def _hear(self) -> str:
        while (byte := self._heard.read(1)) != b"$":
            if not byte:
                raise DeviceError("QEMU has ended")
        packet = b""
        while (byte := self._heard.read(1)) != b"#":
            if not byte:
                raise DeviceError("QEMU has ended")
            packet += byte
        self._heard.read(2)
        self._end.sendall(b"+")
        return packet.decode("ascii")
