"""Layers that map ideal couplings to what hardware can hold; each wraps a backend and is a backend.

`mapped` adds those that a backend needs: `Scale` where values have ranges, `Quantise` where they have steps;
`open_mapped` opens a backend with them. What they did stands in the provenance of every answer; `reports` reads it.
"""

from calibration.auto import Mapping, mapped, open_mapped
from calibration.factor import Limits
from calibration.quantise import Quantise
from calibration.report import MappingReport, QuantiseReport, Rounding, ScaleReport, reports
from calibration.scale import Scale

__all__ = [
    "Limits",
    "Mapping",
    "MappingReport",
    "Quantise",
    "QuantiseReport",
    "Rounding",
    "Scale",
    "ScaleReport",
    "mapped",
    "open_mapped",
    "reports",
]
