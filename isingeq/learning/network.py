"""Network: layers and couplings to be trained, and the way from parameters and inputs to a Problem.

    E(s; x) = −Σ_links a·W b − Σ_layers b·s − s_first·(x W_in) + Σ u(s)          neural sign: positive weights agree

Links join successive layers, all units with all; where there is a wiring, one link joins the pairs that it lists.

For phases every product of two states is the cosine of their difference, and a trainable injection adds −Σ K cos 2φ.
`to_ising` is the one place where the neural sign turns into the problem's.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Floats
from isingeq.couplings import Cosine, Coupling, Dense, Edges, Injection
from isingeq.errors import ProblemError
from isingeq.kernels.pool import Pool
from isingeq.kernels.sparse import Inputs
from isingeq.learning.coding import PLAIN, Coding
from isingeq.learning.cost import Cost
from isingeq.learning.parameters import Parameters
from isingeq.learning.wiring import Wiring
from isingeq.problem import Problem
from isingeq.units import Layer


def to_ising(neural: Floats) -> Floats:
    """Turn neural weights or biases into couplings or fields, and gradients back: J = −W, h = −b."""
    return np.negative(neural)


@dataclass(frozen=True, slots=True)
class Encoded:
    """Inputs as forces on the units, constant while a batch is settled.

    Attributes:
        inputs: their components.
        fields: h (b, n), or (b, n, 2) for phases, in the problem's sign, biases included.
        num_clipped: fields that the encoder's limit cut.
    """

    inputs: tuple[Inputs, ...]
    fields: Floats
    num_clipped: int


@dataclass(frozen=True)
class Network:
    """A chain of layers; inputs act as fields on the first.

    Attributes:
        inputs: number of inputs.
        layers: hidden layers and the output layer.
        cost: what the output is compared with, and how.
        field_limit: largest input field in absolute value, larger ones are cut and counted; None for no limit.
        coding: of inputs and states.
        injection: second harmonic that every phase starts with, trained from there; None for none.
        wiring: pairs that are coupled; None for all between successive layers.
    """

    inputs: int
    layers: tuple[Layer, ...]
    cost: Cost
    field_limit: float | None = None
    coding: Coding = PLAIN
    injection: float | None = None
    wiring: Wiring | None = None

    def __post_init__(self) -> None:
        if self.inputs < 1 or not self.layers:
            raise ProblemError(
                f"a network needs inputs and layers, got {self.inputs} and {len(self.layers)}"
            )
        phases = {layer.unit.kind == "phase" for layer in self.layers}
        if phases != {self.coding.phases} or (
            self.injection is not None and not self.coding.phases
        ):
            raise ProblemError(
                "phases, and nothing else, take a coding of phases and an injection: "
                f"layers of {', '.join(layer.unit.kind for layer in self.layers)} with {self.coding}"
            )

    @cached_property
    def n(self) -> int:
        """Number of units."""
        return sum(layer.size for layer in self.layers)

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """First unit and one past the last, per layer."""
        ends = np.cumsum([layer.size for layer in self.layers]).tolist()
        return tuple(zip([0, *ends[:-1]], ends, strict=True))

    @cached_property
    def link_names(self) -> tuple[str, ...]:
        """Names of the weights between units."""
        if self.wiring is not None:
            return ("wiring.weight",)
        return tuple(f"{a.name}-{b.name}.weight" for a, b in pairwise(self.layers))

    @property
    def sites(self) -> NDArray[np.intp] | None:
        """Row and column of every unit (n, 2), where it has a place on a lattice."""
        return None if self.wiring is None else self.wiring.sites

    @property
    def input_name(self) -> str:
        """Name of the input weights."""
        return f"input-{self.layers[0].name}.weight"

    @property
    def shapes(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Names and shapes of all parameters."""
        sizes = [layer.size for layer in self.layers]
        ends = list(pairwise(sizes)) if self.wiring is None else [(self.wiring.i.size,)]
        links = zip(self.link_names, ends, strict=True)
        return (
            (self.input_name, (self.inputs, sizes[0])),
            *links,
            *(
                (f"{layer.name}.{bias}", (layer.size,))
                for bias in self.coding.biases
                for layer in self.layers
            ),
            *(
                (f"{layer.name}.injection", (layer.size,))
                for layer in self.layers
                if self.injection is not None
            ),
            *self.cost.shapes(sizes[-1]),
        )

    def initial(self, seed: int, gains: tuple[float, ...] | None = None) -> Parameters:
        """Return fresh parameters: weights uniform in ± gain √(6 / (in + out)), biases 0, injections as given.

        Of a wiring, in and out are the mean number of neighbours.

        Args:
            seed: of the draw.
            gains: one per weight matrix, input first; 1 for each when None.
        """
        parameters = Parameters.zeros(self.shapes)
        rng = np.random.default_rng([seed, 0])
        weights = [name for name in parameters if name.endswith(".weight")]
        gains = gains or (1.0,) * len(weights)
        if len(gains) == 1:
            gains *= len(weights)
        if len(gains) != len(weights):
            raise ProblemError(
                f"{len(gains)} gains for {len(weights)} weight matrices: give one, or one for each"
            )
        for name, gain in zip(weights, gains, strict=True):
            shape = parameters[name].shape
            if len(shape) == 1:
                assert self.wiring is not None
                reach = 2 * self.wiring.mean_degree
            else:
                reach = sum(shape)
            limit = gain * np.sqrt(6.0 / reach)
            parameters[name][:] = rng.uniform(-limit, limit, shape)
        for name in parameters:
            if name.endswith(".injection"):
                parameters[name][:] = self.injection
        return parameters

    def couplings(self, parameters: Parameters) -> tuple[Coupling, ...]:
        """Return the couplings between the units, a copy in the problem's sign."""
        J = [to_ising(parameters[name]) for name in self.link_names]
        links: list[Coupling]
        if self.wiring is not None:
            links = [Edges(self.n, self.wiring.i, self.wiring.j, J[0])]
        else:
            links = [
                Dense(a, b, part) for (a, b), part in zip(pairwise(self.spans), J, strict=True)
            ]
        if not self.coding.phases:
            return tuple(links)
        turned: list[Coupling] = [Cosine(link) for link in links]
        if self.injection is not None:
            turned.append(Injection(to_ising(self._joined(parameters, "injection"))))
        return tuple(turned)

    def encode(self, parameters: Parameters, x: Floats, pool: Pool) -> Encoded:
        """Return the fields that inputs (b, inputs) and biases make, (b, n) or (b, n, 2) for phases.

        A component of the field that nothing drives is 0.
        """
        first, last = self.spans[0]
        shape = (len(x), self.n, 2) if self.coding.phases else (len(x), self.n)
        fields = np.zeros(shape, self._dtype(parameters))
        parts, clipped = self.inputs_of(x), 0
        for k, (inputs, name) in enumerate(zip(parts, self.coding.biases, strict=True)):
            field = fields[..., k] if self.coding.phases else fields
            biases = self._joined(parameters, name)
            drive = inputs.times(parameters[self.input_name], pool)
            if self.field_limit is not None:
                drive += biases[first:last]
                clipped += int((np.abs(drive) > self.field_limit).sum())
                np.clip(drive, -self.field_limit, self.field_limit, out=drive)
                np.negative(drive, out=field[:, first:last])
            else:
                np.subtract(-biases[first:last], drive, out=field[:, first:last])
            field[:, last:] = to_ising(biases[last:])
        return Encoded(parts, fields, clipped)

    def problem(self, couplings: tuple[Coupling, ...], encoded: Encoded) -> Problem:
        """Return the energy of a batch."""
        return Problem(self.layers, couplings, encoded.fields)

    def contrast(
        self, couplings: tuple[Coupling, ...], inputs: tuple[Inputs, ...], states: Floats, signs: Floats,
        gradient: Parameters, pool: Pool,
    ) -> None:  # fmt: skip
        """Write Σ_k signs_k ∂E/∂θ(states_k) into `gradient`, in the neural sign.

        Args:
            couplings: those the states settled under.
            inputs: components of the inputs (b, inputs).
            states: (k, b, r, n), k phases over the same inputs.
            signs: weight of each state (k, b, r).
            gradient: written; parameters of the cost are left alone.
            pool: threads.
        """
        flat, weights = states.reshape(-1, self.n), signs.ravel()
        for name, coupling in zip(self.link_names, couplings, strict=False):
            gradient[name][:] = to_ising(coupling.moments(flat, weights).real)
        if self.injection is not None:
            self._spread(to_ising(couplings[-1].moments(flat, weights)), gradient, "injection")
        first, last = self.spans[0]
        components = zip(inputs, self.coding.states(states), self.coding.biases, strict=True)
        for k, (part, component, name) in enumerate(components):
            weighted = to_ising(
                np.einsum("kbrn,kbr->bn", component, signs).real.astype(gradient.vector.dtype)
            )
            self._spread(weighted.sum(axis=0), gradient, name)
            whole = gradient[self.input_name]
            share = np.empty_like(whole) if k else whole
            part.correlate(weighted[:, first:last], share, pool)
            if k:
                whole += share

    def _joined(self, parameters: Parameters, name: str) -> Floats:
        """Return one parameter per unit (n,), layer after layer."""
        return np.concatenate([parameters[f"{layer.name}.{name}"] for layer in self.layers])

    def _spread(self, values: Floats, parameters: Parameters, name: str) -> None:
        """Write one parameter per unit (n,) into the arrays of the layers."""
        for layer, (first, last) in zip(self.layers, self.spans, strict=True):
            parameters[f"{layer.name}.{name}"][:] = values[first:last]

    def predict(self, parameters: Parameters, states: Floats) -> NDArray[np.int64]:
        """Return the class (b,) that states (b, n) stand for."""
        first, last = self.spans[-1]
        return np.asarray(self.cost.scores(parameters, states[:, first:last]).argmax(axis=1))

    def inputs_of(self, x: Floats) -> tuple[Inputs, ...]:
        """Return the components of inputs (b, inputs)."""
        return tuple(Inputs(component) for component in self.coding.inputs(x))

    @staticmethod
    def _dtype(parameters: Parameters) -> np.dtype[np.floating]:
        return parameters.vector.dtype
