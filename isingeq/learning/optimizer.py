"""Optimizers: SGD with momentum and Adam, rates per layer and over time, clipped gradients, projected weights."""

from dataclasses import dataclass
from math import inf, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Floats
from isingeq.errors import ConfigError, DivergenceError
from isingeq.kernels.update import adam, sgd
from isingeq.learning.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Optimizer:
    """What turns gradients into updates.

    Attributes:
        method: sgd or adam.
        rate: learning rate.
        rates: factor on the rate for each weight matrix, input first, and for the biases of the layer that it leads
            to; 1 for each when empty.
        bias_rate: one more factor on the rate for biases.
        momentum: of sgd, or first-moment decay of adam.
        second: second-moment decay of adam.
        decay: weight decay, on weights only; decoupled for adam.
        anneal: how the rate falls over the run: constant, linear or cosine.
        final_rate: share of the rate left at the end.
        warmup: share of the run in which the rate first rises from 0 on a straight line; it falls after that.
        clip_norm: gradients longer than this are scaled down to it, all parameters together; None for no limit.
        weight_limit: weights and biases are projected into ± this after every update; None for none.
    """

    method: Literal["sgd", "adam"] = "adam"
    rate: float = 1e-3
    rates: tuple[float, ...] = ()
    bias_rate: float = 1.0
    momentum: float = 0.9
    second: float = 0.999
    decay: float = 0.0
    anneal: Literal["constant", "linear", "cosine"] = "constant"
    final_rate: float = 0.0
    warmup: float = 0.0
    clip_norm: float | None = None
    weight_limit: float | None = None

    def __post_init__(self) -> None:
        if self.method not in ("sgd", "adam") or self.anneal not in (
            "constant",
            "linear",
            "cosine",
        ):
            raise ConfigError(
                f"optimizer {self.method!r} must be sgd or adam, anneal {self.anneal!r} constant, linear or cosine"
            )
        if (
            not 0 <= self.rate <= 1e6
            or not 0 <= self.momentum < 1
            or not 0 <= self.second < 1
            or not self.decay >= 0
        ):
            raise ConfigError(
                f"rate {self.rate} must be in [0, 1e6], decay {self.decay} >= 0, "
                f"momentum {self.momentum} and second {self.second} in [0, 1)"
            )
        if not 0 <= self.warmup < 1 or not (self.clip_norm is None or 0 < self.clip_norm < inf):
            raise ConfigError(
                f"warmup {self.warmup} must be in [0, 1), clip_norm {self.clip_norm} > 0 or none"
            )

    def rate_at(self, progress: float) -> float:
        """Return the learning rate when `progress` (0 to 1) of the run is done."""
        if progress < self.warmup:
            return self.rate * progress / self.warmup
        progress = (progress - self.warmup) / (1 - self.warmup)
        left = 1 - self.final_rate
        if self.anneal == "linear":
            return self.rate * (self.final_rate + left * (1 - progress))
        if self.anneal == "cosine":
            return self.rate * (self.final_rate + left * 0.5 * (1 + np.cos(np.pi * progress)))
        return self.rate


class Update:
    """An optimizer at work on parameters: its moments are part of every checkpoint."""

    def __init__(self, optimizer: Optimizer, parameters: Parameters) -> None:
        self.optimizer, self.parameters = optimizer, parameters
        segments = parameters.segments
        weights = [name for name in segments if name.endswith(".weight")]
        if len(optimizer.rates) not in (0, len(weights)):
            raise ConfigError(
                f"{len(optimizer.rates)} rates for {len(weights)} weight matrices: give none, or one for each"
            )
        factor = dict(zip(weights, optimizer.rates, strict=False))
        into: dict[str, float] = {}
        for name, share in factor.items():
            into.setdefault(name.removesuffix(".weight").rpartition("-")[2], share)
        self._ends = np.array([last for _, last in segments.values()], np.int64)
        self._factors = np.array(
            [
                factor.get(name, 1.0)
                if name in weights
                else into.get(name.partition(".")[0], 1.0) * optimizer.bias_rate
                for name in segments
            ]
        )
        self._decay = np.array([optimizer.decay if name in weights else 0.0 for name in segments])
        self.first = np.zeros_like(parameters.vector)
        self.second = (
            np.zeros_like(parameters.vector) if optimizer.method == "adam" else self.first[:0]
        )
        self.num_steps = 0

    def apply(self, gradient: Parameters, progress: float) -> bool:
        """Update the parameters in place.

        Args:
            gradient: dL/dθ, scaled in place where it is clipped.
            progress: share of the run that is done.

        Returns:
            Whether the gradient was clipped.

        Raises:
            DivergenceError: the gradient is not finite, and the parameters are left as they were; or the
                parameters ran away, and are still finite numbers.
        """
        square = _square(gradient.vector)
        if not np.isfinite(square):
            raise DivergenceError(
                f"the gradient of update {self.num_steps + 1} is not finite: "
                "lower the learning rate or raise the nudging"
            )
        self.num_steps += 1
        vector, o = self.parameters.vector, self.optimizer
        length, longest = sqrt(square), inf if o.clip_norm is None else o.clip_norm
        if length > longest:
            gradient.vector[:] *= longest / length
        rates: NDArray[np.float64] = o.rate_at(progress) * self._factors
        if o.method == "adam":
            adam(vector, gradient.vector, self.first, self.second, self._ends, rates, o.momentum, o.second,
                 self.num_steps, self._decay)  # fmt: skip
        else:
            sgd(vector, gradient.vector, self.first, self._ends, rates, o.momentum, self._decay)
        if o.weight_limit is not None:
            np.clip(vector, -o.weight_limit, o.weight_limit, out=vector)
        if not np.isfinite(_square(vector)):
            raise DivergenceError(
                f"the parameters of update {self.num_steps} ran away: lower the learning rate"
            )
        return length > longest

    def state(self) -> dict[str, Floats]:
        """Return what a checkpoint keeps."""
        return {"first": self.first, "second": self.second, "num_steps": np.array(self.num_steps)}

    def restore(self, state: dict[str, Floats]) -> None:
        """Take up where `state` left off."""
        self.first[:], self.second[:] = state["first"], state["second"]
        self.num_steps = int(state["num_steps"])


def _square(vector: Floats) -> float:
    """Return the sum of squares: it overflows long before a number does."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.dot(vector, vector))
