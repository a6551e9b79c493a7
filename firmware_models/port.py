"""The host's end of a bridge: a pty that the bridge owns, or a TCP port that one host at a time may hold."""

import array
import contextlib
import fcntl
import os
import pty
import socket
import sys
import termios
import tty
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from isingeq.errors import ConfigError

_CHUNK = 65536
_TCGETS2 = 0x802C542A
"""Linux: rates as numbers, odd ones too; they stand in the last two words of 44 bytes (asm-generic/termbits.h)."""


class Port(Protocol):
    """Where a host plugs in.

    Attributes:
        url: what the host opens; a pty has another one after each `plug`.
        readers: descriptors that become readable when the host does something.
        writer: descriptor that takes bytes to the host; None where nobody is there.
    """

    @property
    def url(self) -> str: ...  # noqa: D102
    @property
    def readers(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def writer(self) -> int | None: ...  # noqa: D102

    def read(self, reader: int) -> bytes:
        """Return what the host sent."""

    def write(self, data: bytes) -> int:
        """Send to the host; return how many bytes went."""

    def baud(self) -> int | None:
        """Return the rate the host has chosen; None where that cannot be told."""

    def plug(self) -> None:
        """Be there, after `unplug`."""

    def unplug(self) -> None:
        """Be gone: the host finds its line cut."""


class Pty:
    """A pseudo-terminal of which the bridge owns both ends: a host may come and go, and nothing waits for it."""

    def __init__(self, link: Path | None = None) -> None:
        """Open it; `link` is kept as a symbolic link to it, whatever it is called.

        Raises:
            ConfigError: something else stands at `link`, or its folder cannot be written.
        """
        if link is not None and link.exists() and not link.is_symlink():
            raise ConfigError(f"{link} is there and no symbolic link: name another path")
        self._link = link
        self._master = self._slave = -1
        self.url = ""
        self.plug()

    @property
    def readers(self) -> Sequence[int]:
        """See `Port`."""
        return (self._master,) if self.writer is not None else ()

    @property
    def writer(self) -> int | None:
        """See `Port`."""
        return self._master if self._master >= 0 else None

    def read(self, reader: int) -> bytes:
        """See `Port.read`."""
        try:
            return os.read(reader, _CHUNK)
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> int:
        """See `Port.write`."""
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def baud(self) -> int | None:
        """See `Port.baud`."""
        if not sys.platform.startswith("linux"):
            rate: int = termios.tcgetattr(self._master)[5]
            return rate
        words = array.array("I", bytes(44))
        fcntl.ioctl(self._master, _TCGETS2, words)
        return words[10]

    def plug(self) -> None:
        """See `Port.plug`."""
        if self._master >= 0:
            return
        master, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self.url = os.ttyname(slave)
        try:
            self._point()
        except ConfigError:
            os.close(master)
            os.close(slave)
            raise
        self._slave, self._master = slave, master  # last, as other threads ask whether it is there

    def unplug(self) -> None:
        """See `Port.unplug`."""
        if self._master < 0:
            return
        master, slave = self._master, self._slave
        self._master = self._slave = -1  # first, as above
        os.close(master)
        os.close(slave)
        if self._link is not None:
            self._link.unlink(missing_ok=True)

    def _point(self) -> None:
        """Let the link point here, at no moment nowhere."""
        if self._link is not None:
            fresh = self._link.with_name(f"{self._link.name}.{os.getpid()}")
            try:
                fresh.symlink_to(self.url)
                fresh.replace(self._link)
            except OSError as error:
                with contextlib.suppress(OSError):
                    fresh.unlink()
                raise ConfigError(f"link {self._link} cannot be made: {error.strerror}") from None


class Tcp:
    """A TCP port on this machine; while a host holds it, another one that comes is turned away."""

    def __init__(self, port: int = 0) -> None:
        """Listen; 0 takes any free port.

        Raises:
            ConfigError: the port is taken, or not ours to take.
        """
        self._port = port
        self._listener: socket.socket | None = None
        self._host: socket.socket | None = None
        self.plug()

    @property
    def url(self) -> str:
        """See `Port`."""
        return f"socket://127.0.0.1:{self._port}"

    @property
    def readers(self) -> Sequence[int]:
        """See `Port`."""
        return tuple(end.fileno() for end in (self._listener, self._host) if end is not None)

    @property
    def writer(self) -> int | None:
        """See `Port`."""
        return None if self._host is None else self._host.fileno()

    def read(self, reader: int) -> bytes:
        """See `Port.read`."""
        if reader != self.writer:
            self._accept()
            return b""
        assert self._host is not None
        try:
            found = self._host.recv(_CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            found = b""
        if not found:
            self._leave()
        return found

    def write(self, data: bytes) -> int:
        """See `Port.write`."""
        if self._host is None:
            return len(data)  # a line sends whether anybody listens or not
        try:
            return self._host.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self._leave()
            return len(data)

    def baud(self) -> int | None:
        """See `Port.baud`."""
        return None

    def plug(self) -> None:
        """See `Port.plug`."""
        if self._listener is None:
            try:
                self._listener = socket.create_server(("127.0.0.1", self._port))
            except OSError as error:
                reason = os.strerror(error.errno) if error.errno else error
                raise ConfigError(
                    f"port {self._port} cannot be had: {reason}; 0 takes a free one"
                ) from None
            self._listener.setblocking(False)
            self._port = self._listener.getsockname()[1]

    def unplug(self) -> None:
        """See `Port.unplug`."""
        self._leave()
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _accept(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(OSError):
            host, _ = self._listener.accept()
            if self._host is not None:
                host.close()
                return
            host.setblocking(False)
            host.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._host = host

    def _leave(self) -> None:
        if self._host is not None:
            self._host.close()
            self._host = None
