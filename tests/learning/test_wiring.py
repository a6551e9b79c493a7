import numpy as np
import pytest

from calibration import reports
from isingeq.backend import SettleRequest
from isingeq.errors import ConfigError
from isingeq.experiments.build import build
from isingeq.experiments.reading import validate
from isingeq.kernels.pool import Pool
from isingeq.lattices import lattice
from isingeq.learning.wiring import on_lattice

BLOBS = {
    "name": "lattice",
    "data": {"name": "blobs", "validation_size": 12},
    "network": {
        "lattice": "kings", "sites": [5, 7], "lateral": False, "unit": "spin", "output": "spin",
        "replicas": 2, "gains": [0.5, 0.25], "field_limit": 4.0,
    },
    "machine": {"backend": "gibbs", "sweeps": 20},
    "learning": {
        "estimator": "positive", "select": "best", "skip_correct": True, "optimizer": "sgd", "momentum": 0.0,
        "bias_rate": 0.1, "nudging": 5.0, "weight_limit": 1.0, "reads": 4, "epochs": 12, "batch_size": 10, "rate": 0.05,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "rows", "columns", "replicas"), [("kings", 9, 9, 5), ("square", 6, 7, 3)]
)
def test_outputs_are_apart_and_the_edges_are_those_of_the_lattice(kind, rows, columns, replicas):
    wiring, classes = on_lattice(kind, rows, columns, 3, replicas), 3
    n, outputs = rows * columns, classes * replicas
    sites = wiring.sites[:, 0] * columns + wiring.sites[:, 1]
    assert sorted(sites.tolist()) == list(range(n))
    assert (wiring.i < wiring.j).all()
    assert not ((wiring.i >= n - outputs) & (wiring.j >= n - outputs)).any()
    graph = lattice(kind, rows, columns)
    ends = np.sort(np.stack([sites[wiring.i], sites[wiring.j]]), axis=0)
    assert set(zip(*ends.tolist(), strict=True)) == set(
        zip(graph.i.tolist(), graph.j.tolist(), strict=True)
    )
    # Replicas of a class are spread: their rows differ by more than those of neighbours in the list of sites.
    by_class = sites[n - outputs :].reshape(classes, replicas)
    assert (np.ptp(by_class // columns, axis=1) >= 2).all()
    degrees = np.bincount(np.concatenate([wiring.i, wiring.j]))
    assert (degrees[n - outputs :] == (8 if kind == "kings" else 4)).all()


def test_without_lateral_couplings_all_end_at_an_output():
    whole, star = on_lattice("kings", 9, 9, 3, 4), on_lattice("kings", 9, 9, 3, 4, lateral=False)
    assert (star.j >= 81 - 12).all()
    assert star.i.size == 12 * 8
    assert (star.sites == whole.sites).all()
    assert star.mean_degree == 2 * 96 / 81


def test_too_many_outputs_are_refused():
    with pytest.raises(ConfigError, match="has room for 1 output units off its edge"):
        on_lattice("kings", 4, 4, 3, 2)


def test_a_lattice_learns():
    built = build(validate(BLOBS))
    try:
        assert built.trainer.run()
        predicted = built.trainer.predict(built.data.x_test)
        assert (predicted == built.data.y_test).mean() >= 0.7
    finally:
        built.close()


def test_the_energy_is_that_of_the_lattice():
    built = build(validate(BLOBS))
    network, pool = built.trainer.network, Pool()
    rng = np.random.default_rng(1)
    parameters = network.initial(0)
    parameters.vector[:] = rng.normal(size=parameters.vector.size)
    x = built.data.x_test[:3]
    problem = network.problem(network.couplings(parameters), network.encode(parameters, x, pool))
    s = rng.choice([-1.0, 1.0], (3, 1, network.n))
    wiring, first = network.wiring, network.spans[0][1]
    bias = np.concatenate([parameters["hidden1.bias"], parameters["output.bias"]])
    wanted = [
        -sum(
            w * z[a] * z[b]
            for w, a, b in zip(parameters["wiring.weight"], wiring.i, wiring.j, strict=True)
        )
        - z @ bias
        - z[:first] @ (xx @ parameters["input-hidden1.weight"])
        for z, xx in zip(s[:, 0], x, strict=True)
    ]
    np.testing.assert_allclose(problem.energy(s)[:, 0], wanted, rtol=1e-5)
    built.close()


def test_the_contrast_of_an_edge_is_that_of_its_ends():
    built = build(validate(BLOBS))
    network, pool = built.trainer.network, Pool()
    parameters, rng = network.initial(0), np.random.default_rng(2)
    states = rng.choice([-1.0, 1.0], (2, 4, 3, network.n)).astype(np.float32)
    signs = rng.normal(size=(2, 4, 3)).astype(np.float32)
    gradient, x = parameters.like(), built.data.x_test[:4]
    inputs = network.inputs_of(x)
    network.contrast(network.couplings(parameters), inputs, states, signs, gradient, pool)
    wiring = network.wiring
    wanted = -np.einsum("kbr,kbrm,kbrm->m", signs, states[..., wiring.i], states[..., wiring.j])
    np.testing.assert_allclose(gradient["wiring.weight"], wanted, rtol=1e-4, atol=1e-5)
    built.close()


@pytest.mark.parametrize(
    ("network", "says"),
    [
        ({"sites": None}, "belong together"),
        ({"lattice": None}, "belong together"),
        ({"hidden": [4]}, "leave network.hidden away"),
        ({"cost": "cross_entropy"}, "leave network.hidden away"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(network, says):
    with pytest.raises(ConfigError, match=says):
        build(validate({**BLOBS, "network": {**BLOBS["network"], **network}}))


def test_backprop_has_no_layers_to_go_through():
    learning = {**BLOBS["learning"], "estimator": "backprop"}
    network = {**BLOBS["network"], "unit": "amplitude", "output": "linear"}
    with pytest.raises(ConfigError, match="wired network"):
        build(validate({**BLOBS, "network": network, "learning": learning}))


def test_a_lattice_sits_on_its_chip_unit_by_unit():
    chip = {"backend": "profile:kings-256", "rows": 7, "columns": 9, "ideal": True}
    built = build(validate({**BLOBS, "machine": chip}))
    try:
        trainer = built.trainer
        network, parameters = trainer.network, trainer.parameters
        problem = network.problem(
            network.couplings(parameters), network.encode(parameters, built.data.x_test, built.pool)
        )
        schedule = trainer.backend.suggest_schedule(problem)
        found = trainer.backend.settle(SettleRequest(problem, schedule=schedule))
        report = reports(found)[0]
        assert (report["found"], report["longest_chain"]) == ("sites", 1)
    finally:
        built.close()
