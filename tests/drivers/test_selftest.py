from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from drivers.board import Board
from drivers.descriptor import Imperfections, encode_descriptor
from drivers.open import open_board
from drivers.profile import load_profile
from drivers.selftest import CHECKS, RESET, selftest
from drivers.wire.constants import Opcode
from drivers.wire.layout import pack
from drivers.wire.replies import Counts
from firmware_models import server
from firmware_models.faults import FaultPlan, plan_from
from firmware_models.line import Line
from firmware_models.model import ModelTransport
from firmware_models.server import Server

PROFILE = load_profile("ref-arm192")
PAIRED, OBEYING = {"ferromagnet", "given start"}, {"sign of the energy", "held spins"}
NAMES = [name for name, _ in (*CHECKS, RESET)]


def passed(url, **options):
    with closing(open_board(url, options)) as board:
        return {step.name: step for step in selftest(board, reset=True)}


def board_of(device, faults=None):
    line = Line(faults or FaultPlan())
    transport = ModelTransport(device, url="model://test", line=line)
    return Board(lambda _: transport)


def failed(device, faults=None):
    steps = list(selftest(board_of(device, faults), reset=True))
    assert [step.name for step in steps] == NAMES
    return {step.name: step.figure for step in steps if step.outcome == "failed"}


def claiming(claimed, really=PROFILE):
    """A board whose descriptor is another one's."""
    device = Server(really, uid=1, boot=1)
    device._text = encode_descriptor(claimed)
    return device


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("model://ref-arm192", {"uid": "42"}),
        ("model://ref-arm192", {"baud": "115200"}),
        ("model://ref-avr64", {}),
    ],
)
def test_a_good_board_passes(url, options):
    steps = passed(url, **options)
    assert list(steps) == NAMES
    assert {step.outcome for step in steps.values()} == {"ok"}
    assert "256 values" in steps["every byte"].figure
    assert "kB/s" in steps["longest frames"].figure or not options.get("baud")
    assert steps["sign of the energy"].figure == "field up, spin down: 100.0%"
    assert all(step.seconds >= 0 for step in steps.values())


def test_a_line_that_loses_bytes_is_no_fault_of_the_board():
    steps = passed("model://ref-arm192", baud="115200", faults="flip:0.0001,drop:0.0001", seed="2")
    assert [name for name, step in steps.items() if step.outcome == "failed"] == []


def test_boards_of_other_sign_pass_too():
    other = replace(PROFILE, update=replace(PROFILE.update, energy_sign=-1))
    steps = {step.name: step for step in selftest(board_of(Server(other, uid=1, boot=1)))}
    assert {step.outcome for step in steps.values()} == {"ok"}
    assert steps["sign of the energy"].figure == "field up, spin up: 100.0%"


def test_what_a_board_owns_up_to_is_left_out():
    worn = Imperfections(
        gain_sigma=0.02, offset_sigma=0.5, noise_sigma=0.5, readout_error=0.001,
        stuck_spins=(1, 5, 6, 20), dead_couplers=((0, 2), (3, 9)),
    )  # fmt: skip
    assert failed(Server(replace(PROFILE, imperfections=worn), uid=1, boot=1, seed=3)) == {}


def test_what_a_board_cannot_do_is_not_tested():
    plain = replace(
        PROFILE,
        update=replace(PROFILE.update, seeded=False),
        features=replace(PROFILE.features, clamp=False),
    )
    board = board_of(Server(plain, uid=1, boot=1))
    steps = {step.name: step for step in selftest(board, reset=True)}
    left = {name for name, step in steps.items() if step.outcome == "not tested"}
    assert left == {"clamps", "held spins", "seeded rows repeat", "split over slots"}
    assert steps["reset"].outcome == "ok"
    assert steps["clamps"].figure == "this device holds no spins"


def changed(**tables):
    """The profile with some entries of its tables changed."""
    tables = {name: replace(getattr(PROFILE, name), **new) for name, new in tables.items()}
    return replace(PROFILE, **tables)


def outcomes(descriptor):
    steps = list(selftest(board_of(Server(descriptor, uid=1, boot=1, seed=3)), reset=True))
    return {step.name: step for step in steps}


