"""The examples and the page on Python run as they stand, and reach what they are there to show."""

import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PAGE = Path(__file__).parents[2] / "docs" / "python.md"
# Least test accuracy; always answering the most frequent class gives 0.10, 0.33 and 0.40.
REACHED = {"train_in_python.py": 0.94, "own_data.py": 0.9, "sklearn_pipeline.py": 0.9}


def printed(name, capsys):
    """Run an example and return its lines."""
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out.splitlines()


def test_every_example_is_run():
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        *REACHED,
        "compare_backends.py",
        "dimod_sampler.py",
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", REACHED)
def test_it_ends_with_a_good_test_accuracy(name, capsys):
    last = printed(name, capsys)[-1]
    assert float(re.fullmatch(r"test accuracy (0\.\d{3}|1\.000)", last)[1]) >= REACHED[name]


@pytest.mark.slow
def test_backends_of_one_claim_agree(capsys):
    """The cosine of 50 reads to the exact gradient is 0.85; a wrong sign or scrambled units leave none."""
    lines = printed("compare_backends.py", capsys)
    found = [re.fullmatch(r"(\S+) +([A-Z_]+) +cosine (\S+) +test accuracy (\S+)", x) for x in lines]
    rows = {m[1]: (m[2], float(m[3]), float(m[4])) for m in found}
    assert len(rows) == 5
    assert min(accuracy for _, _, accuracy in rows.values()) > 0.8
    fixed = [cosine for claim, cosine, _ in rows.values() if claim == "FIXED_POINT"]
    assert len(fixed) == 3
    assert min(fixed) > 0.999
    claim, cosine, _ = rows["neal?beta=1&sweeps=20"]
    assert claim == "BOLTZMANN"
    assert cosine > 0.7


def test_parcels_are_shared_out_evenly(capsys):
    assert printed("dimod_sampler.py", capsys)[-1] == "difference 0 g"


def test_the_page_on_python_runs_from_top_to_bottom():
    """Each block stands on the lines where the page has it; two hold assertions of their own."""
    text, names = PAGE.read_text("utf-8"), {"__name__": "page"}
    for match in re.finditer(r"^```python\n(.*?)^```$", text, re.S | re.M):
        block = "\n" * text.count("\n", 0, match.start(1)) + match[1]
        exec(compile(block, str(PAGE), "exec"), names)
    assert names["accuracy"] > 0.85
    assert len(names["history"]) == 5
    assert names["scores"].min() > 0.85
