"""Corrections: what a chip does to couplings and fields, as measured, and what of it works.

    J'_ij = (1 + g_ij) J_ij + p_ij          h'_i = (1 + a_i) h_i + o_i          in the chip's own units

Gains are relative: their mean over all elements that work is taken out, as it cannot be told from temperature.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from isingeq.errors import CalibrationError

Reals = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Corrections:
    """Arrays over the elements of a chip, edges in the order of its connectivity; made read-only.

    Attributes:
        coupling_gain: g (m,).
        coupling_offset: p (m,), in units of couplings.
        field_gain: a (n,).
        field_offset: o (n,), in units of fields.
        dead_edges: couplers that do nothing (m,).
        dead_units: units that do not follow their field (n,), stuck ones too.
        source: calibration that they come from; empty where they come from none.
    """

    coupling_gain: Reals
    coupling_offset: Reals
    field_gain: Reals
    field_offset: Reals
    dead_edges: Mask
    dead_units: Mask
    source: str = ""

    def __post_init__(self) -> None:
        m, n = self.coupling_gain.size, self.field_gain.size
        for entry in fields(self)[:-1]:
            values, wanted = getattr(self, entry.name), n if _of_units(entry.name) else m
            if values.shape != (wanted,):
                raise CalibrationError(
                    f"{entry.name} has shape {values.shape}, the chip has {wanted} such elements"
                )
            if not np.isfinite(values).all():
                raise CalibrationError(f"{entry.name} holds a value that is not finite")
            values.flags.writeable = False

    @classmethod
    def none(cls, n: int, m: int) -> "Corrections":
        """Return those of an ideal chip of n units and m edges."""
        edge, unit = np.zeros(m), np.zeros(n)
        return cls(
            edge, edge.copy(), unit, unit.copy(), np.zeros(m, np.bool_), np.zeros(n, np.bool_)
        )


def _of_units(name: str) -> bool:
    return name.startswith("field") or name.endswith("units")
