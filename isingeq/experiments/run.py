"""One run: train an experiment, test it, and leave a folder that tells all about it."""

import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from isingeq import __version__
from isingeq.backend import Provenance
from isingeq.errors import ConfigError, DeviceError
from isingeq.experiments.build import Built, build
from isingeq.experiments.cautions import cautions
from isingeq.experiments.config import Experiment
from isingeq.experiments.maps import has_maps, is_placed, write_map
from isingeq.experiments.run_folder import Record, RunFolder, create_run_folder, open_run_folder
from isingeq.experiments.stopping import stop_on_signal
from isingeq.learning.phases import settle_free
from isingeq.learning.progress import Epoch, Position
from isingeq.learning.trainer import Listener

_LIBRARIES = ("numpy", "scipy", "numba", "dimod", "dwave-samplers", "scikit-learn")


@dataclass(slots=True)
class Watcher:
    """What a run tells while it works; each is optional.

    Attributes:
        started: called with experiment, folder and number of epochs done, before the first update.
        batch: called after every update, with the number of updates in an epoch.
        epoch: called after every epoch.
        warned: called with a line that the user should read.
    """

    started: Callable[[Experiment, Path, int], None] = lambda experiment, path, done: None
    batch: Callable[[Position, int], None] = lambda position, batches: None
    epoch: Callable[[Epoch], None] = lambda epoch: None
    warned: Callable[[str], None] = lambda line: None


@dataclass(frozen=True, slots=True)
class Stopped:
    """A run that was stopped before its end; its checkpoint can be resumed.

    Attributes:
        run_dir: folder.
        epochs: epochs done.
    """

    run_dir: Path
    epochs: int


def train(
    experiment: Experiment,
    *,
    out: Path | None = None,
    watcher: Watcher | None = None,
    plots: bool = True,
) -> Record | Stopped:
    """Train and test a new run.

    Args:
        experiment: resolved.
        out: run folder; None makes one under `runs`.
        watcher: is told what happens.
        plots: draw them too.

    Returns:
        The result, as `result.json` holds it, or Stopped.

    Raises:
        IsingeqError: of any kind; a folder is made only once everything fits.
    """
    started = _clocks()
    built = build(experiment)
    try:
        folder = create_run_folder(experiment, out)
        built.trainer.path = folder.checkpoint
        return _run(built, folder, watcher or Watcher(), started, plots)
    finally:
        built.close()


def resume(
    path: Path,
    experiment: Experiment | None = None,
    *,
    watcher: Watcher | None = None,
    plots: bool = True,
) -> Record | Stopped:
    """Take up a stopped run where its checkpoint left off; bit for bit as if it had never stopped.

    Args:
        path: run folder.
        experiment: what to go on with; None for what the folder says.
        watcher: is told what happens.
        plots: draw them too.

    Raises:
        CheckpointError: no run folder, no checkpoint, or one of another configuration.
    """
    started = _clocks()
    folder = open_run_folder(path)
    watcher = watcher or Watcher()
    built = build(experiment or folder.experiment, folder.checkpoint)
    try:
        if warning := built.trainer.resume():
            watcher.warned(warning)
        if experiment is not None:
            folder.write_experiment(experiment)
        folder.forget_epochs_after(built.trainer.position.epoch)
        folder.forget_result()
        return _run(built, folder, watcher, started, plots)
    finally:
        built.close()


def evaluate(
    path: Path, on: Experiment | None = None, *, warned: Callable[[str], None] = lambda line: None
) -> Record:
    """Return the test accuracy of an earlier run, on its own backend or another one.

    Args:
        path: run folder.
        on: whose machine and mapping to test on; None for the run's own.
        warned: called with a line that the user should read.

    Raises:
        CheckpointError: no run folder, or no checkpoint.
        CapabilityError: the backend cannot hold the network.
        ConfigError: a backend for a run that was trained by backprop.
    """
    started = time.perf_counter()
    folder = open_run_folder(path)
    built = build(folder.experiment, folder.checkpoint, on=on)
    try:
        trainer = built.trainer
        moved = on is not None and on.machine != folder.experiment.machine
        if moved and trainer.estimator.method == "backprop":
            raise ConfigError(
                f"{path} was trained by backprop, which settles nowhere: leave --backend away"
            )
        if warning := trainer.resume():
            warned(warning)
        if not (path / "result.json").exists():
            warned(
                f"{path} has not ended: it is tested as it is after epoch {trainer.position.epoch}"
            )
        if moved:
            # A schedule belongs to the backend that it was found for.
            trainer.position.schedule, trainer.position.renewed_at = None, -1
        return {
            **_tested(built),
            "num_samples": len(built.data.x_test),
            "backend": on.machine.spec if on and moved else built.experiment.settled_on,
            "provenance": _provenance(built).as_dict(),
            "wall_s": time.perf_counter() - started,
            "params_sha256": trainer.result().sha256(),
            "run_dir": str(path),
        }
    finally:
        built.close()


def _clocks() -> tuple[float, float]:
    """Return seconds on the wall and of this process."""
    return time.perf_counter(), time.process_time()


