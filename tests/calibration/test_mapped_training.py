"""Float networks train through whole numbers, from the command line too."""

import json

import numpy as np
import pytest

from calibration import Limits, reports
from isingeq.cli import main
from isingeq.errors import CapabilityError
from isingeq.experiments.build import build, limits_of
from isingeq.experiments.comparison import compare
from isingeq.experiments.reading import read_experiment, validate

TABLES = {
    "name": "clouds",
    "data": {"name": "blobs", "validation_size": 12},
    "network": {
        "hidden": [16],
        "unit": "spin",
        "output": "spin",
        "replicas": 2,
        "gains": [0.5, 0.25],
        "field_limit": 4.0,
    },
    "learning": {
        "estimator": "positive",
        "select": "best",
        "skip_correct": True,
        "epochs": 8,
        "batch_size": 10,
        "nudging": 5.0,
        "reads": 4,
        "optimizer": "sgd",
        "rate": 0.05,
        "bias_rate": 0.1,
        "momentum": 0.0,
        "weight_limit": 1.0,
    },
}
FILE = """
name = "clouds"
[data]
name = "blobs"
validation_size = 12
[network]
hidden = [6]
unit = "spin"
output = "spin"
[machine]
backend = "board?sweeps=10"
[learning]
nudging = 2.0
batch_size = 20
epochs = 1
"""


def clouds(*, layers="auto", **machine):
    machine = {"backend": "board", **machine}
    return validate({**TABLES, "machine": machine, "mapping": {"layers": layers}})


def trained(experiment):
    built = build(experiment)
    built.trainer.run()
    predicted = built.trainer.predict(built.data.x_test, parameters=built.trainer.result())
    built.close()
    return built.trainer, float((predicted == built.data.y_test).mean())


def test_eight_bits_train_as_floats_do(boards):
    """A third is right by always saying the same; the test set has a standard error of 0.05."""
    trainer, accuracy = trained(clouds())
    _, of_floats = trained(clouds(backend="metropolis", sweeps=40))
    assert min(accuracy, of_floats) > 0.8
    weights = trainer.parameters["hidden1-output.weight"]
    steps = weights * trainer.backend.factor.value
    assert np.abs(steps - np.rint(steps)).max() > 0.1
    assert trainer.backend.factor.num_rechosen == 0


def test_three_levels_do_not(boards):
    """So rounding is really done, and the test above can fail."""
    _, accuracy = trained(clouds(bits=2))
    assert accuracy < 0.6


def test_couplings_are_uploaded_once_per_update(boards):
    trainer, _ = trained(clouds())
    (board,) = boards
    free = (
        trainer.position.update + trainer.course.epochs + 1
    )  # of batches, of validation and of the test
    assert board.uploads <= free
    assert len(board.seen) > 1.5 * free


def test_without_mapping_floats_are_refused(boards):
    with pytest.raises(CapabilityError, match="let mapping=auto do so"):
        build(clouds(layers="none"))


def test_limits_follow_from_those_of_optimizer_and_encoder():
    def of(*settings):
        return limits_of(read_experiment("digits-binary", settings=settings))

    assert of() == Limits(1.0, 6.0)
    assert of("learning.nudging=1.0") == Limits(1.0, 4.0)
    assert of("network.hidden=[]") == Limits(1.0, 9.0)
    assert of("network.field_limit=none") is None
    assert of("learning.weight_limit=none") is None
    assert of("network.cost=cross_entropy") is None


def test_no_problem_of_a_run_is_beyond_the_limits(boards):
    """Every field and coupling that the board saw fits; the largest ones come close to the ends."""
    hasty = clouds(sweeps=5)
    trained(hasty.model_copy(update={"learning": hasty.learning.model_copy(update={"rate": 2.0})}))
    problems = [request.problem for request in boards[0].seen]
    J = max(np.abs(c.edges()[2]).max() for p in problems for c in p.couplings)
    assert 126 <= J <= 127


def test_a_run_says_what_was_mapped(boards, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("isingeq.experiments.plots.draw", lambda *_: None)
    (tmp_path / "clouds.toml").write_text(FILE)

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main([*arguments, "--json"])
        lines = capsys.readouterr().out.splitlines()
        return int(end.value.code or 0), json.loads(lines[-1]) if lines else {}

    code, result = run("train", "clouds.toml", "--out", "run")
    assert code == 0
    scale, quantise = result["provenance"]["mapping"]
    assert (scale["layer"], scale["fixed"]) == ("scale", False)
    assert 5 < quantise["couplings"]["effective_bits"] < 8
    assert 'layers = "auto"' in (tmp_path / "run" / "config.toml").read_text()
    code, again = run("evaluate", "run")
    assert code == 0
    assert [layer["layer"] for layer in again["provenance"]["mapping"]] == ["scale", "quantise"]
    for command in (
        ("train", "clouds.toml"),
        ("evaluate", "run", "--backend", "board"),
        ("audit", "clouds.toml"),
    ):
        assert run(*command, "--mapping", "none")[0] == CapabilityError.exit_code
    assert run("train", "clouds.toml", "--mapping", "maybe")[0] == 2
    assert run("evaluate", "run", "--mapping", "maybe")[0] == 2


def test_solving_maps_too_and_keeps_whole_numbers(boards, tmp_path, capsys):
    """A ring of five with weights up to the end of the range: the energy is exact, nothing was rounded."""
    path = tmp_path / "ring.txt"
    path.write_text("5 5\n1 2 127\n2 3 1\n3 4 1\n4 5 64\n1 5 1\n")

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["solve", str(path), "--backend", "board", "--json", *arguments])
        lines = capsys.readouterr().out.splitlines()
        return int(end.value.code or 0), json.loads(lines[-1]) if lines else {}

    code, found = run("--reads", "8")
    assert code == 0
    assert found["best_energy"] == -127 - 64 - 1 - 1 + 1
    scale, quantise = found["provenance"]["mapping"]
    assert scale["factor"] == 1
    assert quantise["couplings"]["max_error"] == 0
    path.write_text("5 5\n1 2 0.5\n2 3 1\n3 4 1\n4 5 64\n1 5 1\n")
    assert run("--mapping", "none")[0] == CapabilityError.exit_code
    assert run()[0] == 0


def test_comparison_maps_as_the_experiment_says(boards, tmp_path):
    for layers, right in (("auto", True), ("none", False)):
        experiment = clouds(layers=layers, sweeps=5).model_copy(
            update={"learning": clouds().learning.model_copy(update={"epochs": 1})}
        )
        (row,) = compare(experiment, ["board"], out=tmp_path / layers).rows
        assert bool(row.accuracies) is right
        assert ("mapping=auto" in row.problem) is not right


def test_an_audit_of_rounded_values_compares_directions(boards):
    from isingeq.experiments.auditing import audit_experiment

    small = clouds(sweeps=60).model_copy(
        update={"network": clouds().network.model_copy(update={"hidden": (6,)})}
    )
    found = audit_experiment(small)
    assert found.reference.startswith("equilibrium propagation on exact")
    assert 0.3 < found.cosine <= 1


def test_reports_of_a_backend_without_layers_are_none():
    from problems import problem

    from isingeq.backend import SettleRequest
    from isingeq.registry import open_backend

    assert list(reports(open_backend("exact").settle(SettleRequest(problem())))) == []
