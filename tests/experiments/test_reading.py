import tomllib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isingeq.errors import ConfigError
from isingeq.experiments import build
from isingeq.experiments.reading import keys, parse, read_experiment, shipped, validate
from isingeq.experiments.toml import dumps
from isingeq.registry import parse_spec
from isingeq.tasks import from_arrays, load

SHIPPED = [
    "cifar-conv",
    "cifar-conv-small",
    "digits",
    "digits-binary",
    "digits-conv-binary",
    "digits-conv-feedforward",
    "digits-feedforward",
    "digits-kings",
    "digits-recurrent",
    "digits-skew",
    "digits-xy",
    "fashion-conv",
    "fashion-dense",
    "fashion-oscillator",
    "iris-lattice",
    "mnist-binary",
    "mnist-conv",
    "mnist-conv-small",
    "mnist-dense",
    "mnist-feedforward",
    "mnist-oscillator",
    "mnist-windows",
    "xor-lattice",
    "xor-lattice-corners",
]


def test_shipped_experiments_are_those_promised():
    assert shipped() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_experiments_build(name, monkeypatch):
    experiment = read_experiment(name)
    assert experiment.name == name
    side = {"digits": (8, 8), "cifar": (32, 32, 3)}.get(name.split("-")[0], (28, 28))
    x = np.random.default_rng(0).random((200, *side))
    data = from_arrays(
        x, np.arange(200) % 10, x[:20], np.arange(20) % 10, validation_size=20, mirrored=True
    )
    if experiment.data.name in ("iris", "xor"):
        data = load(experiment.data.name)
        side = data.shape
    monkeypatch.setattr(build, "load", lambda **_: data)
    built = build.build(experiment)
    sizes = [layer.size for layer in built.trainer.network.layers]
    built.close()
    assert built.trainer.network.inputs == np.prod(side)
    assert sizes == {
        "cifar-conv": [32768, 16384, 8192, 2048, 10],
        "cifar-conv-small": [8192, 4096, 2048, 10],
        "digits": [128, 10],
        "digits-binary": [96, 40],
        "digits-conv-binary": [72, 64, 40],
        "digits-conv-feedforward": [72, 64, 10],
        "digits-feedforward": [32, 32, 10],
        "digits-recurrent": [64, 10],
        "digits-skew": [64, 10],
        "digits-kings": [216, 40],
        "digits-xy": [200, 10],
        "fashion-conv": [6272, 3136, 6272, 10],
        "mnist-binary": [120, 40],
        "mnist-feedforward": [256, 10],
        "mnist-conv": [6272, 3136, 6272, 10],
        "mnist-conv-small": [4608, 1024, 10],
        "iris-lattice": [18, 3],
        "mnist-windows": [529, 10],
        "xor-lattice": [22, 1],
        "xor-lattice-corners": [22, 1],
    }.get(name, [512, 10])


def test_binary_digits_fit_a_small_board():
    network = read_experiment("digits-binary").network
    assert sum(network.hidden) + 10 * network.replicas <= 192


@pytest.mark.parametrize("name", SHIPPED)
def test_a_resolved_config_reads_back_as_itself(name):
    experiment = read_experiment(name)
    assert validate(parse(dumps(experiment.model_dump(mode="json")), "here")) == experiment


SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)
VALUES = st.one_of(SCALARS, st.lists(st.floats(allow_nan=False)))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(st.dictionaries(NAMES, st.one_of(VALUES, st.dictionaries(NAMES, VALUES))))
def test_written_toml_reads_back(table):
    assert tomllib.loads(dumps(table)) == table


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("learning.nudgin=0.1", ["'learning.nudgin'", "did you mean 'learning.nudging'"]),
        ("nudging=0.1", ["'nudging'", "did you mean 'learning.nudging'"]),
        ("data.training_size=5", ["'data.training_size'", "did you mean 'data.train_size'"]),
        ("learning.nudging=0", ["learning.nudging = 0", "greater than 0"]),
        ("learning.nudging=-0.5", ["learning.nudging = -0.5", "greater than 0"]),
        ("learning.nudging=nan", ["learning.nudging", "finite"]),
        ("learning.epochs=2.5", ["learning.epochs = 2.5", "integer"]),
        ("learning.epochs=many", ["learning.epochs = 'many'", "integer"]),
        ("learning.epochs=none", ["learning.epochs = None", "integer"]),
        ("learning.momentum=1.0", ["learning.momentum = 1.0", "less than 1"]),
        ("network.hidden=64", ["network.hidden = 64", "array"]),
        (
            "network.hidden=[64, 0]",
            ["network.hidden = 0 (element 2)", "greater than or equal to 1"],
        ),
        ("network.unit=spins", ["network.unit = 'spins'", "'spin'"]),
        ("data.balanced=1", ["data.balanced = 1", "boolean"]),
        ("data=digits", ["data = 'digits'", "table"]),
        ("seed=-1", ["seed = -1", "greater than or equal to 0"]),
        ("name.x=1", ["'name.x'", "no table"]),
        ("machine.damping=[1]", ["machine.damping = [1]", "number"]),
        ("machine.order=a&dt=1", ["machine.order = 'a&dt=1'", "without &"]),
        ("name=a/b", ["name = 'a/b'", "letters"]),
        ("epochs", ["'epochs'", "KEY=VALUE"]),
        ("learning.rates=[1, .5]", ["learning.rates=[1, .5]", "no TOML array", "0.5 for .5"]),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_the_key(setting, says):
    with pytest.raises(ConfigError) as caught:
        read_experiment("digits", settings=[setting])
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in says), message


# A machine takes any option; its backend knows which it has.
@pytest.mark.parametrize("key", [key for key in keys() if not key.startswith("machine.")])
def test_every_key_is_the_nearest_to_itself_misspelt(key):
    table, _, last = key.rpartition(".")
    misspelt = f"{table}.{last}x" if table else f"{last}x"
    with pytest.raises(ConfigError, match=f"did you mean '{key}'"):
        read_experiment("digits", settings=[f"{misspelt}=1"])


def test_values_are_read_as_toml():
    settings = [
        "data.balanced=true",
        "network.hidden=[30, 20]",
        "learning.rate=1e-4",
        "network.unit=spin",
        'data.name="iris"',
        "machine.damping=0.5",
        "machine.order=synchronous",
    ]
    experiment = read_experiment("digits", settings=settings)
    assert experiment.data.balanced is True
    assert experiment.network.hidden == (30, 20)
    assert experiment.learning.rate == 1e-4
    assert (experiment.network.unit, experiment.data.name) == ("spin", "iris")
    assert experiment.machine.spec == "conjugate?damping=0.5&order=synchronous"


def test_none_unsets_a_key():
    assert read_experiment("mnist-binary").network.field_limit == 4.0
    unset = read_experiment("mnist-binary", settings=["network.field_limit=none"])
    assert unset.network.field_limit is None


def test_another_backend_leaves_the_options_of_the_first_behind():
    overrides = {"machine.backend": "exact?beta=0.5", "seed": 7, "threads": None}
    experiment = read_experiment("mnist-binary", overrides=overrides)
    assert experiment.machine.spec == "exact?beta=0.5"
    assert (experiment.seed, experiment.threads) == (7, 1)


def test_options_of_a_spec_and_of_the_table_come_together():
    table = {"name": "n", "data": {"name": "iris"}}
    table["machine"] = {"backend": "exact?beta=0.5", "draw": True, "file": "a b/c.toml"}
    spec = validate(table).machine.spec
    assert spec == "exact?beta=0.5&draw=true&file=a b/c.toml"
    assert parse_spec(spec).options == {"beta": "0.5", "draw": "true", "file": "a b/c.toml"}


def test_an_unknown_experiment_names_the_nearest():
    with pytest.raises(ConfigError, match="'digts'; did you mean 'digits'"):
        read_experiment("digts")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'name = "n"\n[data\n', "not valid TOML"),
        (b"\xff\xfe", "not UTF-8"),
        (b'name = "n"\n', "key 'data' is missing"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_experiment_is_one_line(tmp_path, content, says):
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=says) as caught:
        read_experiment(path)
    assert "\n" not in str(caught.value)
