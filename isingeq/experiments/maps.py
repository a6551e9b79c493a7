"""Maps: how far a nudge at the outputs is felt across a lattice or image, and which couplings training has changed.

    R_i = mean over samples and reads of |φ_i(+β) − φ_i(−β)| / 2β            centred; |φ_i(±β) − φ_i| / β one-sided

A unit takes part in learning where R_i is not small: it is *active* where R_i is at least a tenth of the largest, else
*marginal*. Reads that left their basin do not count. The screening length ξ is that of R ∝ e^(−d/ξ), d the number of
couplings from the nearest output, not by way of inputs, which are held (Wang, Wanjura & Marquardt 2026 speak of both
regions; on a uniform lattice ξ ≈ √(W / h)).
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import shortest_path

from isingeq.backend import Claim, Floats
from isingeq.errors import CheckpointError
from isingeq.experiments.run_folder import write_bytes
from isingeq.learning.gradient import Step, estimate
from isingeq.learning.links import WiredLink
from isingeq.learning.model import Model
from isingeq.learning.network import Network
from isingeq.learning.trainer import Trainer

FOLDER = "maps"
"""Of a run folder, with a file for every epoch; 0 is what training started from."""

ACTIVE = 0.1
"""Share of the largest response from which on a unit is active."""

FAINTEST = 1e-4
"""Share of the largest response that is drawn as none."""

_MOST = 64
"""Training samples that a response is the mean of."""


@dataclass(frozen=True, eq=False)
class Map:
    """One epoch.

    Attributes:
        epoch: number, 0 before the first.
        response: R per unit (n,), NaN where no read was kept.
        couplings: trained weights between sites, in the order of `pairs_of`, or of units that share none, in the
            order of `local_couplings` (m,).
        num_kept: reads that the response is the mean of.
    """

    epoch: int
    response: Floats
    couplings: Floats
    num_kept: int

    @property
    def active(self) -> NDArray[np.bool_]:
        """True where a unit is active (n,): nowhere where nothing responds."""
        return np.asarray((self.response > 0) & (self.response >= ACTIVE * self.response.max()))


def is_placed(network: Model) -> TypeGuard[Network]:
    """Return whether the units of a network have places, and couplings of their own there."""
    return isinstance(network, Network) and bool(local_couplings(network))


def has_maps(trainer: Trainer) -> bool:
    """Return whether units have places, and states a response: samples of a distribution differ unnudged, too."""
    at_rest = trainer.backend.capabilities.claim is Claim.FIXED_POINT
    return is_placed(trainer.network) and trainer.estimator.nudges and at_rest


def write_map(trainer: Trainer, folder: Path) -> None:
    """Settle some training samples with and without nudge, and write the map of the epochs done into a run folder.

    Raises:
        CheckpointError: it cannot be written.
    """
    found, file = measure(trainer), io.BytesIO()
    np.savez(
        file,
        response=found.response.astype(np.float32),
        couplings=found.couplings.astype(np.float32),
        num_kept=found.num_kept,
    )
    write_bytes(folder / FOLDER / f"{found.epoch:05d}.npz", file.getvalue())


def measure(trainer: Trainer) -> Map:
    """Return the map of a trainer's parameters as they are."""
    data, network = trainer.data, trainer.network
    assert is_placed(network)
    estimator = replace(trainer.estimator, select="mean", skip_correct=False)  # every read counts
    step = estimate(
        estimator, network, trainer.backend, trainer.parameters, data.x_train[:_MOST], data.y_train[:_MOST],
        seed=trainer.seed, schedule=trainer.position.schedule, pool=trainer.pool, out=trainer.parameters.like(),
    )  # fmt: skip
    response, num_kept = _response(step, estimator.nudging, estimator.reject)
    couplings = np.concatenate([trainer.parameters[name] for name in local_couplings(network)])
    return Map(trainer.position.epoch, response, couplings, num_kept)


