"""From a URL to a board that nobody else holds, and back to it when its line was cut."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from drivers.board import Board
from drivers.discovery import discover
from drivers.errors import DeviceTimeoutError, InUseError, LinkLostError, NotADeviceError
from drivers.lock import Lock, command_line, lock_port, lock_uid
from drivers.recording import Recorder
from drivers.replay import ReplayTransport
from drivers.session import Session
from drivers.transport import Transport, open_transport, port_path
from isingeq.errors import ConfigError
from isingeq.registry import parse_spec

_LOOK_S = 2.0
"""Between two looks at all other ports for a device that is gone: each says HELLO to strangers."""


def parse_url(text: str) -> tuple[str, dict[str, str]]:
    """Return URL or device path, and the options behind its question mark.

    Raises:
        ConfigError: an option without a key, or twice.
    """
    spec = parse_spec(text if text.startswith("serial:") else f"serial:{text}")
    return spec.argument, spec.options


def open_board(
    url: str, options: Mapping[str, str] | None = None, *, timeout: float = 10.0, recovery: float = 30.0,
    recorder: Recorder | None = None,
) -> Board:  # fmt: skip
    """Open the board at a URL.

    Args:
        url: URL or device path.
        options: of the transport; and `record`, a file to record the conversation in.
        timeout: seconds without an answer after which a request has failed.
        recovery: seconds that bringing the board back may take, over all tries of a job.
        recorder: of the conversation, instead of `record`.

    Raises:
        ConfigError: a URL or option that makes no sense.
        DeviceError: nothing answers there, or not a device of this protocol.
        InUseError: another process holds it.
    """
    if not (timeout > 0 and recovery >= 0):
        raise ConfigError(
            f"a device needs timeout > 0 and recovery >= 0 in seconds, got {timeout:g} and {recovery:g}"
        )
    given = dict(options or {})
    file = given.pop("record", None)
    if file == "":
        raise ConfigError("record needs a file: ?record=FILE")
    if file is not None:
        recorder = Recorder(Path(file), note=command_line())
    access = Access(url, given, recorder)
    with ExitStack() as opened:
        opened.callback(access.release)
        board = Board(access.open, timeout, recovery, let_go=access.release)
        opened.callback(board.close)
        access.hold(board.session)
        opened.pop_all()
    return board


@dataclass(slots=True, eq=False)
class Access:
    """A way to one device, with the locks that keep others off it.

    A port is locked before it is opened, so that no other host's conversation is disturbed; the device itself as soon
    as it has said who it is. What runs inside this process, or for it alone, needs no lock.

    Attributes:
        url: where it was first.
        options: of the transport.
        recorder: of the conversation.
    """

    url: str
    options: Mapping[str, str]
    recorder: Recorder | None = None
    _port: Lock | None = field(init=False, default=None)
    _device: Lock | None = field(init=False, default=None)
    _replay: ReplayTransport | None = field(init=False, default=None)
    _look_at: float = field(init=False, default=0.0)

    def open(self, uid: int | None) -> Transport:
        """Return the line, opened; where a uid is given, with that device at its end, wherever it is plugged in now.

        Raises:
            LinkLostError: it is not to be found.
            InUseError: another process holds its port.
        """
        self._unlock_port()
        transport = self._plug(self.url) if uid is None else self._find(uid)
        return transport if self.recorder is None else self.recorder.wrap(transport)

    def hold(self, session: Session) -> None:
        """Lock the device that answers.

        Raises:
            InUseError: another process holds it, at another port.
        """
        uid, shared = session.welcome.uid, self._port or session.transport.kind == "real"
        if uid and shared:
            self._device = lock_uid(uid, session.transport.url)

    def release(self) -> None:
        """Let go of locks and recording."""
        self._unlock_port()
        if self._device is not None:
            self._device.release()
            self._device = None
        if self.recorder is not None:
            self.recorder.close()

    def _find(self, uid: int) -> Transport:
        """Look where the device was, then at all other serial ports."""
        if self._replay is not None:
            return self._replay.again()
        path = port_path(self.url)
        try:
            transport = self._plug(self.url)
            if path is None or not uid or _uid_at(transport) == uid:
                return transport
            transport.close()
        except (LinkLostError, InUseError):
            if path is None:
                raise
        self._unlock_port()
        if uid and "://" not in path and time.monotonic() >= self._look_at:
            for found in discover(options=self.options, without=[path]):
                if found.uid == uid:
                    return self._plug(found.url)
            self._look_at = time.monotonic() + _LOOK_S
        who = f"device {uid:#x}" if uid else "the device"
        elsewhere = "nor at another port" if uid else "and has no uid to be found by elsewhere"
        raise LinkLostError(f"{who} is no longer at {self.url}, {elsewhere}: attach it again")

    def _plug(self, url: str) -> Transport:
        path = port_path(url)
        self._port = None if path is None else lock_port(path)
        try:
            transport = open_transport(url, self.options)
        except BaseException:
            self._unlock_port()
            raise
        if isinstance(transport, ReplayTransport):
            self._replay = transport
        return transport

    def _unlock_port(self) -> None:
        if self._port is not None:
            self._port.release()
            self._port = None


def _uid_at(transport: Transport) -> int | None:
    """Return the number of the device at the end of a line; None where there is none."""
    try:
        return Session(transport).welcome.uid
    except (LinkLostError, DeviceTimeoutError, NotADeviceError):
        return None
