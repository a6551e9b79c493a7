"""Two measurements of one chip against each other: what moved by more than errors explain."""

from dataclasses import dataclass

import numpy as np

from calibration.measure.measured import EDGES, UNITS, Measured

SIGMAS = 5.5
"""Standard errors of the difference: 4 in 10⁸ by chance, one false alarm in a thousand chips of 20,000 couplers."""
_WARMER = 0.01
"""Share by which an inverse temperature may move: it is common to all gains."""


@dataclass(frozen=True)
class Moved:
    """An element that is not as it was.

    Attributes:
        what: element and quantity, for people.
        before: value, or what it was.
        now: value, or what it is.
        sigmas: standard errors apart; None for faults.
    """

    what: str
    before: object
    now: object
    sigmas: float | None = None

    def __str__(self) -> str:
        if self.sigmas is None:
            return f"{self.what}: was {self.before}, is {self.now}"
        return (
            f"{self.what}: {self.before:.4g} to {self.now:.4g}, {self.sigmas:.1f} standard errors"
        )


def compare(before: Measured, now: Measured) -> list[Moved]:
    """Return what moved, faults first; quantities that only one of the two has are left out."""
    moved = [
        Moved(f"unit {unit}", _state(before, unit), _state(now, unit))
        for unit in np.flatnonzero(
            (before.dead_units != now.dead_units) | (before.stuck_units != now.stuck_units)
        ).tolist()
    ]
    both = before.works & now.works
    graph = now.graph
    known = both[graph.i] & both[graph.j]
    changed = (before.dead_edges != now.dead_edges) & known
    if all("coupling_gain" in some.quantities for some in (before, now)):
        words = ("works", "dead")
        moved += [
            Moved(_edge(now, at), words[int(before.dead_edges[at])], words[int(now.dead_edges[at])])
            for at in np.flatnonzero(changed).tolist()
        ]
    for name in (*UNITS, *EDGES):
        moved += _moved(name, before, now)
    for name in ("beta_coupling", "beta_field"):
        if name in before.quantities and name in now.quantities:
            was, by = (some.quantities[name].value[0] for some in (before, now))
            error = np.hypot(*(some.quantities[name].error[0] for some in (before, now)))
            if abs(by / was - 1) > _WARMER and abs(by - was) > SIGMAS * error:
                moved.append(Moved(name, float(was), float(by), float(abs(by - was) / error)))
    return moved


def _moved(name: str, before: Measured, now: Measured) -> list[Moved]:
    if name not in before.quantities or name not in now.quantities:
        return []
    was, by = before.quantities[name], now.quantities[name]
    apart = np.full(was.value.shape, 0.0)
    good = was.good & by.good
    apart[good] = np.abs(by.value - was.value)[good] / np.hypot(was.error, by.error)[good]
    of = name.replace("_", " ")
    return [
        Moved(
            f"{of} of {_edge(now, at) if name in EDGES else f'unit {at}'}",
            float(was.value[at]), float(by.value[at]), float(apart[at]),
        )
        for at in np.flatnonzero(apart > SIGMAS).tolist()
    ]  # fmt: skip


def _state(of: Measured, unit: int) -> str:
    if of.stuck_units[unit]:
        return f"stuck at {of.stuck_units[unit]:+d}"
    return "dead" if of.dead_units[unit] else "works"


def _edge(of: Measured, at: int) -> str:
    return f"coupler {of.graph.i[at]}-{of.graph.j[at]}"
