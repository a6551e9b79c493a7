import json
import shlex
from importlib import resources
from pathlib import Path

import pytest

from drivers.errors import InUseError
from drivers.open import open_board
from drivers.selftest import CHECKS
from firmware_models.serving import serve, target

URL = "model://ref-avr64?uid=42"


def test_info_is_for_people_and_for_programs(isingeq):
    ended = isingeq("device", "info", URL)
    assert ended.code == 0, ended.err
    text = " ".join(ended.out.split())
    for part in (
        "isingeq ref-avr64, firmware 1, simulated", "0x2a, 0x", "64 spins of 1 bit", "all, 2016, -127 to 127 in 8 bits",
        "+(sum h s + sum J s s)", "64 spins: 8 slots, ", "empty, 0 spins loaded, faults: none", "requests",
    ):  # fmt: skip
        assert part in text
    record = json.loads(isingeq("device", "info", URL, "--json").out)
    assert (record["uid"], record["kind"], record["state"]) == ("0x2a", "simulated", "empty")
    assert record["descriptor"]["maker"]["model"] == "ref-avr64"
    assert record["sizes"][0] == {"spins": 64, "slots": 8, "rows": record["sizes"][0]["rows"]}
    assert record["counters"]["frames"] >= 4
    assert record["link"]["requests"] >= 4
    assert record["faults"] == []


def test_a_selftest_says_each_step(isingeq):
    ended = isingeq("device", "selftest", URL, "--reset")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert [line[11:32].strip() for line in lines[:-1]] == [name for name, _ in CHECKS] + ["reset"]
    assert all(line.startswith("ok ") for line in lines[:-1])
    assert lines[-1].startswith(f"ref-avr64 at {URL}: {len(CHECKS) + 1} ok, in ")
    quiet = isingeq("device", "selftest", URL, "--quiet")
    assert quiet.out.count("\n") == 1
    record = json.loads(isingeq("device", "selftest", URL, "--json").out)
    assert (record["passed"], record["uid"], len(record["steps"])) == (True, "0x2a", len(CHECKS))


def test_a_failed_step_is_the_exit_code(isingeq):
    ended = isingeq("device", "selftest", f"{URL}&faults=corrupt@COMMIT:2", "--json")
    assert ended.code == 8
    record = json.loads(ended.out)
    assert not record["passed"]
    assert [s["name"] for s in record["steps"] if s["outcome"] == "failed"] == ["couplings"]


def test_no_device_is_one_line(isingeq):
    for words in (["info"], ["selftest"], ["record", "x.txt"]):
        ended = isingeq("device", words[0], "/dev/nowhere", *words[1:])
        assert ended.code == 8
        assert ended.err == (
            "error: /dev/nowhere cannot be opened: No such file or directory; "
            "isingeq devices lists the ports there are\n"
        )


def test_a_device_in_use_is_named(isingeq):
    with serve(target("ref-avr64", uid=42)[0]) as bridge:
        board = open_board(bridge.url)
        ended = isingeq("device", "info", bridge.url)
        board.close()
        assert ended.code == InUseError.exit_code == 8
        assert "is in use by process" in ended.err
        assert isingeq("device", "info", bridge.url).code == 0


