"""The gradient of an experiment at its initial parameters, or at those of a run, against one that is sure."""

from collections.abc import Callable

from isingeq import registry
from isingeq.backend import Claim
from isingeq.errors import CapabilityError, ConfigError
from isingeq.experiments.build import Built, build, build_unplugged
from isingeq.experiments.config import Experiment
from isingeq.experiments.run_folder import RunFolder
from isingeq.learning.audit import Audit, audit
from isingeq.learning.parameters import Parameters
from isingeq.schedule import Annealing
from isingeq.units import Spin


def audit_experiment(
    experiment: Experiment, *, run: RunFolder | None = None, num_samples: int = 8, entries: int = 20,
    beta: float = 1.0, as_trained: bool = False, warned: Callable[[str], None] = lambda line: None,
) -> Audit:  # fmt: skip
    """Audit the gradient that an experiment's backend and estimator give.

    Args:
        experiment: resolved.
        run: whose parameters, as they are in its checkpoint; None for initial ones.
        num_samples: first samples of the training part.
        entries: parameters compared per array.
        beta: inverse temperature of the enumeration that spins are compared with; a Boltzmann machine states its own.
        as_trained: audit the gradient at the precision, tolerance and steps of training, and not settled to the end.
        warned: called with a line that the user should read.

    Raises:
        CapabilityError: more spins than can be enumerated, or a backend that claims nothing of other units.
        CheckpointError: a run without a checkpoint.
        ConfigError: backprop, a beta that is not positive, or another network than the run's.
    """
    if experiment.learning.estimator == "backprop":
        raise ConfigError(
            "an audit is of equilibrium propagation: set learning.estimator to other than backprop"
        )
    if not beta > 0:
        raise ConfigError(f"beta {beta} of the enumeration must be > 0")
    parameters = None if run is None else _parameters_of(run, experiment, warned)
    built = build(experiment)
    reference = None
    try:
        trainer = built.trainer
        spins = all(isinstance(layer.unit, Spin) for layer in trainer.network.layers)
        if spins and trainer.backend.capabilities.claim is not Claim.FIXED_POINT:
            own = _own_beta(built)
            reference = registry.open_backend(f"exact?beta={beta if own is None else own!r}")
            _check_enumerable(trainer.network.n, reference.capabilities.max_units)
        return audit(
            trainer.network,
            trainer.backend,
            parameters or trainer.parameters,
            built.data.x_train[:num_samples],
            built.data.y_train[:num_samples],
            estimator=trainer.estimator,
            reference=reference,
            seed=experiment.seed,
            entries=entries,
            pool=built.pool,
            as_trained=as_trained,
        )
    finally:
        built.close()
        if reference is not None:
            reference.close()


def _parameters_of(
    run: RunFolder, experiment: Experiment, warned: Callable[[str], None]
) -> Parameters:
    """Return the parameters of a run as its checkpoint has them."""
    if experiment.network != run.experiment.network or experiment.data != run.experiment.data:
        raise ConfigError(
            f"the parameters of {run.path} fit its own network and data: leave --set network.* and data.* away"
        )
    built = build_unplugged(run.experiment, run.checkpoint, warned=warned)
    built.close()
    return built.trainer.parameters


def _own_beta(built: Built) -> float | None:
    """Return the inverse temperature that a Boltzmann machine samples at."""
    trainer = built.trainer
    if trainer.backend.capabilities.claim is not Claim.BOLTZMANN:
        return None
    network, parameters = trainer.network, trainer.parameters
    encoded = network.encode(parameters, built.data.x_train[:1], built.pool)
    problem = network.problem(network.couplings(parameters), encoded)
    schedule = trainer.backend.suggest_schedule(problem)
    return schedule.betas[-1] if isinstance(schedule, Annealing) else None


def _check_enumerable(num_spins: int, most: int | None) -> None:
    if most is not None and num_spins > most:
        raise CapabilityError(
            f"the network has {num_spins} spins and at most {most} can be enumerated: audit a "
            "smaller one, as with --set network.hidden=[6] --set network.replicas=1"
        )
