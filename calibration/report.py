"""What a mapping layer did to a problem, as plain data for results."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    """

    factor: float
    fixed: bool
    num_rechosen: int
    coupling_headroom: float | None
    field_headroom: float | None
    layer: str = "scale"

    def as_dict(self) -> dict[str, object]:
        """Return plain data."""
        return dict(vars(self))


@dataclass(frozen=True)
class Rounding:
    """What rounding to a step did to couplings or fields.

    Attributes:
        step: that values are multiples of now.
        rms_error: root mean square of the changes, as a share of the largest value.
        max_error: the largest change, as a share of the largest value.
        num_to_zero: values other than 0 that became 0.
        effective_bits: log2 of the number of steps that the values span, of what sign they may be: 8 for ±127 steps.
    """

    step: float
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
    """

    rounding: str
    couplings: Rounding | None
    fields: Rounding | None
    num_nudges_lost: int
    layer: str = "quantise"

    def as_dict(self) -> dict[str, object]:
        """Return plain data."""
        parts = {"couplings": self.couplings, "fields": self.fields}
        plain = {name: part and dict(vars(part)) for name, part in parts.items()}
        return {**vars(self), **plain}


MappingReport = ScaleReport | QuantiseReport


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
