"""What a file reader hands back."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

KEYS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True, eq=False)
class Found:
    """The four arrays by key, what to call each in an error, and where they lay."""

    arrays: dict[str, NDArray[Any]]
    origin: dict[str, str]
    place: str