def _run(
    built: Built, folder: RunFolder, watcher: Watcher, started: tuple[float, float], plots: bool
) -> Record | Stopped:
    """Train to the end or to a stop, test, and write down the outcome."""
    trainer = built.trainer
    earlier = folder.epochs
    folder.write(
        "provenance",
        {"backend": built.experiment.settled_on, **_versions(), "data": _source(built)},
    )

    mapped = has_maps(trainer)

    def add(epoch: Epoch) -> None:
        folder.add_epoch(epoch)
        if mapped:
            write_map(trainer, folder.path)
        watcher.epoch(epoch)

    def announce() -> None:
        watcher.warned("stopping after this batch; once more to stop at once, without a checkpoint")

    watcher.started(built.experiment, folder.path, trainer.position.epoch)
    for line in cautions(built):
        watcher.warned(line)
    with _resumable(folder, watcher), stop_on_signal(announce) as should_stop:
        if mapped and not trainer.position.update:
            write_map(trainer, folder.path)
        if not trainer.run(Listener(on_batch=watcher.batch, on_epoch=add, should_stop=should_stop)):
            return Stopped(folder.path, trainer.position.epoch)
    try:
        with _resumable(folder, watcher):
            tested = _tested(built)
            provenance = _provenance(built)
    except KeyboardInterrupt:
        return Stopped(folder.path, trainer.position.epoch)
    spent = {
        name: now - then + sum(record[name] for record in earlier)
        for name, now, then in zip(("wall_s", "cpu_s"), _clocks(), started, strict=True)
    }
    result = _result(built, folder, tested, provenance) | spent
    folder.write("provenance", {**provenance.as_dict(), **_versions(), "data": _source(built)})
    folder.write("result", result)
    if plots:
        try:
            _draw(built, folder, tested["test_accuracy"], watcher)
        except KeyboardInterrupt:
            watcher.warned(
                f"not all pictures are drawn; nothing else is missing: isingeq show {folder.path}"
            )
    return result


def _draw(built: Built, folder: RunFolder, test_accuracy: float, watcher: Watcher) -> None:
    """Draw the pictures of a run that has ended."""
    from isingeq.experiments.plots import draw  # slow to import

    trainer, network = built.trainer, built.trainer.network
    draw(folder, built.data, network, trainer.result(), test_accuracy)
    if is_placed(network) and has_maps(trainer):
        from isingeq.experiments.map_plots import draw_maps

        if not draw_maps(folder.path, network):
            watcher.warned(
                "every read of every map left its basin, so no map is drawn: raise learning.reject, or lower "
                "learning.nudging"
            )


@contextmanager
def _resumable(folder: RunFolder, watcher: Watcher) -> Iterator[None]:
    """Say how to go on where a device fails for good."""
    try:
        yield
    except DeviceError:
        watcher.warned(
            f"nothing is lost: once the device is back, isingeq train --resume {folder.path}"
        )
        raise


def _result(built: Built, folder: RunFolder, tested: Record, provenance: Provenance) -> Record:
    """Return what a run came to; means are over all epochs, training accuracy is the last one's."""
    epochs = folder.epochs
    settles = sum(record["settles"] for record in epochs)
    return {
        **tested,
        "train_accuracy": epochs[-1]["train_accuracy"],
        "epochs": len(epochs),
        "wall_s": 0.0,
        "cpu_s": 0.0,
        "settles": settles,
        "mean_free_steps": float(np.mean([record["mean_free_steps"] for record in epochs])),
        "mean_nudged_steps": float(np.mean([record["mean_nudged_steps"] for record in epochs])),
        "unsettled_fraction": sum(r["unsettled_fraction"] * r["settles"] for r in epochs)
        / max(1, settles),
        "backend": built.experiment.settled_on,
        "provenance": provenance.as_dict(),
        "seed": built.experiment.seed,
        "params_sha256": built.trainer.result().sha256(),
        "run_dir": str(folder.path),
    }


def _tested(built: Built) -> Record:
    """Return the test accuracy; over fresh starts also the share of them that gets every example right at once."""
    trainer, data = built.trainer, built.data
    starts = built.experiment.learning.test_starts
    if starts is None:
        predicted = trainer.predict(data.x_test, parameters=trainer.result())
        return {"test_accuracy": float((predicted == data.y_test).mean())}
    predicted = trainer.predict(
        np.tile(data.x_test, (starts, 1)), parameters=trainer.result(), reads=1
    )
    right = predicted.reshape(starts, -1) == data.y_test
    return {
        "test_accuracy": float(right.mean()),
        "joint_accuracy": float(right.all(axis=1).mean()),
        "test_starts": starts,
    }


def _provenance(built: Built) -> Provenance:
    """Return where the settles come from, by one of them."""
    trainer, parameters = built.trainer, built.trainer.result()
    if trainer.estimator.method == "backprop":
        return Provenance("backprop", "simulated", trainer.seed)
    network = trainer.network
    return settle_free(
        trainer.estimator,
        network,
        trainer.backend,
        network.couplings(parameters),
        network.encode(parameters, built.data.x_test[:1], built.pool),
        seed=trainer.seed,
        schedule=trainer.position.schedule,
    ).provenance


def _versions() -> Record:
    return {
        "isingeq": __version__,
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "platform": f"{platform.system()} {platform.machine()}",
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _source(built: Built) -> Record:
    data = built.data
    return {
        "name": data.name,
        "source": data.source,
        "scaling": data.scaling,
        "train_size": len(data.x_train),
        "validation_size": len(data.x_validation),
        "test_size": len(data.x_test),
        "num_clipped": data.num_clipped,
        "sha256": data.sha256,
    }
