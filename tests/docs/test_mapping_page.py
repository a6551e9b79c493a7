"""The page on mapping is true: its example runs, and it names every key of the reports."""

import re
from dataclasses import fields
from pathlib import Path

from calibration import QuantiseReport, Rounding, ScaleReport

PAGE = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text("utf-8")


def test_its_example_runs(capsys):
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.S | re.M)
    exec(compile(block, "mapping.md", "exec"), {"__name__": "page"})
    assert capsys.readouterr().out == "factor 127.0, 7.3 bits\n"


def test_it_names_every_key_of_the_reports():
    keys = {part.name for kind in (ScaleReport, QuantiseReport, Rounding) for part in fields(kind)}
    assert {key for key in keys - {"layer"} if f"`{key}`" not in PAGE} == set()
