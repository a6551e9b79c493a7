"""A device that was unplugged is found again by its number, wherever it is plugged in."""

from contextlib import closing

import numpy as np
import pytest
from attached import attached, small_job, strange_port

from drivers.errors import InUseError, LinkLostError
from drivers.lock import lock_uid
from drivers.open import open_board
from drivers.transport import Port


@pytest.fixture
def ports(monkeypatch):
    """Serial ports that this machine is made to have."""
    there = []
    monkeypatch.setattr(
        "drivers.discovery.serial_ports", lambda: [Port(path, "a board") for path in there]
    )
    return there


@pytest.fixture
def there(tmp_path):
    """A name that goes when the board is unplugged: its pseudo-terminal's may be another's a moment later."""
    return tmp_path / "board"


@pytest.fixture(scope="module")
def expected():
    with closing(open_board("model://ref-arm192")) as board:
        return board.settle(small_job())


def test_the_same_name_at_another_port(there, ports, expected):
    with attached(uid=42, link=there) as bridge, closing(open_board(str(there))) as board:
        before = bridge.url
        bridge.unplug()
        with strange_port():
            bridge.replug()
            assert bridge.url != before
            np.testing.assert_array_equal(board.settle(small_job()), expected)
        assert board.incidents == {"lost links": 1}


def test_it_is_waited_for(there, ports, expected):
    with attached(uid=42, link=there) as bridge, closing(open_board(str(there))) as board:
        bridge.unplug(0.3)
        np.testing.assert_array_equal(board.settle(small_job()), expected)


def test_another_name(there, ports, expected):
    with (
        attached(uid=42, link=there) as bridge,
        attached(uid=7) as other,
        attached(uid=42) as place,
    ):
        ports += [other.url, place.url]
        with closing(open_board(str(there))) as board:
            bridge.unplug()
            np.testing.assert_array_equal(board.settle(small_job()), expected)
            assert board.session.transport.url == place.url
            assert board.session.welcome.uid == 42
            with pytest.raises(InUseError, match="0x2a"):
                lock_uid(42, "anywhere")
            with pytest.raises(InUseError):
                open_board(place.url)
        lock_uid(42, "anywhere").release()


def test_another_device_at_the_old_name(there, ports, expected):
    with attached(uid=42, link=there) as bridge, attached(uid=42) as place:
        ports.append(place.url)
        with closing(open_board(str(there))) as board:
            bridge.unplug()
            with attached(uid=7, link=there):
                np.testing.assert_array_equal(board.settle(small_job()), expected)
            assert board.session.transport.url == place.url


def test_others_are_not_taken_for_it_and_the_search_ends(there, ports):
    with attached(uid=42, link=there) as bridge, attached(uid=7) as other:
        ports.append(other.url)
        with closing(open_board(str(there))) as board:
            board.recovery = 0.3
            bridge.unplug()
            with pytest.raises(
                LinkLostError, match=rf"^device 0x2a is no longer at {there}, .*attach it"
            ):
                board.settle(small_job())
        open_board(other.url).close()


def test_a_device_without_a_number_is_taken_where_it_was_and_nowhere_else(there, ports):
    with attached(link=there) as bridge, attached() as other:
        ports.append(other.url)
        with closing(open_board(str(there))) as board:
            board.recovery = 0.3
            bridge.unplug()
            with pytest.raises(LinkLostError, match=rf"no longer at {there}, and has no uid"):
                board.settle(small_job())
        assert other.traffic.to_device == 0
