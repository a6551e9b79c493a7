"""The order in which ways of embedding are tried: as numbered, at given sites, structured, searched for."""

from calibration.embedding.chains import Embedding, Indices, Pairs
from calibration.embedding.crossing import crossing
from calibration.embedding.drawing import Drawing, sides_of
from calibration.embedding.finish import finished
from calibration.embedding.identity import at_sites, identity
from calibration.embedding.refusal import check_sizes, refusal
from calibration.embedding.search import search
from calibration.embedding.transposition import transposition
from isingeq.connectivity import Connectivity

_DENSE = 0.5
"""Share of the crossings of a drawing from which on lines are taken before a search."""

_FEW = 100
"""Pairs up to which both are tried: a search takes less than a second then, and often fewer units than lines."""


def embed(
    pairs: Pairs, chip: Connectivity, seed: int = 0, sites: Indices | None = None
) -> Embedding:
    """Return an embedding; the same for the same graphs and seed.

    Args:
        pairs: of the problem.
        chip: its units and couplers that work; units without a coupler do not.
        seed: of the search, where there is one.
        sites: row and column on a lattice that every unit was made for (n, 2); None where there are none.

    Raises:
        CapabilityError: none was found; says which part is too much, and what would hold it where that is known.
    """
    if (found := identity(pairs, chip)) is not None:
        return found
    if sites is not None and (found := at_sites(pairs, chip, sites)) is not None:
        return found
    check_sizes(pairs, chip)
    dense = pairs.i.size > 0 and Drawing.of(pairs).filled >= _DENSE
    ways = [structured, searched] if dense else [searched, structured]
    every = dense and pairs.i.size <= _FEW
    best: Embedding | None = None
    for way in ways:
        if best is None or every:
            found = way(pairs, chip, seed)
            if best is None or (found is not None and found.units.size < best.units.size):
                best = found
    if best is None:
        raise refusal(pairs, chip)
    best.check(chip, pairs)
    return best


def structured(pairs: Pairs, chip: Connectivity, seed: int = 0) -> Embedding | None:
    """Return a layout along the lines of a regular chip, None where it has no room for one."""
    if chip.kind == "kings" and sides_of(pairs) is None:
        return transposition(pairs, chip)
    return crossing(Drawing.of(pairs), pairs, chip)


def searched(pairs: Pairs, chip: Connectivity, seed: int) -> Embedding | None:
    """Return the best of a few searches, None where all failed."""
    chains = search(pairs, chip, seed)
    return None if chains is None else finished(chains, pairs, chip, "search")
