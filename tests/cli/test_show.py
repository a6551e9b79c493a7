"""The command `show`."""

import json


def test_show_says_what_it_drew(isingeq, tmp_path, monkeypatch):
    accuracies = []
    monkeypatch.setattr("isingeq.experiments.showing.draw", lambda *a: accuracies.append(a[-1]))
    isingeq("train", "blobs.toml", "--epochs", "1", "--out", tmp_path / "run", "--quiet")
    shown = isingeq("show", tmp_path / "run", "--json")
    assert shown.code == 0
    found = json.loads(shown.out.splitlines()[-1])
    assert found["run_dir"] == str(tmp_path / "run")
    assert "accuracy.png" in found["pictures"]
    assert "active_units" not in found
    (tmp_path / "run" / "result.json").unlink()
    assert "drawn in" in isingeq("show", tmp_path / "run").out
    assert 0 < accuracies[0] <= 1
    assert accuracies[1] is None  # a run that is not finished has no test accuracy yet


def test_show_of_no_run_is_one_line(isingeq, tmp_path):
    shown = isingeq("show", tmp_path / "nothing")
    assert shown.code != 0
    assert shown.err.count("\n") == 1
    assert "is no run folder" in shown.err
