"""Parameters of a network: one flat vector, so that an update is one fused pass, with named views into it."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Parameters(Mapping[str, Floats]):
    """Named arrays that are views into one vector (p,).

    Args:
        vector: all values, one after the other.
        shapes: name and shape of each array, in the order of the vector.
    """

    vector: Floats
    shapes: tuple[tuple[str, tuple[int, ...]], ...]

    @classmethod
    def zeros(
        cls, shapes: tuple[tuple[str, tuple[int, ...]], ...], dtype: type = np.float32
    ) -> "Parameters":
        """Return parameters that are all 0."""
        return cls(np.zeros(sum(prod(shape) for _, shape in shapes), dtype), shapes)

    def like(self, vector: Floats | None = None) -> "Parameters":
        """Return parameters of the same shapes over another vector, zeros when none is given."""
        return Parameters(np.zeros_like(self.vector) if vector is None else vector, self.shapes)

    @cached_property
    def segments(self) -> dict[str, tuple[int, int]]:
        """First and one past the last element of each array in the vector."""
        out, start = {}, 0
        for name, shape in self.shapes:
            out[name] = (start, start + prod(shape))
            start += prod(shape)
        return out

    @cached_property
    def _views(self) -> dict[str, Floats]:
        return {
            name: self.vector[slice(*self.segments[name])].reshape(shape)
            for name, shape in self.shapes
        }

    def __getitem__(self, name: str) -> Floats:
        return self._views[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def sha256(self) -> str:
        """Return the digest of the values."""
        return hashlib.sha256(np.ascontiguousarray(self.vector).tobytes()).hexdigest()
