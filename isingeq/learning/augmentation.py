"""Augmentation: training images moved and mirrored at random, each time that they are met.

    out[y, x] = image[y − down, x − right], 0 outside;  mirrored: out[y, width − 1 − x]

which is a random crop of the image padded with zeros. Draws come from (seed, update), so that a resumed run
meets the same images.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Floats
from isingeq.errors import ConfigError
from isingeq.kernels.augment import shifted


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What happens to training images before they are settled.

    Attributes:
        shape: rows, columns and, where there are any, channels of an image, flattened in this order.
        shift: most pixels that an image moves along each axis, every way from − to + as likely.
        flip: mirror every other image left to right; for classes that a mirror image keeps.

    Raises:
        ConfigError: examples that are no images, or that a shift would move out of sight.
    """

    shape: tuple[int, ...]
    shift: int = 0
    flip: bool = False

    def __post_init__(self) -> None:
        if len(self.shape) not in (2, 3):
            raise ConfigError(
                f"shift and flip are for images of rows, columns[, channels], the examples have shape {self.shape}: "
                "set shift = 0 and flip = false"
            )
        if not 0 <= self.shift < min(self.shape[:2]):
            raise ConfigError(
                f"shift {self.shift} must be at least 0 and leave something of {self.shape[0]} × {self.shape[1]} "
                f"pixels: at most {min(self.shape[:2]) - 1}"
            )

    def images(self, x: Floats, rows: NDArray[np.int64], *, seed: int, update: int) -> Floats:
        """Return the images of a batch (b, inputs), drawn anew.

        Args:
            x: all images (num, inputs).
            rows: those of the batch (b,).
            seed: of the run.
            update: number of the update.
        """
        rng = np.random.default_rng([seed, 3, update])
        down, right = rng.integers(-self.shift, self.shift + 1, (2, len(rows)))
        mirror = rng.random(len(rows)) < (0.5 if self.flip else 0.0)
        out = np.empty((len(rows), x.shape[1]), x.dtype)
        width, channels = (*self.shape, 1)[1:3]
        shifted(x, rows, down, right, mirror, width, channels, out)
        return out
