"""What a measurement of a chip gives."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.corrections import Corrections
from calibration.measure.quantity import Quantity
from isingeq.connectivity import Connectivity

Reals = NDArray[np.float64]
Mask = NDArray[np.bool_]

UNITS = ("field_gain", "field_offset", "readout_error")
EDGES = ("coupling_gain", "coupling_offset")
SCALARS = (
    "beta_coupling", "beta_field", "mean_readout_error", "crosstalk", "noise", "beta_without_noise",
    "settle_sweeps", "drift", "drift_time",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Measured:
    """Quantities by name, faults and curves.

    Attributes:
        graph: the chip's pairs.
        quantities: per unit (`UNITS`), per edge (`EDGES`) or for the whole chip (`SCALARS`), as far as measured.
        dead_units: units that show either value whatever their field (n,).
        stuck_units: +1 or −1 where a unit always shows that (n,), else 0.
        dead_edges: couplers of working units that do nothing (m,).
        curves: arrays by name: transfer, settling, drift and spectrum.
        conditions: plain data: working point, reads, seed, times.
    """

    graph: Connectivity
    quantities: dict[str, Quantity]
    dead_units: Mask
    stuck_units: NDArray[np.int8]
    dead_edges: Mask
    curves: dict[str, Reals]
    conditions: dict[str, object]

    @property
    def works(self) -> Mask:
        """Units that follow their field (n,)."""
        return ~self.dead_units & (self.stuck_units == 0)

    def corrections(self) -> Corrections:
        """Return what to correct by: 0 for elements without a value; edges of units that do not work are dead too.

        Values are as they were measured less what chance put into them, see `Quantity.shrunk`: taking out an offset
        that is not there, of every coupler of a spin, would do more harm than any real one.
        """
        n, m = self.graph.n, self.graph.num_edges

        def of(name: str) -> Reals:
            found = self.quantities.get(name)
            return np.zeros(m if name in EDGES else n) if found is None else found.shrunk()

        fails = ~self.works
        edges = self.dead_edges | fails[self.graph.i] | fails[self.graph.j]
        return Corrections(
            of("coupling_gain"), of("coupling_offset"), of("field_gain"), of("field_offset"), edges, fails
        )  # fmt: skip
