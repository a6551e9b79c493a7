import errno
import re
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from attached import attached, small_job

from drivers.board import Board
from drivers.errors import DifferenceError, LinkLostError
from drivers.open import open_board
from drivers.recording import Recorder, draws_from, read_recording
from drivers.replay import ReplayTransport
from drivers.session import Session
from drivers.transport import open_transport
from drivers.wire.constants import Opcode
from drivers.wire.requests import Echo
from firmware_models.model import open_model
from isingeq.errors import ConfigError, DeviceError

LOSSY = "flip:0.0006,drop:0.0003,insert:0.0003,lose@READ:1"


def recorded(path, url="model://ref-arm192", jobs=(1, 2), **options):
    """Return what came of some jobs, and the incidents."""
    with closing(open_board(url, {**options, "record": str(path)})) as board:
        return [board.settle(small_job(seed=seed)) for seed in jobs], dict(board.incidents)


def played(path, jobs=(1, 2)):
    with closing(open_board(f"replay://{path}")) as board:
        return [board.settle(small_job(seed=seed)) for seed in jobs], dict(board.incidents)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "conversation.txt"


@pytest.mark.parametrize(
    ("options", "incident"),
    [
        ({}, None),
        ({"baud": "115200", "faults": LOSSY, "seed": "3"}, None),
        ({"faults": "reset@RUN:2"}, "resets"),
        ({"faults": "corrupt@RUN:2"}, "corruptions"),
        ({"baud": "115200", "faults": "unplug@RUN:2"}, "lost links"),
    ],
)
def test_a_conversation_is_had_again(file, options, incident):
    spins, incidents = recorded(file, **options)
    again, same = played(file)
    np.testing.assert_array_equal(again, spins)
    assert same == incidents
    assert list(incidents) == ([incident] if incident else [])
    replay = ReplayTransport(file)
    board = Board(lambda _: replay.again())
    for seed in (1, 2):
        board.settle(small_job(seed=seed))
    assert replay.finish() == len(read_recording(file)[1])


def test_retries_on_a_real_clock_come_again_too(file):
    with attached(uid=7, faults="lose@STATUS:1,delay@DIGEST,lose@RUN:2") as bridge:
        spins, _ = recorded(file, bridge.url)
    said = " ".join(line.text for line in read_recording(file)[1] if line.mark == ">")
    frames = re.findall(r"[A-Z]+ #\d+", said)
    assert len(set(frames)) < len(frames)
    np.testing.assert_array_equal(played(file)[0], spins)


class Elsewhere:
    """A line of a host that has other things to do as well."""

    kind, baud, url = "simulated", None, "model://ref-arm192"

    def __init__(self):
        self._line, self.busy_s = open_model("ref-arm192"), 0.0
        self.read, self.write, self.close = self._line.read, self._line.write, self._line.close

    def now(self):
        return self._line.now() + self.busy_s


def test_time_goes_on_while_the_host_computes(file):
    recorder = Recorder(file, note="")
    line = Elsewhere()
    session = Session(recorder.wrap(line))
    line.busy_s = 7.0
    assert session.ask(Opcode.ECHO, Echo(b"abc")).data == b"abc"
    assert session.link.counters.retries == 0
    recorder.close()
    assert [x.at for x in read_recording(file)[1] if x.mark == "."] == [7.0]
    again = Session(ReplayTransport(file))
    again.ask(Opcode.ECHO, Echo(b"abc"))
    assert again.transport.now() == 7.0


def test_the_file_is_for_people_too(file):
    recorded(file, "model://ref-arm192", jobs=(1,), baud="115200")
    lines = file.read_text().splitlines()
    assert lines[:4] == [
        "isingeq recording 1", "url model://ref-arm192?baud=115200", "kind simulated", "baud 115200",
    ]  # fmt: skip
    assert re.fullmatch(r"draws [0-9a-f]{16}", lines[4])
    assert lines[5].startswith("note ")
    assert lines[6] == ""
    assert re.fullmatch(r"0\.000000 > 00[0-9a-f]+00  HELLO #\d+", lines[7])
    assert re.fullmatch(r"0\.00\d+ < [0-9a-f]+00  reply to HELLO #\d+", lines[8])
    assert any(line.endswith("event ENDED") or "event ENDED," in line for line in lines)
    times = [float(line.split()[0]) for line in lines[7:]]
    assert times == sorted(times)


