import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["train", "digts"], 2, "did you mean 'digits'"),
        (
            ["train", "blobs.toml", "--set", "learning.nudgng=1"],
            2,
            "did you mean 'learning.nudging'",
        ),
        (["train", "blobs.toml", "--set", "learning.nudging=0"], 2, "learning.nudging = 0"),
        (["train", "blobs.toml", "--set", "learning.nudging=-1"], 2, "learning.nudging = -1"),
        (["train", "blobs.toml", "--set", "learning.nudging=nan"], 2, "finite"),
        (["train", "blobs.toml", "--set", "learning.batch_size=1000"], 2, "108 training samples"),
        (["train", "blobs.toml", "--set", "data.name=blob"], 2, "did you mean 'blobs'"),
        (["train", "blobs.toml", "--set", "data.train_size=5000"], 2, "5000"),
        (["train", "blobs.toml", "--backend", "conjugat"], 2, "did you mean 'conjugate'"),
        (["train", "blobs.toml", "--backend", "conjugate?dampng=1"], 2, "did you mean 'damping'"),
        (["train", "blobs.toml", "--backend", "neal"], 5, "neal cannot take amplitude units"),
        (
            ["train", "mnist-binary", "--backend", "conjugate"],
            5,
            "conjugate cannot take spin units",
        ),
        (["train", "blobs.toml", "--epochs", "0"], 2, "learning.epochs = 0"),
        (["train", "blobs.toml", "--epochs", "few"], 2, "--epochs"),
        (["train", "blobs.toml", "--epoch-count", "3"], 2, "No such option"),
        (["train", "blobs.toml", "--out", "."], 2, "is not empty"),
        (["train", "blobs.toml", "--out", "blobs.toml/run"], 2, "cannot be written"),
        (["train", "--resume", "."], 7, "is no run folder"),
        (["train", "--resume", ".", "--out", "x"], 2, "--out"),
        (["evaluate", "nowhere"], 7, "is no run folder"),
        (["conformance", "nothing"], 2, "no backend is called 'nothing'"),
        (["compare", "blobs.toml"], 2, "--backends"),
        (["dance"], 2, "dance"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(isingeq, arguments, code, says, monkeypatch):
    import numpy as np

    from isingeq.experiments import build
    from isingeq.tasks import from_arrays

    if "mnist-binary" in arguments:  # without its files
        x = np.zeros((20, 784))
        data = from_arrays(x, np.arange(20) % 10, x, np.arange(20) % 10)
        monkeypatch.setattr(build, "load", lambda **_: data)
    ended = isingeq(*arguments)
    assert ended.code == code, ended
    assert ended.out == ""
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1
    assert says in ended.err


def test_debug_shows_the_traceback_too(isingeq):
    ended = isingeq("train", "digts", "--debug")
    assert ended.code == 2
    assert "Traceback" in ended.err
    assert ended.err.splitlines()[-1].startswith("error: no experiment is called 'digts'")


def test_divergence_is_one_line_and_leaves_a_folder_without_a_result(isingeq, tmp_path):
    ended = isingeq(
        "train", "blobs.toml", "--quiet", "--out", "run",
        "--set", "learning.optimizer=sgd", "--set", "learning.rate=1e6",
    )  # fmt: skip
    assert ended.code in (3, 6)
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "run" / "result.json").exists()


def test_an_error_nobody_foresaw_is_one_line_too(isingeq, monkeypatch):
    from isingeq.experiments import run

    def stumble(*arguments, **options):
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr(run, "train", stumble)
    ended = isingeq("train", "blobs.toml")
    assert ended.code == 1
    assert ended.err == "error: unexpected ZeroDivisionError: by nought (--debug shows where)\n"


def test_a_damaged_checkpoint_is_said_and_the_one_before_used(isingeq, tmp_path):
    isingeq("train", "blobs.toml", "--out", "run")
    path = tmp_path / "run" / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:-200])
    ended = isingeq("train", "--resume", "run", "--quiet")
    assert ended.code == 0
    assert ended.err.startswith("warning: checkpoint run/checkpoint.npz is damaged")
    (tmp_path / "run" / "checkpoint.previous.npz").write_bytes(b"")
    path.write_bytes(b"")
    ended = isingeq("train", "--resume", "run")
    assert ended.code == 7
    assert ended.err.count("\n") == 1


def test_resume_with_another_config_is_refused(isingeq):
    isingeq("train", "blobs.toml", "--out", "run")
    ended = isingeq("train", "--resume", "run", "--set", "learning.rate=0.001")
    assert ended.code == 7
    assert "another learning.rate" in ended.err


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom isingeq.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'numba', 'numpy', 'scipy', 'sklearn', 'matplotlib', 'pydantic', 'dimod'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "conformance" in ended.stdout
