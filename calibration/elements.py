"""The elements of a chip, its units and pairs of units, in the one order that measurements and corrections share."""

import numpy as np

from isingeq.backend import Capabilities
from isingeq.connectivity import Connectivity
from isingeq.errors import CalibrationError


def connectivity_of(name: str, capabilities: Capabilities) -> Connectivity:
    """Return the pairs that a chip couples: its connectivity, or all pairs of its units.

    Raises:
        CalibrationError: a backend of any number of units is no chip.
    """
    if capabilities.connectivity is not None:
        return capabilities.connectivity
    if capabilities.max_units is None:
        raise CalibrationError(
            f"{name} has no fixed number of units, so it has no elements to measure or to correct"
        )
    i, j = np.triu_indices(capabilities.max_units, 1)
    return Connectivity(capabilities.max_units, i, j)
