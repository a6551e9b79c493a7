"""Ports: what they are taken for, and what happens when nobody is at the other end."""

import os
import socket
import threading
import time
from contextlib import closing, contextmanager, suppress
from types import SimpleNamespace

import pytest
import serial
from attached import attached, small_job
from serial.rfc2217 import PortManager

from drivers.errors import LinkLostError
from drivers.open import open_board
from drivers.transport import SerialTransport, open_transport
from isingeq.errors import CapabilityError, ConfigError
from isingeq.registry import open_backend


@pytest.fixture
def pty():
    ours, theirs = os.openpty()
    yield ours, os.ttyname(theirs)
    for end in (ours, theirs):
        os.close(end)


def test_bytes_go_over_and_waiting_ends(pty):
    ours, path = pty
    line = SerialTransport(path)
    line.write(b"there")
    assert os.read(ours, 10) == b"there"
    os.write(ours, b"back")
    assert line.read(1.0) == b"back"
    started = time.monotonic()
    assert line.read(0.02) == b""
    assert 0.015 < time.monotonic() - started < 1
    line.close()
    with pytest.raises(LinkLostError, match="is closed"):
        line.read(0.0)


def test_a_pseudo_terminal_is_never_real_hardware(pty, tmp_path):
    _, path = pty
    link = tmp_path / "board"
    link.symlink_to(path)
    for url in (path, str(link)):
        line = open_transport(url)
        assert line.kind == "emulated"
        line.close()
    line = open_transport(path, {"kind": "simulated"})
    assert line.kind == "simulated"
    line.close()


def test_a_kind_that_there_is_not_is_refused(pty):
    with pytest.raises(
        ConfigError, match="kind is one of exact, simulated, emulated, real, got 'toy'"
    ):
        open_transport(pty[1], {"kind": "toy"})


def test_what_nobody_takes_is_lost_and_does_not_hold_the_host(pty):
    """A stalled device fills the line; the link sends again later, as after any loss."""
    line = SerialTransport(pty[1])
    started = time.monotonic()
    line.write(bytes(200_000))
    assert time.monotonic() - started < 3
    line.close()


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("/dev/there-is-none", LinkLostError, "cannot be opened: No such file or directory"),
        ("nonsense://x", ConfigError, "no scheme 'nonsense'; there are .*model"),
    ],
)
def test_what_is_not_there_is_named(url, error, said):
    with pytest.raises(error, match=said):
        open_transport(url)


class Terminal(serial.Serial):
    """A pseudo-terminal: it has no modem lines."""

    dtr = rts = cts = dsr = ri = cd = break_condition = False


@contextmanager
def remote(port):
    """Serve a serial port as rfc2217://; yield its URL."""
    line, done = Terminal(port, timeout=0.005), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def work():
            host, _ = listener.accept()
            with host, suppress(ConnectionError):
                manager = PortManager(line, SimpleNamespace(write=host.sendall))
                host.settimeout(0.005)
                while not done.is_set():
                    host.sendall(b"".join(manager.escape(line.read(4096))))
                    try:
                        heard = host.recv(4096)
                    except TimeoutError:
                        continue
                    if not heard:
                        return
                    line.write(b"".join(manager.filter(heard)))

        thread = threading.Thread(target=work)
        listener.settimeout(5.0)
        thread.start()
        try:
            yield f"rfc2217://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            done.set()
            thread.join()
    line.close()


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial's
def test_a_board_on_another_machine_is_reached_over_rfc2217():
    with attached(uid=9) as bridge, remote(bridge.url) as url, closing(open_board(url)) as board:
        assert board.session.welcome.uid == 9
        assert board.settle(small_job()).shape == (6, 2, 12)


def test_waiting_at_a_port_without_a_file_ends():
    line = SerialTransport("loop://")
    started = time.monotonic()
    assert line.read(0.02) == b""
    assert 0.015 < time.monotonic() - started < 1
    line.write(b"there")
    assert line.read(1.0) == b"there"
    line.close()


@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": float("nan")}, {"recovery": -1}])
def test_times_that_make_no_sense_are_refused(options):
    with pytest.raises(ConfigError, match="timeout > 0 and recovery >= 0"):
        open_board("model://ref-avr64", **options)


def test_more_sweeps_than_a_schedule_holds_are_refused():
    with pytest.raises(CapabilityError, match="2097120 sweeps at most, got sweeps=2097121"):
        open_backend("model://ref-avr64?sweeps=2097121")


def test_a_board_that_is_refused_is_let_go():
    with attached(uid=9) as bridge:
        for option in ("sweeps=0", "sweeps=9999999"):
            with pytest.raises((ConfigError, CapabilityError), match="sweeps"):
                open_backend(f"{bridge.url}?{option}")
        open_backend(bridge.url).close()
