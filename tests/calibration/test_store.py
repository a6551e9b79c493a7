"""Calibration files: whole or not there, and of one device alone."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from measuring import chip

from calibration.identity import identify, identity_of
from calibration.measure import measure
from calibration.measure.comparison import compare
from calibration.store import NAME, Calibration, load, save
from isingeq.errors import CalibrationError

SPEC = "profile:kings-256?rows=4&columns=4&dead_spin_rate=0.1&dead_coupler_rate=0.1&seed=1"
MADE = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def made() -> Calibration:
    opened = chip(SPEC)
    measured = measure(opened, precision=0.2)
    return Calibration(identify(opened, SPEC, measured.graph), measured, MADE)


def test_a_calibration_comes_back_as_it_was(made, tmp_path):
    file = save(made, tmp_path / "new" / "folder")
    for path in (file, file.parent):
        back = load(path)
        assert (back.identity, back.made, back.verified) == (made.identity, MADE, None)
        assert back.measured.conditions["reads"] == made.measured.conditions["reads"]
        assert back.measured.quantities.keys() == made.measured.quantities.keys()
        for name, q in made.measured.quantities.items():
            again = back.measured.quantities[name]
            for part in ("value", "error", "good"):
                assert np.array_equal(
                    getattr(q, part), getattr(again, part), equal_nan=part != "good"
                )
            assert (q.unit, q.why) == (again.unit, again.why)
        ours, theirs = made.corrections(), back.corrections()
        assert np.array_equal(ours.coupling_gain, theirs.coupling_gain)
        assert np.array_equal(ours.dead_edges, theirs.dead_edges)
        assert back.measured.curves.keys() == made.measured.curves.keys()
        assert compare(made.measured, back.measured) == []


def test_the_file_is_for_people_too(made, tmp_path):
    record = json.loads(save(made, tmp_path).read_text())
    assert record["identity"]["uid"] == made.identity.uid != ""
    assert record["faults"]["dead_units"] == np.flatnonzero(made.measured.dead_units).tolist()
    assert record["summary"]["coupling_gain"]["median_error"] > 0
    assert record["summary"]["drift_time"]["value"] is None


def test_writing_over_keeps_one_set_of_arrays(made, tmp_path):
    save(made, tmp_path)
    later = replace(made, made=MADE + timedelta(days=1))
    save(later.with_verification({"holds": True}), tmp_path)
    assert load(tmp_path).verified == {"holds": True}
    assert len(list(tmp_path.iterdir())) == 2


def test_what_fails_while_it_is_written_leaves_what_was_there(made, tmp_path, monkeypatch):
    save(made, tmp_path)
    changed = replace(made.measured, dead_units=~made.measured.dead_units)
    from pathlib import Path

    genuine = Path.replace

    def full(path, target):
        if path.name.startswith(NAME):
            raise OSError(28, "No space left on device")
        return genuine(path, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(CalibrationError, match="No space left"):
        save(replace(made, measured=changed), tmp_path)
    assert np.array_equal(load(tmp_path).measured.dead_units, made.measured.dead_units)
    assert not list(tmp_path.glob("*.new"))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / NAME).write_text("{"), "damaged"),
        (lambda folder: (folder / NAME).unlink(), "no calibration at"),
        (lambda folder: next(folder.glob("*.npz")).unlink(), r"no calibration at .*npz"),
        (lambda folder: next(folder.glob("*.npz")).write_bytes(b"PK"), "checksum"),
        (
            lambda folder: (folder / NAME).write_text(
                (folder / NAME).read_text().replace('"format": 1', '"format": 7')
            ),
            "format 7, 1 is understood",
        ),
    ],
)
def test_what_is_damaged_is_one_line(made, tmp_path, spoil, says):
    save(made, tmp_path)
    spoil(tmp_path)
    with pytest.raises(CalibrationError, match=says) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def test_one_of_another_device_is_refused(made):
    made.check(made.identity)
    graph = made.measured.graph
    for spec in (SPEC.replace("seed=1", "seed=2"), SPEC + "&gain_sigma=0.03"):
        with pytest.raises(CalibrationError, match="another device: its uid"):
            made.check(identify(chip(spec), spec, graph))
    details = {"device": "b", "uid": "0x2a", "firmware": "1"}
    board = identity_of(details, "/dev/ttyACM0?baud=9600", graph)
    kept = replace(made, identity=board)
    kept.check(identity_of(details, "/dev/ttyACM1?timeout=3", graph))
    for other in ({"uid": "0x2b"}, {"firmware": "2"}, {"device": "c"}):
        with pytest.raises(CalibrationError, match=f"its {next(iter(other))} is"):
            kept.check(identity_of(details | other, "/dev/ttyACM0", graph))
    nameless = replace(made, identity=identity_of({"uid": "0x0"}, "/dev/ttyACM0", graph))
    with pytest.raises(CalibrationError, match="its backend is"):
        nameless.check(identity_of({"uid": "0x0"}, "/dev/ttyACM1", graph))


def test_one_too_old_is_refused(made):
    now = MADE + timedelta(hours=5)
    assert made.age_s(now) == 5 * 3600
    made.check(made.identity, max_age_s=6 * 3600, now=now)
    with pytest.raises(CalibrationError, match=r"5.0 hours old, 4.0 are allowed"):
        made.check(made.identity, max_age_s=4 * 3600, now=now)
    with pytest.raises(CalibrationError, match="in the future"):
        made.check(made.identity, now=MADE - timedelta(hours=1))


def test_what_moved_is_named(made):
    before = made.measured
    q = before.quantities["coupling_gain"]
    at = int(np.flatnonzero(q.good)[3])
    value = q.value.copy()
    value[at] += 9 * q.error[at]
    dead = before.dead_units.copy()
    unit = int(np.flatnonzero(before.works)[2])
    dead[unit] = True
    after = replace(
        before,
        quantities=before.quantities | {"coupling_gain": replace(q, value=value)},
        dead_units=dead,
    )
    words = [str(moved) for moved in compare(before, after)]
    graph = before.graph
    assert words[0] == f"unit {unit}: was works, is dead"
    assert words[1].startswith(f"coupling gain of coupler {graph.i[at]}-{graph.j[at]}: ")
    assert words[1].endswith("6.4 standard errors")
    assert len(words) == 2
