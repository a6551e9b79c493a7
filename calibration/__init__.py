"""Layers that map ideal couplings to what hardware can hold; each wraps a backend and is a backend.

`mapped` adds those that a backend needs, and `MappingOptions` those that are a choice; `open_mapped` opens a backend
with them. What they did stands in the provenance of every answer; `reports` reads it.
"""

from calibration.auto import mapped, open_mapped
from calibration.copies import Copies
from calibration.corrections import Corrections
from calibration.drift import DriftGuard
from calibration.embed import Embed
from calibration.factor import Limits
from calibration.gauge import Gauge
from calibration.mask import Mask
from calibration.options import MappingOptions
from calibration.quantise import Quantise
from calibration.report import (
    CopiesReport,
    DriftReport,
    GaugeReport,
    MappingReport,
    QuantiseReport,
    Rounding,
    ScaleReport,
    TrimReport,
    reports,
)
from calibration.scale import Scale
from calibration.trim import Trim

__all__ = [
    "Copies",
    "CopiesReport",
    "Corrections",
    "DriftGuard",
    "DriftReport",
    "Embed",
    "Gauge",
    "GaugeReport",
    "Limits",
    "MappingOptions",
    "MappingReport",
    "Mask",
    "Quantise",
    "QuantiseReport",
    "Rounding",
    "Scale",
    "ScaleReport",
    "Trim",
    "TrimReport",
    "mapped",
    "open_mapped",
    "reports",
]
