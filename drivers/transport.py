"""Bytes to and from a device: one seam, so that a link never knows what is behind it.

    /dev/ttyACM0   COM3   socket://host:port   rfc2217://…   hwgrep://…   loop://          a serial port (pyserial)
    scheme://REST                                                     an entry point of the group `isingeq.transports`

pyserial stands behind this module alone. A transport owns the clock of its line: wall time where there is a wire,
virtual time where a model computes what a wire would do.
"""

import contextlib
import errno
import os
import re
import select
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, get_args, runtime_checkable
from urllib.parse import urlsplit

import serial
from serial.tools import list_ports

from drivers.errors import LinkLostError
from isingeq.backend import Kind
from isingeq.errors import ConfigError, DeviceError
from isingeq.registry import typed_options

GROUP = "isingeq.transports"
BAUD = 115_200
_PTYS = "/dev/pts/"
_GATHER_S = 1e-4
"""Seconds in which the rest of a frame may gather."""
_WRITE_S = 1.0
_LOOK_S = 0.001
"""Seconds that a port may take for bytes before they count as lost."""
_HOSTS = ("socket", "rfc2217")
_REFUSALS = (OSError, serial.SerialException, ValueError, TypeError, OverflowError, re.error)
_PREFIX = re.compile(r"Could not open port \S+: (\[Errno -?\d+\] )?")
_ADVICE = {
    errno.ENOENT: "isingeq devices lists the ports there are",
    errno.EACCES: "join the group of the port (dialout on Debian) and log in anew",
    errno.EAGAIN: "another program has it open, end that",
    errno.EBUSY: "another program has it open, end that",
    errno.ENOTTY: "it is no serial port",
}
_PORTS = ("socket", "rfc2217", "hwgrep", "loop", "spy", "alt", "cp2110")


