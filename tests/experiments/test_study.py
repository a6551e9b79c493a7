import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from isingeq.errors import CalibrationError, CapabilityError, CheckpointError, ConfigError
from isingeq.experiments import study as running
from isingeq.experiments import study_plots
from isingeq.experiments.build import build
from isingeq.experiments.reading import amended, parse
from isingeq.experiments.study import StudyWatcher, run_study, tasks_of
from isingeq.experiments.study_file import Point, read_study, slug, study_from
from isingeq.experiments.study_outcomes import (
    Outcome,
    Task,
    as_dict,
    groups,
    kept,
    table,
    write_tables,
)
from isingeq.experiments.toml import dumps

EXPERIMENT = """
name = "clouds"
[data]
name = "blobs"
validation_size = 12
[network]
hidden = [6]
unit = "spin"
output = "spin"
replicas = 2
[machine]
backend = "neal"
sweeps = 20
[learning]
epochs = 2
batch_size = 20
nudging = 2.0
reads = 2
"""
STUDY = """
name = "sweeps"
experiment = "clouds.toml"
methods = ["ideal", "in-situ", "ex-situ"]
repeats = 2
seed = 4

[settings]
machine.backend = "gibbs"

[sweep]
machine.sweeps = [3, 10]
learning.rate = [0.05, 0.2]
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clouds.toml").write_text(EXPERIMENT)
    return study_from(parse(STUDY, "study"), "study")


@pytest.fixture
def once(study):
    """The study with one chip."""
    return changed(STUDY, repeats=1)


def changed(text, **sweep):
    return study_from(parse(text, "study") | sweep, "study")


def test_every_combination_is_a_point_and_the_last_key_runs_fastest(study):
    assert [point.label for point in study.points] == [
        "sweeps 3, rate 0.05", "sweeps 3, rate 0.2", "sweeps 10, rate 0.05", "sweeps 10, rate 0.2",
    ]  # fmt: skip


def test_what_is_ideal_is_run_once_for_all_chips(study):
    tasks = tasks_of(study)
    ideal = [task for task in tasks if task.method == "ideal"]
    assert len(tasks) == len(set(tasks)) == 2 * (2 + 4 + 4)
    assert [(task.point.label, task.repeat) for task in ideal] == [
        ("rate 0.05", 0), ("rate 0.2", 0), ("rate 0.05", 1), ("rate 0.2", 1),
    ]  # fmt: skip
    assert [task.repeat for task in tasks] == [0] * 10 + [1] * 10


def test_chip_and_ideal_machine_have_what_was_asked_for(study):
    point = study.points[3]
    chip, ideal = study.on_chip(point, 1), study.on_ideal(point, 1)
    assert chip.machine.spec == "gibbs?sweeps=10"
    assert ideal.machine.spec == "neal?sweeps=20"
    assert chip.learning == ideal.learning
    assert (chip.learning.rate, chip.seed, ideal.seed) == (0.2, 5, 5)
    named = changed(STUDY, ideal="neal?sweeps=7")
    assert named.on_ideal(point, 0).machine.spec == "neal?sweeps=7"


def test_a_study_says_what_its_runs_come_to(study, tmp_path):
    seen = []
    watcher = StudyWatcher(
        started=lambda path, done, total: seen.append((done, total)),
        done=lambda outcome, done, left: seen.append(done),
    )
    studied = run_study(study, out=tmp_path / "out", watcher=watcher)
    assert seen == [(0, 20), *range(1, 21)]
    assert not studied.interrupted
    by_task = {outcome.task: outcome for outcome in studied.outcomes}
    assert list(by_task) == tasks_of(study)
    point = study.points[2]
    for method, words in (("in-situ", "sweeps-10-rate-0.05"), ("ideal", "rate-0.05")):
        at = study.ideal_point(point) if method == "ideal" else point
        assert slug(at).startswith(words)
        folder = tmp_path / "out" / "runs" / method / slug(at)
        record = json.loads((folder / "1" / "result.json").read_text())
        task = Task(at, method, 1)
        assert by_task[task].accuracy == record["test_accuracy"]
    # Learnt on the ideal machine, tested on the chip: the weights are those of the ideal run.
    assert not (tmp_path / "out" / "runs" / "ex-situ").exists()
    assert by_task[Task(point, "ex-situ", 1)].accuracy > 0.4  # three classes

    found = groups(study, studied.outcomes)
    write_tables(tmp_path / "out", study, found)
    names = study_plots.draw(tmp_path / "out", study, found)
    assert names == ["accuracy-by-machine-sweeps.png", "accuracy-by-learning-rate.png"]
    assert all((tmp_path / "out" / name).stat().st_size > 10_000 for name in names)
    table = (tmp_path / "out" / "table.csv").read_text().splitlines()
    assert table[0].startswith("machine.sweeps,learning.rate,method,accuracy")
    assert len(table) == 1 + len(found) == 1 + 2 + 4 + 4
    assert (tmp_path / "out" / "table.md").read_text().count("\n| ") == 2 + len(found)


def test_what_is_done_is_not_done_again(once, tmp_path, monkeypatch):
    first = run_study(once, out=tmp_path / "out")
    lines = (tmp_path / "out" / "outcomes.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "out" / "outcomes.jsonl").write_text("".join(lines[:7]) + lines[7][:20])
    begun = []
    again = run_study(once, out=tmp_path / "out", watcher=StudyWatcher(task=begun.append))
    assert begun == tasks_of(once)[7:]
    same = [replace(outcome, seconds=0) for outcome in first.outcomes]
    assert [replace(outcome, seconds=0) for outcome in again.outcomes] == same
    assert len(kept(tmp_path / "out", once)) == 10  # the half line is gone, not in the way
    monkeypatch.setattr(running, "_run", lambda *_: pytest.fail("nothing is left to do"))
    assert run_study(once, out=tmp_path / "out").outcomes == again.outcomes


def test_a_study_that_was_stopped_goes_on_where_it_was(once, tmp_path):
    whole = run_study(once, out=tmp_path / "whole")

    def stop(task):
        if task == tasks_of(once)[3]:
            os.kill(os.getpid(), signal.SIGINT)

    stopped = run_study(once, out=tmp_path / "out", watcher=StudyWatcher(task=stop))
    assert stopped.interrupted
    assert len(stopped.outcomes) == 3
    half = tmp_path / "out" / "runs" / "in-situ" / slug(tasks_of(once)[3].point) / "0"
    half.mkdir(parents=True, exist_ok=True)
    (half / "config.toml").write_text("killed before its first checkpoint")
    again = run_study(once, out=tmp_path / "out")
    assert [replace(o, seconds=0) for o in again.outcomes] == [
        replace(o, seconds=0) for o in whole.outcomes
    ]


def test_a_signal_in_a_training_leaves_its_checkpoint(study, tmp_path, monkeypatch):
    train = running.train

    def interrupted(experiment, **options):
        from isingeq.experiments.run import Watcher

        def stop(position, batches):
            if position.update == 3:
                os.kill(os.getpid(), signal.SIGINT)

        return train(experiment, watcher=Watcher(batch=stop), **options)

    monkeypatch.setattr(running, "train", interrupted)
    studied = run_study(study, out=tmp_path / "out")
    assert studied.interrupted
    assert studied.outcomes == []
    (where,) = (tmp_path / "out" / "runs" / "ideal").glob("rate-0.05-*/0")
    assert (where / "checkpoint.npz").is_file()
    monkeypatch.setattr(running, "train", lambda *_, **__: pytest.fail("it is resumed"))
    with pytest.raises(pytest.fail.Exception):
        run_study(study, out=tmp_path / "out")
    assert (where / "result.json").is_file()


def test_a_task_that_fails_leaves_the_others_alone_and_is_tried_again(once, tmp_path, monkeypatch):
    run, failed = running._run, tasks_of(once)[5]

    def failing(study, task, path):
        if task == failed:
            raise CapabilityError("no room on this chip")
        return run(study, task, path)

    monkeypatch.setattr(running, "_run", failing)
    studied = run_study(once, out=tmp_path / "out")
    (bad,) = [outcome for outcome in studied.outcomes if outcome.problem]
    assert (bad.task, bad.accuracy) == (failed, None)
    (group,) = [g for g in groups(once, studied.outcomes) if g.problem]
    heads, (row,) = table(once, [group])
    assert (heads[-1], row[-1]) == ("failed because", "no room on this chip")
    monkeypatch.setattr(running, "_run", run)
    assert not any(o.problem for o in run_study(once, out=tmp_path / "out").outcomes)


def test_a_chip_is_measured_once_and_corrected_by_what_was_found(study, tmp_path):
    wired = EXPERIMENT.replace("hidden = [6]", 'lattice = "kings"\nsites = [5, 7]\nlateral = false')
    (tmp_path / "clouds.toml").write_text(wired)
    chip = {"backend": "profile:kings-256", "rows": 5, "columns": 7, "offset_sigma": 40.0}
    measured = changed(
        STUDY, methods=["in-situ calibrated", "ex-situ calibrated"], repeats=1, settings={"machine": chip},
        sweep={}, precision=0.1,
    )  # fmt: skip
    studied = run_study(measured, out=tmp_path / "out")
    assert not any(outcome.problem for outcome in studied.outcomes)
    (folder,) = (tmp_path / "out" / "calibrations").iterdir()
    record = tmp_path / "out" / "runs" / "in-situ-calibrated" / "all" / "0" / "result.json"
    layers = {x["layer"]: x for x in json.loads(record.read_text())["provenance"]["mapping"]}
    assert layers["embed"]["found"] == "sites"
    assert layers["trim"]["calibration"].startswith("King's graph candidate 0x")
    assert layers["trim"]["fields"]["offset_rms"] == pytest.approx(40, rel=0.4)
    other = amended(
        measured.on_chip(measured.points[0], 1), overrides={"mapping.calibration": str(folder)}
    )
    with pytest.raises(CalibrationError, match="of another device"):
        build(other)
    stale = {"mapping.calibration": str(folder), "mapping.max_age_h": 1e-9}
    with pytest.raises(CalibrationError, match="hours old"):
        build(amended(measured.on_chip(measured.points[0], 0), overrides=stale))
    off = {"mapping.calibration": str(folder), "mapping.layers": "none"}
    with pytest.raises(ConfigError, match=r"mapping\.layers=auto"):
        build(amended(measured.on_chip(measured.points[0], 0), overrides=off))


def test_losses_are_of_pairs(study):
    point, other = study.points[0], study.points[1]
    ideal = study.ideal_point(point)

    def came(where, method, repeat, accuracy):
        return Outcome(
            Task(where, method, repeat), accuracy, effective_bits=3 + repeat, seconds=20 + repeat
        )

    found = groups(
        study,
        [
            came(ideal, "ideal", 0, 0.9), came(ideal, "ideal", 1, 0.7),
            came(point, "in-situ", 0, 0.8), came(point, "in-situ", 1, 0.66),
            came(other, "in-situ", 0, 0.5),
        ],
    )  # fmt: skip
    _, chip, unpaired = found
    np.testing.assert_allclose(chip.losses, (0.1, 0.04))
    record = as_dict(chip)
    assert record["accuracy"] == pytest.approx(0.73)
    assert record["lost"] == pytest.approx(0.07)
    # Two values x, y: half the interval is t(0.975, 1) |x − y| / 2.
    assert record["lost_interval_95"] == pytest.approx(12.7062 * 0.03, rel=1e-4)
    assert record["effective_bits"] == 3.5
    assert record["seconds"] == 20.5
    assert unpaired.losses == ()
    assert as_dict(unpaired)["interval_95"] is None
    heads, rows = table(study, found)
    assert dict(zip(heads, rows[1], strict=True))["points lost to ideal"] == "7.00 ± 38.12"
    assert not {"chip units per unit", "failed because"} & set(heads)
    assert "points lost to ideal" not in table(study, found[:1])[0]


def test_every_point_has_a_folder_of_its_own():
    values = [
        1.0,
        -1.0,
        0.0012345678,
        0.0012345679,
        "conjugate?a=1&b=2",
        "conjugate?a=1?b=2",
        (1, 2),
        (12,),
    ]
    slugs = {slug(Point((("machine.x", value),))) for value in values}
    assert len(slugs) == len(values)
    assert not any(set("?&=/ ") & set(name) for name in slugs)
    assert slug(Point(())) == "all"


def test_lists_are_values_too(study, tmp_path):
    nets = changed(STUDY, sweep={"network": {"hidden": [[6], [4, 3]]}}, methods=["in-situ"])
    assert [nets.on_chip(point, 0).network.hidden for point in nets.points] == [(6,), (4, 3)]
    again = study_from(parse(nets.text, "text"), "text")
    assert again.points == nets.points
    assert nets.point({"network.hidden": [4, 3]}) == Point((("network.hidden", (4, 3)),))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"methods": ["on-line"]}, "methods"),
        ({"methods": []}, "methods"),
        ({"repeats": 0}, "repeats"),
        ({"repeat": 3}, "unknown key 'repeat'; did you mean 'repeats'"),
        ({"experiment": "digit"}, "did you mean 'digits'"),
        ({"sweep": {"machine": {"sweeps": 3}}}, "a list of values is needed"),
        ({"sweep": {"machine": {"sweeps": []}}}, "a list of values is needed"),
        ({"sweep": {"machine": {"sweeps": [3, 3]}}}, "names a value twice"),
        ({"sweep": {"machine": {"backend": ["neal", "gibbs"]}}}, "in settings and in sweep"),
        ({"sweep": {"learning": {"rates": [3.0]}}}, "learning.rates"),
        ({"sweep": {"learning": {"speed": [3]}}}, "unknown key 'learning.speed'"),
        ({"sweep": {"seed": [1, 2]}}, "seeds of their own"),
        ({"settings": {"learning": {"epochs": -1}}}, "learning.epochs"),
    ],
)
def test_what_is_wrong_with_a_study_is_said_before_any_work(study, change, says):
    with pytest.raises(ConfigError, match=says) as error:
        changed(STUDY, **change)
    assert "\n" not in str(error.value)


def test_a_folder_of_another_study_is_left_alone(study, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "study.toml").write_text(dumps({"name": "another"}))
    with pytest.raises(ConfigError, match="holds another study"):
        run_study(study, out=tmp_path / "out")
    (tmp_path / "out" / "study.toml").unlink()
    (tmp_path / "out" / "letter.txt").write_text("dear reader")
    with pytest.raises(ConfigError, match="not empty"):
        run_study(study, out=tmp_path / "out")


def test_a_line_that_is_no_outcome_is_named(study, tmp_path):
    (tmp_path / "outcomes.jsonl").write_text('{"method": "ideal"}\n')
    with pytest.raises(CheckpointError, match=r"line 1 of .* is no outcome"):
        kept(tmp_path, study)


@pytest.mark.parametrize(
    ("name", "points"), [("kings-bits", 8), ("mismatch", 2), ("estimators", 6), ("relaxations", 4)]
)
def test_studies_that_ship_can_be_read(name, points):
    study = read_study(name)
    assert study.file.name == name
    assert len(study.points) == points
    assert len(tasks_of(study)) >= len(study.points) * study.file.repeats
