"""A measurement in a few numbers, for people and for the head of a file."""

import numpy as np

from calibration.measure import Measured, Quantity


def summary_of(measured: Measured) -> dict[str, dict[str, object]]:
    """Return for every quantity its mean, spread, median error and how many elements have none."""
    return {name: _told(q) for name, q in measured.quantities.items()}


def _told(q: Quantity) -> dict[str, object]:
    good = q.value[q.good]
    if q.value.size == 1:
        finite = [float(x) if np.isfinite(x) else None for x in (q.value[0], q.error[0])]
        told = {"value": finite[0], "error": finite[1], "good": bool(q.good[0])}
    else:
        told = {
            "mean": float(good.mean()) if good.size else None,
            "spread": q.spread(),
            "median_error": q.median_error if good.size else None,
            "elements": int(q.value.size),
            "failed": q.num_failed,
        }
    return {**told, "unit": q.unit, "why": q.why}


def faults_of(measured: Measured) -> dict[str, object]:
    """Return dead and stuck elements by number."""
    graph = measured.graph
    dead = np.flatnonzero(measured.dead_edges)
    stuck = np.flatnonzero(measured.stuck_units)
    return {
        "dead_units": np.flatnonzero(measured.dead_units).tolist(),
        "stuck_units": {str(unit): int(measured.stuck_units[unit]) for unit in stuck},
        "dead_couplers": np.stack([graph.i[dead], graph.j[dead]], axis=1).tolist(),
    }
