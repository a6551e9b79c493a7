"""Adam on the state: every unit descends in steps of its own size, whatever the size of its slope.

    m ← β₁ m + (1 − β₁) g          v ← β₂ v + (1 − β₂) g²          g = ∂E/∂x
    x ← clip(x − lr(t) m̂ / (√v̂ + δ))          m̂ = m / (1 − β₁^t), v̂ = v / (1 − β₂^t)

Kingma & Ba 2015, on states where they have parameters, as the relaxation of networks on coherent Ising machines takes
it (arXiv 2606.09117). A step is about lr long however small the slope, so at a constant lr nothing rests: the state
circles its minimum at that distance. What keeps rest points those of E is lr, which falls in a straight line to 0
over the stage, and the descent that follows.

A nudged phase is no place for it. The displacements that carry the gradient are of the size of the nudge, its steps
are not, and units that the nudge hardly pulls go as far as all others: on networks of three layers (32-24-3, nudging
0.1, 20 steps of 0.2 or less) some samples left their basin, and even settled to 1e-10 afterwards the cosine to the
gradient fell to 0.992; without a descent behind it, to 0.75.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from isingeq.errors import ConfigError
from isingeq.machines.landscape import Floats, Landscape


@dataclass(frozen=True, slots=True)
class StateAdam:
    """Adam with the state for parameters.

    Attributes:
        lr: length of a step at the start of the stage; it falls to 0.
        first: β₁, share of the mean slope kept.
        second: β₂, share of the mean square kept.
        floor: δ.
    """

    lr: float = 0.2
    first: float = 0.9
    second: float = 0.99
    floor: float = 1e-8

    def __post_init__(self) -> None:
        if not (self.lr > 0 and 0 <= self.first < 1 and 0 <= self.second < 1 and self.floor > 0):
            raise ConfigError(
                f"lr {self.lr} and floor {self.floor} must be > 0, first {self.first} and second {self.second} "
                "at least 0 and below 1"
            )

    def walk(
        self, landscape: Landscape, start: Floats, *, steps: int, seed: int
    ) -> Iterator[Floats]:
        """Yield the states (b, r, n) after each of `steps` steps; nothing in them is random."""
        x, m, v = start, np.zeros_like(start), np.zeros_like(start)
        for step in range(steps):
            g = -landscape.pull(x)
            m = self.first * m + (1 - self.first) * g
            v = self.second * v + (1 - self.second) * g * g
            lr = self.lr * (1 - step / steps) / (1 - self.first ** (step + 1))
            root = np.sqrt(v / (1 - self.second ** (step + 1)))
            x = landscape.confine(x - lr * m / (root + self.floor))
            yield x
