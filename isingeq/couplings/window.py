"""Window: how a convolution slides over an image, and how the sums of a pool become one.

    z[y, x, o] = Σ_(dy, dx, c) W[dy, dx, c, o] a[y·stride + dy − padding, x·stride + dx − padding, c]
    P(z)       = max, mean or soft maximum of z over squares of pool × pool

Images stand rows, columns, channels; units of a layer are counted in that order.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from isingeq.errors import ProblemError

Pooling = Literal["max", "average", "soft"]
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Window:
    """Geometry of one convolution with its pooling.

    Attributes:
        source: rows, columns and channels that the window slides over.
        channels: of the result.
        kernel: rows and columns of the window.
        stride: places that it moves on.
        padding: zeros around the source.
        pool: rows and columns of the squares that are pooled; 1 for no pooling.
        pooling: of a square: its largest value, its mean, or ln(mean e^(sharpness z)) / sharpness, between the two.
        sharpness: of soft pooling.

    Raises:
        ProblemError: a window or a pool that does not fit.
    """

    source: Shape
    channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    pool: int = 1
    pooling: Pooling = "max"
    sharpness: float = 4.0

    def __post_init__(self) -> None:
        rows, columns, channels = self.source
        whole = (rows, columns, channels, self.channels, self.kernel, self.stride, self.pool)
        if min(whole) < 1 or self.padding < 0 or not self.sharpness > 0:
            raise ProblemError(
                f"a window needs sizes and sharpness above 0 and padding of at least 0, got {self}"
            )
        if self.padding >= self.kernel:
            raise ProblemError(
                f"padding {self.padding} leaves windows of {self.kernel} × {self.kernel} outside the image: "
                f"at most {self.kernel - 1}"
            )
        for size in (rows, columns):
            padded = size + 2 * self.padding
            if self.kernel > padded:
                raise ProblemError(
                    f"kernel {self.kernel} is larger than the {rows} × {columns} image with its padding of "
                    f"{self.padding}: lower kernel, or raise padding"
                )
            if (padded - self.kernel) % self.stride:
                raise ProblemError(
                    f"stride {self.stride} leaves {(padded - self.kernel) % self.stride} rows or columns of "
                    f"{rows} × {columns} over with kernel {self.kernel} and padding {self.padding}: change one of them"
                )
        if any(size % self.pool for size in self.swept[:2]):
            raise ProblemError(
                f"pool {self.pool} does not divide the {self.swept[0]} × {self.swept[1]} places of the window: "
                "change pool, kernel or padding"
            )

    @cached_property
    def swept(self) -> Shape:
        """Rows, columns and channels before pooling."""
        rows, columns = (
            (size + 2 * self.padding - self.kernel) // self.stride + 1 for size in self.source[:2]
        )
        return rows, columns, self.channels

    @cached_property
    def target(self) -> Shape:
        """Rows, columns and channels after pooling."""
        return self.swept[0] // self.pool, self.swept[1] // self.pool, self.channels

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the weights: rows, columns, channels of the source, channels of the result."""
        return self.kernel, self.kernel, self.source[2], self.channels

    @property
    def reach(self) -> tuple[int, int]:
        """Weights that a unit of the result sums over, and sums that a unit of the source is part of."""
        area = self.kernel**2
        return area * self.source[2], area * self.channels // (self.stride * self.pool) ** 2

    @property
    def linear(self) -> bool:
        """True where the pooled sum is linear in the source: no pooling, or the mean."""
        return self.pool == 1 or self.pooling == "average"

    @property
    def folded(self) -> "Window":
        """The window without pooling that a mean over squares comes to: one larger kernel with a larger stride.

        Raises:
            ProblemError: the pooling is not linear.
        """
        if not self.linear:
            raise ProblemError(f"{self.pooling} pooling is not linear: only a mean can be folded")
        if self.pool == 1:
            return self
        return Window(
            self.source,
            self.channels,
            kernel=self.kernel + self.stride * (self.pool - 1),
            stride=self.stride * self.pool,
            padding=self.padding,
        )
