"""Units that do not follow their field, and how often the others are read wrongly.

Under a field so strong that temperature moves nothing, a spin that works stands against it. What is read otherwise was
read wrongly, with probability ε. A dead spin shows either value, a stuck one always the same.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.measure.log_odds import Kept
from calibration.measure.point import Point
from calibration.measure.probe import Levels, Probe, levels
from calibration.measure.quantity import Quantity
from isingeq.errors import CalibrationError, CapabilityError

_STRONG = 10.0
"""β h at which 2·10⁻⁹ of spins are warm enough to stand the wrong way."""
_FOLLOWS = 0.5
_STUCK = 0.5
_SURELY = 1e-5
"""Share of spins that temperature may turn where readout errors are measured."""
_OWN = 5.0
"""Standard errors from the mean at which a unit has a readout error of its own."""


@dataclass(frozen=True, eq=False)
class Faults:
    """What was found.

    Attributes:
        dead: units that show either value whatever their field (n,).
        stuck: +1 or −1 where a unit always shows that (n,), 0 elsewhere.
        readout_error: ε of every unit that works.
        mean_error: ε over all of them.
        kept: κ = 1 − 2ε to correct other measurements by: that of all units, or its own where one differs.
    """

    dead: NDArray[np.bool_]
    stuck: NDArray[np.int8]
    readout_error: Quantity
    mean_error: Quantity
    kept: Kept

    @property
    def works(self) -> NDArray[np.bool_]:
        """Units that follow their field (n,)."""
        return ~self.dead & (self.stuck == 0)


def find_faults(probe: Probe, point: Point, *, reads: int) -> Faults:
    """Look for dead and stuck units and readout errors.

    Args:
        probe: of the backend.
        point: working point; fields are raised, and beta where there is one, until nothing is left to chance.
        reads: per unit, at either sign of its field.

    Raises:
        CalibrationError: no unit follows its field.
    """
    probe.procedure = "faults"
    n = probe.graph.n
    full, cold, reached = _saturated(probe, point)
    signs = np.where(np.arange(n) % 2, -1, 1).astype(np.int8) * np.array([[1], [-1]], np.int8)
    h = np.where(signs > 0, full[1], full[0])
    J = np.zeros(probe.graph.num_edges)
    states = probe.settle(J, h, reads=reads, schedule=cold.schedule)
    against = (states == -signs[:, None]).sum(axis=(0, 1))
    mean = states.mean(axis=(0, 1), dtype=np.float64)
    works = against / reads - 1 > _FOLLOWS * np.tanh(reached)
    stuck = np.where(~works & (np.abs(mean) > _STUCK), np.sign(mean), 0).astype(np.int8)
    dead = ~works & (stuck == 0)
    if not works.any():
        raise CalibrationError(
            f"no unit of {probe.backend.name} follows its field ({dead.sum()} dead, {(stuck != 0).sum()} stuck): "
            "check that it runs, and that it is cold enough"
        )
    warm = 1 / (1 + np.exp(2 * reached))
    return Faults(dead, stuck, *_readout(2 * reads - against, 2 * reads, works, warm))


def _saturated(probe: Probe, point: Point) -> tuple[Levels, Point, float]:
    """Return field levels, a point, and β h there: strong, or as strong as the chip goes."""
    if np.isinf(point.field_response):
        return point.field, point, _STRONG
    limits, step = probe.field_levels
    per_field = point.field_response / point.field[1]
    wanted = _STRONG / per_field
    full = levels(limits, step, np.ceil(wanted / step) * step if step else wanted)
    reached = per_field * min(full[1], -full[0])
    factor = _STRONG / reached if point.beta else 1.0
    while factor > 1:
        try:
            h = np.full((1, probe.graph.n), full[1])
            cold = point.colder(factor)
            probe.settle(np.zeros(probe.graph.num_edges), h, reads=1, schedule=cold.schedule)
        except CapabilityError:
            factor /= 2
        else:
            return full, cold, reached * factor
    return full, point, reached


def _readout(
    wrong: NDArray[np.integer], reads: int, works: NDArray[np.bool_], warm: float
) -> tuple[Quantity, Quantity, Kept]:
    """Return ε of units, ε of all, and κ, from counts of wrong reads (n,).

    Args:
        wrong: reads along the field.
        reads: per unit.
        works: units that follow their field.
        warm: probability that temperature alone turns a spin.
    """
    share = np.where(works, wrong / reads, np.nan)
    mean = float(share[works].mean())
    # By its own few wrong reads a unit that had fewer than others by chance would seem too sure of it.
    likely = np.maximum((wrong + 0.5) / (reads + 1), mean)
    error = np.sqrt(likely * (1 - np.minimum(likely, 0.5)) / reads)
    of_mean = float(np.sqrt(max(mean * (1 - mean), 0.25 / reads) / (reads * works.sum())))
    seen = warm < max(_SURELY, of_mean)
    why = (
        ""
        if seen
        else "the strongest field does not saturate units: readout errors cannot be told from temperature"
    )
    each = Quantity(share, error, works & seen, "probability", why or "does not follow its field")
    mean_error = Quantity.one(mean, of_mean, "probability", good=seen, why=why)
    if not seen:
        return each, mean_error, Kept(np.ones(works.size), np.zeros(works.size))
    own = works & (np.abs(share - mean) > _OWN * error)
    value = np.where(own, share, mean)
    return each, mean_error, Kept(1 - 2 * value, 2 * np.where(own, error, of_mean))
