"""The whole loop: equilibrium propagation on a board, over its wire; the same weights whoever plays the board."""

import json

import pytest
from boards import url_of

from isingeq.cli import main

SMALL = """
name = "small"
[data]
name = "digits"
train_size = 40
validation_size = 20
test_size = 40
[network]
hidden = [24]
unit = "spin"
output = "spin"
replicas = 2
gains = [0.5, 0.25]
field_limit = 4.0
[machine]
backend = "model://ref-arm192"
sweeps = 10
[learning]
estimator = "centred"
nudging = 2.0
reads = 2
optimizer = "sgd"
rate = 0.02
weight_limit = 1.0
epochs = 2
batch_size = 8
"""


@pytest.fixture
def isingeq(capsys, tmp_path, monkeypatch):
    """Run a command in an empty folder that holds small.toml; return the JSON it ends with."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("isingeq.experiments.plots.draw", lambda *_: None)
    (tmp_path / "small.toml").write_text(SMALL)

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([*arguments, "--json"])
        said = capsys.readouterr()
        assert not end.value.code, said.err
        return json.loads(said.out.splitlines()[-1])

    return run


def train(isingeq, url, *more):
    return isingeq("train", "small.toml", "--backend", url, *more)["params_sha256"]


@pytest.mark.parametrize("target", ["native", "lm3s"])
def test_model_and_firmware_train_to_the_same_weights(isingeq, target):
    model = train(isingeq, "model://ref-arm192?sweeps=10")
    assert train(isingeq, url_of(target, "sweeps=10")) == model


def test_a_bad_line_trains_to_the_same_weights(isingeq):
    quiet = train(isingeq, "model://ref-arm192?sweeps=10")
    faults = "flip:0.0002,drop:0.0002,reset:0.002,stall:0.002,unplug:0.001,seed:3"
    bad = train(isingeq, f"model://ref-arm192?sweeps=10&baud=115200&timeout=20&faults={faults}")
    assert bad == quiet


def test_a_run_on_a_board_is_resumed_to_the_same_weights(isingeq):
    whole = train(isingeq, "model://ref-arm192?sweeps=10")
    train(isingeq, "model://ref-arm192?sweeps=10", "--epochs", "1", "--out", "run")
    assert isingeq("train", "--resume", "run", "--epochs", "2")["params_sha256"] == whole


@pytest.mark.parametrize(
    "runs", [2, *(pytest.param(k, marks=pytest.mark.slow) for k in (9, 11, 26))]
)
def test_a_device_that_is_lost_leaves_a_run_to_go_on_with(
    isingeq, capsys, tmp_path, monkeypatch, runs
):
    """Unplugged for good while it trains, while it validates, in the second epoch, and while it tests."""
    whole = train(isingeq, "model://ref-arm192")
    monkeypatch.setattr("firmware_models.model._unplugged", {})
    (tmp_path / "lost.toml").write_text(
        f'[[incidents]]\nkind = "unplug"\nopcode = "RUN"\nnth = {runs}\nseconds = inf\n'
    )
    url = "model://ref-arm192?faults=lost.toml&recovery=1"
    with pytest.raises(SystemExit) as end:
        main(["train", "small.toml", "--backend", url, "--out", "run", "--json"])
    said = capsys.readouterr().err
    assert end.value.code == 8, said
    assert "is back, isingeq train --resume run\nerror: " in said
    (tmp_path / "lost.toml").write_text("")  # another process finds it plugged in
    monkeypatch.setattr("firmware_models.model._unplugged", {})
    assert isingeq("train", "--resume", "run")["params_sha256"] == whole
