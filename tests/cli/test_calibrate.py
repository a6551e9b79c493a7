import json
import signal
import subprocess
import sys

import pytest

from calibration.store import load

CHIP = "profile:kings-256?rows=4&columns=4&gain_sigma=0.05&dead_coupler_rate=0.1&seed=2"
QUICK = ("--precision", "0.1")


def test_a_chip_is_measured_kept_and_verified(isingeq, tmp_path):
    ended = isingeq("calibrate", CHIP, *QUICK, "--out", "made")
    assert ended.code == 0, ended.err
    text = " ".join(ended.out.split())
    for part in (
        "reads, ",
        "coupling gain",
        "beta coupling",
        "dead units: none",
        "dead couplers: ",
    ):
        assert part in text
    assert text.endswith("calibration in made/calibration.json")
    made = load(tmp_path / "made")
    assert (tmp_path / "made" / "elements.png").stat().st_size > 1000
    record = json.loads(
        isingeq("calibrate", CHIP, *QUICK, "--out", "made", "--verify", "--json").out
    )
    assert (record["holds"], record["moved"]) == (True, [])
    again = load(tmp_path / "made")
    assert again.verified["holds"] is True
    assert again.made == made.made


@pytest.fixture
def plain(monkeypatch):
    """Leave pictures out, which take longer than all else."""
    monkeypatch.setattr("isingeq.experiments.calibration_plots.draw", lambda *_: [])


def test_a_chip_that_moved_is_told_by_an_exit_code(isingeq, tmp_path, monkeypatch, plain):
    assert (
        isingeq("calibrate", CHIP, *QUICK, "--only", "couplings", "--out", "made", "--quiet").code
        == 0
    )
    monkeypatch.setattr("calibration.identity.Identity.check", lambda *_: None)
    other = CHIP.replace("seed=2", "seed=3")
    ended = isingeq("calibrate", other, *QUICK, "--only", "couplings", "--check", "made")
    assert ended.code == 9
    assert "was dead, is works" in ended.out
    assert ended.out.rstrip().endswith("elements moved")
    assert load(tmp_path / "made").verified["holds"] is False


def test_another_chip_is_refused_in_one_line(isingeq, plain):
    isingeq("calibrate", CHIP, *QUICK, "--only", "fields", "--out", "made", "--quiet")
    ended = isingeq("calibrate", CHIP.replace("seed=2", "seed=3"), "--check", "made")
    assert ended.code == 9
    assert ended.err.startswith("error: the calibration is of another device: its uid is ")
    assert ended.err.count("\n") == 1


def test_bad_options_are_one_line(isingeq):
    for words, code in (
        (("--only", "gains"), 2),
        (("--precision", "2"), 2),
        (("--verify", "--check", "x"), 2),
        (("--verify", "--out", "nowhere"), 9),
        (("--reads", "10"), 9),
    ):
        ended = isingeq("calibrate", CHIP, *words)
        assert (ended.code, ended.err.count("\n")) == (code, 1), ended.err


def test_a_board_is_calibrated_over_its_wire(isingeq, plain):
    words = ("--units", "6", "--precision", "0.2", "--only", "fields,couplings", "--json")
    ended = isingeq("calibrate", "model://ref-avr64?uid=7", *words)
    assert ended.code == 0, ended.err
    record = json.loads(ended.out)
    assert record["id"].startswith("ref-avr64 0x7 ")
    assert record["summary"]["coupling_gain"]["failed"] == 0


def test_a_calibration_that_is_stopped_leaves_nothing_and_says_so(tmp_path):
    words = ("calibrate", CHIP, "--precision", "0.001", "--out", "made")
    with subprocess.Popen(
        [sys.executable, "-m", "isingeq", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    ) as process:  # fmt: skip
        assert "to go" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "nothing was written" in out
    assert "Traceback" not in err
    assert not (tmp_path / "made").exists()
