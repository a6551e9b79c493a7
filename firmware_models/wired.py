"""What is on a chip once a problem is loaded: its couplings as they are there, and those that need simulating."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firmware_models.analog import Mismatch
from firmware_models.wires import Wires
from isingeq.backend import Capabilities, SettleRequest
from isingeq.couplings import Edges
from isingeq.errors import CapabilityError
from isingeq.problem import Problem, lower
from isingeq.terms import LinearNudge, QuadraticNudge

Reals = NDArray[np.float64]
Mask = NDArray[np.bool_]

_OFF_STEP = 1e-3
"""Share of a step by which a nudged field may be off it: what single precision leaves of a sum."""


class Nudge(NamedTuple):
    """What all nudges come to on spins.

    Attributes:
        units: that they act on (k,).
        force: taken off their fields (b, k).
    """

    units: NDArray[np.intp]
    force: Reals


def nudge_of(name: str, c: Capabilities, request: SettleRequest) -> Nudge | None:
    """Return the nudges of a request as one force, None without any.

    A spring is a field on a spin, exactly: ½ strength (s − y)² = −strength y s + constant, as s² = 1.

    Args:
        name: of the chip, for messages.
        c: its capabilities.
        request: of which all but the sums of field and nudge is checked.

    Raises:
        CapabilityError: a sum that is out of range or between steps.
    """
    nudges = [t for t in request.terms if isinstance(t, LinearNudge | QuadraticNudge)]
    if not nudges:
        return None
    problem = request.problem
    touched = np.zeros(problem.n, np.bool_)
    for term in nudges:
        if isinstance(term, LinearNudge):
            touched |= np.einsum("bn,bn->n", term.force, term.force) > 0
        else:
            touched[slice(*term.units)] = True
    units = np.flatnonzero(touched)
    force = np.zeros((problem.batch, units.size))
    for term in nudges:
        if isinstance(term, LinearNudge):
            force += term.force[:, units]
        else:
            first, last = np.searchsorted(units, term.units)
            force[:, first:last] += term.strength.real[:, None] * term.targets
    _check_sums(name, c, problem.fields[:, units] - force)
    return Nudge(units, force)


def _check_sums(name: str, c: Capabilities, total: Reals) -> None:
    """Refuse fields with nudges in them that a chip does not hold."""
    step = c.field_step or 0.0
    if c.field_range is not None and total.size:
        (low, high), slack = c.field_range, _OFF_STEP * step
        if total.min() < low - slack or total.max() > high + slack:
            raise CapabilityError(
                f"{name} holds fields in [{low:g}, {high:g}], with nudges the problem has [{total.min():g}, "
                f"{total.max():g}]: scale it, or let mapping=auto do so"
            )
    if step and (np.abs(total - np.rint(total / step) * step) > _OFF_STEP * step).any():
        raise CapabilityError(
            f"{name} holds fields in steps of {step:g}, with nudges the problem has others: quantise it, or let "
            "mapping=auto do so"
        )


@dataclass(eq=False)
class Wired:
    """Couplings of one version, J' of `analog`, with stuck spins turned into fields on the others.

    Attributes:
        key: structure and version of what was loaded.
        n: spins.
        i: first spin of every edge with J' other than 0 between spins that move (m,).
        j: second one (m,).
        J: J' (m,).
        from_stuck: field of the stuck spins on all (n,).
        coupled: spins that an edge ends at (n,).
    """

    key: object
    n: int
    i: NDArray[np.integer]
    j: NDArray[np.integer]
    J: Reals
    from_stuck: Reals
    coupled: Mask
    _part: tuple[bytes, tuple[Edges, ...]] | None = None

    @classmethod
    def of(cls, problem: Problem, wires: Wires, mismatch: Mismatch | None, name: str) -> "Wired":
        """Load the couplings of a problem.

        Args:
            problem: to be loaded.
            wires: couplers of the chip.
            mismatch: of the chip; None where nothing is imperfect.
            name: of the chip, for messages.
        """
        n, lowered = problem.n, lower(problem)
        i, j = lowered.i, lowered.j
        J: Reals = lowered.J.astype(np.float64)
        if len(problem.couplings) > 1 or mismatch is not None:
            places = wires.places(name, problem) if wires.n else i.astype(np.int64) * n + j
        if len(problem.couplings) > 1:  # what stands on one coupler twice adds up
            places, first, which = np.unique(places, return_index=True, return_inverse=True)
            i, j = i[first], j[first]
            J = np.bincount(which, J, places.size).astype(np.float64)
        from_stuck = np.zeros(n)
        if mismatch is not None:
            if mismatch.coupling_offset.any():
                i, j, every = wires.among(n)
                asked = np.zeros(every.size)
                asked[np.searchsorted(every, places)] = J
                places, J = every, asked
            J = mismatch.couplings(J, places)
            stuck = mismatch.stuck[:n].astype(np.float64)
            from_stuck += np.bincount(i, J * stuck[j], n) + np.bincount(j, J * stuck[i], n)
            J = np.where((stuck[i] != 0) | (stuck[j] != 0), 0.0, J)
        kept = J != 0
        i, j, J = i[kept], j[kept], J[kept]
        coupled = np.zeros(n, np.bool_)
        coupled[i] = coupled[j] = True
        return cls((problem.structure, problem.version), n, i, j, J, from_stuck, coupled)

    def among(self, active: Mask) -> tuple[Edges, ...]:
        """Return the couplings between these spins (n,), which all coupled ones are among, counted among them.

        The same spins get the same couplings, version and all.
        """
        asked = active.tobytes()
        if self._part is None or self._part[0] != asked:
            place = np.cumsum(active) - 1
            k = int(active.sum())
            self._part = (asked, (Edges(k, place[self.i], place[self.j], self.J.copy()),))
        return self._part[1]
