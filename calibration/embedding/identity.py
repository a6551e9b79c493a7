"""A problem that fits as it is: by its numbers, or at the sites that it was made for."""

import numpy as np

from calibration.embedding.chains import Embedding, Indices, Pairs
from isingeq.connectivity import Connectivity


def at_sites(pairs: Pairs, chip: Connectivity, sites: Indices) -> Embedding | None:
    """Return one unit of the chip for each of the problem.

    Args:
        pairs: of the problem.
        chip: a lattice.
        sites: row and column of every unit (n, 2).

    Returns:
        None where the chip is no lattice with these sites, or a pair is not coupled there, or a unit does not work.
    """
    if len(chip.shape) != 2 or len(sites) != pairs.n or (sites >= chip.shape).any():
        return None
    units = sites[:, 0] * chip.shape[1] + sites[:, 1]
    i, j = np.sort(np.stack([units[pairs.i], units[pairs.j]]), axis=0)
    if not (chip.degrees[units] > 0).all() or (chip.find(i, j) < 0).any():
        return None
    return Embedding(units, np.arange(pairs.n + 1), "sites")


def identity(pairs: Pairs, chip: Connectivity) -> Embedding | None:
    """Return unit k of the chip for unit k of the problem, None where a pair is not coupled or a unit does not work."""
    if pairs.n > chip.n or not (chip.degrees[: pairs.n] > 0).all():
        return None
    if (chip.find(pairs.i, pairs.j) < 0).any():
        return None
    return Embedding(np.arange(pairs.n), np.arange(pairs.n + 1), "identity")
