"""The pictures of a run that is there already, finished or not."""

from collections.abc import Callable
from pathlib import Path

from isingeq.errors import CheckpointError
from isingeq.experiments.build import build_unplugged
from isingeq.experiments.map_plots import draw_maps
from isingeq.experiments.maps import ACTIVE, distances, is_placed, read_maps, screening_length
from isingeq.experiments.plots import NAMES, draw
from isingeq.experiments.run_folder import Record, open_run_folder


def show(path: Path, *, warned: Callable[[str], None] = lambda line: None) -> Record:
    """Draw all pictures of a run into its folder, anew.

    Args:
        path: run folder.
        warned: called with a line that the user should read.

    Returns:
        Names of the pictures; of units with places also what the last map comes to.

    Raises:
        CheckpointError: no run folder, or a run without a finished epoch.
    """
    folder = open_run_folder(path)
    if not folder.epochs:
        raise CheckpointError(f"{path} has no epoch yet: there is nothing to draw")
    built = build_unplugged(folder.experiment, folder.checkpoint, warned=warned)
    try:
        trainer = built.trainer
        done = (path / "result.json").exists()
        accuracy = folder.read("result")["test_accuracy"] if done else None
        draw(folder, built.data, trainer.network, trainer.result(), accuracy)
        record: Record = {"run_dir": str(path), "pictures": list(NAMES)}
        if is_placed(trainer.network) and (drawn := draw_maps(path, trainer.network)):
            record["pictures"] += drawn
            last = list(read_maps(path))[-1]
            record |= {
                "epoch": last.epoch,
                "active_units": int(last.active.sum()),
                "num_units": len(last.response),
                "active_from": ACTIVE,
            }
            if trainer.network.wiring is not None:
                away = distances(trainer.network)
                record["screening_length"] = screening_length(last.response, away)
        return record
    finally:
        built.close()
