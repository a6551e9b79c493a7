"""RateNetwork: leaky units driven along links that lead one way, and the way from parameters and inputs to a Problem.

    dx/dt = −k x + Σ_links P(ρ(x); W) + x_in U + b           neural sign: positive weights excite

There is no energy: forces are the network, and its gradient is δᵀ ∂force/∂θ for a signal δ that answers the cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Floats
from isingeq.couplings import Coupling, Window
from isingeq.errors import ProblemError
from isingeq.kernels.pool import Pool
from isingeq.kernels.sparse import Inputs
from isingeq.learning.cost import Cost
from isingeq.learning.images import Images
from isingeq.learning.initial import PLAIN_DRAW
from isingeq.learning.network import Driving, Encoded, to_ising
from isingeq.learning.parameters import Parameters
from isingeq.problem import Problem
from isingeq.units import Amplitude, Layer, spans_of


class FieldLink(Protocol):
    """Trainable weights that make a field; links of one name share them, and add."""

    @property
    def name(self) -> str:
        """Name of the weights, as in `Parameters`; it ends in `.weight`."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weights."""
        ...

    @property
    def reach(self) -> float:
        """Weights that a unit of either end sums over, the two ends added: in + out."""
        ...

    @property
    def mutual(self) -> bool:
        """True where another link, or this one, leads back."""
        ...

    def coupling(self, J: NDArray[np.floating]) -> Coupling:
        """Return the coupling that weights in the problem's sign make."""
        ...


