"""Free states of all training samples, kept from one epoch for the next to start from."""

import numpy as np

from isingeq.backend import Backend, Floats
from isingeq.errors import CapabilityError, ConfigError
from isingeq.learning.estimator import Estimator
from isingeq.learning.model import Model

MOST_BYTES = 2**30
"""What may be kept, in memory and in every checkpoint."""


def room_for_states(
    num_samples: int, network: Model, backend: Backend, estimator: Estimator
) -> Floats:
    """Return room for the states (num, r, n) of all samples, zeros.

    Raises:
        ConfigError: nothing settles, or the states would take more than `MOST_BYTES`.
        CapabilityError: a backend that takes no initial states.
    """
    if estimator.method == "backprop":
        raise ConfigError("backprop settles nothing that could start warm: set warm_start = false")
    if not backend.capabilities.warm_start:
        raise CapabilityError(
            f"{backend.name} takes no initial states: set warm_start = false, or settle on another backend"
        )
    dtype = np.dtype(estimator.precision)
    each = estimator.reads * network.n * dtype.itemsize
    if num_samples * each > MOST_BYTES:
        raise ConfigError(
            f"warm_start keeps {num_samples} × {estimator.reads * network.n} states, "
            f"{num_samples * each / 2**30:.1f} GiB, at most 1 GiB is allowed: "
            f"set warm_start = false, or train on {MOST_BYTES // each} samples"
        )
    return np.zeros((num_samples, estimator.reads, network.n), dtype)
