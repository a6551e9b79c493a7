"""The page on calibration is true: its block runs, and the options it lists are there."""

import inspect
import re
from pathlib import Path

from isingeq.cli.calibrate import calibrate

PAGE = (Path(__file__).parents[2] / "docs" / "calibration.md").read_text("utf-8")


def test_the_block_runs(capsys):
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE, re.S | re.M):
        exec(compile(block, "docs/calibration.md", "exec"), {"__name__": "page"})
    assert re.search(r"couplers, spread 0\.0\d+ beyond errors", capsys.readouterr().out)


def test_the_options_are_those_of_the_command():
    listed = set(re.findall(r"`--(\w+)", PAGE))
    own = set(inspect.signature(calibrate).parameters)
    assert listed <= own
    assert own - listed == {"spec", "seed", "json", "quiet", "debug"}