@runtime_checkable
class Transport(Protocol):
    """A line with a device at its far end.

    Attributes:
        url: as the user wrote it.
        kind: simulated, emulated or real.
        baud: bits per second, 10 of them to a byte; None where bytes take no time.
    """

    @property
    def url(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> Kind: ...  # noqa: D102
    @property
    def baud(self) -> int | None: ...  # noqa: D102

    def now(self) -> float:
        """Return seconds on the clock of this line."""
        ...

    def read(self, timeout: float) -> bytes:
        """Return what has arrived, waiting for the first byte `timeout` seconds at most.

        Raises:
            LinkLostError: the far end is gone.
        """
        ...

    def write(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            LinkLostError: the far end is gone.
        """
        ...

    def close(self) -> None:
        """Let go of the line; reading or writing afterwards raises LinkLostError."""
        ...


class SerialTransport:
    """A serial port, or what pyserial makes look like one.

    Attributes:
        url: device path or pyserial URL.
        kind: what its owner says; else emulated behind a pseudo terminal, where no board ever is, and real elsewhere.
        baud: of the port; None for a socket, where it means nothing.
    """

    def __init__(self, url: str, *, baud: int = BAUD, kind: Kind | None = None) -> None:
        if kind is not None and kind not in get_args(Kind):
            raise ConfigError(f"{url}: kind is one of {', '.join(get_args(Kind))}, got {kind!r}")
        if not 1 <= baud < 1 << 31:
            raise ConfigError(
                f"{url}: baud={baud} is no rate, give bits per second, as in baud={BAUD}"
            )
        self.url = url
        self.kind: Kind = kind or ("emulated" if _is_pty(url) else "real")
        self.baud = None if url.startswith(("socket:", "loop:")) else baud
        try:
            self._port = serial.serial_for_url(url, baudrate=baud, timeout=0, do_not_open=True)
            plain = type(self._port) is serial.Serial
            if plain:  # others know no such time, and rfc2217 refuses it
                self._port.write_timeout = _WRITE_S
            if not self._port.port or "://" not in url:
                self._port.exclusive = True
            self._port.open()
        except _REFUSALS as error:
            raise LinkLostError(f"{url} cannot be opened: {_reason(error)}") from None
        # What pyserial does around a read costs more than the read; on other ports than its plain one it has a meaning.
        self._plain = plain and os.name == "posix"
        self._file = _file_of(self._port)
        self._open = True

    def now(self) -> float:
        """Return seconds of the monotonic clock."""
        return time.monotonic()

    def read(self, timeout: float) -> bytes:
        """See `Transport.read`."""
        self._check()
        try:
            if self._plain and self._file is not None:
                if not select.select([self._file], [], [], max(0.0, timeout))[0]:
                    return b""
                found = os.read(self._file, 65536)
                if found and found[-1]:
                    # Amid a frame: bytes come one by one, and each costs as much to fetch as many.
                    time.sleep(_GATHER_S)
                    with contextlib.suppress(BlockingIOError):
                        found += os.read(self._file, 65536)
                if not found:
                    raise OSError("hung up")
                return found
            found = self._port.read(65536)
            if found or timeout <= 0:
                return bytes(found)
            if self._file is not None:
                if not select.select([self._file], [], [], timeout)[0]:
                    return b""
                # readable and nothing there is how a hung-up line looks; pyserial says so itself
                return bytes(self._port.read(65536))
            # No timeout of pyserial's: to set one asks a remote port for all its settings again.
            end = self.now() + timeout
            while not found and self.now() < end:
                time.sleep(_LOOK_S)
                while piece := self._port.read(65536):  # byte by byte with rfc2217
                    found += piece
            return bytes(found)
        except (OSError, serial.SerialException, TypeError, ValueError) as error:
            raise self._lost(error) from None

    def write(self, data: bytes) -> None:
        """See `Transport.write`."""
        self._check()
        try:
            self._port.write(data)
        except serial.SerialTimeoutException:
            return  # Nobody takes them: lost, as on a wire, and sent again when their time is over.
        except (OSError, serial.SerialException, TypeError, ValueError) as error:
            raise self._lost(error) from None

    def close(self) -> None:
        """Close the port."""
        self._open = False
        self._port.close()

    def _check(self) -> None:
        if not self._open:
            raise LinkLostError(f"{self.url} is closed: open it again")

    def _lost(self, error: Exception) -> LinkLostError:
        self.close()
        return LinkLostError(f"{self.url} is gone: {_reason(error)}")


@dataclass(frozen=True, slots=True)
class Port:
    """A serial port of this machine: its path, and what the system knows of what is plugged in."""

    path: str
    description: str


def serial_ports() -> list[Port]:
    """Return the serial ports there are, sorted by path."""
    found = {port.device: port for port in list_ports.comports()}
    return [
        Port(path, "" if port.description in (None, "n/a") else str(port.description))
        for path, port in sorted(found.items())
    ]


def port_path(url: str) -> str | None:
    """Return what a URL stands for, the same for every name of it; None where others cannot reach it.

    Raises:
        LinkLostError: `hwgrep://` finds no port.
    """
    scheme, mark, _ = url.partition("://")
    if scheme == "hwgrep":
        try:
            return str(serial.serial_for_url(url, do_not_open=True).port)
        except _REFUSALS as error:
            raise LinkLostError(f"{url} cannot be opened: {_reason(error)}") from None
    if not mark:
        path = Path(url)
        return str(path.resolve()) if path.exists() else url
    return url if scheme in _PORTS and scheme != "loop" else None


def open_transport(url: str, options: Mapping[str, str] | None = None) -> Transport:
    """Open the line that a URL names; options as they stand in a SPEC.

    Raises:
        ConfigError: no such scheme or option.
        LinkLostError: it cannot be opened.
    """
    given = dict(options or {})
    scheme, mark, rest = url.partition("://")
    if not url or (not rest and scheme in _PORTS and scheme != "loop"):
        raise ConfigError(
            f"{url or 'the URL'} names no device: give a path or URL, as in /dev/ttyACM0"
        )
    if scheme in _HOSTS and not _has_port(url):
        raise ConfigError(f"{url} needs host and port, as in {scheme}://192.168.0.7:2217")
    if not mark or scheme in _PORTS:
        return SerialTransport(url, **typed_options(url, SerialTransport, given))  # type: ignore[arg-type]
    found = {point.name: point for point in entry_points(group=GROUP)}
    if scheme not in found:
        known = ", ".join(sorted([*found, *_PORTS[:4]]))
        raise ConfigError(f"{url}: no scheme {scheme!r}; there are {known}, or give a device path")
    try:
        opener: Callable[..., Transport] = found[scheme].load()
    except (ImportError, AttributeError) as error:
        raise DeviceError(f"{url}: {scheme}:// cannot be loaded: {error}") from error
    return opener(rest, **typed_options(url, opener, given))


def _is_pty(url: str) -> bool:
    return "://" not in url and str(Path(url).resolve()).startswith(_PTYS)


def _has_port(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname and urlsplit(url).port)
    except ValueError:
        return False


def _file_of(port: Any) -> int | None:
    """Return what one can wait at; None where a URL has nothing of the kind."""
    try:
        return int(port.fileno())
    except (AttributeError, OSError):
        return None


def _reason(error: Exception) -> str:
    text = _PREFIX.sub("", str(error))
    number = getattr(error, "errno", None) or (
        errno.ENOTTY if f"({errno.ENOTTY}," in text else None
    )
    if number in _ADVICE:
        return f"{os.strerror(number)}; {_ADVICE[number]}"
    text = os.strerror(number) if number else text
    return text.splitlines()[0] if text else type(error).__name__