def _response(step: Step, nudging: float, reject: float | None) -> tuple[Floats, int]:
    """Return R (n,) and the number of reads it is the mean of."""
    assert step.free is not None
    assert step.nudged is not None
    free = step.free.states
    nudged = step.nudged.states.reshape(-1, *free.shape)
    moved = nudged - free
    kept = np.abs(moved).max(axis=(0, 3)) <= (np.inf if reject is None else reject)
    if not kept.any():
        return np.full(free.shape[2], np.nan), 0
    parts = (moved[0] - moved[1]) / 2 if len(moved) == 2 else moved[0]
    return np.abs(parts[kept]).mean(axis=0) / nudging, int(kept.sum())


def read_maps(folder: Path) -> Iterator[Map]:
    """Yield the maps of a run folder, epoch by epoch.

    Raises:
        CheckpointError: one of them is damaged.
    """
    for path in sorted((folder / FOLDER).glob("[0-9]*.npz")):
        try:
            with path.open("rb") as stream, np.load(stream) as file:
                response, couplings = file["response"], file["couplings"]
                found = Map(int(path.stem), response, couplings, int(file["num_kept"]))
        except Exception as error:  # a damaged archive raises nearly anything
            raise CheckpointError(
                f"map {path} is damaged ({error}): delete it, the other epochs are drawn without it"
            ) from error
        yield found


def local_couplings(network: Network) -> dict[str, tuple[NDArray[np.integer], ...]]:
    """Return the weights that join single pairs, by name: both units of each, or the one that an input acts on."""
    found: dict[str, tuple[NDArray[np.integer], ...]] = {
        link.name: (link.i, link.j) for link in network.links if isinstance(link, WiredLink)
    }
    if network.pairs is not None:
        found[network.input_name] = (network.pairs.target,)
    return found


def unit_changes(network: Network, first: Map, last: Map) -> Floats:
    """Return by how much the couplings of every unit differ between two maps, root mean square (n,)."""
    squares = (last.couplings.astype(float) - first.couplings) ** 2
    total, count, start = np.zeros(network.n), np.zeros(network.n), 0
    for ends in local_couplings(network).values():
        part = squares[start : (start := start + ends[0].size)]
        for units in ends:
            total += np.bincount(units, part, minlength=network.n)
            count += np.bincount(units, minlength=network.n)
    return np.sqrt(total / np.maximum(count, 1))


def pairs_of(network: Network) -> NDArray[np.intp]:
    """Return the sites (2, m) that each trained coupling joins, couplings between units first, those of inputs last."""
    wiring = network.wiring
    assert wiring is not None
    units = wiring.units
    ends = [np.stack([units[wiring.i], units[wiring.j]])]
    if wiring.inputs is not None:
        ends.append(np.stack([wiring.held[wiring.inputs.source], units[wiring.inputs.target]]))
    return np.concatenate(ends, axis=1)


def distances(network: Network) -> Floats:
    """Return the couplings between every unit and the nearest output (n,), infinite where there is no way."""
    wiring = network.wiring
    assert wiring is not None
    n = network.n
    graph = sparse.coo_array((np.ones(wiring.i.size), (wiring.i, wiring.j)), (n, n))
    outputs = np.arange(*network.spans[-1])
    found = shortest_path(graph.tocsr(), directed=False, unweighted=True, indices=outputs)
    return np.asarray(found.min(axis=0))


def screening_length(response: Floats, away: Floats) -> float:
    """Return ξ, from a straight line through ln R against the distance, every unit alike.

    NaN where the response does not fall with the distance, or is 0 in all units but those at one distance.

    Args:
        response: R per unit (n,).
        away: distance per unit (n,).
    """
    seen = np.isfinite(away) & (response > 0)
    if np.unique(away[seen]).size < 2:
        return float("nan")
    slope = float(np.polyfit(away[seen], np.log(response[seen]), 1)[0])
    return -1 / slope if slope < 0 else float("nan")
