"""Profiles: those that ship can be simulated and say where each number is from; others are refused in one line."""

import tomllib
from dataclasses import fields

import numpy as np
import pytest

from firmware_models.analog import Imperfections
from firmware_models.chip_options import TYPICAL, typical
from firmware_models.chip_profile import SHIPPED, chip_from, chip_names, load_chip
from isingeq.backend import SettleRequest
from isingeq.couplings import Edges
from isingeq.errors import ConfigError
from isingeq.problem import Problem
from isingeq.registry import open_backend
from isingeq.units import Layer, Spin

BOARDS = ("ref-arm192", "ref-avr64")
OWN = [name for name in chip_names() if name not in BOARDS]
LARGE = ("hitachi-asic-384", "ntt-cim-100k")

PLAIN = """
[maker]
vendor = "me"
model = "mine"
[topology]
kind = "kings"
rows = 4
columns = 5
[coupling]
low = -7
high = 7
bits = 4
[physics]
spec = "gibbs?sweeps=20"
"""


def plain(**tables):
    data = tomllib.loads(PLAIN)
    for name, table in tables.items():
        data[name] = {**data.get(name, {}), **table}
    return data


def test_what_ships():
    every = set(chip_names())
    assert {"ideal", "kings-256", "dwave-advantage2-1.10", "umn-rosc-1968", *BOARDS} <= every
    assert len(OWN) >= 10


@pytest.mark.parametrize("name", OWN)
def test_every_number_has_a_source_or_a_reason(name):
    data = tomllib.loads((SHIPPED / f"{name}.toml").read_text("utf-8"))
    profile = load_chip(name)
    given = [
        f"{table}.{key}"
        for table, entries in data.items()
        if table not in ("sources", "assumed")
        for key in entries
    ]
    assert {field for field in given if not profile.origin(field)[0]} == set()
    texts = [text for _, text in (*profile.sources, *profile.assumed)]
    assert all(text.strip() for text in texts)
    assert not any("unverified" in text for text in texts)


@pytest.mark.parametrize("name", [n for n in chip_names() if n not in LARGE])
def test_every_profile_can_be_simulated(name):
    chip = open_backend(f"profile:{name}?seed=1")
    c = chip.capabilities
    i, j = np.array([0]), np.array([1])
    if c.connectivity is not None:
        i, j = c.connectivity.i[:1], c.connectivity.j[:1]
    n = int(j[0]) + 1
    J = np.array([c.coupling_step or 0.5])
    p = Problem((Layer("a", n, Spin()),), (Edges(n, i, j, J),), np.zeros((2, n)))
    found = chip.settle(SettleRequest(p, reads=2))
    assert (np.abs(found.states) == 1).all()
    assert found.provenance.kind == "simulated"
    chip.close()


def test_a_profile_is_not_ideal_unless_it_is_asked_to_be():
    for name in chip_names():
        if name in LARGE or name.startswith("dwave-a"):  # seconds, and no other branch
            continue
        profile = load_chip(name)
        chip = open_backend(f"profile:{name}")
        if profile.imperfections is None:
            assert chip.imperfections == typical(profile) != Imperfections()
            assert chip.imperfections.gain_sigma == TYPICAL.gain_sigma
            assert chip.mismatch.coupling_gain.any()
            assert chip.capabilities.claim.value == "none"
            assert "imperfections.gain_sigma" in chip.assumed
        else:  # someone wrote down what there is, or that there is nothing
            assert chip.imperfections == profile.imperfections
            assert any(n.startswith("imperfections") for n, _ in (*profile.sources, *profile.assumed))  # fmt: skip
    assert open_backend("profile:kings-256?ideal").ideal
    assert open_backend("profile:ref-arm192?ideal").ideal
    assert open_backend("profile:ideal").ideal
    assert {n for n in BOARDS if load_chip(n).imperfections is None} == set(BOARDS)


