"""The lowest states seen so far, each once."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]


@dataclass(eq=False)
class Lowest:
    """Keeps the k lowest distinct states; of equal energies the one seen first.

    Attributes:
        most: states to keep, k.
        mirrored: a state and its global flip are the same, as they are where there are no fields.
    """

    most: int
    mirrored: bool
    _kept: dict[bytes, tuple[float, NDArray[np.int8]]] = field(default_factory=dict)

    def add(self, energies: Reals, states: NDArray[np.floating]) -> None:
        """Look at more states (r, n) with their energies (r,)."""
        for read in np.argsort(energies, kind="stable"):
            energy = float(energies[read])
            if len(self._kept) == self.most and energy >= self._highest():
                return
            state = states[read].astype(np.int8)
            seen = state * state[0] if self.mirrored else state
            key = np.packbits(seen > 0).tobytes()
            if key in self._kept:
                continue
            if len(self._kept) == self.most:
                del self._kept[max(reversed(self._kept), key=lambda k: self._kept[k][0])]
            self._kept[key] = (energy, state)

    def _highest(self) -> float:
        return max(energy for energy, _ in self._kept.values())

    def arrays(self) -> tuple[Reals, NDArray[np.int8]]:
        """Return energies (k,), lowest first, and states (k, n)."""
        kept = sorted(self._kept.values(), key=lambda pair: pair[0])
        return np.array([energy for energy, _ in kept]), np.stack([state for _, state in kept])
