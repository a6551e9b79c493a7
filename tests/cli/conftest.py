from collections.abc import Callable
from dataclasses import dataclass

import pytest

from isingeq.cli import main

BLOBS = """
name = "blobs"
seed = 3
[data]
name = "blobs"
validation_size = 12
[network]
hidden = [16]
[learning]
epochs = 3
batch_size = 10
rate = 0.05
free_steps = 30
nudged_steps = 15
"""


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


def _leave_empty(folder, *_):
    from isingeq.experiments.plots import NAMES

    for name in NAMES:
        (folder.path / name).touch()


@pytest.fixture
def isingeq(capsys, tmp_path, monkeypatch) -> Callable[..., Ended]:
    """Run a command in an empty folder that holds blobs.toml, and return how it ended.

    Plots, which take longer than the runs, are left out; tests of the run folder draw them.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("isingeq.experiments.plots.draw", _leave_empty)
    (tmp_path / "blobs.toml").write_text(BLOBS)

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        return Ended(int(end.value.code or 0), *capsys.readouterr())

    return run
