"""Embeddings of any graph by search: minorminer (Cai, Macready & Roy 2014, arXiv:1406.2741)."""

import numpy as np
from scipy.sparse import coo_array

from calibration.embedding.chains import Pairs
from isingeq.connectivity import Connectivity

_WORK = 400
"""Pairs times searches at the least: a small graph is tried again and again, and the shortest chains are kept."""

_PATIENCE = 100_000
"""Squared pairs times starts of one search, of which there are one to ten: so a failure takes seconds."""

_ROOMS = (8, 16)
"""Units of the chip for every unit and pair of the problem that are looked at, first and then: a search takes longer
the more it has to look at, and what is not found in the second is not found on a whole chip that is larger."""


def search(pairs: Pairs, chip: Connectivity, seed: int) -> list[list[int]] | None:
    """Return the chains with the fewest units among a few searches, None where none were found.

    Args:
        pairs: to embed; units without a neighbour get an empty chain.
        chip: to embed into; units without a coupler are not used.
        seed: of the searches, of which each has its own.
    """
    if not pairs.i.size:
        return [[] for _ in range(pairs.n)]
    working = int(np.count_nonzero(chip.degrees))
    for room in _ROOMS:
        size = room * (pairs.n + pairs.i.size)
        found = _search(pairs, _part(chip, size) if size < working else chip, seed)
        if found is not None or size >= working:
            return found
    return None


def _search(pairs: Pairs, chip: Connectivity, seed: int) -> list[list[int]] | None:
    from minorminer import find_embedding

    source = np.stack([pairs.i, pairs.j], axis=1).tolist()
    target = np.stack([chip.i, chip.j], axis=1).tolist()
    tries = min(10, max(1, _PATIENCE // len(source) ** 2))
    best: list[list[int]] | None = None
    for attempt in range(1 + _WORK // len(source)):
        found = find_embedding(
            source, target, random_seed=_seed(seed, attempt), tries=tries, threads=1
        )
        if not found:
            break
        chains = [sorted(found.get(unit, ())) for unit in range(pairs.n)]
        if best is None or _size(chains) < _size(best):
            best = chains
        if sum(map(len, best)) == len(found):
            break
    return best


def _part(chip: Connectivity, size: int) -> Connectivity:
    """Return a chip without the couplers of all units but those nearest to the first that works."""
    from scipy.sparse.csgraph import breadth_first_order  # slow to import

    ends, ones = (chip.i, chip.j), np.ones(chip.num_edges, np.int8)
    graph = coo_array((ones, ends), shape=(chip.n, chip.n)).tocsr()
    first = int(np.argmax(chip.degrees > 0))
    nearest = breadth_first_order(graph, first, directed=False, return_predecessors=False)
    far = np.ones(chip.n, np.bool_)
    far[nearest[:size]] = False
    return chip.without(far, np.zeros(chip.num_edges, np.bool_))


def _seed(seed: int, attempt: int) -> int:
    return int(np.random.SeedSequence([seed, attempt]).generate_state(1)[0]) // 2


def _size(chains: list[list[int]]) -> tuple[int, int]:
    lengths = [len(chain) for chain in chains]
    return sum(lengths), max(lengths, default=0)
