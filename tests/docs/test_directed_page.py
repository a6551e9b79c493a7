"""The page on forces without an energy is true: its example runs, and it names every estimator, key and experiment."""

import re
from pathlib import Path

from isingeq.experiments.networks import RATE_ALONE
from isingeq.experiments.reading import read_experiment, shipped
from isingeq.learning.nonconservative import METHODS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "directed.md").read_text("utf-8")


def test_its_example_runs():
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.S | re.M)
    exec(compile(block, "directed.md", "exec"), {"__name__": "page"})


def test_it_names_every_estimator_key_and_experiment():
    rates = [name for name in shipped() if read_experiment(name).network.kind == "rate"]
    assert len(rates) >= 5
    assert all(f"isingeq train {name}" in PAGE for name in rates)
    assert all(f"| `{method}` |" in PAGE for method in METHODS)
    assert all(f"| `{key}` |" in PAGE for key in RATE_ALONE)
