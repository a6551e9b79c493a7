"""`isingeq profiles` lists what ships and tells where each number is from."""

import json

from firmware_models.chip_profile import chip_names


def record(ended):
    assert ended.code == 0, ended.err
    return json.loads(ended.out.splitlines()[-1])


def test_all_that_ship_are_listed(isingeq):
    ended = isingeq("profiles", "--json")
    rows = {row["name"]: row for row in record(ended)["profiles"]}
    assert sorted(rows) == chip_names()
    assert rows["umn-rosc-1968"]["spins"] == 1968
    assert rows["umn-rosc-1968"]["energy_per_settle_j"] == 0.042 * 5e-8
    assert rows["umn-rosc-1968"]["imperfections"] == "assumed"
    assert rows["fujitsu-da1"]["energy_per_settle_j"] is None
    assert rows["ideal"]["spins"] is None
    shown = isingeq("profiles").out
    assert "5 levels" in shown
    assert "unknown" in shown


def test_one_in_full_says_where_each_number_is_from(isingeq):
    ended = isingeq("profiles", "umn-rosc-1968", "--json")
    fields = record(ended)["fields"]
    assert fields["power.power_w"]["from"] == "source"
    assert "Nature Electronics" in fields["power.power_w"]["text"]
    assert fields["topology.rows"]["from"] == "assumed"
    assert fields["imperfections.gain_sigma"]["from"] == "assumed"
    assert fields["imperfections.gain_sigma"]["value"] == 0.05
    assert fields["timing.readout_s"] == {"value": None, "from": "unknown", "text": ""}
    out = isingeq("profiles", "umn-rosc-1968").out
    assert "unknown: field, timing.programming_s, timing.readout_s, timing.delay_s\n" in out
    assert "unknown: timing." in isingeq("profiles", "hitachi-asic-384").out


def test_a_file_of_ones_own_is_shown(isingeq, tmp_path):
    (tmp_path / "mine.toml").write_text(
        '[maker]\nvendor = "me"\nmodel = "m"\n[topology]\nkind = "all"\n[units]\nmost = 3\n[physics]\nspec = "gibbs"\n'
    )
    out = isingeq("profiles", "mine.toml").out
    assert "stated" in out
    assert "unknown: coupling, field, timing.programming_s" in out


def test_one_that_is_not_there_is_one_line(isingeq):
    ended = isingeq("profiles", "kings256")
    assert ended.code == 2
    assert ended.err.startswith("error: profile 'kings256' is not known; did you mean 'kings-256'")
    assert ended.err.count("\n") == 1
