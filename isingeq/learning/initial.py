"""Initial weights: uniform in ± gain √(6 / (in + out)) (Glorot & Bengio 2010, equation 16)."""

from collections.abc import Mapping

import numpy as np

from isingeq.errors import ProblemError
from isingeq.learning.parameters import Parameters


def draw_weights(
    parameters: Parameters, reach: Mapping[str, float], seed: int, gains: tuple[float, ...] | None
) -> None:
    """Write fresh weights into the arrays whose names end in `.weight`, in their order.

    Args:
        parameters: written.
        reach: weights that meet in a unit of the one end and of the other, in + out; of matrices not named, their
            rows and columns.
        seed: of the draw.
        gains: one for all, or one per weight matrix; 1 for each when None.

    Raises:
        ProblemError: another number of gains.
    """
    rng = np.random.default_rng([seed, 0])
    weights = [name for name in parameters if name.endswith(".weight")]
    gains = gains or (1.0,)
    if len(gains) == 1:
        gains *= len(weights)
    if len(gains) != len(weights):
        raise ProblemError(
            f"{len(gains)} gains for {len(weights)} weight matrices: give one, or one for each"
        )
    for name, gain in zip(weights, gains, strict=True):
        shape = parameters[name].shape
        limit = gain * np.sqrt(6.0 / reach.get(name, sum(shape)))
        parameters[name][:] = rng.uniform(-limit, limit, shape)
