import os
import re
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from attached import attached, small_job

from drivers.errors import InUseError
from drivers.lock import Owner, command_line, lock_directory, lock_port, lock_uid
from drivers.open import open_board
from drivers.transport import port_path
from drivers.wire.constants import Opcode
from drivers.wire.requests import Echo
from isingeq.errors import DeviceError

HOLD = """
import sys, time
from drivers.lock import lock_port
held = lock_port("/dev/ttyACM7")
print("held", flush=True)
time.sleep(60)
"""
WORK = """
import sys
import numpy as np
from drivers.job import Job
from drivers.open import open_board
board = open_board(sys.argv[1])
print("open", flush=True)
job = Job(np.ones(18336, int), np.zeros((4, 192), int), np.array([[16, 200, 2000]]), 4, 8, 1)
if sys.argv[2] == "run":
    board.settle(job)
    print("running", flush=True)
while True:
    board._held = None
    board.settle(job)
"""


@pytest.fixture(autouse=True)
def locks(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def started(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True
    )


def killed(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_a_port_is_held_once_even_by_one_process():
    first = lock_port("/dev/ttyACM7")
    with pytest.raises(InUseError) as refused:
        lock_port("/dev/ttyACM7")
    assert refused.value.owner.pid == os.getpid()
    text = str(refused.value)
    assert re.match(
        rf"/dev/ttyACM7 is in use by process {os.getpid()} \(.+\) since \d\d:\d\d:\d\d, for \d s: ", text
    )  # fmt: skip
    assert "\n" not in text
    lock_port("/dev/ttyACM8").release()
    lock_uid(7, "/dev/ttyACM8").release()
    first.release()
    first.release()
    lock_port("/dev/ttyACM7").release()


def test_a_device_is_named_by_its_number():
    held = lock_uid(0x2A, "/dev/ttyACM0")
    with pytest.raises(InUseError, match=r"^device 0x2a at /dev/ttyACM1 is in use by process"):
        lock_uid(0x2A, "/dev/ttyACM1")
    held.release()


def test_owners_say_how_long():
    long_ago = Owner(12, "isingeq train", time.time() - 3 * 86400)
    assert re.search(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, for 3 d$", str(long_ago))
    assert str(Owner(12, "isingeq train", time.time() - 120)).endswith(", for 2 min")


def test_a_killed_holder_holds_nothing():
    process = started(HOLD)
    try:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(InUseError, match=rf"in use by process {process.pid} \(-c\)"):
            lock_port("/dev/ttyACM7")
    finally:
        killed(process)
    lock_port("/dev/ttyACM7").release()


def test_without_a_session_folder_locks_go_to_the_temporary_one(monkeypatch, tmp_path):
    assert lock_directory() == tmp_path / "isingeq"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert lock_directory() == tmp_path / f"isingeq-{os.getuid()}"
    lock_port("x").release()
    assert lock_directory().stat().st_mode & 0o077 == 0


def linked(folder, tmp_path):
    (tmp_path / "theirs").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "theirs")


def dangling(folder, tmp_path):
    folder.symlink_to(tmp_path / "theirs")


def filed(folder, tmp_path):
    folder.touch()


def opened_up(folder, tmp_path):
    folder.mkdir()
    folder.chmod(0o770)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (linked, "a link"),
        (dangling, "a link"),
        (filed, "no folder"),
        (opened_up, r"open to others \(mode 770, 700 is needed\)"),
    ],
)
def test_a_folder_that_others_laid_there_is_not_trusted(tmp_path, make, said):
    make(lock_directory(), tmp_path)
    with pytest.raises(
        DeviceError,
        match=rf"^{lock_directory()}, the folder of the locks, is {said}: remove it, or set ",
    ):
        lock_port("/dev/ttyACM7")
    assert not list(tmp_path.glob("theirs/*"))


def test_a_folder_of_another_user_is_not_trusted(monkeypatch):
    lock_directory().mkdir(mode=0o700)
    monkeypatch.setattr("os.getuid", lambda: lock_directory().stat().st_uid + 1)
    with pytest.raises(DeviceError, match="the folder of the locks, is another user's: remove it"):
        lock_port("/dev/ttyACM7")


