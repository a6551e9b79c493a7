"""Experiments on rate networks: what the table builds and refuses, what is said before training, and what is learnt."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from isingeq.backends.rate import rate
from isingeq.couplings import Directed
from isingeq.errors import CapabilityError, ConfigError
from isingeq.experiments import build, run
from isingeq.experiments.auditing import audit_experiment
from isingeq.experiments.cautions import lacking_energy
from isingeq.experiments.rate_networks import build_rate_network
from isingeq.experiments.reading import read_experiment, validate
from isingeq.learning.estimator import Estimator
from isingeq.learning.nonconservative import METHODS
from isingeq.learning.rate_network import RateNetwork
from isingeq.tasks import load
from isingeq.terms import LinearNudge, QuadraticNudge


def on_blobs(network=None, learning=None, **tables):
    """Three clouds in the plane on a rate network."""
    return validate(
        {
            "name": "blobs-rate",
            "seed": 3,
            "data": {"name": "blobs", "validation_size": 12},
            "network": {"kind": "rate", "hidden": [16], "gains": [0.5], **(network or {})},
            "machine": {"backend": "rate"},
            "learning": {
                "estimator": "asymmetric", "epochs": 4, "batch_size": 10, "rate": 0.02, "tolerance": 1e-5,
                **(learning or {}),
            },
            **tables,
        }
    )  # fmt: skip


def built(network=None, **learning):
    return build.build(on_blobs(network, learning))


def spans_of(network):
    couplings = network.couplings(network.initial(0))
    return [(k.source, k.target) for k in couplings if isinstance(k, Directed)]


def test_the_table_says_which_links_there_are():
    first, second, out = (0, 8), (8, 14), (14, 17)
    there, back = [(first, second), (second, out)], [(second, first), (out, second)]
    for table, ends in (
        ({}, there),
        ({"backward": "own"}, there + back),
        ({"backward": "tied"}, there + back),
        ({"recurrent": True}, [((0, 17), (0, 17))]),
        ({"skew": 0.5}, [*there, ((0, 17), (0, 17))]),
    ):
        one = built({"hidden": [8, 6], **table})
        assert isinstance(one.trainer.network, RateNetwork)
        assert spans_of(one.trainer.network) == ends, table
        one.close()


def test_inputs_stiffness_and_activation_come_from_the_table():
    one = built({"hidden": [8, 6], "fed": 2, "stiffness": [1.0, 2.0, 3.0], "activation": "hard"})
    network = one.trainer.network
    one.close()
    assert network.input_names == ("input-hidden1.weight", "input-hidden2.weight")
    assert [layer.unit.stiffness for layer in network.layers] == [1.0, 2.0, 3.0]
    assert all(k.activation == "hard" for k in network.couplings(network.initial(0)))
    readout = built({"cost": "cross_entropy"})
    assert [layer.name for layer in readout.trainer.network.layers] == ["hidden1"]
    readout.close()


@pytest.mark.parametrize(
    ("network", "learning", "says"),
    [
        ({"unit": "spin"}, {}, "network.unit belongs to networks with an energy"),
        ({"lattice": "kings", "sites": [4, 4]}, {}, "network.lattice belongs to networks with an energy"),
        ({"kind": "energy", "skew": 1.0}, {}, "network.skew belongs to rate networks"),
        ({"kind": "energy"}, {}, "asymmetric is for forces without an energy"),
        ({}, {"estimator": "centred"}, "needs an energy"),
        ({"backward": "own"}, {"estimator": "backprop"}, "feedforward"),
        ({"recurrent": True, "fed": 2, "hidden": [8, 6]}, {}, "network.recurrent joins every unit"),
        ({"stiffness": [1.0, 2.0, 3.0]}, {}, "3 values for 2 layers"),
        ({"cost": "log_cosine"}, {}, "compares phases"),
        ({"cost": "cross_entropy", "replicas": 2}, {}, "replicas = 1"),
        ({}, {"reads": 2}, "reads = 1"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused_before_any_work(network, learning, says):
    with pytest.raises(ConfigError, match=says):
        built(network, **learning)


def test_a_backend_for_energies_refuses_it():
    with pytest.raises(CapabilityError, match="directed couplings"):
        build.build(on_blobs(machine={"backend": "conjugate"}))


@pytest.mark.parametrize(
    ("estimator", "term"), [("asymmetric", "Reciprocal"), ("dyadic", "Transposed")]
)
def test_a_backend_without_the_term_of_an_estimator_is_refused_before_any_work(estimator, term):
    experiment = on_blobs(learning={"estimator": estimator})
    network = build_rate_network(experiment.network, load("blobs"))
    backend = rate()
    few = replace(backend.capabilities, terms=frozenset({LinearNudge, QuadraticNudge}))
    backend = SimpleNamespace(name="few", capabilities=few)
    with pytest.raises(CapabilityError, match=f"few cannot take the terms {term}"):
        build.check_fits(network, backend, Estimator(estimator))
    build.check_fits(network, backend, Estimator("vector_field"))


@pytest.mark.parametrize("estimator", [*METHODS, "backprop"])
def test_every_estimator_trains_and_is_evaluated(estimator, tmp_path):
    experiment = on_blobs(learning={"estimator": estimator})
    record = run.train(experiment, out=tmp_path / "run", plots=False)
    assert record["test_accuracy"] > 0.8
    assert record["unsettled_fraction"] == 0
    assert (record["settles"] == 0) == (estimator == "backprop")
    assert run.evaluate(tmp_path / "run")["test_accuracy"] == record["test_accuracy"]


def test_exact_estimators_learn_the_same():
    ends = []
    for estimator in ("dyadic", "adjoint", "backprop"):
        one = built(estimator=estimator, precision="float64", tolerance=1e-11, epochs=2)
        one.trainer.run()
        ends.append(one.trainer.parameters.vector.copy())
        one.close()
    for other in ends[1:]:
        np.testing.assert_allclose(other, ends[0], atol=2e-6)


@pytest.mark.parametrize(
    ("network", "estimator", "warns"),
    [
        ({"backward": "tied"}, "plain", True),
        ({"backward": "tied"}, "vector_field", True),
        ({"backward": "tied"}, "asymmetric", False),
        ({"backward": "own"}, "plain", False),
        ({"backward": "tied", "activation": "identity"}, "plain", False),
    ],
)
def test_weights_alike_both_ways_are_no_energy_and_that_is_said(network, estimator, warns):
    one = built(network, estimator=estimator)
    line = lacking_energy(one)
    one.close()
    assert (line is not None) == warns
    if line:
        assert "no energy" in line
        assert "\n" not in line


def test_the_word_of_caution_comes_before_the_first_epoch(tmp_path):
    told = []
    watcher = run.Watcher(
        epoch=lambda epoch: told.append("epoch"), warned=lambda line: told.append(line)
    )
    experiment = on_blobs({"backward": "tied"}, {"estimator": "plain", "epochs": 1})
    run.train(experiment, out=tmp_path / "run", plots=False, watcher=watcher)
    assert "plain is biased" in told[0]
    assert told[1:] == ["epoch"]


def test_audits_meet_the_adjoint_and_show_the_asymmetry():
    found = audit_experiment(on_blobs({"backward": "own"}, {"nudging": 0.004}), entries=3)
    assert found.cosine > 0.99999
    assert min(block.recurrent for block in found.blocks) > 0.99999
    assert 0.1 < found.asymmetry < 1
    biased = audit_experiment(on_blobs({}, {"estimator": "vector_field"}), entries=3)
    assert biased.cosine < 0.99
    assert biased.asymmetry == pytest.approx(np.sqrt(0.5), abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least", "biased", "most"),
    [
        ("digits-feedforward", 0.93, "vector_field", 0.91),
        ("digits-recurrent", 0.92, "vector_field", 0.80),
        ("digits-skew", 0.94, "plain", 0.40),
    ],
)
def test_shipped_digits_learn_where_the_biased_estimator_does_not(
    name, least, biased, most, tmp_path
):
    for estimator in ("dyadic", biased):
        experiment = read_experiment(name, overrides={"learning.estimator": estimator})
        accuracy = run.train(experiment, out=tmp_path / estimator, plots=False)["test_accuracy"]
        assert (accuracy >= least) if estimator == "dyadic" else (accuracy <= most)
