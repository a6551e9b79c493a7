"""The inverse of what a chip makes of values, and what range of them it can reach."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibration.corrections import Corrections, Mask, Reals
from calibration.factor import SLACK
from calibration.spins import values_of
from isingeq.connectivity import Connectivity
from isingeq.couplings import Edges
from isingeq.errors import CalibrationError, CapabilityError
from isingeq.problem import Problem

Range = tuple[float, float]


class Inverse(NamedTuple):
    """v = gain · asked − shift, per value: gain = 1 / (1 + g), shift = p / (1 + g)."""

    gain: Reals
    shift: Reals

    @classmethod
    def of(cls, gain: Reals, offset: Reals) -> "Inverse":
        """Return that of a relative gain and an offset."""
        return cls(1 / (1 + gain), offset / (1 + gain))


class Plan(NamedTuple):
    """What is done to the couplings of a structure.

    Attributes:
        structure: of the problem.
        couplings: the inverse of each, in the shape of its values.
        others: one more coupling that cancels the offsets of couplers that the problem does not use; empty without.
        gain: g of the couplers used and cancelled.
        offset: p of these.
    """

    structure: object
    couplings: list[Inverse]
    others: tuple[Edges, ...]
    gain: Reals
    offset: Reals


def plan_for(name: str, chip: Connectivity, corrections: Corrections, problem: Problem) -> Plan:
    """Return what is to be done to the couplings of a problem.

    Where several couplings share a pair, the first one takes out its offset.

    Args:
        name: of the backend, for messages.
        chip: all pairs, in the order of the corrections.
        corrections: of the chip.
        problem: whose couplings are all on pairs of the chip.

    Raises:
        CapabilityError: a pair that does not work.
    """
    k, places, works = corrections, chip.places(name, problem), mask_of(chip, corrections)
    if not works[places].all():
        e = places[int(np.argmin(works[places]))]
        raise CapabilityError(
            f"{name} has {np.count_nonzero(~works[places])} dead couplers among those of the problem, first that of "
            f"units {chip.i[e]} and {chip.j[e]}: embed it, or let mapping=auto do so"
        )
    offset = np.zeros(places.size)
    used, first = np.unique(places, return_index=True)
    offset[first] = k.coupling_offset[used]
    every = Inverse.of(k.coupling_gain[places], offset)
    parts, start = [], 0
    for coupling in problem.couplings:
        shape = values_of(coupling).shape
        stop = start + int(np.prod(shape))
        parts.append(Inverse(*(part[start:stop].reshape(shape) for part in every)))
        start = stop
    idle = works & (chip.j < problem.n) & (k.coupling_offset != 0)
    idle[used] = False
    others: tuple[Edges, ...] = ()
    if idle.any():
        kind = problem.fields.dtype
        J = -Inverse.of(k.coupling_gain[idle], k.coupling_offset[idle]).shift
        others = (Edges(problem.n, chip.i[idle], chip.j[idle], J.astype(kind)),)
    touched = np.concatenate([used, np.flatnonzero(idle)])
    return Plan(
        problem.structure, parts, others, k.coupling_gain[touched], k.coupling_offset[touched]
    )


def reachable(
    what: str, span: Range | None, gain: Reals, offset: Reals, works: Mask, reserve: float = 0.0
) -> Range | None:
    """Return the range that every working element reaches, None where the chip has none.

    Args:
        what: element, for the message.
        span: of the chip.
        gain: of every element.
        offset: of every element.
        works: which of them count.
        reserve: room for offsets that move.

    Raises:
        CalibrationError: a gain that turns values over, or an element that does not even reach 0.
    """
    if not works.any():
        return span
    if (gain[works] <= -1).any():
        raise CalibrationError(
            f"a {what} has a gain of {1 + gain[works].min():g}, which has no use: it should be called dead"
        )
    if span is None:
        return None
    room = SLACK * (span[1] - span[0]) + reserve
    lows, highs = ((1 + gain[works]) * end + offset[works] for end in span)
    low, high = float(lows.max()) + room, float(highs.min()) - room
    if not low < 0 < high:
        place = int(np.flatnonzero(works)[np.argmax(np.maximum(lows, -highs))])
        raise CalibrationError(
            f"the {what} of element {place} reaches [{lows.max():g}, {highs.min():g}] with a reserve of {reserve:g}, "
            "and needs 0 inside: call it dead, or measure again"
        )
    return low, high


def share_left(span: Range | None, presented: Range | None) -> float | None:
    """Return how far the presented range reaches to both sides of 0, as a share of what the chip's own does."""
    if span is None or presented is None:
        return None
    return min(-presented[0], presented[1]) / min(-span[0], span[1])


def mask_of(chip: Connectivity, corrections: Corrections) -> NDArray[np.bool_]:
    """Return which edges work (m,): themselves, and both of their units."""
    k = corrections
    return ~(k.dead_edges | k.dead_units[chip.i] | k.dead_units[chip.j])
