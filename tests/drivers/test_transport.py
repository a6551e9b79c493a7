"""Ports: what they are taken for, and what happens when nobody is at the other end."""

import os
import time

import pytest

from drivers.errors import LinkLostError
from drivers.transport import SerialTransport, open_transport
from isingeq.errors import ConfigError


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