def test_a_lock_that_cannot_be_made_is_one_line():
    with pytest.raises(DeviceError, match=r"^/dev/x+ cannot be locked: .*: File name too long$"):
        lock_port("/dev/" + "x" * 300)


def test_owners_are_named_in_short_and_commands_whole(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/usr/bin/isingeq", "solve", "x" * 80])
    assert command_line() == f"isingeq solve {'x' * 80}"
    held = lock_port("/dev/ttyACM7")
    with pytest.raises(InUseError) as refused:
        lock_port("/dev/ttyACM7")
    held.release()
    assert refused.value.owner.command == f"isingeq solve {'x' * 45}…"


def test_all_names_of_a_port_are_one(tmp_path):
    port, link = tmp_path / "ttyACM0", tmp_path / "by-id"
    port.touch()
    link.symlink_to(port)
    assert port_path(str(link)) == port_path(str(port)) == str(port)
    assert port_path("socket://host:7") == "socket://host:7"
    assert port_path("model://ref-arm192") is None
    assert port_path("loop://") is None


def test_the_second_host_is_refused_and_disturbs_nobody(tmp_path):
    with (
        attached(uid=42, link=tmp_path / "board") as bridge,
        closing(open_board(bridge.url)) as first,
    ):
        told = bridge.traffic.to_device
        for name in (bridge.url, str(tmp_path / "board")):
            with pytest.raises(InUseError, match=f"in use by process {os.getpid()}"):
                open_board(name)
        assert bridge.traffic.to_device == told
        assert first.session.ask(Opcode.ECHO, Echo(b"x")).data == b"x"
        first.close()
        with closing(open_board(bridge.url)) as second:
            assert second.session.welcome.uid == 42


def test_a_device_with_two_ports_is_held_once():
    with attached(uid=42) as one, attached(uid=42) as other, attached(uid=43) as third:
        with closing(open_board(one.url)), closing(open_board(third.url)):
            for _ in range(2):
                with pytest.raises(InUseError, match=r"^device 0x2a at .* is in use by process"):
                    open_board(other.url)
        open_board(other.url).close()


def test_devices_without_a_number_are_told_apart_by_port():
    with (
        attached() as one, attached() as other,
        closing(open_board(one.url)), closing(open_board(other.url)),
        pytest.raises(InUseError, match=re.escape(one.url)),
    ):  # fmt: skip
        open_board(one.url)


def test_models_belong_to_who_opens_them(locks):
    one, other = (open_board("model://ref-arm192", {"uid": "42"}) for _ in range(2))
    with closing(one), closing(other):
        np.testing.assert_array_equal(one.settle(small_job()), other.settle(small_job()))
    assert list(Path(locks).iterdir()) == []


def test_who_cannot_be_opened_is_not_held(tmp_path):
    (tmp_path / "file").touch()
    for _ in range(2):
        with pytest.raises(Exception, match="cannot be opened"):
            open_board(str(tmp_path / "file"))


@pytest.mark.parametrize("while_it", ["upload", "run"])
def test_after_a_kill_the_next_host_goes_on_at_once(while_it):
    with attached(uid=42) as bridge:
        process = started(WORK, bridge.url, while_it)
        try:
            assert process.stdout.readline() == "open\n"
            if while_it == "run":
                assert process.stdout.readline() == "running\n"
            told = bridge.traffic.to_device
            end = time.monotonic() + 20
            while bridge.traffic.to_device < told + 3000:
                assert time.monotonic() < end
                time.sleep(0.001)
            with pytest.raises(InUseError, match=rf"process {process.pid} \(-c "):
                open_board(bridge.url)
        finally:
            killed(process)
        with closing(open_board(bridge.url)) as board:
            spins = board.settle(small_job())
        assert not board.incidents
    with closing(open_board("model://ref-arm192")) as model:
        np.testing.assert_array_equal(spins, model.settle(small_job()))