def test_another_question_is_the_first_difference(file):
    recorded(file)
    runs = [x.number for x in read_recording(file)[1] if x.mark == ">" and " RUN #" in x.text]
    number = runs[-1]
    with pytest.raises(
        DifferenceError,
        match=rf"^{file}, line {number}: the recording has RUN #\d+ of 33 bytes \(they part at byte \d+\), "
        r"now RUN #\d+ of 33 bytes is sent$",
    ):
        played(file, jobs=(1, 3))


def test_another_request_is_named(file):
    recorded(file, jobs=())
    session = Session(ReplayTransport(file))
    with pytest.raises(DifferenceError, match=rf"^{file} ends, and ECHO #\d+ of 9 bytes is sent$"):
        session.ask(Opcode.ECHO, Echo(b"abc"))
    recorded(file.with_name("more"), jobs=(1,))
    session = Session(ReplayTransport(file.with_name("more")))
    with pytest.raises(DifferenceError, match=r"the recording has BEGIN #.*, now ECHO #\d+ of"):
        session.ask(Opcode.ECHO, Echo(b"abc"))


def test_less_than_was_said_is_a_difference_too(file):
    recorded(file, jobs=(1,))
    replay = ReplayTransport(file)
    Session(replay)
    with pytest.raises(
        DifferenceError, match=r"line \d+: the recording has BEGIN #.*, now nothing is sent"
    ):
        replay.finish()
    for _ in range(60):
        assert replay.read(1.0) == b""
    with pytest.raises(DifferenceError, match=r"the recording has BEGIN #.*, now nothing is sent"):
        replay.read(1.0)


def test_who_speaks_out_of_turn_is_told(file):
    recorded(file, jobs=())
    replay = ReplayTransport(file)
    hello = read_recording(file)[1][0].data
    replay.write(hello[:5])
    assert replay.read(0.0) == b""
    replay.write(hello[5:])
    with pytest.raises(DifferenceError, match=r"the device sent reply to HELLO #.*, now HELLO #"):
        replay.write(hello)


def test_a_host_that_parted_hears_of_nothing_else(file):
    recorded(file, jobs=(1,))
    replay = ReplayTransport(file)
    session = Session(replay)
    with pytest.raises(DifferenceError, match="now ECHO") as first:
        session.ask(Opcode.ECHO, Echo(b"abc"))
    for again in (lambda: replay.read(0.0), lambda: replay.write(b"\0"), replay.finish):
        with pytest.raises(DifferenceError, match=f"^{re.escape(str(first.value))}$"):
            again()


def test_there_is_nothing_to_wait_for_after_the_end(file):
    recorded(file, jobs=())
    replay = ReplayTransport(file)
    Session(replay)
    assert replay.read(0.0) == b""
    assert replay.finish() == len(read_recording(file)[1])
    said = rf"^{file} ends, and an answer is waited for$"
    with pytest.raises(DifferenceError, match=said):
        replay.read(0.1)
    with pytest.raises(DifferenceError, match=said):
        replay.finish()


def test_a_closed_line_is_closed(file):
    recorded(file, jobs=())
    replay = ReplayTransport(file)
    replay.close()
    with pytest.raises(LinkLostError, match=f"replay://{file} is closed"):
        replay.read(0.0)
    assert Session(replay.again()).welcome.version == 1


def test_a_recording_of_a_real_board_is_no_board(file):
    with attached(uid=7) as bridge:
        recorded(file, bridge.url, kind="real")
        with closing(open_board(bridge.url)), closing(open_board(f"replay://{file}")) as replay:
            assert replay.session.transport.kind == "simulated"
    assert read_recording(file)[0]["kind"] == "real"


def test_files_are_not_overwritten(file):
    recorded(file, jobs=())
    before = file.read_text()
    with pytest.raises(ConfigError, match=f"{file} exists: name a new file"):
        recorded(file, jobs=())
    assert file.read_text() == before
    with pytest.raises(ConfigError, match="record needs a file"):
        open_board("model://ref-arm192", {"record": ""})


def test_a_file_that_cannot_be_made_is_named(tmp_path):
    file = tmp_path / "nowhere" / "talk.txt"
    with pytest.raises(
        ConfigError, match=f"^{file} cannot be written: No such file or directory; "
    ):
        recorded(file)


class FullOnce:
    """A file on a disk that has no room for one line, and then has some again."""

    def __init__(self, file, lines):
        self._file, self._left, self.close = file, lines, file.close

    def write(self, text):
        self._left -= 1
        if self._left == -1:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._file.write(text)


