"""Initial parameters: what training starts from.

W uniform in ± gain √(6 / (in + out))                  by gains
W = mean + spread ξ,   ξ standard normal               by mean and spread, neural sign
h = field (cos ψ, sin ψ), ψ = field_spread ξ, or uniform; ± field where a unit has one component of a bias
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isingeq.errors import ProblemError
from isingeq.learning.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Draw:
    """How initial parameters are drawn; biases without a field, and all that is no weight, are 0.

    Attributes:
        mean: of weights; None draws them by gains.
        spread: their standard deviation.
        field: size of the biases, in directions drawn at random.
        field_spread: standard deviation of the directions about ψ = 0, in radians; None for all alike.
    """

    mean: float | None = None
    spread: float = 0.0
    field: float = 0.0
    field_spread: float | None = None

    def __call__(
        self, shapes: tuple[tuple[str, tuple[int, ...]], ...], reach: Mapping[str, float],
        biases: Sequence[tuple[str, ...]], seed: int, gains: tuple[float, ...] | None,
    ) -> Parameters:  # fmt: skip
        """Return fresh parameters.

        Args:
            shapes: of all parameters, in their order.
            reach: in + out of the weights that are no matrix of all with all, by name.
            biases: names of the components of the biases, layer by layer.
            seed: of the draw.
            gains: one for all weights or one each, in their order; 1 when None.

        Raises:
            ProblemError: another number of gains than weights, or gains where the mean is given.
        """
        parameters = Parameters.zeros(shapes)
        rng = np.random.default_rng([seed, 0])
        weights = [name for name in parameters if name.endswith(".weight")]
        gains = gains or (1.0,)
        if self.mean is not None and gains != (1.0,):
            raise ProblemError("weights are drawn by gains or by mean and spread: give one of them")
        if len(gains) == 1:
            gains *= len(weights)
        if len(gains) != len(weights):
            raise ProblemError(
                f"{len(gains)} gains for {len(weights)} weight matrices: give one, or one for each"
            )
        for name, gain in zip(weights, gains, strict=True):
            shape = parameters[name].shape
            if self.mean is None:
                limit = gain * np.sqrt(6.0 / reach.get(name, sum(shape)))
                parameters[name][:] = rng.uniform(-limit, limit, shape)
            else:
                parameters[name][:] = self.mean + self.spread * rng.standard_normal(shape)
        for components in biases if self.field else ():
            shape = parameters[components[0]].shape
            turn = rng.uniform(-np.pi, np.pi, shape)
            if self.field_spread is not None:
                turn = self.field_spread * rng.standard_normal(shape)
            sides = (np.cos(turn), np.sin(turn)) if len(components) == 2 else (np.sign(turn),)
            for name, side in zip(components, sides, strict=True):
                parameters[name][:] = self.field * side
        return parameters


PLAIN_DRAW = Draw()
