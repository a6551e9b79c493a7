"""Settle time: how many sweeps until statistics no longer change.

Pairs at their higher level, all units under a field that both ends of a pair like: their common mode is the slowest
that measurements at this point have, and relaxes from a random start to the mean that is read.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.measure.matchings import matchings
from calibration.measure.pairs import placed
from calibration.measure.point import Point
from calibration.measure.probe import Probe
from calibration.measure.quantity import Quantity
from isingeq.schedule import Annealing, Drive

LONGEST = 64
_ELEMENTS = 200_000
"""Reads times units per point: a mean is known to 0.2 %."""
_SHARE = 0.01
_SIGMAS = 3.0


@dataclass(frozen=True, eq=False)
class Settling:
    """Mean along the field after some sweeps.

    Attributes:
        sweeps: numbers of sweeps (k,).
        mean: over all units and reads (k,).
        error: standard error (k,).
        settled: first of these from which on the mean stays within 1 % of the last, or within errors.
    """

    sweeps: NDArray[np.int64]
    mean: NDArray[np.float64]
    error: NDArray[np.float64]
    settled: Quantity


def find_settling(
    probe: Probe, point: Point, edges: NDArray[np.intp], works: NDArray[np.bool_]
) -> Settling:
    """Measure at 1, 2, 4, … sweeps.

    Args:
        probe: of the backend.
        point: working point.
        edges: that join units that work.
        works: those units (n,).
    """
    probe.procedure = "settle time"
    if not isinstance(point.schedule, Annealing | Drive):
        none = np.zeros(0)
        why = "its schedule has no sweeps"
        settled = Quantity.one(np.nan, np.nan, "sweeps", good=False, why=why)
        return Settling(none.astype(np.int64), none, none, settled)
    J = np.zeros(probe.graph.num_edges)
    along = np.ones(probe.graph.n)
    if point.coupling is not None and edges.size:
        pairs = matchings(probe.graph, edges)[0]
        J = placed(probe.graph, pairs, point.coupling, np.ones(pairs.size, np.int8))
        along[probe.graph.j[pairs]] = -1  # a positive coupling holds ends apart
    h = np.where(along > 0, point.field[1], point.field[0])
    reads = max(64, _ELEMENTS // probe.graph.n)
    sweeps = 2 ** np.arange(int(np.log2(LONGEST)) + 1)
    means = []
    for some in sweeps.tolist():
        schedule = point.with_sweeps(some).schedule
        states = probe.settle(J, h[None], reads=reads, schedule=schedule)
        means.append(-(states[0].mean(axis=0, dtype=np.float64) * along)[works].mean())
    mean = np.array(means)
    error = np.sqrt(2 * np.maximum(1 - mean**2, 1e-3) / (reads * works.sum()))
    near = np.abs(mean - mean[-1]) <= np.maximum(
        _SHARE * abs(mean[-1]), _SIGMAS * np.sqrt(2) * error
    )
    last_off = np.flatnonzero(~near)
    at = int(last_off[-1]) + 1 if last_off.size else 0
    fine = at < len(sweeps) - 1
    why = "" if fine else f"still moving after {LONGEST} sweeps"
    # The true number lies within a factor of 2: points stand that far apart.
    found = Quantity.one(float(sweeps[at]), float(sweeps[at]) / 2, "sweeps", good=fine, why=why)
    return Settling(sweeps, mean, error, found)
