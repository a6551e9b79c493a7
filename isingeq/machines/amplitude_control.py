"""How a coherent Ising machine keeps its pulses at one amplitude, so that their signs weigh alike."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from isingeq.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Control:
    """How error variables hold the amplitudes together.

    Attributes:
        rate: b, per decay time; 0 for none.
        target: a at the first and at the last step, squared amplitude (of AHC: a_0).
        follows: the target rises as the energy falls.
        ceiling: highest e.
        wall: highest |x| in units of √a.
    """

    rate: float
    target: tuple[float, float]
    follows: bool = False
    ceiling: float = 32.0
    wall: float = np.inf

    def __post_init__(self) -> None:
        if not (self.rate >= 0 and min(self.target) > 0 and self.ceiling >= 1 and self.wall > 1):
            raise ConfigError(
                f"a control needs rate >= 0, target > 0, ceiling >= 1 and wall > 1, got {self}"
            )


@dataclass(frozen=True, slots=True)
class Preset:
    """A variant: its control, and the schedule that it does best on.

    Attributes:
        control: of the amplitudes.
        pump: at the first and at the last step.
        feedback: ε in units of √2 / (typical field on a spin).
    """

    control: Control
    pump: tuple[float, float]
    feedback: float


Variant = Literal["mean-field", "ahc", "cac"]

WALL = 1.5
"""Highest amplitude in units of the target's root, as in published code of chaotic control."""

PRESETS: dict[Variant, Preset] = {
    "mean-field": Preset(Control(0.0, (1.0, 1.0)), (-1.0, 1.0), 1.0),
    "ahc": Preset(Control(0.5, (0.2, 0.2), follows=True, wall=WALL), (0.0, 1.0), 0.22),
    "cac": Preset(Control(1.0, (1.0, 1.0), wall=WALL), (-1.0, 1.0), 1.0),
}
"""Found on G22 and WK2000_1; published: AHC rate 0.05, pump 0.2; CAC rate 0.3, pump −0.5 to 1, target 1 to 3."""
