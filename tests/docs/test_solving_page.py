"""The page on solving is true: its example runs, and it names every option, format and key."""

import re
from pathlib import Path

import typer

from isingeq.cli.commands import app
from isingeq.registry import open_backend
from isingeq.solving import read_problem, solve
from isingeq.solving.files import FORMATS

PAGE = (Path(__file__).parents[2] / "docs" / "solving.md").read_text("utf-8")


def test_its_example_runs():
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.S | re.M)
    names = {"__name__": "page"}
    exec(compile(block, "solving.md", "exec"), names)
    assert names["found"].stopped == "target"


def test_it_names_every_format():
    rows = re.findall(r"^\| (`[a-z`, -]+`) \| [`.\w, ]+ \|", PAGE, re.M)
    named = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)}
    assert named >= set(FORMATS)


def test_it_names_every_option():
    command = typer.main.get_command(app).commands["solve"]
    options = {o for p in command.params for o in p.opts if o.startswith("--")}
    told = {"--quiet", "--debug", "--help"}
    assert {o for o in options - told if o not in PAGE} == set()


def test_it_names_the_keys_of_the_answer(tmp_path):
    path = tmp_path / "pair.txt"
    path.write_text("2 1\n1 2 1\n")
    found = solve(read_problem(path), open_backend("exact"))
    asked = {"target_cut", "full_reads"}
    assert {key for key in found.as_dict() if f"`{key}`" not in PAGE} == asked