def test_a_board_is_read_from_its_descriptor():
    p = load_chip("ref-arm192")
    assert (p.units.most, p.coupling.range, p.coupling.spacing) == (192, (-127, 127), 1)
    assert p.timing.settle_s == pytest.approx(100 * 1.4e-5)
    assert p.origin("coupling.low") == ("source", "descriptor of ref-arm192")
    assert p.origin("timing.settle_s")[0] == "assumed"


def test_one_of_ones_own(tmp_path):
    path = tmp_path / "my.chip.toml"
    path.write_text(PLAIN + '[sources]\nmaker = "me"\n')
    chip = open_backend(f"profile:{path}?seed=2")
    assert chip.profile.name == "my.chip"
    assert chip.capabilities.max_units == 20
    assert chip.capabilities.coupling_step == 1
    assert chip.assumed["field"] == "nothing published: real numbers of any size"


def test_bits_and_levels_become_steps():
    for coupling, step in [
        ({"low": -7, "high": 7, "bits": 4}, 1),
        ({"low": -127, "high": 127, "bits": 4}, 127 / 7),
        ({"low": -8, "high": 7, "bits": 4}, 1),
        ({"low": -1, "high": 1, "bits": 2}, 1),
    ]:
        assert chip_from(plain(coupling=coupling), "x").coupling.spacing == pytest.approx(step)
    for levels, step in [
        ((-2, -1, 0, 1, 2), 1),
        ((-0.5, 0, 0.5), 0.5),
        ((-4, -1, 0, 1, 4), None),
        ((-0.7, 0, 1), None),
        ((0, 1), 1),
    ]:
        data = plain()
        data["coupling"] = {"levels": list(levels)}
        values = chip_from(data, "x").coupling
        assert (values.spacing, values.range) == (step, (levels[0], levels[-1]))


