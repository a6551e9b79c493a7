"""Everything a line and a board can do to a conversation: the outcome is that of a quiet day, or the right error.

The rows are those of docs/devices.md; two hosts and a killed one are in `test_lock`.
"""

import functools
import re
from importlib import resources

import numpy as np
import pytest
from boards import TARGETS, settled, url_of

from drivers.errors import (
    BaudError,
    CorruptError,
    DeviceResetError,
    DeviceTimeoutError,
    LinkLostError,
    NotADeviceError,
    VersionError,
)

SURVIVED = {
    "bytes flipped": ("flip:0.001,seed:1", "check"),
    "bytes dropped": ("drop:0.001,seed:2", "retries"),
    "bytes inserted": ("insert:0.001,seed:3", "retries"),
    "garbage burst": ("garbage@RUN", None),
    "bootloader chatter": ("garbage@HELLO", None),
    "partial frame, then silence": ("cut@LOAD_FIELDS", "retries"),
    "lost reply to RUN": ("lose@RUN", "retries"),
    "lost reply to COMMIT": ("lose@COMMIT", "retries"),
    "lost rows": ("lose@ROWS", None),
    "lost end": ("lose@ENDED", None),
    "doubled reply": ("double@RUN", "strays"),
    "late reply": ("delay@RUN", "retries"),
    "late rows": ("delay@ROWS", None),
    "reset while uploading": ("reset@LOAD_COUPLINGS", "resets"),
    "reset during a run": ("reset@RUN", "resets"),
    "brown-out": ("corrupt@RUN", "corruptions"),
    "stall during a run": ("stall@RUN", None),
    "stall while uploading": ("stall@LOAD_COUPLINGS", "retries"),
    "unplugged and replugged while uploading": ("unplug@LOAD_COUPLINGS", "lost links"),
    "unplugged and replugged during a run": ("unplug@RUN", "lost links"),
    "receiver overrun": ("overrun@LOAD_COUPLINGS", "retries"),
    "fewer rows than asked for": ("lose@ROWS:1,lose@ROWS:2,short@READ", None),
}


@functools.cache
def quiet_day():
    return settled(url_of("model"))[0]


QUICK = (
    "lost reply to RUN", "brown-out",
)  # fmt: skip
ROWS = [
    pytest.param(
        target,
        fault,
        marks=[pytest.mark.slow] if target != "model" and fault not in QUICK else [],
        id=f"{fault}-{target}",
    )
    for fault in SURVIVED
    for target in TARGETS
]


@pytest.mark.parametrize(("target", "fault"), ROWS)
def test_is_survived(target, fault):
    plan, counter = SURVIVED[fault]
    states, link = settled(url_of(target, f"faults={plan}"))
    assert np.array_equal(states, quiet_day())
    if counter:
        assert link[counter] > 0, link


GIVEN_UP = {
    "another version": ("version@HELLO:1", VersionError, "speaks versions"),
    "baud mismatch": ("device_baud:9600", (DeviceTimeoutError, BaudError), "baud rate"),
    "a loopback": ("echo@:1", NotADeviceError, "loopback"),
    "stalled for ever": ("FOREVER-stall", DeviceTimeoutError, "no answer to|nothing answers"),
    "unplugged for ever": ("FOREVER-unplug", LinkLostError, "unplugged"),
}
FOREVER = '[[incidents]]\nkind = "{kind}"\nopcode = "RUN"\nseconds = inf\n'


@pytest.mark.parametrize("target", ["model", "native"])
@pytest.mark.parametrize("fault", GIVEN_UP)
def test_is_given_up_with_its_own_error(target, fault, tmp_path):
    plan, error, said = GIVEN_UP[fault]
    if plan.startswith("FOREVER"):
        path = tmp_path / "plan.toml"
        path.write_text(FOREVER.format(kind=plan.removeprefix("FOREVER-")))
        plan = str(path)
    with pytest.raises(error, match=said):
        settled(url_of(target, f"faults={plan}", "timeout=2", "recovery=0.5"))


HOPELESS = [
    ("corrupt", "COMMIT", CorruptError),
    ("reset", "COMMIT", DeviceResetError),
    ("reset", "", DeviceResetError),
    ("overrun", "BEGIN", DeviceTimeoutError),
    ("overrun", "RUN", DeviceTimeoutError),
]


@pytest.mark.parametrize(
    "timed",
    [
        pytest.param(True, marks=pytest.mark.slow, id="its own times"),
        pytest.param(False, id="in no time"),
    ],
)
@pytest.mark.parametrize(("kind", "opcode", "error"), HOPELESS)
def test_what_is_hopeless_ends_on_a_clock_that_nothing_moves(kind, opcode, error, timed, tmp_path):
    profile = resources.files("drivers").joinpath("profiles/ref-arm192.toml").read_text()
    if not timed:
        profile = re.sub(r"(?m)^(\w+_s) = \S+", r"\1 = 0.0", profile)
    (tmp_path / "board.toml").write_text(profile)
    plan = f'[[incidents]]\nkind = "{kind}"\nopcode = "{opcode}"\ntimes = 0\nway = "to device"\n'
    (tmp_path / "plan.toml").write_text(plan)
    with pytest.raises(error):
        settled(f"model://{tmp_path}/board.toml?faults={tmp_path}/plan.toml")
