"""Measuring a chip: any backend of spins, through the seam alone. `measure` does all of it."""

from calibration.measure.measured import Measured
from calibration.measure.measuring import PROCEDURES, Estimated, measure
from calibration.measure.probe import Progress, StoppedError
from calibration.measure.quantity import Quantity

__all__ = [
    "PROCEDURES",
    "Estimated",
    "Measured",
    "Progress",
    "Quantity",
    "StoppedError",
    "measure",
]
