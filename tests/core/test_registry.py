"""SPECs: what they parse to, and what is said of those that do not."""

from importlib.metadata import EntryPoint

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isingeq import registry
from isingeq.errors import ConfigError
from isingeq.registry import Spec, names, open_backend, parse_spec

WORD = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,8}", fullmatch=True).filter(
    lambda w: not w.upper().startswith("COM")
)
VALUE = st.from_regex(r"[A-Za-z0-9_.,:/-]{0,8}", fullmatch=True)


@settings(derandomize=True)
@given(WORD, VALUE, st.dictionaries(WORD, VALUE, max_size=4))
def test_a_spec_parses_into_what_it_was_made_of(name, argument, options):
    if argument.startswith("//"):
        argument = ""
    text = name + (f":{argument}" if argument else "")
    if options:
        text += "?" + "&".join(f"{key}={value}" for key, value in options.items())
    assert parse_spec(text) == Spec(name, argument, options)


@pytest.mark.parametrize(
    "device",
    [
        "/dev/ttyACM0",
        "/tmp/board",
        "./board",
        "../board",
        "COM3",
        "com12",
        "socket://host:5000",
        "emulator://lm3s",
        "model://ref-arm192",
    ],
)
def test_devices_and_urls_go_to_serial(device):
    assert parse_spec(device) == Spec("serial", device, {})
    assert parse_spec(f"{device}?seed=3") == Spec("serial", device, {"seed": "3"})
    assert parse_spec(f"serial:{device}") == Spec("serial", device, {})


def test_a_key_without_a_value_has_an_empty_one():
    assert parse_spec("model://chip?native&seed=3").options == {"native": "", "seed": "3"}


def test_names_that_only_look_like_ports_stay_names():
    assert parse_spec("complex") == Spec("complex", "", {})


@pytest.mark.parametrize(
    "text", ["", "?a=1", "hopfield?=1", "hopfield?a=1&a=2", "hopfield?a=1&a", "hopfield?a=1&"]
)
def test_a_spec_that_does_not_parse_is_refused(text):
    with pytest.raises(ConfigError, match=r"is not NAME\[:ARGUMENT\]"):
        parse_spec(text)


def test_a_plus_stays_a_plus():
    assert parse_spec("conjugate?ramp=1e+2").options == {"ramp": "1e+2"}


def test_own_backends_are_there():
    assert {"hopfield", "conjugate", "neal", "exact", "null"} <= set(names())
    assert names() == sorted(names())


class Opened:
    def __init__(self, argument, options):
        self.argument, self.options = argument, options


def plug(
    argument: str = "", *, steps: int = 1, dt: "float" = 0.5, quick: bool = False, mode: str = "a"
) -> Opened:
    return Opened(argument, {"steps": steps, "dt": dt, "quick": quick, "mode": mode})


@pytest.fixture
def plugged(monkeypatch):
    """A registry with `plug`, and `gone` whose module does not exist."""
    points = [
        EntryPoint("plug", f"{__name__}:plug", registry.GROUP),
        EntryPoint("gone", "no_such_module:gone", registry.GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)


@pytest.mark.usefixtures("plugged")
class TestOptions:
    def test_take_the_types_of_the_factory(self):
        opened = open_backend("plug:x?steps=3&dt=1e-2&quick=yes&mode=3")
        assert opened.argument == "x"
        assert opened.options == {"steps": 3, "dt": 0.01, "quick": True, "mode": "3"}
        assert [type(value) for value in opened.options.values()] == [int, float, bool, str]

    @pytest.mark.parametrize(
        ("text", "value"),
        [("true", True), ("1", True), ("", True), ("no", False), ("False", False)],
    )
    def test_truth(self, text, value):
        assert open_backend(f"plug?quick={text}").options["quick"] is value

    def test_without_a_value_are_true_or_refused(self):
        assert open_backend("plug?quick").options["quick"] is True
        with pytest.raises(ConfigError, match="option steps of backend 'plug' needs a value"):
            open_backend("plug?steps")

    @pytest.mark.parametrize(
        ("option", "said"),
        [
            ("steps=2.5", "a whole number"),
            ("dt=fast", "a number"),
            ("quick=maybe", "true or false"),
        ],
    )
    def test_of_another_type_are_refused(self, option, said):
        with pytest.raises(ConfigError, match=f"option {option} of backend 'plug' must be {said}"):
            open_backend(f"plug?{option}")

    def test_unknown_name_the_nearest(self):
        with pytest.raises(ConfigError, match="no option 'step'; did you mean 'steps'"):
            open_backend("plug?step=3")
        with pytest.raises(ConfigError, match="no option 'zzz'; it takes steps, dt, quick, mode"):
            open_backend("plug?zzz=3")

    def test_are_listed(self):
        assert registry.options("plug") == ["steps", "dt", "quick", "mode"]


@pytest.mark.usefixtures("plugged")
def test_unknown_backends_name_the_nearest():
    with pytest.raises(ConfigError, match="no backend is called 'plugg'; did you mean 'plug'"):
        open_backend("plugg")
    with pytest.raises(ConfigError, match="'zzz'; there are gone, plug"):
        open_backend("zzz")


@pytest.mark.usefixtures("plugged")
def test_a_backend_that_cannot_be_loaded_says_why():
    with pytest.raises(
        ConfigError, match="'gone' cannot be loaded: No module named 'no_such_module'"
    ):
        open_backend("gone")
