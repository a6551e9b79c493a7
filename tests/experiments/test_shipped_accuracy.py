"""What the shipped experiments come to, and what automatic damping gains: minutes, so only on demand."""

import numpy as np
import pytest

from isingeq.backend import SettleRequest
from isingeq.backends.simulator import conjugate, hopfield
from isingeq.experiments import run
from isingeq.experiments.build import build
from isingeq.experiments.reading import read_experiment

pytestmark = pytest.mark.slow


def outcome(name, folder, **overrides):
    record = run.train(read_experiment(name, overrides=overrides), out=folder, plots=False)
    assert isinstance(record, dict)
    return record


def test_digits_reach_98_percent(tmp_path):
    seeds = [
        outcome("digits", tmp_path / str(seed), seed=seed)["test_accuracy"] for seed in range(3)
    ]
    assert np.mean(seeds) >= 0.98


def test_digits_come_within_two_points_of_backprop(tmp_path):
    equilibrium = outcome("digits", tmp_path / "ep")
    backprop = outcome("digits", tmp_path / "bp", **{"learning.estimator": "backprop"})
    assert backprop["test_accuracy"] > 0.97
    assert equilibrium["test_accuracy"] > backprop["test_accuracy"] - 0.02


def test_spins_learn_digits_by_annealing(tmp_path):
    assert outcome("digits-binary", tmp_path / "run")["test_accuracy"] >= 0.94


def test_automatic_damping_needs_half_the_steps_of_synchronous_updates_on_a_trained_network():
    built = build(read_experiment("digits", overrides={"learning.epochs": 20}))
    try:
        trainer = built.trainer
        trainer.run()
        encoded = trainer.network.encode(trainer.parameters, built.data.x_test, built.pool)
        problem = trainer.network.problem(trainer.network.couplings(trainer.parameters), encoded)
    finally:
        built.close()
    steps = {}
    for name, machine in {
        "auto": conjugate(),
        "synchronous": hopfield(update="synchronous"),
        "asynchronous": hopfield(),
    }.items():
        request = SettleRequest(
            problem, schedule=machine.suggest_schedule(problem), tolerance=1e-3, max_steps=2000
        )
        found = machine.settle(request)
        machine.close()
        assert found.settled.all()
        steps[name] = found.steps
    for whole in (np.max, np.mean):
        assert 2 * whole(steps["auto"]) <= whole(steps["synchronous"])
        assert whole(steps["auto"]) <= whole(steps["asynchronous"])
