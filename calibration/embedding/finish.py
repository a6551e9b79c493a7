"""The last step of every embedding: ends of chains that nothing needs are cut, units without a neighbour placed."""

from collections import Counter

import numpy as np

from calibration.embedding.chains import Embedding, Pairs
from isingeq.connectivity import Connectivity


def finished(
    chains: list[list[int]], pairs: Pairs, chip: Connectivity, found: str
) -> Embedding | None:
    """Return the embedding, None where no unit is left for one without a neighbour.

    Args:
        chains: connected and disjoint, with a coupler for every pair; empty for units without a neighbour.
        pairs: of the problem.
        chip: its units and couplers that work.
        found: the way that led here.
    """
    cut = _cut(chains, pairs, chip)
    taken = {unit for chain in cut for unit in chain}
    left = (unit for unit in np.flatnonzero(chip.degrees).tolist() if unit not in taken)
    filled = [chain or [unit for unit in (next(left, None),) if unit is not None] for chain in cut]
    filled += [[unit] for unit, _ in zip(left, range(pairs.n - len(filled)), strict=False)]
    return Embedding.of(filled, found) if len(filled) == pairs.n and all(filled) else None


def _cut(chains: list[list[int]], pairs: Pairs, chip: Connectivity) -> list[list[int]]:
    """Return chains without the ends whose couplers other units of the chain have as well."""
    owner = {unit: chain for chain, units in enumerate(chains) for unit in units}
    near = _neighbours(owner, chip)
    wanted: list[set[int]] = [set() for _ in range(pairs.n)]
    for i, j in zip(pairs.i.tolist(), pairs.j.tolist(), strict=True):
        wanted[i].add(j)
        wanted[j].add(i)
    for chain, units in enumerate(chains):
        joins = Counter(owner[other] for unit in units for other in near[unit] if other in owner)
        tips, length = list(units), len(units)
        while tips and length > 1:
            tip = tips.pop()
            if tip not in owner:
                continue
            ends = Counter(owner[other] for other in near[tip] if other in owner)
            inside = ends.pop(chain, 0)
            if inside == 1 and all(joins[k] > num for k, num in ends.items() if k in wanted[chain]):
                joins -= ends
                del owner[tip]
                length -= 1
                tips += [other for other in near[tip] if owner.get(other) == chain]
    return [[unit for unit in units if unit in owner] for units in chains]


def _neighbours(owner: dict[int, int], chip: Connectivity) -> dict[int, list[int]]:
    """Return the neighbours of every unit used, among these."""
    used = np.zeros(chip.n, np.bool_)
    used[list(owner)] = True
    inside = used[chip.i] & used[chip.j]
    near: dict[int, list[int]] = {unit: [] for unit in owner}
    for i, j in zip(chip.i[inside].tolist(), chip.j[inside].tolist(), strict=True):
        near[i].append(j)
        near[j].append(i)
    return near
