import errno
import json
import os
import signal
import time
import tomllib
from pathlib import Path

import pytest

from isingeq.errors import CapabilityError, CheckpointError, ConfigError
from isingeq.experiments import plots
from isingeq.experiments.plots import NAMES
from isingeq.experiments.reading import amended, validate
from isingeq.experiments.run import Stopped, Watcher, evaluate, resume, train
from isingeq.experiments.run_folder import RunFolder
from isingeq.learning import checkpoint

KEYS = {
    "test_accuracy", "train_accuracy", "epochs", "wall_s", "cpu_s", "settles", "mean_free_steps",
    "mean_nudged_steps", "unsettled_fraction", "backend", "provenance", "seed",
    "params_sha256", "run_dir",
}  # fmt: skip


def stop_after(batches):
    """Return a watcher that sends Ctrl-C after some updates."""

    def count(position, _):
        if position.update == batches:
            os.kill(os.getpid(), signal.SIGINT)

    return Watcher(batch=count)


def with_learning(experiment, **values):
    table = experiment.model_dump(exclude_none=True)
    table["learning"] = {**table["learning"], **values}
    return validate(table)


def test_ctrl_c_while_pictures_are_drawn_keeps_the_result(blobs, tmp_path, monkeypatch):
    def interrupted(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(plots, "draw", interrupted)
    told = []
    result = train(blobs, out=tmp_path / "run", watcher=Watcher(warned=told.append))
    assert isinstance(result, dict)
    written = json.loads((tmp_path / "run" / "result.json").read_text())
    assert written["params_sha256"] == result["params_sha256"]
    assert told == [
        f"not all pictures are drawn; nothing else is missing: isingeq show {tmp_path / 'run'}"
    ]


def test_a_run_folder_tells_all(blobs, tmp_path):
    where = tmp_path / "deep" / "run"
    result = train(blobs, out=where)
    assert isinstance(result, dict)
    assert set(result) == KEYS
    assert result["test_accuracy"] > 0.6
    assert (result["epochs"], result["seed"], result["backend"]) == (4, 3, "conjugate")
    files = {path.name for path in where.iterdir()}
    expected = {"config.toml", "metrics.jsonl", "result.json", "provenance.json", "checkpoint.npz"}
    assert files == {*expected, "checkpoint.previous.npz", *NAMES}
    assert validate(tomllib.loads((where / "config.toml").read_text())) == blobs
    epochs = [json.loads(line) for line in (where / "metrics.jsonl").read_text().splitlines()]
    assert [epoch["epoch"] for epoch in epochs] == [1, 2, 3, 4]
    assert (
        json.loads((where / "result.json").read_text())["params_sha256"] == result["params_sha256"]
    )
    provenance = json.loads((where / "provenance.json").read_text())
    assert provenance["kind"] == "simulated"
    assert provenance["libraries"]["numpy"]
    assert provenance["data"]["train_size"] == 108
    assert all((where / name).stat().st_size > 5000 for name in NAMES)


def test_metrics_come_line_by_line(blobs, tmp_path):
    seen = []
    watcher = Watcher(epoch=lambda epoch: seen.append(len(RunFolder(tmp_path / "run").epochs)))
    train(blobs, out=tmp_path / "run", watcher=watcher, plots=False)
    assert seen == [1, 2, 3, 4]


def test_a_run_that_goes_on_has_no_result(blobs, tmp_path):
    train(with_learning(blobs, epochs=1), out=tmp_path / "run", plots=False)
    longer = with_learning(blobs, epochs=4)
    assert isinstance(
        resume(
            tmp_path / "run",
            longer,
            watcher=stop_after(-(-108 // longer.learning.batch_size) + 2),
            plots=False,
        ),
        Stopped,
    )
    assert not (tmp_path / "run" / "result.json").exists()
    said = []
    evaluate(tmp_path / "run", warned=said.append)
    assert said == [f"{tmp_path / 'run'} has not ended: it is tested as it is after epoch 1"]
    assert resume(tmp_path / "run", plots=False)["epochs"] == 4


def test_a_run_counts_its_own_time_alone(blobs, tmp_path):
    before = time.process_time(), time.perf_counter()
    assert before[0] > 0
    record = train(with_learning(blobs, epochs=1), out=tmp_path / "run", plots=False)
    assert 0 < record["cpu_s"] <= time.process_time() - before[0]
    assert 0 < record["wall_s"] <= time.perf_counter() - before[1]


def test_a_run_without_validation_or_residual_is_drawn_too(blobs_on_spins, tmp_path):
    table = blobs_on_spins.model_dump(exclude_none=True)
    table["data"] = {"name": "iris", "validation_size": 0}
    train(validate(table), out=tmp_path / "run")
    assert RunFolder(tmp_path / "run").epochs[0]["validation_accuracy"] is None
    assert (tmp_path / "run" / "residual.png").exists()


def test_without_a_folder_given_each_run_makes_its_own(blobs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    short = with_learning(blobs, epochs=1)
    first, second = (train(short, plots=False)["run_dir"] for _ in range(2))
    assert first != second
    assert first.startswith("runs/blobs-conjugate-3-")


@pytest.mark.parametrize("kind", ["blobs", "blobs_on_spins"])
@pytest.mark.parametrize("batches", [2, 11, pytest.param(1, marks=pytest.mark.slow)])
def test_resumed_equals_uninterrupted(kind, batches, tmp_path, request):
    experiment = request.getfixturevalue(kind)
    whole = train(experiment, out=tmp_path / "whole", plots=False)
    num_batches = -(-108 // experiment.learning.batch_size)
    stopped = train(
        experiment,
        out=tmp_path / "parts",
        watcher=stop_after(min(batches, num_batches + 1)),
        plots=False,
    )
    assert isinstance(stopped, Stopped)
    assert not (tmp_path / "parts" / "result.json").exists()
    resumed = resume(tmp_path / "parts", plots=False)
    for key in KEYS - {"wall_s", "cpu_s", "run_dir"}:
        assert resumed[key] == whole[key], key
    timeless = [
        [
            {k: v for k, v in epoch.items() if k not in ("wall_s", "cpu_s")}
            for epoch in RunFolder(path).epochs
        ]
        for path in (tmp_path / "whole", tmp_path / "parts")
    ]
    assert timeless[0] == timeless[1]


@pytest.mark.parametrize(
    "learning", [{"shift": 2, "clip_norm": 0.3, "warmup": 0.1}, {"warm_start": True}], ids=str
)
def test_images_resumed_in_the_middle_of_an_epoch_equal_the_uninterrupted_run(
    learning, tmp_path, blobs
):
    table = blobs.model_dump(exclude_none=True)
    table["data"] = {"name": "digits", "train_size": 60, "validation_size": 20, "test_size": 20}
    table["learning"] |= {"epochs": 3, **learning}
    experiment = validate(table)
    whole = train(experiment, out=tmp_path / "whole", plots=False)
    assert isinstance(
        train(experiment, out=tmp_path / "parts", watcher=stop_after(9), plots=False), Stopped
    )
    resumed = resume(tmp_path / "parts", plots=False)
    assert resumed["params_sha256"] == whole["params_sha256"]
    told = [
        [
            (e["cost"], e["clipped_gradients"], e["mean_free_steps"])
            for e in RunFolder(tmp_path / name).epochs
        ]
        for name in ("whole", "parts")
    ]
    assert told[0] == told[1]
    assert evaluate(tmp_path / "parts")["params_sha256"] == whole["params_sha256"]


def test_a_run_folder_older_than_a_key_is_still_evaluated_and_resumed(blobs, tmp_path):
    """Take out of a folder all that came with the keys for images."""
    result = train(blobs, out=tmp_path / "run", plots=False)
    new = ("shift", "flip", "warm_start", "clip_norm", "warmup")
    folder = RunFolder(tmp_path / "run")
    for path in (folder.path / "config.toml", folder.path / "metrics.jsonl"):
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if not line.startswith(new)))
    found = checkpoint.load(folder.checkpoint)
    data = {**found.data}
    data["identity"] = {
        k: v for k, v in data["identity"].items() if k not in {f"learning.{name}" for name in new}
    }
    assert len(data["identity"]) == len(found.data["identity"]) - len(new)
    data["position"]["tally"] = {
        k: v
        for k, v in data["position"]["tally"].items()
        if k not in ("updates", "num_gradients_clipped")
    }
    checkpoint.save(folder.checkpoint, found.arrays, data)
    assert evaluate(folder.path)["test_accuracy"] == result["test_accuracy"]
    longer = with_learning(blobs, epochs=5)
    assert resume(folder.path, longer, plots=False)["epochs"] == 5


def test_signals_are_the_callers_again_after_a_stop(blobs, tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    train(blobs, out=tmp_path / "run", watcher=stop_after(3), plots=False)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_finished_run_can_be_prolonged_where_the_rate_is_constant(blobs, tmp_path):
    train(blobs, out=tmp_path / "run", plots=False)
    longer = with_learning(blobs, epochs=6)
    prolonged = resume(tmp_path / "run", longer, plots=False)
    whole = train(longer, out=tmp_path / "whole", plots=False)
    assert prolonged["params_sha256"] == whole["params_sha256"]
    assert RunFolder(tmp_path / "run").experiment.learning.epochs == 6


def test_another_configuration_is_not_resumed(blobs, tmp_path):
    train(blobs, out=tmp_path / "run", watcher=stop_after(3), plots=False)
    before = (tmp_path / "run" / "config.toml").read_text()
    with pytest.raises(CheckpointError, match=r"another learning\.rate"):
        resume(tmp_path / "run", with_learning(blobs, rate=0.5))
    assert (tmp_path / "run" / "config.toml").read_text() == before


def test_a_damaged_checkpoint_falls_back_and_is_said(blobs, tmp_path):
    whole = train(blobs, out=tmp_path / "run", plots=False)
    path = tmp_path / "run" / "checkpoint.npz"
    content = bytearray(path.read_bytes())
    content[content.index(b"array.best.npy") + 300] ^= 0xFF  # among its numbers
    path.write_bytes(content)
    warnings = []
    resumed = resume(tmp_path / "run", watcher=Watcher(warned=warnings.append), plots=False)
    assert len(warnings) == 1
    assert "went back to checkpoint.previous.npz" in warnings[0]
    assert resumed["params_sha256"] == whole["params_sha256"]
    assert [epoch["epoch"] for epoch in RunFolder(tmp_path / "run").epochs] == [1, 2, 3, 4]


def test_a_line_cut_off_in_the_metrics_is_trained_again(blobs, tmp_path):
    whole = train(blobs, out=tmp_path / "whole", plots=False)
    train(blobs, out=tmp_path / "run", watcher=stop_after(15), plots=False)
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2, "train_ac')
    assert resume(tmp_path / "run", plots=False)["params_sha256"] == whole["params_sha256"]
    assert len(RunFolder(tmp_path / "run").epochs) == 4


def test_metrics_that_were_lost_are_said(blobs, tmp_path):
    train(blobs, out=tmp_path / "run", watcher=stop_after(25), plots=False)
    (tmp_path / "run" / "metrics.jsonl").unlink()
    with pytest.raises(CheckpointError, match="0 of the 2 epochs"):
        resume(tmp_path / "run")


def test_evaluate_repeats_the_accuracy_here_and_elsewhere(blobs, tmp_path):
    result = train(blobs, out=tmp_path / "run", plots=False)
    here = evaluate(tmp_path / "run")
    assert here["test_accuracy"] == result["test_accuracy"]
    assert here["params_sha256"] == result["params_sha256"]
    elsewhere = amended(blobs, overrides={"machine.backend": "hopfield?update=gradient"})
    there = evaluate(tmp_path / "run", elsewhere)
    assert abs(there["test_accuracy"] - result["test_accuracy"]) <= 0.1
    assert there["provenance"]["backend"] == "hopfield"
    assert there["provenance"]["schedule"]["dt"] == 0.5  # its own, not the one of the run


def test_what_was_trained_by_displacements_is_tested_where_there_are_none(blobs, tmp_path):
    small = {"estimator": "positive", "displacements": True, "nudging": 1e-9, "tolerance": 1e-6}
    experiment = with_learning(blobs, **small)
    result = train(experiment, out=tmp_path / "run", plots=False)
    assert result["test_accuracy"] >= 0.9
    noisy = amended(experiment, overrides={"machine.backend": "hopfield?state_noise=0.02"})
    there = evaluate(tmp_path / "run", noisy)
    assert abs(there["test_accuracy"] - result["test_accuracy"]) <= 0.1
    with pytest.raises(CapabilityError, match=r"not displacements.*learning\.displacements=false"):
        train(noisy, out=tmp_path / "noisy")


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("config.toml", "holds a run without a checkpoint: remove it, or give another --out"),
        ("letter.txt", "is not empty"),
    ],
)
def test_a_folder_of_something_else_is_left_alone(blobs, tmp_path, file, says):
    (tmp_path / file).write_text("dear reader")
    with pytest.raises(ConfigError, match=says):
        train(blobs, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [file]
    assert (tmp_path / file).read_text() == "dear reader"


def test_a_folder_that_cannot_be_made_is_said(blobs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        train(blobs, out=tmp_path / "file" / "run")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line(blobs, tmp_path):
    def fill(experiment, path, done):
        (path / "metrics.jsonl").symlink_to("/dev/full")

    with pytest.raises(CheckpointError, match="No space left on device") as caught:
        train(blobs, out=tmp_path / "run", watcher=Watcher(started=fill), plots=False)
    assert "\n" not in str(caught.value)


def test_a_disk_that_was_full_before_leaves_no_half_file(blobs, tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("isingeq.experiments.run_folder.os.fsync", full)
    with pytest.raises(CheckpointError, match="start again, it has no checkpoint yet"):
        train(blobs, out=tmp_path / "run", plots=False)
    assert list((tmp_path / "run").iterdir()) == []


def test_no_folder_is_made_for_what_cannot_run(blobs, tmp_path):
    with pytest.raises(ConfigError, match="batch_size"):
        train(with_learning(blobs, batch_size=1000), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
