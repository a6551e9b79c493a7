"""Field gain, offset and cross-talk, from all units under patterns of fields at once.

    atanh⟨s_i⟩ = −β (1 + a_i) h_i − β o_i − β κ Σ_(j neighbour of i) h_j

Neighbours' fields, and their spins through offsets of couplers, push a unit as often one way as the other, whichever
way its own field points (`matchings.patterns`): they drop out of its gain and offset to first order. Offsets of
neighbours do not, so a first round finds offsets roughly, and the one that counts is made with these taken out.
Cross-talk is what is left of the response to neighbours' patterns, the same κ for all.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.measure.faults import Faults
from calibration.measure.log_odds import Kept, field_of
from calibration.measure.matchings import patterns
from calibration.measure.point import Point
from calibration.measure.probe import Probe
from calibration.measure.quantity import Quantity
from isingeq.connectivity import Connectivity
from isingeq.couplings import Edges

Reals = NDArray[np.float64]
FIRST_SHARE = 1 / 8
"""Reads of the first round, as a share of the second's."""


@dataclass(frozen=True, eq=False)
class Fields:
    """What was found.

    Attributes:
        gain: a, relative.
        offset: o, in units of fields.
        beta: mean response to a field: β times the mean of 1 + a.
        crosstalk: κ.
        trim: fields that take offsets out (n,), as the chip can hold them.
        mean: of every unit over all patterns, misread spins put right (n,).
    """

    gain: Quantity
    offset: Quantity
    beta: Quantity
    crosstalk: Quantity
    trim: Reals
    mean: Reals

    def apart(self, graph: Connectivity, known: Reals, left: Reals, response: float) -> "Fields":
        """Return what is found when neighbours' pull through offsets of couplers is taken out, to second order.

        From pattern to pattern, neighbours' means of ± tanh y are noise of variance v = Σ_j (β p_ij tanh y)², which
        lowers a response y by v tanh y; over all patterns they pull by Σ_j β p_ij ⟨s_j⟩.

        Args:
            graph: edges.
            known: β p (m,).
            left: variance of these (m,).
            response: y.
        """
        n, good = graph.n, self.gain.good
        i, j, mean = graph.i, graph.j, np.where(good, self.mean, 0.0)

        def around(values: Reals, of: Reals) -> Reals:
            ends = np.concatenate([i, j])
            pushed = np.concatenate([values * of[j], values * of[i]])
            return np.bincount(ends, pushed, n).astype(np.float64)

        noise = around(known**2 + left, np.ones(n)) * np.tanh(response) ** 3 / response
        gain = (1 + self.gain.value) * (1 + noise)
        scale = float(gain[good].mean())
        beta = float(self.beta.value[0])
        pull = around(known, mean) / beta
        unknown = around(left, mean**2) / beta**2
        return replace(
            self,
            gain=replace(self.gain, value=gain / scale - 1),
            offset=replace(
                self.offset,
                value=(self.offset.value - pull) / scale,
                error=np.sqrt(self.offset.error**2 + unknown) / scale,
            ),
            beta=replace(self.beta, value=self.beta.value * scale),
        )