def new_files(monkeypatch, make):
    """Let files that are to be new come from elsewhere."""
    plain = Path.open

    def opened(path, mode="r", *rest, **options):
        return make(plain, path) if mode == "x" else plain(path, mode, *rest, **options)

    monkeypatch.setattr(Path, "open", opened)


@pytest.mark.parametrize("lines", [0, 1, 9])
def test_a_full_disk_is_named_and_nothing_follows_the_lost_line(file, monkeypatch, lines):
    new_files(monkeypatch, lambda plain, path: FullOnce(plain(path, "x"), lines))
    said = f"^{file} cannot be written: No space left on device; name a file elsewhere$"
    recorder = Recorder(file, note="")
    with pytest.raises(DeviceError, match=said):
        Board(lambda _: recorder.wrap(open_model("ref-arm192"))).settle(small_job(seed=1))
    with pytest.raises(DeviceError, match=said):
        recorder.note(9.0, ".")
    with pytest.raises(DeviceError, match=said):
        recorder.close()
    assert "9.000000 ." not in file.read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no file that is always full")
def test_what_is_lost_as_the_file_closes_is_told_too(file, monkeypatch):
    new_files(monkeypatch, lambda plain, _: plain(Path("/dev/full"), "w"))
    recorder = Recorder(file, note="")
    recorder.wrap(open_model("ref-arm192"))
    with pytest.raises(DeviceError, match=f"^{file} cannot be written: No space left on device"):
        recorder.close()


def test_no_device_leaves_no_file(file):
    with pytest.raises(LinkLostError):
        open_board(f"{file}-port", {"record": str(file)})
    assert not file.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begins with ''"),
        ("isingeq recording 2\n", "begins with 'isingeq recording 2', not with 'isingeq recording 1'"),
        ("isingeq recording 1\nurl x\n\n", "kind is missing"),
        ("isingeq recording 1\nurl x\nkind x\nbaud none\ndraws 1\nnote x\n\n0.1 > 0g\n", "line 8 is"),
        ("isingeq recording 1\nurl x\nkind x\nbaud none\ndraws 1\nnote x\n\nx < 00\n", "line 8 is"),
        ("isingeq recording 1\nurl x\nkind x\nbaud none\ndraws 1\nnote x\n\n0.1 ? 00\n", "line 8 is"),
        ("isingeq recording 1\nurl x\nkind x\nbaud none\ndraws 1\nnote x\n\n.1 .\nnan .\n", "line 9 is 'nan .'"),
        ("isingeq recording 1\nurl x\nkind x\nbaud none\ndraws 1\nnote x\n\ninf <\n", "line 8 is 'inf <'"),
        ("isingeq recording 1\nurl x\nkind x\nbaud none\ndraws 1\nnote x\n\n-0.1 <\n", "line 8 is '-0.1 <'"),
        ("isingeq recording 1\nurl x\nkind x\nbaud fast\ndraws 1\nnote x\n\n", "baud is 'fast', bits per"),
        ("isingeq recording 1\nurl x\nkind x\nbaud 0\ndraws 1\nnote x\n\n", "baud is '0', bits per"),
        ("isingeq recording 1\nurl x\nkind x\nbaud none\ndraws 1\nnote x\n", "ends in its first lines"),
        (b"\xff\xfe", "cannot be read as a recording: it is no text"),
        (None, "cannot be read as a recording: No such file"),
    ],
)  # fmt: skip
def test_other_files_are_refused(file, text, message):
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=re.escape(message)):
        open_transport(f"replay://{file}")


def test_a_line_that_was_cut_by_a_kill_is_left_out(file):
    recorded(file, jobs=(1,))
    whole = read_recording(file)[1]
    file.write_text(file.read_text()[:-3])
    assert read_recording(file)[1] == whole[:-1]


def test_draws_are_the_same_for_ever():
    draw = draws_from("8f0c4c1d5a3be977")
    assert [draw(65535) for _ in range(3)] == [42397, 62601, 45488]
    other = draws_from("8f0c4c1d5a3be978")
    assert [other(65535) for _ in range(3)] != [42397, 62601, 45488]


def test_recording_does_not_change_what_comes(file):
    spins, _ = recorded(file)
    with closing(Board(lambda _: open_model("ref-arm192"))) as board:
        plain = [board.settle(small_job(seed=seed)) for seed in (1, 2)]
    np.testing.assert_array_equal(spins, plain)
