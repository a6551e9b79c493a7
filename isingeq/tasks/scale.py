"""From raw values to float32 in [0, 1]."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isingeq.tasks.raw import RawExamples

Features = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Scale:
    """The scale of one data set; the same for every seed and size.

    Args:
        raw: examples whose full scale, or whose training part, defines it.
    """

    raw: RawExamples

    def __str__(self) -> str:
        if self.raw.full_scale is None:
            return "each feature min-max scaled by the training part, test values clipped"
        return f"divided by {self.raw.full_scale:g}"

    def __call__(self, x: NDArray[Any]) -> tuple[Features, int]:
        """Scale examples.

        Args:
            x: raw features (b, ...).

        Returns:
            Features (b, f), read-only, and how many of them had to be clipped to [0, 1].
        """
        # b is spelt out: reshape cannot infer f where no example is left.
        num_features = int(np.prod(self.raw.shape))
        x = x.reshape(len(x), num_features)
        if self.raw.full_scale is not None:
            scaled = np.divide(x, self.raw.full_scale, dtype=np.float32)
            num_clipped = 0
        else:
            train = self.raw.x_train.reshape(-1, num_features)
            low, high = train.min(axis=0).astype(np.float64), train.max(axis=0).astype(np.float64)
            span = np.where(high > low, high - low, 1.0)
            unclipped = (x - low) / span
            num_clipped = int(np.count_nonzero((unclipped < 0) | (unclipped > 1)))
            scaled = np.clip(unclipped, 0, 1).astype(np.float32)
        scaled.flags.writeable = False
        return scaled, num_clipped
