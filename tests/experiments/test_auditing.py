import pytest

from isingeq.errors import CapabilityError, ConfigError
from isingeq.experiments.auditing import audit_experiment
from isingeq.experiments.config import Machine
from isingeq.experiments.reading import validate
from isingeq.experiments.run import train
from isingeq.experiments.run_folder import open_run_folder
from isingeq.experiments.showing import show


def with_learning(experiment, **values):
    table = experiment.model_dump(exclude_none=True)
    table["learning"] = {**table["learning"], **values}
    return validate(table)


def on(experiment, spec):
    return experiment.model_copy(update={"machine": Machine.model_validate({"backend": spec})})


def test_fixed_points_are_audited_by_finite_differences(blobs):
    found = audit_experiment(with_learning(blobs, nudging=1e-4), entries=4)
    assert "finite differences of the cost" in found.reference
    assert found.cosine > 0.999
    assert [block.num_compared + block.num_left_out for block in found.blocks] == [4, 4, 4, 3]
    assert sum(block.num_left_out for block in found.blocks) <= 2


def test_a_boltzmann_machine_is_audited_at_its_own_beta(blobs_on_spins):
    settings = {"nudging": 1e-3, "estimator": "centred"}
    sampled = on(with_learning(blobs_on_spins, **settings), "exact?beta=0.7")
    found = audit_experiment(sampled, entries=3, beta=5.0)
    assert "expected cost" in found.reference
    assert found.cosine > 0.99999
    assert max(block.relative_error for block in found.blocks) < 1e-3


def test_a_ground_state_machine_is_audited_at_the_beta_given(blobs_on_spins):
    found = audit_experiment(blobs_on_spins, entries=3, beta=2.0)
    assert found.reference == "equilibrium propagation on exact"
    hot, cold = (
        audit_experiment(blobs_on_spins, entries=3, beta=beta).cosine for beta in (0.1, 5.0)
    )
    assert hot != cold


def test_what_cannot_be_audited_says_why(blobs, blobs_on_spins):
    with pytest.raises(ConfigError, match="backprop"):
        audit_experiment(with_learning(blobs, estimator="backprop"))
    with pytest.raises(ConfigError, match="beta 0"):
        audit_experiment(blobs_on_spins, beta=0.0)
    with pytest.raises(CapabilityError, match="claims none"):
        audit_experiment(on(blobs, "null"))
    table = blobs_on_spins.model_dump(exclude_none=True)
    table["network"]["hidden"] = (30,)
    with pytest.raises(CapabilityError, match="36 spins and at most 20"):
        audit_experiment(validate(table))


def test_a_run_is_audited_at_the_weights_it_has(blobs, tmp_path):
    train(with_learning(blobs, nudging=1e-4), out=tmp_path / "run", plots=False)
    run = open_run_folder(tmp_path / "run")
    at_first = audit_experiment(run.experiment, entries=4)
    trained = audit_experiment(run.experiment, run=run, entries=4)
    assert trained.cosine > 0.999
    assert [b.relative_error for b in trained.blocks] != [b.relative_error for b in at_first.blocks]
    run.checkpoint.write_bytes(b"torn")
    told = []
    audit_experiment(run.experiment, run=run, entries=1, warned=told.append)
    show(tmp_path / "run", warned=told.append)
    assert ["damaged" in line for line in told] == [True, True]
    wider = run.experiment.model_copy(
        update={"network": run.experiment.network.model_copy(update={"hidden": (9,)})}
    )
    with pytest.raises(ConfigError, match="fit its own network"):
        audit_experiment(wider, run=run)


def test_a_coarse_tolerance_shows_where_it_is_kept(blobs):
    coarse = with_learning(blobs, nudging=1e-4, tolerance=0.05)
    assert audit_experiment(coarse, entries=4).cosine > 0.999
    kept = audit_experiment(coarse, entries=4, as_trained=True)
    assert kept.cosine < 0.9
    assert min(block.recurrent for block in kept.blocks) < 0.9