def test_options_replace_numbers():
    chip = open_backend(
        "profile:kings-256?rows=3&columns=5&bits=4&field_range=50&gain_sigma=0.2&offset_sigma=0&settle_s=2&sweeps=7&"
        "physics=metropolis"
    )  # fmt: skip
    c = chip.capabilities
    assert (c.max_units, c.coupling_step, c.field_range) == (15, 127 / 7, (-50, 50))
    assert c.field_step == pytest.approx(50 / 1023)
    assert (chip.imperfections.gain_sigma, chip.imperfections.offset_sigma) == (0.2, 0.0)
    assert chip.imperfections.field_gain_sigma == TYPICAL.field_gain_sigma
    assert {"imperfections.gain_sigma", "imperfections.offset_sigma"} & set(chip.assumed) == set()
    assert chip.profile.physics.spec == "metropolis?sweeps=7"
    only = open_backend("profile:kings-256?ideal&gain_sigma=0.2").imperfections
    assert only == Imperfections(gain_sigma=0.2)
    assert open_backend("profile:umn-rosc-1968?bits=3").capabilities.coupling_step == pytest.approx(2 / 3)  # fmt: skip
    assert open_backend("profile:ideal?units=30&gain_sigma=0.1").capabilities.max_units == 30


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("profile:kings256", "profile 'kings256' is not known; did you mean 'kings-256'"),
        ("profile:", "a profile is named, as in profile:kings-256"),
        ("profile:none.toml", "profile none.toml cannot be read: No such file"),
        ("profile:kings-256?gain_sgma=1", "has an option 'gain_sgma'; did you mean 'gain_sigma'"),
        ("profile:kings-256?seed=-1", "chips are counted from 0"),
        ("profile:kings-256?seed=x", "must be a whole number"),
        ("profile:kings-256?gain_sigma=nan", "gain_sigma must be 0 or more and finite, got nan"),
        ("profile:kings-256?bits=1", "bits must be 2 to 52, got 1"),
        ("profile:kings-256?units=9", "no option 'units'; its size is set by rows and columns"),
        ("profile:kings-256?rows=0", "0 × 16 is empty"),
        ("profile:umn-a2a-48?units=0", "units.most is 0, 1 or more"),
        ("profile:dwave-chimera?rows=3", "its size is set by its file"),
        ("profile:ideal?bits=4", "4 bits without low and high say nothing: give the range too"),
        ("profile:ideal?gain_sigma=0.1", "add units="),
        ("profile:kings-256?physics=gibs", "did you mean 'gibbs'"),
        ("profile:kings-256?physics=profile:ideal", "a chip is not the physics of another"),
        ("profile:kings-256?settle_s=-1", "settle_s must be 0 or more"),
        ("profile:kings-256?dead_spin_rate=1", "every spin is dead or stuck"),
        ("profile:kings-256?coupling_range=-3", "a range holds 0"),
        ("profile:ntt-cim-100k?gain_sigma=0.1", "does not fit into memory"),
    ],
)  # fmt: skip
def test_specs_that_make_no_sense_are_one_line(spec, message):
    with pytest.raises(ConfigError, match=message) as raised:
        open_backend(spec)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coupling": {"bitz": 4}}, "x.coupling.bitz is not known; there are low, high, bits"),
        ({"maker": {"model": 3}}, "x.maker.model is 3, text is needed"),
        ({"coupling": {"step": 1.0}}, "x.coupling: bits, step and levels exclude each other"),
        ({"coupling": {"levels": [-1, 0, 1]}}, "levels have a range of their own"),
        ({"coupling": {"low": 1}}, "a range holds 0, and 1 to 7 does not"),
        ({"field": {"bits": 8}}, "x.field: 8 bits without low and high say nothing"),
        ({"field": {"low": -1}}, "low and high come together"),
        ({"field": {"step": -1}}, "step must be above 0"),
        ({"field": {"step": float("nan")}}, "values must be finite"),
        ({"field": {"levels": [1, 0, -1]}}, "levels are two or more, in ascending order"),
        ({"field": {"levels": [-3, 0, 1]}}, "x.field: levels of fields need equal steps"),
        ({"field": {"levels": [-1, 1]}}, "levels need 0 among them"),
        ({"topology": {"kind": "king"}}, "x: topology 'king' is not known"),
        ({"imperfections": {"gain_sigma": -0.1}}, "x: gain_sigma must be 0 or more"),
        ({"imperfections": {"gain": 0.1}}, "x.imperfections.gain is not known"),
        ({"timing": {"settle_s": float("inf")}}, "x: settle_s must be 0 or more and finite"),
        ({"sources": {"coupling.bit": "?"}}, "x.sources names 'coupling.bit', which is no field; did you mean"),
        ({"sources": {"maker": "a"}, "assumed": {"maker": "b"}}, "x: maker has a source and is assumed"),
        ({"sources": {"maker": 3}}, r"x.sources\[0\]\[1\] is 3, text is needed"),
        ({"thermal": {}}, "x.thermal is not known; there are"),
    ],
)  # fmt: skip
def test_fields_that_make_no_sense_are_one_line(changes, message):
    with pytest.raises(ConfigError, match=message) as raised:
        chip_from(plain(**changes), "x")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("table", ["maker", "topology", "physics"])
def test_a_table_that_is_missing_is_named(table):
    data = plain()
    del data[table]
    with pytest.raises(ConfigError, match=f"x.{table} is missing"):
        chip_from(data, "x")


def test_files_that_are_none(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text("[maker")
    with pytest.raises(ConfigError, match="is no TOML"):
        load_chip(str(path))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is no TOML"):
        load_chip(str(path))
    with pytest.raises(
        ConfigError, match=r"x.name is not known: a profile is called as its file is"
    ):
        chip_from({**plain(), "name": "y"}, "x")
    with pytest.raises(ConfigError, match=r"x.sources is 3, a table of texts is needed"):
        chip_from({**plain(), "sources": 3}, "x")


def test_every_option_is_a_field_of_the_profile():
    """What a study may sweep is named as in the file: nothing here goes astray silently."""
    from isingeq.registry import options

    taken = set(options("profile"))
    lists = {"stuck_spins", "dead_spins", "dead_couplers"}
    assert {f.name for f in fields(Imperfections)} - lists <= taken
