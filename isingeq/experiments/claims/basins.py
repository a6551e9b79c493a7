"""Basins of free and nudged states, and the gradients that are drawn from them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Floats, SettleRequest
from isingeq.couplings import Coupling
from isingeq.experiments.claims.digit_networks import NUDGING
from isingeq.kernels.pool import Pool
from isingeq.learning.cost import Labels
from isingeq.learning.network import Encoded, Network
from isingeq.learning.parameters import Parameters
from isingeq.problem import Problem
from isingeq.registry import open_backend
from isingeq.terms import Term

_APART = 1e-2
"""States whose units all agree this well are one."""
_TIGHT = 1e-7
_PATIENCE = 20


@dataclass(frozen=True, eq=False)
class Nudging:
    """A network at its parameters with a batch to be nudged.

    Attributes:
        network: whose output is nudged.
        parameters: of it.
        couplings: at these parameters.
        encoded: inputs.
        labels: classes (b,).
        pool: threads.
    """

    network: Network
    parameters: Parameters
    couplings: tuple[Coupling, ...]
    encoded: Encoded
    labels: Labels
    pool: Pool

    @classmethod
    def of(
        cls, network: Network, parameters: Parameters, x: Floats, labels: Labels, pool: Pool
    ) -> "Nudging":
        """Return it for inputs (b, inputs)."""
        couplings, encoded = network.couplings(parameters), network.encode(parameters, x, pool)
        return cls(network, parameters, couplings, encoded, labels, pool)

    @property
    def problem(self) -> Problem:
        """Energy of the free phase."""
        return self.network.problem(self.couplings, self.encoded)

    def term(self, strength: float) -> Term:
        """Return what pulls every output towards its class."""
        strengths = np.full(len(self.labels), strength)
        nudge = self.network.cost.nudge(strengths, self.labels, self.network.spans[-1])
        assert nudge is not None  # squared errors are springs
        return nudge

    def contrasts(self, plus: Floats, minus: Floats, nudging: float) -> NDArray[np.float64]:
        """Return the gradient of every sample (b, parameters) from states (b, n) of both signs."""
        states = np.stack([plus, minus])[:, :, None]
        out = []
        for sample in range(len(self.labels)):
            signs = np.zeros(states.shape[:3])
            signs[:, sample, 0] = 0.5 / nudging, -0.5 / nudging
            gradient = self.parameters.like()
            self.network.contrast(
                self.couplings, self.encoded.inputs, states, signs, gradient, self.pool
            )
            out.append(gradient.vector.astype(np.float64))
        return np.array(out)


def distinct(states: Floats) -> int:
    """Return how many of the states (r, n) are not alike."""
    found: list[Floats] = []
    for state in states:
        if not any(np.abs(state - other).max() < _APART for other in found):
            found.append(state)
    return len(found)


def gradients(
    nudging: Nudging, start: NDArray[np.float64], spec: str, steps: int
) -> dict[str, float]:
    """Compare nudged phases that start at the free state (warm) with those that start anew (cold).

    A nudged state is in the free state's basin where it comes back to it once the nudge is taken away. The reference
    is the contrast at a tenth of the nudging from the free state.

    Args:
        nudging: network and batch.
        start: states (b, r, n), of which the first are taken for the free phase, the second for cold nudged ones.
        spec: machine.
        steps: of a settle; many times as many are allowed here.

    Returns:
        Shares of nudged states in the basin, and mean cosines over samples, of warm and cold phases.
    """
    backend = open_backend(spec)
    problem = nudging.problem

    def settled(initial: Floats, strength: float = 0.0) -> Floats:
        return backend.settle(
            SettleRequest(
                problem, terms=(nudging.term(strength),) if strength else (), initial=initial[:, None],
                schedule=backend.suggest_schedule(problem), tolerance=_TIGHT, max_steps=_PATIENCE * steps,
                precision="float64",
            )
        ).states[:, 0]  # fmt: skip

    free = settled(start[:, 0])
    small = NUDGING / 10
    reference = nudging.contrasts(settled(free, small), settled(free, -small), small)
    found = {}
    for name, initial in (("warm", free), ("cold", start[:, 1])):
        plus, minus = (settled(initial, strength) for strength in (NUDGING, -NUDGING))
        back = [np.abs(settled(end) - free).max(axis=1) < _APART for end in (plus, minus)]
        contrasts = nudging.contrasts(plus, minus, NUDGING)
        found[f"same_basin_{name}"] = float(np.mean(back))
        found[f"cosine_{name}"] = float(np.mean(_cosines(contrasts, reference)))
    backend.close()
    return found


def _cosines(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosine of every row, 0 where one of the two is nothing."""
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.einsum("bp,bp->b", a, b) / np.where(norms > 0, norms, np.inf)