@dataclass(frozen=True)
class RateNetwork:
    """Layers of leaky units; inputs act as fields on the first few.

    Attributes:
        inputs: number of inputs.
        layers: hidden layers and the output layer, amplitudes without walls.
        cost: what the output is compared with, and how.
        links: weights between units.
        fed: how many of the first layers the inputs reach.
        windows: of the first layers, that over the inputs first; biases of these are one per channel.
        fixed: couplings that are not trained.
    """

    inputs: int
    layers: tuple[Layer, ...]
    cost: Cost
    links: tuple[FieldLink, ...]
    fed: int = 1
    windows: tuple[Window, ...] = ()
    fixed: tuple[Coupling, ...] = ()

    def __post_init__(self) -> None:
        if self.inputs < 1 or not self.layers:
            raise ProblemError(
                f"a network needs inputs and layers, got {self.inputs} and {len(self.layers)}"
            )
        for layer in self.layers:
            if not (isinstance(layer.unit, Amplitude) and layer.unit.smooth):
                raise ProblemError(
                    f"layer {layer.name} of a rate network needs amplitudes without walls: activations are its bounds"
                )
        most = 1 if self.windows else len(self.layers)
        if not 1 <= self.fed <= most:
            raise ProblemError(
                f"inputs reach the first {self.fed} layers, must be between 1 and {most}"
                f"{': images are fed to the first alone' if self.windows else ''}"
            )

    @cached_property
    def n(self) -> int:
        """Number of units."""
        return sum(layer.size for layer in self.layers)

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """First unit and one past the last, per layer."""
        return spans_of(self.layers)

    @cached_property
    def leak(self) -> Floats:
        """Stiffness k of every unit (n,)."""
        stiffness = [getattr(layer.unit, "stiffness", 1.0) for layer in self.layers]
        return np.repeat(stiffness, [layer.size for layer in self.layers])

    @property
    def sites(self) -> None:
        """None: units have no places on a lattice."""
        return

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the input weights, of every layer that is fed."""
        return tuple(f"input-{layer.name}.weight" for layer in self.layers[: self.fed])

    @property
    def input_name(self) -> str:
        """Name of the input weights of the first layer."""
        return self.input_names[0]

    @property
    def shapes(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Names and shapes of all parameters."""
        into = [
            self.windows[0].shape if self.windows else (self.inputs, layer.size)
            for layer in self.layers[: self.fed]
        ]
        links = {link.name: link.shape for link in self.links}
        return (
            *zip(self.input_names, into, strict=True),
            *links.items(),
            *((f"{k.name}.bias", (self._shared(i),)) for i, k in enumerate(self.layers)),
            *self.cost.shapes(self.layers[-1].size),
        )

    def _shared(self, number: int) -> int:
        """Return how many biases a layer has: one per unit, of images one per channel."""
        if number < len(self.windows):
            return self.windows[number].channels
        return self.layers[number].size

    def initial(self, seed: int, gains: tuple[float, ...] | None = None) -> Parameters:
        """Return fresh parameters: weights uniform in ± gain √(6 / (in + out)), biases 0.

        Args:
            seed: of the draw.
            gains: one for all, or one per weight matrix, input first; 1 for each when None.
        """
        reach = {link.name: link.reach for link in self.links}
        if self.windows:
            reach[self.input_name] = sum(self.windows[0].reach)
        return PLAIN_DRAW(self.shapes, reach, (), seed, gains)

    def couplings(self, parameters: Parameters) -> tuple[Coupling, ...]:
        """Return the couplings between the units, those of the links first, a copy in the problem's sign."""
        links = (link.coupling(to_ising(parameters[link.name])) for link in self.links)
        return (*links, *self.fixed)

    def encode(self, parameters: Parameters, x: Floats, pool: Pool) -> Encoded:
        """Return the fields that inputs (b, inputs) and biases make, (b, n)."""
        fields = np.zeros((len(x), self.n), parameters.vector.dtype)
        fields += to_ising(self._biases(parameters))
        part: Inputs | Images = Images(x, self.windows[0]) if self.windows else Inputs(x)
        for name, (first, last) in zip(self.input_names, self.spans, strict=False):
            fields[:, first:last] += to_ising(part.times(parameters[name], pool))
        return Encoded((part,), fields, 0)

    def problem(self, couplings: tuple[Coupling, ...], encoded: Encoded) -> Problem:
        """Return the problem of a batch: forces, without an energy."""
        return Problem(self.layers, couplings, encoded.fields)

    def answer(
        self, couplings: tuple[Coupling, ...], inputs: tuple[Driving, ...], states: Floats, signal: Floats,
        weights: Floats, gradient: Parameters, pool: Pool,
    ) -> None:  # fmt: skip
        """Write −Σ_b weights_b δ_bᵀ ∂force/∂θ into `gradient`, in the neural sign.

        Args:
            couplings: those the states settled under.
            inputs: components of the inputs (b, inputs), as they were encoded.
            states: free states (b, n).
            signal: δ (b, n).
            weights: of the samples (b,).
            gradient: written; parameters of the cost are left alone.
            pool: threads.
        """
        moments = [k.moments_along(states, signal, weights) for k in self._trained(couplings)]
        self._write(moments, inputs, signal * weights[:, None], gradient, pool)

    def contrast(
        self, couplings: tuple[Coupling, ...], inputs: tuple[Driving, ...], states: Floats, signs: Floats,
        gradient: Parameters, pool: Pool,
    ) -> None:  # fmt: skip
        """Write Σ_k signs_k ∂E/∂θ(states_k) into `gradient`, E the energy there would be if all couplings were mutual.

        E = Σ ½ k x² + h x + ⟨ρ(x_target), P(ρ(x_source))⟩, its last part halved where two links share a pair of ends.

        Args:
            couplings: those the states settled under.
            inputs: components of the inputs (b, inputs), as they were encoded.
            states: (k, b, r, n), k phases over the same inputs.
            signs: weight of each state (k, b, r).
            gradient: written; parameters of the cost are left alone.
            pool: threads.
        """
        flat, weights = states.reshape(-1, self.n), signs.ravel()
        moments = [
            k.moments(flat, 0.5 * weights if link.mutual else weights)
            for link, k in zip(self.links, couplings, strict=False)
        ]
        moved = np.einsum("kbrn,kbr->bn", states, signs)
        self._write(moments, inputs, moved, gradient, pool)

    def _trained(self, couplings: tuple[Coupling, ...]) -> tuple[Coupling, ...]:
        return couplings[: len(self.links)]

    def _write(
        self, moments: Sequence[Floats], inputs: tuple[Driving, ...], moved: Floats, gradient: Parameters,
        pool: Pool,
    ) -> None:  # fmt: skip
        """Write moments of the couplings, and what moved on every unit (b, n), as a gradient in the neural sign."""
        for name in {link.name for link in self.links}:
            gradient[name][:] = 0
        for link, moment in zip(self.links, moments, strict=True):
            gradient[link.name][:] += to_ising(moment)
        forces = to_ising(moved).astype(gradient.vector.dtype, copy=False)
        total = forces.sum(axis=0)
        for layer, (first, last) in zip(self.layers, self.spans, strict=True):
            bias = gradient[f"{layer.name}.bias"]
            bias[:] = total[first:last].reshape(-1, bias.size).sum(axis=0)
        for name, (first, last) in zip(self.input_names, self.spans, strict=False):
            inputs[0].correlate(np.ascontiguousarray(forces[:, first:last]), gradient[name], pool)

    def _biases(self, parameters: Parameters) -> Floats:
        """Return one bias per unit (n,); channels have theirs at every place."""
        parts = [parameters[f"{layer.name}.bias"] for layer in self.layers]
        return np.concatenate(
            [np.tile(p, k.size // p.size) for p, k in zip(parts, self.layers, strict=True)]
        )

    def predict(self, parameters: Parameters, states: Floats) -> NDArray[np.int64]:
        """Return the class (b,) that states (b, n) stand for."""
        first, last = self.spans[-1]
        return np.asarray(self.cost.scores(parameters, states[:, first:last]).argmax(axis=1))
