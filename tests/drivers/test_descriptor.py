"""Descriptors and profiles: round trips, one-line errors, and graphs against their definition."""

import json
import re
import tomllib
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.descriptor import (
    MOST_BYTES,
    decode_descriptor,
    descriptor_from,
    encode_descriptor,
)
from drivers.inspection import inspect
from drivers.open import open_board
from drivers.profile import SHIPPED, load_profile, profile_names
from drivers.topology import Topology
from isingeq.errors import ConfigError, DeviceError


def plain(name="ref-arm192"):
    return tomllib.loads((SHIPPED / f"{name}.toml").read_text(encoding="utf-8"))


def with_value(path, value):
    data = plain()
    *tables, key = path.split(".")
    inner = data
    for table in tables:
        inner = inner.setdefault(table, {})
    inner[key] = value
    return data


def test_the_profiles_that_ship():
    assert profile_names() == ["ref-arm192", "ref-avr64"]
    arm, avr = map(load_profile, profile_names())
    assert (arm.units.most, avr.units.most) == (192, 64)
    assert (arm.slots(192), arm.slots(64), arm.slots(8)) == (32, 96, 128)
    assert (arm.rows(192), arm.rows(9)) == (128, 1536)
    assert (avr.slots(64), avr.rows(64)) == (8, 32)


@pytest.mark.parametrize("name", ["ref-arm192", "ref-avr64"])
def test_a_descriptor_round_trips_as_bytes(name):
    descriptor = load_profile(name)
    assert descriptor.maker.model == name
    data = encode_descriptor(descriptor)
    assert decode_descriptor(data) == descriptor
    assert encode_descriptor(decode_descriptor(data)) == data
    assert len(data) < 1024
    assert data.isascii()
    assert b" " not in data.replace(b"sequential gibbs", b"")


def test_lists_and_missing_defaults_round_trip():
    data = with_value("imperfections.dead_couplers", [[0, 5], [3, 4]])
    data["imperfections"]["drift_s"] = 60
    data["topology"] = {"kind": "edges", "edges": [[0, 1], [0, 191], [3, 4]]}
    descriptor = descriptor_from(data)
    assert descriptor.imperfections.dead_couplers == ((0, 5), (3, 4))
    assert descriptor.imperfections.drift_s == 60.0
    assert decode_descriptor(encode_descriptor(descriptor)) == descriptor


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("schema", 2, "schema 2, 1 is understood"),
        ("units.most", 0, "0 spins"),
        ("units.most", 6145, "not even one slot"),
        ("units.most", True, "is True, a whole number is needed"),
        ("units.state", "qubit", "state 'qubit'"),
        ("units.bits", 2, "read out as one bit"),
        ("coupling.low", 127, "coupling from 127 to 127 in 8 bits"),
        ("coupling.low", 1, "coupling from 1 to 127 in 8 bits: 0 within"),
        ("coupling.high", 128, "coupling from -127 to 128"),
        ("coupling.low", -129, "coupling from -129 to 127"),
        ("field.bits", 17, "field from .* in 17 bits: .* 16 bits at most"),
        ("maker.vendor", "red \x1b[31m", "names must be printable"),
        ("limits.field_memory", 1 << 32, "counted in 32 bits"),
        ("update.rule", "magic", "rule 'magic'"),
        ("update.energy_sign", 0, "energy_sign must"),
        ("schedule.beta_unit", 0.0, "beta_unit must"),
        ("schedule.most_gain", 65536, "most_gain must"),
        ("schedule.most_shift", 16, "most_shift must"),
        ("schedule.legs", 0, "legs must"),
        ("schedule.most_sweeps", 0, "most_sweeps must"),
        ("limits.frame", 67, "frames of 67 bytes"),
        ("limits.frame", 4097, "frames of 4097 bytes"),
        ("limits.window", 1029, "no longest frame fits"),
        ("limits.slots", 0, "slots must"),
        ("limits.sums", -1, "sums must"),
        ("limits.reads", 0, "reads must"),
        ("limits.row_memory", 23, "not even one row"),
        ("limits.state_memory", 23, "not even one slot"),
        ("latency.boot_s", -1.0, "latencies must"),
        ("latency.sweep_s", float("nan"), "latencies must"),
        ("imperfections.gain_sigma", -0.1, "spreads must"),
        ("imperfections.drift_s", 0.0, "drift_s must"),
        ("imperfections.readout_error", 0.6, "readout_error must"),
        ("imperfections.stuck_spins", [192], "stuck spin"),
        ("imperfections.stuck_spins", 3, "a list is needed"),
        ("imperfections.dead_couplers", [[5, 5]], "dead coupler"),
        ("topology.kind", "torus", "topology 'torus'"),
        ("topology.rows", 3, "belong to kings"),
        ("topology", "all", "a table is needed"),
        ("topology", {"kind": "kings", "rows": 4, "columns": 4}, "4 × 4 spins are not 192"),
        ("topology", {"kind": "square", "rows": 0, "columns": 4}, "is empty"),
        ("topology", {"kind": "edges"}, "a list of edges"),
        ("topology", {"kind": "edges", "edges": [[1, 1]]}, "0 <= i < j"),
        ("topology", {"kind": "edges", "edges": [[0, 2], [0, 1]]}, "sorted"),
        ("topology", {"kind": "edges", "edges": [[0, 1], [0, 1]]}, "each stand once"),
        ("topology", {"kind": "edges", "edges": [[0, 192]]}, "beyond the last"),
        ("topology", {"kind": "edges", "edges": [[0, 1, 2]]}, "3 entries, 2 are needed"),
        ("maker.colour", "red", "maker.colour is not known"),
        ("colour", "red", "descriptor.colour is not known"),
    ],
)
def test_what_makes_no_sense_is_one_line(path, value, words):
    with pytest.raises(ConfigError, match=words) as caught:
        descriptor_from(with_value(path, value))
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_named():
    data = plain()
    del data["limits"]["frame"]
    with pytest.raises(ConfigError, match=r"descriptor\.limits\.frame is missing"):
        descriptor_from(data)