@pytest.mark.parametrize("reset", [[], ["--reset"]])
def test_a_selftest_is_recorded_and_played_back(isingeq, tmp_path, reset):
    ended = isingeq("device", "record", f"{URL}&baud=115200", "talk.txt", *reset)
    assert ended.code == 0, ended.err
    assert ended.out.endswith("the conversation is in talk.txt\n")
    ended = isingeq("device", "replay", "talk.txt", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["identical"] is True
    steps = len(CHECKS) + len(reset)
    assert f"identical: {steps} steps, " in ended.err
    again = isingeq("device", "record", URL, "talk.txt")
    assert (again.code, again.err) == (2, "error: talk.txt exists: name a new file for it\n")
    text = (tmp_path / "talk.txt").read_text()
    at = text.index("RUN #")
    place = text.rindex(" > ", 0, at) + 60
    digit = "1" if text[place] != "1" else "2"
    (tmp_path / "other.txt").write_text(text[:place] + digit + text[place + 1 :])
    ended = isingeq("device", "replay", "other.txt")
    assert ended.code == 8
    assert ended.err.startswith("error: other.txt, line ")
    assert " was " not in ended.err
    assert "the recording has" in ended.err


def test_a_recording_that_was_cut_short_is_named(isingeq, tmp_path):
    ended = isingeq("device", "record", URL, "talk.txt")
    assert ended.code == 0, ended.err
    lines = (tmp_path / "talk.txt").read_text().splitlines(keepends=True)
    for kept in (7, 8, 9, 24, len(lines) // 2, len(lines) - 2):
        (tmp_path / "cut.txt").write_text("".join(lines[:kept]))
        ended = isingeq("device", "replay", "cut.txt")
        assert ended.code == 8, kept
        assert ended.err.startswith("error: cut.txt ends, and "), kept
        assert ended.err.count("\n") == 1
        assert ended.out == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no file that is always full")
def test_a_recording_that_cannot_be_written_is_named(isingeq, monkeypatch):
    ended = isingeq("device", "record", URL, "nowhere/talk.txt")
    assert ended.code == 2
    assert ended.err.startswith("error: nowhere/talk.txt cannot be written: No such file")
    plain = Path.open

    def full(path, mode="r", *rest, **options):
        new = mode == "x"
        return plain(Path("/dev/full") if new else path, "w" if new else mode, *rest, **options)

    monkeypatch.setattr(Path, "open", full)
    ended = isingeq("device", "record", URL, "talk.txt")
    assert ended.code == 8
    assert ended.err.startswith("error: talk.txt cannot be written: No space left on device")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    "called",
    [
        "isingeq device record URL talk.txt --command '{}'",
        "isingeq device record URL talk.txt '--command={}'",
        "isingeq {} --backend 'URL?record=talk.txt'",
        "isingeq {} '--backend=URL?record=talk.txt'",
    ],
)
def test_the_command_to_play_back_with_is_told_whole(isingeq, tmp_path, monkeypatch, called):
    (tmp_path / "a-ring-with-a-rather-long-name.txt").write_text("3 2\n1 2 1\n2 3 1\n")
    solve = "solve a-ring-with-a-rather-long-name.txt --reads 4 --seed 3"
    monkeypatch.setattr("sys.argv", shlex.split(called.format(solve)))
    assert isingeq("device", "record", URL, "talk.txt", "--command", solve).code == 0
    ended = isingeq("device", "replay", "talk.txt")
    assert ended.code == 2
    assert ended.err.endswith(f": give --command '{solve}'\n")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("backend", ["model://kings.toml", "pool:model://kings.toml*2"])
def test_a_run_that_a_board_cannot_hold_leaves_no_folder(isingeq, tmp_path, backend):
    profile = resources.files("drivers").joinpath("profiles/ref-arm192.toml").read_text()
    kings = 'kind = "kings"\nrows = 12\ncolumns = 16'
    (tmp_path / "kings.toml").write_text(profile.replace('kind = "all"', kings))
    ended = isingeq("train", "digits-binary", "--mapping", "none", "--backend", backend)
    assert ended.code == 5
    assert "does not couple units 0 and 96 (kings; " in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_another_command_is_recorded_and_played_back(isingeq, tmp_path):
    (tmp_path / "ring.txt").write_text("5 5\n1 2 1\n2 3 1\n3 4 1\n4 5 1\n5 1 1\n")
    solve = "solve ring.txt --reads 4 --seed {}"
    ended = isingeq("device", "record", URL, "talk.txt", "--command", solve.format(3))
    assert ended.code == 0, ended.err
    assert "best energy -3" in ended.out
    ended = isingeq("device", "replay", "talk.txt", "--command", solve.format(3))
    assert ended.code == 0, ended.err
    lines = (tmp_path / "talk.txt").read_text().splitlines()
    num_lines = len(lines) - lines.index("") - 1
    assert ended.out.endswith(f"talk.txt: the host said the same, {num_lines} lines\n")
    again = isingeq("device", "replay", "talk.txt", "--command", solve.format(3), "--json")
    assert json.loads(again.out.splitlines()[-1]) == {"identical": True, "lines": num_lines}
    more = next(line for line in reversed(lines) if " > " in line).partition(" ")[2]
    (tmp_path / "more.txt").write_text("\n".join([*lines, f"9999 {more}\n"]))
    ended = isingeq("device", "replay", "more.txt", "--command", solve.format(3))
    assert ended.code == 8
    assert f"more.txt, line {len(lines) + 1}: the recording has" in ended.err
    assert ended.err.endswith(", now nothing is sent\n")
    ended = isingeq("device", "replay", "talk.txt", "--command", solve.format(4))
    assert ended.code == 8
    assert "error: talk.txt, line " in ended.err
    ended = isingeq("device", "replay", "talk.txt")
    assert ended.code == 2
    assert "give --command " in ended.err
    ended = isingeq("device", "record", URL, "new.txt", "--command", "solve nowhere.txt")
    assert ended.code == 4


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("backends", "No such option: --backend"),
        ("dance", "No such command 'dance'"),
        ("solve 'torus", "No closing quotation"),
    ],
)
def test_a_command_that_cannot_be_recorded_is_named(isingeq, command, said):
    ended = isingeq("device", "record", URL, "talk.txt", "--command", command)
    assert ended.code == 2
    assert said in ended.err
    assert ended.err.endswith("; give a command that takes --backend\n")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("model://ref-avr64?baud=0", 2, "baud=0 is no rate"),
        ("/dev/ttyX?baud=99999999999", 2, "baud=99999999999 is no rate"),
        ("socket://localhost", 2, "needs host and port, as in socket://"),
        ("rfc2217://localhost:abc", 2, "needs host and port, as in rfc2217://"),
        ("spy://", 2, "names no device"),
        ("", 2, "names no device"),
        ("hwgrep://(", 8, "missing )"),
        ("/dev/null", 8, "it is no serial port"),
        ("loop://", 8, "a loopback, not a device"),
    ],
)
def test_what_is_no_port_is_one_line(isingeq, url, code, said):
    ended = isingeq("device", "info", url)
    assert ended.code == code, ended.err
    assert ended.err.startswith("error: ")
    assert said in ended.err
    assert ended.err.count("\n") == 1
