"""Why a problem cannot be embedded, and what would hold it."""

import numpy as np

from calibration.embedding.chains import Pairs
from calibration.embedding.crossing import fewest_units
from calibration.embedding.drawing import Drawing, sides_of
from calibration.embedding.lines import lines_of
from isingeq.connectivity import Connectivity
from isingeq.errors import CapabilityError

_LARGEST = 512
"""Side of the largest chip that is looked at."""


def check_sizes(pairs: Pairs, chip: Connectivity) -> None:
    """Refuse what no embedding can do, without looking for one.

    Raises:
        CapabilityError: units or couplers are too few, or the chip is planar and the problem is not.
    """
    degrees = chip.degrees
    working, most = int(np.count_nonzero(degrees)), int(degrees.max(initial=0))
    if pairs.i.size > chip.num_edges:
        raise refusal(
            pairs, chip, f"its {pairs.i.size} pairs are more than {chip.num_edges} couplers"
        )
    # A chain of k units has at most k (most − 2) + 2 couplers to others.
    least = np.maximum(1, -((2 - pairs.degrees) // max(1, most - 2)))
    if least.sum() > working:
        widest = int(np.argmax(pairs.degrees))
        why = f"it needs {least.sum()} units at the least, and {working} work"
        if least[widest] > 1:
            why += f"; unit {widest} alone, with {pairs.degrees[widest]} neighbours, needs {least[widest]}"
        raise refusal(pairs, chip, why)
    if chip.kind == "square" and not _planar(pairs):
        raise refusal(pairs, chip, "it is not planar, and nothing else can lie on a square lattice")


def refusal(
    pairs: Pairs, chip: Connectivity, why: str = "no search found a way"
) -> CapabilityError:
    """Return the error that says which problem does not fit which chip, and what would hold it."""
    return CapabilityError(
        f"{_named(pairs)} cannot be embedded in {_shown(chip)}: {why}; {_advice(pairs, chip)}"
    )


def _named(pairs: Pairs) -> str:
    sides = sides_of(pairs)
    if sides is not None and sides[0].size * sides[1].size == pairs.i.size:
        return f"a problem of {sides[0].size} x {sides[1].size} units, all coupled,"
    return f"a problem of {pairs.n} units and {pairs.i.size} pairs"


def _shown(chip: Connectivity) -> str:
    size = " x ".join(map(str, chip.shape)) or f"{chip.n} units"
    kind = "" if chip.kind == "edges" else f"{chip.kind} "
    working = int(np.count_nonzero(chip.degrees))
    part = "" if working == chip.n else f", {working} of {chip.n} units of which work"
    return f"a {kind}chip of {size}{part}"


def _advice(pairs: Pairs, chip: Connectivity) -> str:
    """Return what size of chip would hold a problem along its lines, and how many units it takes there."""
    held = _holding(pairs, chip)
    if held is None:
        return "take fewer units or pairs, or a chip that couples more"
    shape, units = held
    if all(wanted <= has for wanted, has in zip(shape, chip.shape, strict=True)):
        return (
            f"a whole chip of this size holds it in {units} units: what does not work is in the way"
        )
    return (
        f"a chip of {' x '.join(map(str, shape))} holds it in {units} units, "
        f"{units / pairs.n:.1f} for each: take that, or fewer units or pairs"
    )


def _holding(pairs: Pairs, chip: Connectivity) -> tuple[tuple[int, ...], int] | None:
    """Return the shape of a chip that holds a problem, and the units taken; None of a kind without lines."""
    num_sides = {"kings": 2, "chimera": 2, "pegasus": 1, "zephyr": 1}.get(chip.kind)
    if num_sides is None:
        return None
    if chip.kind == "kings" and sides_of(pairs) is None:
        return (pairs.n, pairs.n), pairs.n * (pairs.n - 1)
    drawing, size = Drawing.of(pairs), 2
    while size < _LARGEST:
        shape = (*[size] * num_sides, *chip.shape[num_sides:])
        if (units := fewest_units(drawing, lines_of(chip.kind, shape))) is not None:
            return shape, units
        size += max(1, size // 16)
    return None


def _planar(pairs: Pairs) -> bool:
    from networkx import Graph, check_planarity

    edges = zip(pairs.i.tolist(), pairs.j.tolist(), strict=True)
    return bool(check_planarity(Graph(list(edges)))[0])