ONE_SIGN = {
    "couplings from 0 on": {"coupling": {"bits": 3, "low": 0, "high": 3}},
    "couplings up to 0": {"coupling": {"bits": 3, "low": -4, "high": 0}},
    "couplings of one bit": {"coupling": {"bits": 1, "low": -1, "high": 0}},
    "fields from 0 on": {"field": {"bits": 4, "low": 0, "high": 7}},
    "fields up to 0": {"field": {"bits": 4, "low": -5, "high": 0}},
    "lopsided": {"coupling": {"low": -1, "high": 100}, "field": {"low": -2, "high": 900}},
}


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("tables", ONE_SIGN.values(), ids=ONE_SIGN)
def test_ranges_of_one_sign_are_tested_as_they_are(tables, sign):
    steps = outcomes(changed(**tables, update={"energy_sign": sign}))
    assert {step.name: step.figure for step in steps.values() if step.outcome != "ok"} == {}
    way = "down" if sign > 0 else "up"
    assert steps["sign of the energy"].figure.startswith(f"field up, spin {way}: 100.0%")
    pairs = steps["ferromagnet"].figure
    coupling = tables.get("coupling", {})
    if coupling.get("high" if sign < 0 else "low") == 0:
        # 32 spins: five ways to split them in halves, 256 pairs apart in each
        assert pairs.endswith("% of 1280 pairs opposed")
    else:
        assert pairs.endswith("% of 496 pairs aligned")


def test_a_dead_coupler_is_found_where_couplings_only_part():
    only_up = changed(coupling={"bits": 3, "low": 0, "high": 3}, units={"most": 2})
    dead = replace(only_up, imperfections=Imperfections(dead_couplers=((0, 1),)))
    found = failed(claiming(only_up, dead))
    assert set(found) == {"ferromagnet", "given start"}
    assert found["ferromagnet"].endswith("of 1 pairs are opposed")


def test_a_wrong_sign_is_found_where_there_is_but_one():
    really = changed(coupling={"low": 0}, field={"low": 0})
    found = failed(claiming(replace(really, update=replace(really.update, energy_sign=-1)), really))
    assert found["sign of the energy"] == "0.0% of the spins go up in a field that is up"
    assert "pairs are aligned" in found["ferromagnet"]


@pytest.mark.parametrize(
    ("tables", "left"),
    [
        ({"limits": {"slots": 1}}, {"split over slots"}),
        ({"limits": {"row_memory": 24}}, set()),
        ({"limits": {"reads": 1}}, set()),
        ({"schedule": {"reverse": False}}, {"given start"}),
        ({"units": {"most": 1}}, PAIRED),
        ({"schedule": {"legs": 1, "most_sweeps": 15}}, {"ferromagnet"}),
        ({"schedule": {"most_gain": 64}}, set()),
        ({"schedule": {"most_gain": 64}, "coupling": {"low": -2, "high": 2}}, PAIRED),
        ({"imperfections": {"readout_error": 0.1}}, set()),
        ({"imperfections": {"readout_error": 0.5}}, {*PAIRED, *OBEYING}),
        (
            {"imperfections": {"stuck_spins": tuple(range(32))}},
            {"balance at beta 0", "seeded rows repeat", *PAIRED, *OBEYING},
        ),
    ],
)
def test_small_boards_are_tested_as_far_as_they_go(tables, left):
    steps = outcomes(changed(**tables))
    assert {name: step.figure for name, step in steps.items() if step.outcome == "failed"} == {}
    assert {name for name, step in steps.items() if step.outcome == "not tested"} == left


def test_a_wrong_sign_is_found():
    wrong = replace(PROFILE, update=replace(PROFILE.update, energy_sign=-1))
    found = failed(claiming(wrong))
    assert found["sign of the energy"] == "0.0% of the spins go up in a field that is up"
    assert "of 496 pairs are aligned" in found["ferromagnet"]


def test_stuck_spins_that_nobody_owns_up_to_are_found():
    stuck = replace(PROFILE, imperfections=Imperfections(stuck_spins=(1, 5, 6, 20)))
    found = failed(claiming(PROFILE, stuck))
    assert found["balance at beta 0"].startswith("spin 1 is ")
    assert "sign of the energy" in found


