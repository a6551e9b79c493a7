"""Lines of one direction, ready to be counted and run along."""

from dataclasses import dataclass

import numpy as np

from calibration.embedding.chains import Indices
from calibration.embedding.lines import Lines
from isingeq.connectivity import Connectivity

FAR = 10**6
"""Units counted for a line that is not there whole: more than any layout has."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """Lines of one direction, ready to be counted.

    Attributes:
        unit: of the chip (lines, places).
        first: place on every line from which on it crosses a line (lines, crossing lines); see `Lines.runs`.
        last: place up to which (lines, crossing lines).
        breaks: places up to here that are missing, or not coupled to the one before (lines, places).
    """

    unit: Indices
    first: Indices
    last: Indices
    breaks: Indices

    @classmethod
    def of(cls, lines: Lines, crossing: int, chip: Connectivity | None = None) -> "Bundle":
        """Make lines ready.

        Args:
            lines: of one direction.
            crossing: number of those of the other one.
            chip: whose couplers join the units of a line; None where all are there.
        """
        unit = lines.unit
        before, after = unit[:, :-1], unit[:, 1:]
        broken = unit < 0
        broken[:, 1:] |= before < 0
        if chip is not None:
            ends = np.minimum(before, after), np.maximum(before, after)
            broken[:, 1:] |= (before >= 0) & (chip.find(*ends) < 0)
        return cls(unit, *lines.runs(crossing), np.cumsum(broken, axis=1))

    def count(self, line: Indices, low: Indices, high: Indices) -> Indices:
        """Return the units of lines that cross the lines low to high; arguments are broadcast against each other."""
        first, last = self.first[line, low], self.last[line, high]
        last = np.maximum(last, first)
        most = self.unit.shape[1] - 1
        there = (first <= most) & (self.last[line, high] >= 0)
        gaps = (
            self.breaks[line, np.minimum(last, most)] - self.breaks[line, np.minimum(first, most)]
        )
        return np.where(there & (gaps == 0), last - first + 1, FAR)

    def run(self, line: int, low: int, high: int) -> list[int]:
        """Return the units of a line that crosses the lines low to high."""
        first, last = int(self.first[line, low]), int(self.last[line, high])
        return [u for u in self.unit[line, first : max(first, last) + 1].tolist() if u >= 0]
