import json
import re

import pytest

import isingeq as package

TRAIN_KEYS = [
    "test_accuracy", "train_accuracy", "epochs", "wall_s", "cpu_s", "settles", "mean_free_steps",
    "mean_nudged_steps", "unsettled_fraction", "backend", "provenance", "seed",
    "params_sha256", "run_dir",
]  # fmt: skip


def last_object(out):
    """Return the one JSON object on standard output."""
    lines = out.splitlines()
    assert len(lines) == 1, out
    return json.loads(lines[0])


def test_train_says_what_it_does_line_by_line(isingeq):
    ended = isingeq("train", "blobs.toml", "--out", "run")
    assert (ended.code, ended.err) == (0, "")
    assert [int(n) for n in re.findall(r"^epoch +(\d)/3  training", ended.out, re.MULTILINE)] == [
        1,
        2,
        3,
    ]
    assert re.search(r"^test accuracy \d+\.\d\d%", ended.out, re.MULTILINE)
    assert "plots in run: accuracy.png" in ended.out
    assert "\x1b" not in ended.out


def test_train_json_has_exactly_the_promised_keys(isingeq, tmp_path):
    ended = isingeq("train", "blobs.toml", "--json", "--out", "run", "--seed", "5", "--epochs", "2")
    assert ended.code == 0
    result = last_object(ended.out)
    assert sorted(result) == sorted(TRAIN_KEYS)
    assert (result["seed"], result["epochs"], result["backend"]) == (5, 2, "conjugate")
    assert result["provenance"]["kind"] == "simulated"
    assert re.fullmatch(r"[0-9a-f]{64}", result["params_sha256"])
    assert result == json.loads((tmp_path / "run" / "result.json").read_text())
    assert "epoch   2/2" in ended.err


def test_flags_and_settings_win_over_the_file(isingeq):
    ended = isingeq(
        "train", "blobs.toml", "--json", "--quiet", "--epochs", "1", "--threads", "2",
        "--backend", "hopfield?update=gradient",
        "--set", "machine.dt=0.75", "--set", "network.hidden=[6, 5]",
    )  # fmt: skip
    result = last_object(ended.out)
    assert result["backend"] == "hopfield?update=gradient&dt=0.75"
    assert result["provenance"]["schedule"]["dt"] == 0.75
    assert ended.err == ""


def test_the_same_seed_gives_the_same_parameters_and_another_does_not(isingeq):
    shas = [
        last_object(isingeq("train", "blobs.toml", "--json", "--seed", seed).out)["params_sha256"]
        for seed in ("5", "5", "6")
    ]
    assert shas[0] == shas[1] != shas[2]


def test_quiet_prints_the_outcome_alone(isingeq):
    ended = isingeq("train", "blobs.toml", "--quiet")
    assert len(ended.out.splitlines()) == 1
    assert ended.out.startswith("test accuracy")


def test_train_without_a_name_runs_digits(isingeq):
    result = last_object(isingeq("train", "--json", "--epochs", "1").out)
    assert result["run_dir"].startswith("runs/digits-conjugate-0-")


def test_evaluate_repeats_the_accuracy_of_train(isingeq):
    trained = last_object(isingeq("train", "blobs.toml", "--json", "--out", "run").out)
    tested = last_object(isingeq("evaluate", "run", "--json").out)
    assert tested["test_accuracy"] == trained["test_accuracy"]
    elsewhere = isingeq("evaluate", "run", "--backend", "hopfield")
    assert re.search(r"of 30 samples on hopfield \(simulated\)", elsewhere.out)


def test_evaluate_refuses_what_would_change_nothing(isingeq):
    isingeq("train", "blobs.toml", "--out", "run")
    refused = isingeq("evaluate", "run", "--set", "learning.free_steps=1")
    assert refused.code == 2
    assert "learning.free_steps=1 changes nothing" in refused.err
    assert isingeq("evaluate", "run", "--set", "machine.backend=hopfield").code == 0