GOOD = encode_descriptor(load_profile("ref-avr64"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not usable"),
        (b"[" * 5000, "not usable"),
        (b"9" * 5000, "not usable"),
        (b"[]", "a table is needed"),
        (GOOD[:-1], "not usable"),
        (GOOD.replace(b"ref-avr64", b"ref-\xffvr64"), "not usable"),
        (GOOD.replace(b'"boot_s":0.09', b'"boot_s":NaN'), "NaN is no number"),
        (GOOD.replace(b'"bits":1,', b'"bits":1,"bits":1,'), "a key stands twice"),
        (GOOD.replace(b'"energy_sign":1', b'"energy_sign":3'), "energy_sign must"),
        (b" " * (MOST_BYTES + 1), "are allowed"),
    ],
)
def test_what_a_device_sends_wrongly_is_a_device_error(data, words):
    assert data != GOOD
    with pytest.raises(DeviceError, match=words) as caught:
        decode_descriptor(data)
    assert "\n" not in str(caught.value)


@given(st.data())
def test_a_descriptor_with_a_changed_byte_is_refused_or_valid(data):
    changed = bytearray(GOOD)
    changed[data.draw(st.integers(0, len(GOOD) - 1))] = data.draw(st.integers(0, 255))
    try:
        descriptor = decode_descriptor(bytes(changed))
    except DeviceError:
        return
    json.dumps(asdict(descriptor))


def test_a_profile_by_path_and_what_is_none(tmp_path):
    text = (SHIPPED / "ref-avr64.toml").read_text(encoding="utf-8")
    own = tmp_path / "own.toml"
    own.write_text(text.replace("most = 64", "most = 32"), encoding="utf-8")
    assert load_profile(str(own)).units.most == 32
    with pytest.raises(ConfigError, match="there are ref-arm192, ref-avr64"):
        load_profile("ref-arm")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_profile(str(tmp_path / "none.toml"))
    own.write_text("[", encoding="utf-8")
    with pytest.raises(ConfigError, match="is no TOML") as caught:
        load_profile(str(own))
    assert "\n" not in str(caught.value)
    assert isinstance(own, Path)


def by_definition(kind, rows, columns):
    reach = {"kings": lambda a, b: max(a, b) == 1, "square": lambda a, b: a + b == 1}[kind]
    cells = [(r, c) for r in range(rows) for c in range(columns)]
    return [
        (i, j)
        for i, (r, c) in enumerate(cells)
        for j, (q, d) in enumerate(cells)
        if i < j and reach(abs(r - q), abs(c - d))
    ]


@pytest.mark.parametrize("kind", ["kings", "square"])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 5), (5, 1), (2, 2), (3, 4), (4, 3)])
def test_lattices_couple_their_neighbours_in_order(kind, rows, columns):
    topology = Topology(kind, rows, columns)
    edges = by_definition(kind, rows, columns)
    np.testing.assert_array_equal(
        topology.pairs(rows * columns), np.array(edges, dtype=int).reshape(-1, 2)
    )
    fewer = [(i, j) for i, j in edges if j < rows * columns - 1]
    np.testing.assert_array_equal(
        topology.pairs(rows * columns - 1), np.array(fewer, dtype=int).reshape(-1, 2)
    )


@pytest.mark.parametrize(
    "topology",
    [
        Topology("all"),
        Topology("edges", edges=((0, 1), (0, 3), (1, 2))),
        *[
            Topology(kind, rows, columns)
            for kind in ("kings", "square")
            for rows, columns in ((1, 1), (1, 5), (5, 1), (2, 2), (3, 4), (4, 3))
        ],
    ],
)
def test_edges_are_counted_as_they_are_listed(topology):
    for n in range(1, (topology.rows or 4) * (topology.columns or 1) + 1):
        assert topology.num_pairs(n) == len(topology.pairs(n)), n


def test_a_device_of_many_spins_is_looked_at_without_its_pairs(tmp_path, monkeypatch):
    own = tmp_path / "own.toml"
    text = (SHIPPED / "ref-arm192.toml").read_text(encoding="utf-8")
    text = re.sub(r"^most = .*$", "most = 60000", text, flags=re.MULTILINE)
    text = re.sub(
        r"^(field|state|row)_memory = \d+", r"\1_memory = 1048576", text, flags=re.MULTILINE
    )
    own.write_text(text, encoding="utf-8")
    with closing(open_board(f"model://{own}")) as board:
        monkeypatch.setattr(Topology, "pairs", None)
        rows = dict(inspect(board).rows())
    assert "all, 1799970000, " in rows["couplings"]


def test_a_kings_graph_of_256_has_930_edges():
    assert len(Topology("kings", 16, 16).pairs(256)) == 930


def test_all_to_all_is_the_upper_triangle_row_by_row():
    expected = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    np.testing.assert_array_equal(Topology("all").pairs(4), expected)


def test_listed_edges_beyond_a_smaller_problem_are_left_out():
    topology = Topology("edges", edges=((0, 1), (0, 3), (1, 2)))
    np.testing.assert_array_equal(topology.pairs(3), [(0, 1), (1, 2)])


def test_a_descriptor_that_would_not_travel_is_refused():
    with pytest.raises(ConfigError, match="bytes, 65535 are allowed"):
        encode_descriptor(descriptor_from(with_value("maker.vendor", "x" * 65535)))
