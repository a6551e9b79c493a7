"""From an `Experiment` to the objects that train: data set, network, backend, trainer."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration import Limits, MappingOptions, mapped, open_mapped
from calibration.store import corrections_for
from isingeq import registry
from isingeq.backend import Backend, Floats, SettleRequest, check_request
from isingeq.errors import ConfigError
from isingeq.experiments.config import Data, Experiment, Learning, Machine, Mapped
from isingeq.experiments.networks import build_network
from isingeq.experiments.rate_networks import build_rate_network
from isingeq.kernels.pool import Pool
from isingeq.learning.augmentation import Augmentation
from isingeq.learning.backprop import forward
from isingeq.learning.estimator import Estimator
from isingeq.learning.model import Model
from isingeq.learning.network import Network
from isingeq.learning.nonconservative import check_field, terms_of
from isingeq.learning.optimizer import Optimizer
from isingeq.learning.phases import check_slope
from isingeq.learning.rate_backprop import check_feedforward
from isingeq.learning.rate_network import RateNetwork
from isingeq.learning.reciprocation import check_pairs
from isingeq.learning.recurrent import check_amplitudes
from isingeq.learning.trainer import Course, Trainer
from isingeq.problem import Problem
from isingeq.tasks import Dataset, load
from isingeq.terms import Clamp

Sites = NDArray[np.intp]
_LINE = ("baud", "timeout", "recovery", "record")
"""What a run does not depend on in the SPEC of a board."""
_NO_OPTION = ("layers", "calibration", "max_age_h")
"""Keys of the table `mapping` that are no `MappingOptions`."""
_FREE_TO_CHANGE = ("name", "threads", "learning.checkpoint_every_s")


@dataclass(frozen=True, eq=False)
class Built:
    """An experiment, ready to run.

    Attributes:
        experiment: what it was built from.
        data: examples.
        trainer: holds network, backend and parameters.
        pool: threads outside the backend.
    """

    experiment: Experiment
    data: Dataset
    trainer: Trainer
    pool: Pool

    def close(self) -> None:
        """Close the backend and stop the threads."""
        self.trainer.backend.close()
        self.pool.close()


def build(
    experiment: Experiment, checkpoint: Path | None = None, *, on: Experiment | None = None
) -> Built:
    """Build all that an experiment needs, and refuse what cannot work before any work.

    Args:
        experiment: resolved.
        checkpoint: file to keep; None keeps none.
        on: whose machine and mapping to settle on; None for the experiment's own.

    Raises:
        ConfigError: values that do not go together.
        DataError: the data set is missing or damaged.
        CapabilityError: the backend cannot hold the network.
    """
    e, learning = experiment, experiment.learning
    chip = on or e
    data = load(**e.data.model_dump())
    construct = build_rate_network if experiment.network.kind == "rate" else build_network
    network: Model = construct(experiment.network, data)
    opened = open_backend(
        chip.machine.spec,
        e.threads,
        chip.mapping,
        limits_of(e),
        network.sites,
    )
    try:
        estimator = Estimator(**_named(Estimator, learning.model_dump(), method=learning.estimator))
        if on is not None:  # nothing is nudged there
            estimator = replace(estimator, displacements=False)
        check_fits(network, opened, estimator)
        pool = Pool(e.threads)
        trainer = Trainer(
            network,
            opened,
            data,
            estimator=estimator,
            optimizer=Optimizer(
                **_named(Optimizer, learning.model_dump(), method=learning.optimizer)
            ),
            course=Course(**_named(Course, learning.model_dump())),
            seed=e.seed,
            pool=pool,
            gains=e.network.gains,
            augmentation=augmentation_of(learning, data),
            path=checkpoint,
            identity=identity(experiment, data),
            assumed=_dotted(Experiment(name=e.name, data=Data(name=e.data.name))),
        )
    except BaseException:
        opened.close()
        raise
    return Built(experiment, data, trainer, pool)


def build_unplugged(
    experiment: Experiment, checkpoint: Path, *, warned: Callable[[str], None]
) -> Built:
    """Build a run as its checkpoint has it, without its machine, which may be in use or gone.

    Args:
        experiment: of the run.
        checkpoint: file.
        warned: called with a line where an earlier checkpoint stands in for a damaged one.

    Raises:
        CheckpointError: no checkpoint, or one of another configuration.
    """
    nothing = {"machine": Machine(backend="null"), "mapping": Mapped()}
    built = build(experiment, checkpoint, on=experiment.model_copy(update=nothing))
    try:
        if warning := built.trainer.resume():
            warned(warning)
    except BaseException:
        built.close()
        raise
    return built


def limits_of(experiment: Experiment) -> Limits | None:
    """Return the largest coupling and field that training can come to, None where there is no limit.

    A spin is pulled by a spring with the strength of the nudging; other costs pull by what no limit is known for.
    """
    network, learning = experiment.network, experiment.learning
    weight, drive = learning.weight_limit, network.field_limit
    if weight is None or drive is None or network.cost != "squared_error":
        return None
    output = weight if network.layers or network.lattice else drive
    return Limits(weight, max(drive, output + learning.nudging))


def open_backend(
    spec: str, threads: int, mapping: Mapped, limits: Limits | None = None, sites: Sites | None = None
) -> Backend:  # fmt: skip
    """Open a backend, on `threads` threads where it takes that option and the SPEC does not say.

    Args:
        spec: SPEC.
        threads: of the backend.
        mapping: layers to put on top.
        limits: of those values, where they are known.
        sites: row and column on a lattice that every unit was made for (n, 2).

    Raises:
        ConfigError: an unknown name or option.
        CapabilityError: a backend that cannot be mapped.
        CalibrationError: a calibration that is not there, damaged, or of another device.
    """
    parsed = registry.parse_spec(spec)
    if (
        threads > 1
        and "threads" not in parsed.options
        and "threads" in registry.options(parsed.name)
    ):
        spec += f"{'&' if parsed.options else '?'}threads={threads}"
    options = MappingOptions(**mapping.model_dump(exclude=set(_NO_OPTION)))
    if mapping.calibration is None:
        return open_mapped(spec, mapping.layers, limits, options, sites=sites)
    if mapping.layers == "none":
        raise ConfigError(
            "mapping.calibration needs layers that correct by it: mapping.layers=auto"
        )
    backend = registry.open_backend(spec)
    try:
        corrections = corrections_for(
            backend,
            spec,
            Path(mapping.calibration),
            max_age_s=mapping.max_age_h and 3600 * mapping.max_age_h,
        )
        return mapped(backend, limits, options, corrections=corrections, sites=sites)
    except BaseException:
        backend.close()
        raise


def check_fits(network: Model, backend: Backend, estimator: Estimator) -> None:
    """Refuse a network that a backend cannot hold, or phases that it cannot run.

    Raises:
        CapabilityError: units, couplings, size or nudging are outside its capabilities.
        ConfigError: spins under backprop, the plain or the recurrent one, or under rejection, or an estimator for
            other forces.
    """
    check_field(estimator.method, network)
    if isinstance(network, RateNetwork):
        if estimator.kolen_pollack:
            check_pairs(network)
    elif estimator.kolen_pollack or estimator.homeostasis:
        raise ConfigError(
            "learning.kolen_pollack and learning.homeostasis are for forces without an energy: leave them away"
        )
    if estimator.reject is not None and any(k.unit.kind == "spin" for k in network.layers):
        raise ConfigError(
            "learning.reject leaves out reads that jump, and spins do nothing else: set reject = none"
        )
    parameters, x = network.initial(0), np.zeros((1, network.inputs), np.float32)
    if estimator.method == "backprop":
        if isinstance(network, RateNetwork):
            check_feedforward(network)
        else:
            assert isinstance(network, Network)
            forward(network, parameters, x, Pool())
        return
    if estimator.method in ("recurrent", "bptt"):
        assert isinstance(network, Network)
        check_amplitudes(network)
    problem = network.problem(network.couplings(parameters), network.encode(parameters, x, Pool()))
    if estimator.tangent:
        check_slope(estimator, problem)
    is_complex = np.iscomplexobj(estimator.phases()[0])
    moved = estimator.displacements and estimator.nudges
    request = SettleRequest(
        problem,
        terms=_clamp(problem)
        if estimator.method == "coupled"
        else terms_of(estimator.method, problem),
        reads=estimator.reads,
        precision="complex128" if is_complex else estimator.precision,
        displacements=moved,
        initial=_anywhere(problem, estimator) if moved else None,
    )
    check_request(backend.name, backend.capabilities, request)


def _anywhere(problem: Problem, estimator: Estimator) -> Floats:
    """Return states (b, r, n) that stand for free ones."""
    low, high = problem.bounds
    return np.tile(np.clip(0.0, low, high), (problem.batch, estimator.reads, 1))


def _clamp(problem: Problem) -> tuple[Clamp, ...]:
    """Return the kind of term that coupled learning needs."""
    return (Clamp(np.zeros(problem.n, np.bool_), np.zeros((problem.batch, problem.n))),)


def augmentation_of(learning: Learning, data: Dataset) -> Augmentation | None:
    """Return what happens to training images, None for nothing.

    Raises:
        ConfigError: examples that are no images, too large a shift, or classes that a mirror image does not keep.
    """
    if not (learning.shift or learning.flip):
        return None
    if learning.flip and not data.mirrored:
        raise ConfigError(
            f"learning.flip mirrors images, and those of {data.name} do not keep their class: set learning.flip=false"
        )
    return Augmentation(data.shape, learning.shift, learning.flip)


def identity(experiment: Experiment, data: Dataset) -> dict[str, object]:
    """Return, by dotted key, all that must agree for a checkpoint to be resumed.

    The digest of the data is among it; the number of epochs is not where the learning rate does not
    follow the run, so that it can be prolonged. A checkpoint that is older than a key had its default.
    """
    out = {"data.sha256": data.sha256, **_dotted(experiment)}
    out["machine.backend"] = _wherever_plugged(experiment.machine.backend)
    prolonged = experiment.learning.anneal == "constant" and not experiment.learning.warmup
    free = {
        *_FREE_TO_CHANGE,
        *(("learning.epochs", "learning.patience", "learning.stop_cost") if prolonged else ()),
    }
    return {key: value for key, value in out.items() if key not in free}


def _dotted(experiment: Experiment) -> dict[str, object]:
    """Return the values of all keys, by dotted key."""
    out: dict[str, object] = {}
    for key, value in experiment.model_dump(mode="json").items():
        if isinstance(value, dict):
            out |= {f"{key}.{inner}": v for inner, v in value.items()}
        else:
            out[key] = value
    return out


def _wherever_plugged(spec: str) -> str:
    """Return a SPEC without the port and line of a board: it may come back at another one."""
    parsed = registry.parse_spec(spec)
    if parsed.name != "serial" or "://" in parsed.argument:
        return spec
    kept = [f"{key}={value}" for key, value in parsed.options.items() if key not in _LINE]
    return "&".join(["serial:", *sorted(kept)])


def _named(kind: Any, values: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return those values that a dataclass has a field for, and `more`."""
    names = {field.name for field in fields(kind)}
    return {key: value for key, value in values.items() if key in names} | more