def test_dead_couplers_that_nobody_owns_up_to_are_found():
    pairs = tuple((i, j) for i in range(32) for j in range(i + 1, 32) if i % 2 or j % 2)
    dead = replace(PROFILE, imperfections=Imperfections(dead_couplers=pairs))
    assert set(failed(claiming(PROFILE, dead))) == {"ferromagnet", "given start"}


@pytest.fixture
def careless(monkeypatch):
    """Return boards whose spins get something else than was asked for."""

    def board(change):
        real = server.spin_array_of

        def array_of(*given, **named):
            array = real(*given, **named)
            return lambda part, now: array(change(part), now)

        monkeypatch.setattr(server, "spin_array_of", array_of)
        return Server(PROFILE, uid=1, boot=1)

    return board


def test_rows_that_depend_on_more_than_the_seed_are_found(careless):
    drawn = iter(range(10_000))
    board = careless(lambda part: replace(part, seed=part.seed ^ next(drawn)))
    assert set(failed(board)) == {"seeded rows repeat", "split over slots", "reset"}


def test_a_seed_that_does_nothing_is_found(careless):
    found = failed(careless(lambda part: replace(part, seed=1)))
    assert found == {"seeded rows repeat": "another seed gives the same rows"}


def test_samples_that_are_counted_from_the_slot_are_found(careless):
    assert "split over slots" in failed(careless(lambda part: replace(part, sample=0)))


def test_clamps_that_hold_nothing_are_found(careless):
    found = failed(careless(lambda part: replace(part, clamps=np.zeros_like(part.clamps))))
    assert found == {"held spins": "0.0% of the held spins were held"}


def test_start_states_that_are_ignored_are_found(careless):
    found = failed(careless(lambda part: replace(part, start=None)))
    assert "given start" in found


@pytest.mark.parametrize(
    ("faults", "name", "says"),
    [
        ("corrupt@COMMIT:2", "couplings", "1 bytes of COUPLINGS differ, the first at [0]"),
        ("memory=FIELDS", "fields", "1 bytes of FIELDS differ, the first at [3]"),
        ("memory=STATES", "start states", "1 bytes of STATES differ, the first at [3]"),
        ("memory=CLAMPS", "clamps", "1 bytes of CLAMPS differ, the first at [3]"),
    ],
)
def test_memory_that_does_not_keep_what_it_is_given_is_found(faults, name, says):
    if faults.startswith("memory="):
        memory = faults.removeprefix("memory=")
        base = plan_from(f"corrupt@LOAD_{memory}", seed=0)
        incident = replace(base.incidents[0], memory=memory, offset=3, times=0)
        plan = replace(base, incidents=(incident,))
    else:
        plan = plan_from(faults, seed=0)
    found = failed(Server(PROFILE, uid=1, boot=1), plan)
    assert says in found[name] or "STATUS finds another digest" in found[name]


def test_a_reset_that_nobody_ordered_is_told():
    found = failed(Server(PROFILE, uid=1, boot=1), plan_from("reset@ECHO:1", seed=0))
    assert list(found) == ["round trip"]
    assert "was reset (pin)" in found["round trip"]


def test_a_dead_line_ends_the_test():
    steps = list(
        selftest(board_of(Server(PROFILE, uid=1, boot=1), plan_from("unplug@COMMIT:1", seed=0)))
    )
    outcomes = {step.name: step.outcome for step in steps}
    assert outcomes["couplings"] == "failed"
    assert {outcomes[name] for name, _ in CHECKS[6:]} == {"not tested"}
    assert steps[-1].figure == "after couplings failed"


@pytest.mark.parametrize(
    ("opcode", "answer", "says"),
    [
        (
            Opcode.ECHO,
            lambda _, request: request.tail.replace(b"\x7f", b"\xff"),
            {
                "every byte": "1 of 256 came back as others, the first is [127]",
                "longest frames": "a frame of 1013 bytes came back changed",
            },
        ),
        (
            Opcode.COUNTERS,
            lambda _, request: pack(Counts(1, 9, 0, 0, 0, 0, 0, 0)),
            {"counters": "21 frames counted as 0"},
        ),
    ],
)
def test_answers_that_make_no_sense_are_found(monkeypatch, opcode, answer, says):
    monkeypatch.setitem(server.LINK, opcode, answer)
    assert failed(Server(PROFILE, uid=1, boot=1)) == says
