"""Fault plans: from text and TOML, and what they refuse."""

import math

import pytest

from firmware_models.faults import KINDS, FaultPlan, Incident, Way, plan_from
from isingeq.errors import ConfigError


def test_no_text_is_no_fault():
    assert plan_from("") == FaultPlan()
    assert plan_from("", seed=5) == FaultPlan(seed=5)


def test_chances_from_a_short_text():
    plan = plan_from("flip:0.001,drop:2e-3,insert:0.5,device_baud:9600", seed=4)
    assert plan == FaultPlan(seed=4, flip=0.001, drop=0.002, insert=0.5, device_baud=9600)
    assert plan_from("seed:7,flip:0.1", seed=4).seed == 7


def test_incidents_from_a_short_text():
    plan = plan_from("reset:0.01,lose@READ:3,stall@:100,echo@,version@HELLO")
    assert plan.incidents == (
        Incident("reset", rate=0.01, times=0),
        Incident("lose", opcode="READ", nth=3),
        Incident("stall", nth=100),
        Incident("echo", times=0),
        Incident("version", opcode="HELLO", times=0),
    )


def test_a_plan_from_toml(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(
        """
        flip = 0.001
        [[incidents]]
        kind = "reset"
        opcode = "RUN"
        nth = 2
        wait_s = 0.004
        [[incidents]]
        kind = "unplug"
        way = "to host"
        after_bytes = 3000
        seconds = inf
        """
    )
    assert plan_from(str(path), seed=3) == FaultPlan(
        seed=3,
        flip=0.001,
        incidents=(
            Incident("reset", opcode="RUN", nth=2, wait_s=0.004),
            Incident("unplug", way="to host", after_bytes=3000, seconds=math.inf),
        ),
    )
    path.write_text("seed = 9")
    assert plan_from(str(path), seed=3).seed == 9


def test_every_kind_has_a_direction_and_lengths_where_it_needs_them():
    assert {kind: Incident(kind).course for kind in KINDS} == KINDS
    assert Incident("lose", way="to device").course is Way.TO_DEVICE
    assert Incident("stall").lasts_s > 0
    assert Incident("stall", seconds=0.0).lasts_s == 0
    assert Incident("garbage").size == 64
    assert Incident("garbage", count=3).size == 3


@pytest.mark.parametrize(
    "text", ["flop:0.1", "flip", "flip:x", "flip:0.6,drop:0.6", "flip:-0.1", "device_baud:0", "reset@NOSUCH",
             "reset@RUN:0", "reset:1.5", "seed:1.5", "nowhere.toml", "seed:-1", "flip:nan", "reset:nan"]
)  # fmt: skip
def test_what_is_no_fault_is_refused(text):
    with pytest.raises(ConfigError):
        plan_from(text)


@pytest.mark.parametrize(
    "wrong", [{"kind": "reset", "way": "up"}, {"kind": "stall", "seconds": -1.0}, {"kind": "lose", "times": -1},
              {"kind": "corrupt", "memory": "DISK"}, {"kind": "reset", "wait_s": -0.1},
              {"kind": "stall", "seconds": float("nan")}, {"kind": "reset", "wait_s": float("inf")}]
)  # fmt: skip
def test_an_incident_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ConfigError):
        Incident(**wrong)


def test_a_table_with_an_unknown_key_is_refused(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text('[[incidents]]\nkind = "reset"\nwhen = 3\n')
    with pytest.raises(ConfigError, match="when"):
        plan_from(str(path))
