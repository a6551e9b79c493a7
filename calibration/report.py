"""What a mapping layer did to a problem, as plain data for results."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Equilibrium, Provenance, SettleRequest, Timing

MAPPING = "mapping"
"""Key of the reports in the details of a provenance: a list, the outermost layer first."""


@dataclass(frozen=True)
class ScaleReport:
    """What scaling did in one settle.

    Attributes:
        factor: that couplings, fields and nudges were multiplied by, and betas divided by.
        fixed: it follows from limits that were given, and stays; otherwise the first problem gave it.
        num_rechosen: times that something no longer fitted and the factor was halved, since the backend was opened.
        coupling_headroom: end of the range over the largest scaled coupling; None without a range or couplings.
        field_headroom: end of the range over the largest scaled field, nudged or not; None as above.
        headrooms: of every coupling of the problem; log2 of it is what the one factor costs a coupling in bits.
    """

    factor: float
    fixed: bool
    num_rechosen: int
    coupling_headroom: float | None
    field_headroom: float | None
    headrooms: list[float | None]
    layer: str = "scale"

    def as_dict(self) -> dict[str, object]:
        """Return plain data."""
        return dict(vars(self))


@dataclass(frozen=True)
class Rounding:
    """What rounding did to couplings or fields.

    Attributes:
        step: that values are multiples of now, None where they are at levels.
        rms_error: root mean square of the changes, as a share of the largest value.
        max_error: the largest change, as a share of the largest value.
        num_to_zero: values other than 0 that became 0.
        effective_bits: log2 of the number of values within the largest, of what sign they may be: 8 for ±127 steps.
    """

    step: float | None
    rms_error: float
    max_error: float
    num_to_zero: int
    effective_bits: float


@dataclass(frozen=True)
class QuantiseReport:
    """What rounding did in one settle.

    Attributes:
        rounding: nearest or stochastic.
        couplings: of all couplings together; None where the backend below takes real numbers.
        fields: without nudges; None as above.
        num_nudges_lost: fields, over all samples, that a nudge was to change and that rounding left as they were.
        num_programmings: that the reads were spread over, each rounded in its own way.
    """

    rounding: str
    couplings: Rounding | None
    fields: Rounding | None
    num_nudges_lost: int
    num_programmings: int = 1
    layer: str = "quantise"

    def as_dict(self) -> dict[str, object]:
        """Return plain data."""
        parts = {"couplings": self.couplings, "fields": self.fields}
        plain = {name: part and dict(vars(part)) for name, part in parts.items()}
        return {**vars(self), **plain}


@dataclass(frozen=True)
class CopiesReport:
    """What copies gave in one settle.

    Attributes:
        num_copies: of the problem on the chip.
        num_anneals: of each sample, each of as many reads as there are copies.
    """

    num_copies: int
    num_anneals: int
    layer: str = "copies"

    def as_dict(self) -> dict[str, object]:
        """Return plain data."""
        return dict(vars(self))


@dataclass(frozen=True)
class Correction:
    """Gains and offsets that were taken out, of the elements that a problem uses; offsets in the chip's units.

    Attributes:
        gain_rms: root mean square of the relative gains.
        gain_max: largest of them, of either sign.
        offset_rms: root mean square of the offsets.
        offset_max: largest of them, of either sign.
    """

    gain_rms: float
    gain_max: float
    offset_rms: float
    offset_max: float


def correction(gain: NDArray[np.float64], offset: NDArray[np.float64]) -> Correction:
    """Return what is told of gains and offsets."""
    return Correction(*(value for part in (gain, offset) for value in _sizes(part)))


def _sizes(values: NDArray[np.float64]) -> tuple[float, float]:
    if not values.size:
        return 0.0, 0.0
    return math.sqrt(float(np.vdot(values, values)) / values.size), float(np.abs(values).max())


@dataclass(frozen=True)
class TrimReport:
    """What trimming took out in one settle.

    Attributes:
        calibration: that the corrections come from; empty where they come from none.
        couplings: of couplers used, and of those cancelled.
        fields: of units used.
        num_cancelled: couplers that the problem does not use and that have an offset: they are programmed against it.
        coupling_range_left: share of the range of couplings that every element reaches; None without a range.
        field_range_left: the same of fields.
    """

    calibration: str
    couplings: Correction
    fields: Correction
    num_cancelled: int
    coupling_range_left: float | None
    field_range_left: float | None
    layer: str = "trim"

    def as_dict(self) -> dict[str, object]:
        """Return plain data."""
        return {**vars(self), "couplings": vars(self.couplings), "fields": vars(self.fields)}


@dataclass(frozen=True)
class GaugeReport:
    """Which gauges the reads of one settle were spread over.

    Attributes:
        num_gauges: each with a share of the reads, and couplings of its own to be programmed.
        num_flipped: units turned over in each.
    """

    num_gauges: int
    num_flipped: list[int]
    layer: str = "gauge"

    def as_dict(self) -> dict[str, object]:
        """Return plain data."""
        return dict(vars(self))


@dataclass(frozen=True)
class DriftReport:
    """What a drift guard saw of field offsets, in the chip's units.

    Attributes:
        num_checks: since the backend was opened.
        settles_since: the last one.
        drift_rms: what the last one found that noise does not explain.
        taken_max: largest move that it made, of either sign.
        moved_max: largest one since the calibration, of either sign.
        reserve: that this may come to.
    """

    num_checks: int
    settles_since: int
    drift_rms: float
    taken_max: float
    moved_max: float
    reserve: float
    layer: str = "drift"

    def as_dict(self) -> dict[str, object]:
        """Return plain data."""
        return dict(vars(self))


class MappingReport(Protocol):
    """What a layer did in one settle, with its name under `layer`."""

    def as_dict(self) -> dict[str, object]:
        """Return plain data."""
        ...


def reports(equilibrium: Equilibrium) -> Sequence[dict[str, object]]:
    """Return the reports of all layers that an answer came through, the outermost first."""
    found = equilibrium.provenance.details.get(MAPPING, ())
    assert isinstance(found, Sequence)
    return found


def answer(
    request: SettleRequest,
    found: Equilibrium,
    report: MappingReport,
    own_s: float,
    beta: float = 1.0,
) -> Equilibrium:
    """Return the answer of the backend below as one to the question asked.

    Args:
        request: as it was asked, so that energies are of its problem.
        found: what came from below.
        report: of the layer.
        own_s: time that the layer took.
        beta: factor on the inverse temperature that the details may state.
    """
    told, spent = found.provenance, found.timing
    details = {**told.details, MAPPING: [report.as_dict(), *reports(found)]}
    if isinstance(stated := details.get("beta"), int | float):
        details["beta"] = stated * beta
    return replace(
        found,
        request=request,
        provenance=Provenance(told.backend, told.kind, told.seed, details),
        residual=None,
        timing=Timing(spent.host_s + own_s, spent.link_s, spent.device_s),
    )