def measure_fields(probe: Probe, point: Point, faults: Faults, *, reads: int) -> Fields:
    """Measure all units.

    Args:
        probe: of the backend.
        point: working point.
        faults: units that do not work, and readout errors.
        reads: per unit, at either level of its field.
    """
    probe.procedure = "fields"
    signs = patterns(probe.graph)
    half = len(signs) // 2
    trim = np.zeros(probe.graph.n)
    first = _round(probe, point, faults, signs, trim, max(1, int(FIRST_SHARE * reads) // half))
    offset = np.where(first.offset.good, first.offset.value, 0.0)
    trim = _trim(probe, point, offset)
    return _round(probe, point, faults, signs, trim, max(1, -(-reads // half)))


def reads_planned(reads: float) -> float:
    """Return how many reads `measure_fields` makes in all."""
    return (1 + FIRST_SHARE) * 2 * reads


def _trim(probe: Probe, point: Point, offset: Reals) -> Reals:
    """Return −offset on steps, as far as the range leaves room beside the levels."""
    limits, step = probe.field_levels
    wanted = np.rint(-offset / step) * step if step else -offset
    if limits is None:
        return wanted
    low, high = limits[0] - point.field[0], limits[1] - point.field[1]
    if step:
        low, high = np.ceil(low / step) * step, np.floor(high / step) * step
    return np.clip(wanted, min(low, 0.0), max(high, 0.0))


def _round(
    probe: Probe, point: Point, faults: Faults, signs: NDArray[np.int8], trim: Reals, reads: int
) -> Fields:
    """Measure with so many reads per pattern."""
    low, high = point.field
    h = np.where(signs > 0, high, low) + trim
    states = probe.settle(np.zeros(probe.graph.num_edges), h, reads=reads, schedule=point.schedule)
    sums = states.sum(axis=1, dtype=np.float64)
    number = reads * len(signs) // 2
    up = field_of(np.where(signs > 0, sums, 0).sum(axis=0), number, faults.kept)
    down = field_of(np.where(signs < 0, sums, 0).sum(axis=0), number, faults.kept)
    slope = (up.value - down.value) / (high - low)
    slope_error = np.sqrt(up.variance + down.variance) / (high - low)
    # Offset: the line through both levels, at the field that cancels the trim; linear in both.
    to_up = (-low - trim) / (high - low)
    at_zero = to_up * up.value + (1 - to_up) * down.value
    at_zero_error = np.sqrt(to_up**2 * up.variance + (1 - to_up) ** 2 * down.variance)
    good = faults.works & np.isfinite(slope)
    beta = float(slope[good].mean())
    beta_error = float(np.sqrt((slope_error[good] ** 2).sum()) / good.sum())
    why = "does not follow its field"
    nan = np.where(good, 1.0, np.nan)
    return Fields(
        Quantity(slope / beta * nan - 1, slope_error / beta * nan, good, "relative", why),
        Quantity(at_zero / beta * nan, at_zero_error / beta * nan, good, "units of fields", why),
        Quantity.one(beta, beta_error, "per unit of field"),
        _crosstalk(probe, signs, sums / reads, point, good, beta, faults.kept),
        trim,
        sums.sum(axis=0) / (2 * number) / faults.kept.value,
    )


def _crosstalk(
    probe: Probe, signs: NDArray[np.int8], means: Reals, point: Point, good: NDArray[np.bool_], beta: float, kept: Kept
) -> Quantity:  # fmt: skip
    """Return κ from means (b, n): their slope along the sum of the signs of all neighbours."""
    graph = probe.graph
    if not graph.num_edges:
        return Quantity.one(np.nan, np.nan, "relative", good=False, why="no unit has a neighbour")
    around = Edges(graph.n, graph.i, graph.j, np.ones(graph.num_edges)).field(
        signs.astype(np.float64)
    )
    weights = (around**2).sum(axis=0)
    true = means / kept.value
    # A neighbour's field moves a mean by the slope of the tanh where the unit's own field has brought it.
    per_field = (
        -kept.value * beta * (1 - true**2).mean(axis=0) * (point.field[1] - point.field[0]) / 2
    )
    use = good & (weights > 0) & (per_field != 0)
    if not use.any():
        return Quantity.one(np.nan, np.nan, "relative", good=False, why="units are saturated")
    each = (around * means).sum(axis=0)[use] / weights[use] / per_field[use]
    share = weights[use] / weights[use].sum()
    value = float(share @ each)
    # An offset of a coupler tilts both its ends alike, so that units are independent by pairs at least.
    error = float(np.sqrt(2 * (share**2 @ (each - value) ** 2)))
    return Quantity.one(value, error, "relative")
