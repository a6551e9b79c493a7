"""The page on profiles is true: its example runs, and it names every field, option and kind."""

import re
from dataclasses import fields
from pathlib import Path

from firmware_models.chip_options import TYPICAL
from firmware_models.chip_profile import load_chip
from firmware_models.wires import KINDS
from isingeq.registry import options

PAGE = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text("utf-8")


def test_its_example_runs(capsys):
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.S | re.M)
    exec(compile(block, "profiles.md", "exec"), {"__name__": "page"})
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "64 spins, 210 couplers in steps of 1.0"
    assert re.fullmatch(r"typical gain 0.08 of this coupler -?0\.\d+", out[1])
    assert re.fullmatch(r"agree in 0\.[5-9] of reads", out[2])
    assert out[3] == "device time 0.002 s, assumed: []"


def test_it_names_every_field():
    tables = {name.partition(".") for name, _ in load_chip("kings-256").entries()}
    assert {
        k for table, _, entry in tables for k in (table, entry) if f"`{k}`" not in PAGE
    } == set()


def test_it_names_every_kind_of_topology():
    assert {kind for kind in KINDS if f"`{kind}`" not in PAGE} == set()


def test_it_names_every_option():
    assert {key for key in options("profile") if f"`{key}`" not in PAGE} == set()


def test_it_tells_what_is_typical():
    shares = (TYPICAL.gain_sigma, TYPICAL.field_gain_sigma, TYPICAL.offset_sigma)
    assert shares == (0.05, 0.05, 0.02)
    assert TYPICAL.readout_error == 0.001
    named = {entry.name for entry in fields(TYPICAL) if getattr(TYPICAL, entry.name)}
    assert named == {"gain_sigma", "field_gain_sigma", "offset_sigma", "readout_error"}
