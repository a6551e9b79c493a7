"""The page on embedding is true: its example runs, and it names every key of the reports and every way."""

import re
from dataclasses import fields
from pathlib import Path

from calibration.embedding.report import EmbedReport
from calibration.mask import MaskReport

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "embedding.md").read_text("utf-8")


def test_its_example_runs():
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.S | re.M)
    exec(compile(block, "embedding.md", "exec"), {"__name__": "page"})


def test_it_names_every_key_of_the_reports():
    keys = {part.name for kind in (EmbedReport, MaskReport) for part in fields(kind)}
    assert {key for key in keys - {"layer"} if f"`{key}`" not in PAGE} == set()


def test_it_names_every_way_of_embedding():
    sources = [
        path.read_text("utf-8") for path in (ROOT / "calibration" / "embedding").glob("*.py")
    ]
    ways = {
        way
        for text in sources
        for way in re.findall(r'chip, "(\w+)"\)|pairs\.n \+ 1\), "(\w+)"', text)
    }
    named = {one or other for one, other in ways}
    assert named == {"identity", "sites", "lines", "transposition", "search"}
    assert all(f"`{way}`" in PAGE for way in named)