def test_backprop_is_one_flag_away_and_says_that_it_settles_nowhere(isingeq):
    ended = isingeq("train", "blobs.toml", "--json", "--set", "learning.estimator=backprop")
    result = last_object(ended.out)
    assert (result["backend"], result["settles"]) == ("backprop", 0)
    assert result["provenance"]["backend"] == "backprop"
    assert result["run_dir"].startswith("runs/blobs-backprop-3-")
    assert (
        last_object(isingeq("evaluate", result["run_dir"], "--json").out)["backend"] == "backprop"
    )
    assert isingeq("evaluate", result["run_dir"], "--backend", "hopfield").code == 2


def test_audit_prints_every_block(isingeq):
    ended = isingeq("audit", "blobs.toml", "--entries", "2", "--samples", "3")
    assert ended.code == 0
    for name in ("input-hidden1.weight", "hidden1-output.weight", "hidden1.bias", "output.bias"):
        assert name in ended.out
    result = last_object(isingeq("audit", "blobs.toml", "--entries", "2", "--json").out)
    assert set(result) == {"backend", "blocks", "cosine", "reference", "asymmetry", "nudging"}
    assert result["blocks"][0]["num_compared"] == 2


def test_audit_of_forces_without_an_energy_shows_their_asymmetry(isingeq):
    settings = ("--set", "network.kind=rate", "--set", "learning.estimator=dyadic")
    ended = isingeq("audit", "blobs.toml", "--backend", "rate", *settings, "--entries", "2")
    assert ended.code == 0
    assert "with the adjoint" in ended.out
    assert "asymmetry 0.707" in ended.out


def test_compare_prints_a_table_and_writes_two(isingeq, tmp_path):
    ended = isingeq(
        "compare", "blobs.toml", "--backends", "hopfield, neal", "--seeds", "2", "--out", "cmp"
    )
    assert ended.code == 0
    assert "(n = 2)" in ended.out
    assert "neal cannot take amplitude units" in " ".join(ended.out.split())
    assert {"comparison.md", "comparison.csv"} <= {
        path.name for path in (tmp_path / "cmp").iterdir()
    }
    result = last_object(isingeq("compare", "blobs.toml", "--backends", "hopfield", "--json").out)
    assert result["rows"][0]["num_seeds"] == 1


def test_compare_of_failures_alone_fails(isingeq):
    assert isingeq("compare", "blobs.toml", "--backends", "neal,exact").code == 6


def test_backends_lists_all_with_claims_and_limits(isingeq):
    found = {
        entry["name"]: entry for entry in last_object(isingeq("backends", "--json").out)["backends"]
    }
    assert {"conjugate", "hopfield", "neal", "exact", "null"} <= set(found)
    assert found["conjugate"]["claim"] == "fixed point"
    assert found["exact"]["max_units"] == 20
    table = isingeq("backends").out
    assert "ground state" in table
    assert "20 units" in table


def test_backends_says_why_one_is_missing(isingeq, monkeypatch):
    from types import SimpleNamespace

    from isingeq import registry

    def load():
        raise ImportError("no module named 'warp'")

    genuine = registry.entry_points
    broken = SimpleNamespace(name="warp", load=load)
    monkeypatch.setattr(registry, "entry_points", lambda group: [*genuine(group=group), broken])
    ended = isingeq("backends", "--json")
    entry = next(e for e in last_object(ended.out)["backends"] if e["name"] == "warp")
    assert not entry["available"]
    assert "no module named 'warp'" in entry["missing"]
    assert "cannot be loaded" in isingeq("backends").out


@pytest.mark.parametrize(("outcome", "code"), [("passed", 0), ("failed", 1), ("not applicable", 0)])
def test_conformance_fails_where_a_check_does(isingeq, monkeypatch, outcome, code):
    from isingeq import testing

    checks = [testing.CheckResult("a", "passed"), testing.CheckResult("b", outcome, "because")]
    monkeypatch.setattr(testing, "run_conformance", lambda backend: checks)
    ended = isingeq("conformance", "null", "--json")
    assert ended.code == code
    result = last_object(ended.out)
    assert result["checks"][1] == {"name": "b", "outcome": outcome, "message": "because"}
    assert result["failed"] == code


def test_conformance_runs_the_suite(isingeq):
    ended = isingeq("conformance", "null")
    assert "0 failed" in ended.out
    assert ended.code == 0


def test_version_is_printed(isingeq):
    assert isingeq("--version").out == f"isingeq {package.__version__}\n"
