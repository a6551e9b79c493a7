"""Which lines of a chip a drawing takes."""

from dataclasses import dataclass

import numpy as np

from calibration.embedding.bundle import Bundle
from calibration.embedding.chains import Indices
from calibration.embedding.drawing import Drawing


@dataclass(frozen=True, eq=False)
class Choice:
    """Lines for a drawing.

    Attributes:
        drawing: what is drawn.
        bundles: lines of the chip, across and down.
        lines: those taken, across and down, each ascending.
        further: next line across and down that can be taken.
    """

    drawing: Drawing
    bundles: tuple[Bundle, Bundle]
    lines: tuple[Indices, Indices]
    further: tuple[int, int]

    @classmethod
    def at(
        cls, drawing: Drawing, bundles: tuple[Bundle, Bundle], place: tuple[int, int]
    ) -> "Choice":
        """Take the lines that begin at a place, first line across and down."""
        p, q = drawing.needs.shape
        y, x = place
        return cls(drawing, bundles, (np.arange(y, y + p), np.arange(x, x + q)), (y + p, x + q))

    def runs(self) -> list[list[int]]:
        """Return the units of every line, those across first."""
        return [
            own.run(line, a, b)
            for own, lines, low, high in self._sides()
            for line, a, b in zip(lines.tolist(), low.tolist(), high.tolist(), strict=True)
        ]

    def without(self, which: int) -> "Choice | None":
        """Return the choice with a line left out for the next one in its direction, None where there is none.

        Args:
            which: lines across count from 0, those down go on from there.
        """
        side = int(which >= self.lines[0].size)
        own, next_line = self.lines[side], self.further[side]
        if next_line >= len(self.bundles[side].unit):
            return None
        kept = np.append(np.delete(own, which - side * self.lines[0].size), next_line)
        if side:
            return Choice(
                self.drawing, self.bundles, (self.lines[0], kept), (self.further[0], next_line + 1)
            )
        return Choice(
            self.drawing, self.bundles, (kept, self.lines[1]), (next_line + 1, self.further[1])
        )

    def _sides(self) -> list[tuple[Bundle, Indices, Indices, Indices]]:
        """Return, of each direction, bundle, lines and the first and last line that each has to cross."""
        (rows, columns), (across, down), (low, high) = self.lines, self.bundles, self.drawing.spans
        low_down, high_down = self.drawing.turned.spans
        return [
            (across, rows, columns[low], columns[high]),
            (down, columns, rows[low_down], rows[high_down]),
        ]
