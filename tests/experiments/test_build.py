import numpy as np
import pytest

from isingeq.errors import CapabilityError, ConfigError
from isingeq.experiments import build
from isingeq.experiments.config import Machine, Mapped
from isingeq.experiments.networks import build_network
from isingeq.experiments.reading import validate
from isingeq.learning.augmentation import Augmentation
from isingeq.tasks import from_arrays, load


def changed(experiment, **tables):
    """Return the experiment with keys of some tables replaced."""
    table = experiment.model_dump(exclude_none=True)
    for name, values in tables.items():
        table[name] = {**table[name], **values}
    return validate(table)


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"machine": {"backend": "neal"}}, "amplitude units"),
        ({"network": {"unit": "spin", "output": "spin"}}, "spin units"),
        ({"learning": {"estimator": "holomorphic", "points": 3}}, "complex nudging"),
    ],
)
def test_what_a_backend_cannot_hold_is_refused_before_any_work(blobs, tables, says):
    with pytest.raises(CapabilityError, match=says):
        build.build(changed(blobs, **tables))


def test_backprop_needs_no_backend_that_fits_but_amplitudes(blobs, blobs_on_spins):
    backprop = {"learning": {"estimator": "backprop"}}
    build.build(changed(blobs, machine={"backend": "neal"}, **backprop)).close()
    with pytest.raises(ConfigError, match="spin"):
        build.build(changed(blobs_on_spins, **backprop))


def test_more_spins_than_a_backend_holds_are_refused(blobs_on_spins):
    machine = Machine.model_validate({"backend": "exact?max_units=11"})
    few = blobs_on_spins.model_copy(update={"machine": machine})
    with pytest.raises(CapabilityError, match="12 units; it takes at most 11"):
        build.build(few)


def test_a_refusal_closes_the_backend(blobs_on_spins, monkeypatch):
    opened = []
    genuine = build.open_backend
    monkeypatch.setattr(build, "open_backend", lambda *a: opened.append(genuine(*a)) or opened[0])
    with pytest.raises(ConfigError, match="batch_size 500"):
        build.build(changed(blobs_on_spins, learning={"batch_size": 500}))
    assert opened[0]._executor is None


def test_spins_aim_at_plus_and_minus_one_and_amplitudes_at_one_and_zero(blobs, blobs_on_spins):
    data = load("blobs")
    for experiment, low in ((blobs, 0.0), (blobs_on_spins, -1.0)):
        cost = build_network(experiment.network, data).cost
        assert (cost.low, cost.high) == (low, 1.0)


def test_cross_entropy_reads_the_last_hidden_layer(blobs):
    data = load("blobs")
    network = build_network(
        changed(blobs, network={"hidden": [8, 5], "cost": "cross_entropy"}).network, data
    )
    assert [layer.size for layer in network.layers] == [8, 5]
    assert dict(network.shapes)["readout.weight"] == (5, 3)
    with pytest.raises(ConfigError, match="replicas = 1"):
        build_network(
            changed(blobs, network={"cost": "cross_entropy", "replicas": 2}).network, data
        )


def test_threads_reach_a_backend_that_takes_them_unless_its_spec_says():
    assert build.open_backend("conjugate", 2, Mapped()).threads == 2
    assert build.open_backend("conjugate?dt=0.5", 2, Mapped()).threads == 2
    assert build.open_backend("conjugate?threads=1", 2, Mapped()).threads == 1
    build.open_backend("exact", 2, Mapped())  # takes none


def test_identity_forgets_what_changes_no_number(blobs):
    data = load("blobs")
    same = blobs.model_copy(update={"threads": 2, "name": "other"})
    assert build.identity(same, data) == build.identity(blobs, data)
    for tables in (
        {"learning": {"rate": 0.03}},
        {"machine": {"dt": 0.9}},
        {"network": {"hidden": [9]}},
    ):
        assert build.identity(changed(blobs, **tables), data) != build.identity(blobs, data)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("/dev/ttyACM0?baud=115200&sweeps=50", "/dev/ttyUSB3?sweeps=50&timeout=3", True),
        ("COM3", "serial:/dev/ttyACM0", True),
        ("/dev/ttyACM0?sweeps=50", "/dev/ttyACM0?sweeps=60", False),
        ("/dev/ttyACM0", "model://ref-arm192", False),
        ("model://ref-arm192", "emulator://lm3s", False),
    ],
)
def test_a_board_may_come_back_at_another_port(blobs_on_spins, a, b, same):
    data = load(**blobs_on_spins.data.model_dump())
    one, other = (
        build.identity(changed(blobs_on_spins, machine={"backend": spec}), data) for spec in (a, b)
    )
    assert (one == other) is same


@pytest.mark.parametrize(
    ("data", "learning", "says"),
    [
        ("digits", {"flip": True}, r"those of digits do not keep their class: set learning\.flip=false"),
        ("blobs", {"shift": 1}, r"the examples have shape \(2,\): set shift = 0"),
        ("digits", {"shift": 8}, "8 × 8 pixels: at most 7"),
        ("digits", {"shift": 1, "warm_start": True}, "leave either away"),
    ],
)  # fmt: skip
def test_augmentation_that_makes_no_sense_is_refused_in_one_line(blobs, data, learning, says):
    with pytest.raises(ConfigError, match=says) as refusal:
        build.build(changed(blobs, data={"name": data}, learning=learning))
    assert "\n" not in str(refusal.value)


def test_images_are_shifted_and_mirrored_where_the_data_set_allows_it(blobs):
    x, y = np.zeros((12, 4, 4, 3)), np.arange(12) % 2
    for mirrored in (False, True):
        data = from_arrays(x, y, x, y, mirrored=mirrored)
        assert build.augmentation_of(blobs.learning, data) is None
        learning = changed(blobs, learning={"shift": 2, "flip": mirrored}).learning
        assert build.augmentation_of(learning, data) == Augmentation((4, 4, 3), 2, mirrored)


def test_epochs_belong_to_the_identity_where_the_rate_follows_them(blobs):
    data = load("blobs")
    for rate, same in (({}, True), ({"anneal": "cosine"}, False), ({"warmup": 0.1}, False)):
        short = changed(blobs, learning=rate)
        long = changed(blobs, learning={**rate, "epochs": 9})
        assert (build.identity(short, data) == build.identity(long, data)) is same


def test_stiffness_belongs_to_layers_outputs_last(blobs):
    data = load("blobs")
    given = {"hidden": [8, 5], "stiffness": [1.0, 0.5, 0.25]}
    network = build_network(changed(blobs, network=given).network, data)
    assert [layer.unit.stiffness for layer in network.layers] == [1.0, 0.5, 0.25]
    network = build_network(changed(blobs, network=given | {"stiffness": [0.5]}).network, data)
    assert [layer.unit.stiffness for layer in network.layers] == [0.5] * 3
    network = build_network(
        changed(blobs, network=given | {"cost": "cross_entropy", "stiffness": [2.0, 0.5]}).network, data
    )  # fmt: skip
    assert [layer.unit.stiffness for layer in network.layers] == [2.0, 0.5]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"stiffness": [1.0, 0.5, 0.1]}, "3 values for 2 layers"),
        ({"stiffness": [0.5], "unit": "logistic"}, "belongs to amplitudes: logistic"),
        ({"stiffness": [1.0, 0.5], "output": "quartic"}, "belongs to amplitudes: quartic"),
    ],
)
def test_a_stiffness_that_fits_no_layer_is_refused(blobs, table, words):
    with pytest.raises(ConfigError, match=words):
        build_network(changed(blobs, network={"hidden": [8]} | table).network, load("blobs"))
