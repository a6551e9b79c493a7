"""Network: layers and couplings to be trained, and the way from parameters and inputs to a Problem.

    E(s; x) = −Σ_links a·W b − Σ_layers b·s − s_first·(x W_in) + Σ u(s)          neural sign: positive weights agree

Links join successive layers, all units with all, or by windows that slide over images and pool: −⟨P(W ∗ a), b⟩ then
stands for −a·W b. Skips join layers of images that do not follow one another. Where there is a wiring, one link joins
the pairs that it lists. Windows without shared weights, and inputs that have sites, are lists of pairs as well.

For phases every product of two states is the cosine of their difference, and a trainable injection adds −Σ K cos 2φ.
`to_ising` is the one place where the neural sign turns into the problem's.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Floats
from isingeq.couplings import Cosine, Coupling, Injection, Window
from isingeq.errors import ProblemError
from isingeq.kernels.pool import Pool
from isingeq.kernels.sparse import Inputs
from isingeq.lattices import windowed
from isingeq.learning.coding import PLAIN, Coding
from isingeq.learning.cost import Cost
from isingeq.learning.images import Images, skip_window
from isingeq.learning.initial import PLAIN_DRAW, Draw
from isingeq.learning.linearised import linearised
from isingeq.learning.links import ConvolvedLink, DenseLink, Link, WiredLink, local_link, within
from isingeq.learning.pairs import PairedInputs, Pairs
from isingeq.learning.parameters import Parameters
from isingeq.learning.wiring import Wiring
from isingeq.problem import Problem
from isingeq.units import Layer, spans_of

Driving = Inputs | Images | PairedInputs
"""A component of the inputs, ready to be multiplied with weights."""


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

    inputs: tuple[Driving, ...]
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
        windows: of the first layers, that over the inputs first; the layers behind them are dense.
        skips: pairs of layers of images, numbered from 0, that are coupled beside those that follow one another.
        shared: all places of an image have the same weights and biases; else each has its own.
        within: lattice along which the units of every layer of images are coupled, each channel by itself.
        draw: of the initial parameters.
    """

    inputs: int
    layers: tuple[Layer, ...]
    cost: Cost
    field_limit: float | None = None
    coding: Coding = PLAIN
    injection: float | None = None
    wiring: Wiring | None = None
    windows: tuple[Window, ...] = ()
    skips: tuple[tuple[int, int], ...] = ()
    shared: bool = True
    within: str | None = None
    draw: Draw = PLAIN_DRAW

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
        self._check_windows()

    def _check_windows(self) -> None:
        if self.windows and self.wiring is not None:
            raise ProblemError("a wired network has no windows: leave one of the two away")
        if len(self.windows) > len(self.layers):
            raise ProblemError(f"{len(self.windows)} windows for {len(self.layers)} layers")
        source, size = None, self.inputs
        for layer, window in zip(self.layers, self.windows, strict=False):
            if np.prod(window.source) != size or source not in (None, window.source):
                raise ProblemError(
                    f"layer {layer.name}: its window slides over {window.source}, what comes before has "
                    f"{size if source is None else source}"
                )
            source, size = window.target, layer.size
            if np.prod(source) != size:
                raise ProblemError(
                    f"layer {layer.name} has {size} units, its window gives {source}"
                )
            if self.coding.phases and not window.linear:
                raise ProblemError(
                    f"layer {layer.name}: phases have no {window.pooling} of a pool; take average pooling"
                )
        if len(set(self.skips)) < len(self.skips):
            raise ProblemError(f"skips name a pair twice: {self.skips}")
        for a, b in self.skips:
            if not 0 <= a < b - 1 < len(self.windows) - 1:
                raise ProblemError(
                    f"skip {a}, {b} must lead over at least one layer, both ends being layers of images, "
                    f"numbered from 0 to {len(self.windows) - 1}"
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
    def links(self) -> tuple[Link, ...]:
        """Weights between units: of successive layers, then of skips."""
        if self.wiring is not None:
            w = self.wiring
            return (WiredLink("wiring.weight", self.n, w.i, w.j, 2 * w.mean_degree),)
        links: list[Link] = []
        for a, b in pairwise(range(len(self.layers))):
            name, ends = self._between(a, b)
            if b < len(self.windows) and not self.shared:
                links.append(local_link(name, self.n, *ends, self.windows[b]))
            elif b < len(self.windows):
                links.append(ConvolvedLink(name, *ends, self.windows[b]))
            else:
                links.append(DenseLink(name, *ends))
        for a, b in self.skips:
            name, ends = self._between(a, b)
            window = skip_window(self.windows[a].target, self.windows[b].target)
            links.append(ConvolvedLink(name, *ends, window))
        if self.within is not None:
            for number, window in enumerate(self.windows):
                name, ((first, _), _) = self._between(number, number)
                links.append(within(name, self.n, first, self.within, window))
        return tuple(links)

    @cached_property
    def pairs(self) -> Pairs | None:
        """Inputs and the units that each acts on; None where weights are a matrix or a window."""
        if self.wiring is not None:
            return self.wiring.inputs
        if not self.windows or self.shared:
            return None
        return Pairs(*windowed(self.windows[0]), self.layers[0].size)

    @property
    def driven(self) -> tuple[int, int]:
        """First unit that inputs act on and one past the last."""
        return self.spans[0] if self.pairs is None else (0, self.pairs.units)

    def _between(self, a: int, b: int) -> tuple[str, tuple[tuple[int, int], tuple[int, int]]]:
        """Return the name of the weights between two layers, and their units."""
        ends = self.spans[a], self.spans[b]
        return f"{self.layers[a].name}-{self.layers[b].name}.weight", ends

    @cached_property
    def link_names(self) -> tuple[str, ...]:
        """Names of the weights between units."""
        return tuple(link.name for link in self.links)

    @property
    def sites(self) -> NDArray[np.intp] | None:
        """Row and column of every unit (n, 2), where it has a place on a lattice in the plane."""
        if self.wiring is None or self.wiring.sites.shape[1] != 2:
            return None
        return self.wiring.sites

    @property
    def input_name(self) -> str:
        """Name of the input weights."""
        if self.wiring is not None and self.wiring.inputs is not None:
            return "input.weight"
        return f"input-{self.layers[0].name}.weight"

    @property
    def shapes(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Names and shapes of all parameters."""
        first: tuple[int, ...] = (self.inputs, self.layers[0].size)
        if self.pairs is not None:
            first = (self.pairs.source.size,)
        elif self.windows:
            first = self.windows[0].shape
        per_unit = (*self.coding.biases, *(("injection",) if self.injection is not None else ()))
        return (
            (self.input_name, first),
            *((link.name, link.shape) for link in self.links),
            *(
                (f"{layer.name}.{name}", (self._shared(number),))
                for name in per_unit
                for number, layer in enumerate(self.layers)
            ),
            *self.cost.shapes(self.layers[-1].size),
        )

    def _shared(self, number: int) -> int:
        """Return how many biases a layer has: one per unit, of images with shared weights one per channel."""
        if self.shared and number < len(self.windows):
            return self.windows[number].channels
        return self.layers[number].size

    def initial(self, seed: int, gains: tuple[float, ...] | None = None) -> Parameters:
        """Return fresh parameters; see `Draw`.

        Args:
            seed: of the draw.
            gains: one per weight matrix, input first; 1 for each when None.
        """
        reach = {link.name: link.reach for link in self.links}
        if self.pairs is not None:
            reach[self.input_name] = self.pairs.reach
        elif self.windows:
            reach[self.input_name] = sum(self.windows[0].reach)
        biases = [
            tuple(f"{layer.name}.{name}" for name in self.coding.biases) for layer in self.layers
        ]
        parameters = self.draw(self.shapes, reach, biases, seed, gains)
        for name in parameters:
            if name.endswith(".injection"):
                parameters[name][:] = self.injection
        return parameters

    def couplings(self, parameters: Parameters) -> tuple[Coupling, ...]:
        """Return the couplings between the units, a copy in the problem's sign."""
        links = [link.coupling(to_ising(parameters[link.name])) for link in self.links]
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
        first, last = self.driven
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
        self, couplings: tuple[Coupling, ...], inputs: tuple[Driving, ...], states: Floats, signs: Floats,
        gradient: Parameters, pool: Pool, *, around: Floats | None = None,
    ) -> None:  # fmt: skip
        """Write Σ_k signs_k ∂E/∂θ(states_k) into `gradient`, in the neural sign.

        Two phases of opposite signs come in as what they differ by: the derivative of ∂E/∂θ at (s₊ + s₋) / 2 along
        s₊ − s₋. That is their contrast where moments are bilinear, without the rounding of a small difference of
        large products. Where a pool takes the largest, both are read at the place that is chosen half-way: with a
        choice of their own each, a small difference of states now and then makes a large one of moments.

        Args:
            couplings: those the states settled under.
            inputs: components of the inputs (b, inputs), as they were encoded.
            states: (k, b, r, n), k phases over the same inputs.
            signs: weight of each state (k, b, r).
            gradient: written; parameters of the cost are left alone.
            pool: threads.
            around: states (b, n) that `states` are displacements from, which then are two phases of opposite signs.
        """
        half_way: Floats | None = None
        bilinear = not self.coding.phases and not np.iscomplexobj(states)
        if bilinear and len(states) == 2 and np.array_equal(signs[0], -signs[1]):
            half_way = (states[0] + states[1]).reshape(-1, self.n) / 2
            states, signs = states[:1] - states[1:], signs[:1]
            if around is not None:
                half_way += around
        flat, weights = states.reshape(-1, self.n), signs.ravel()
        for name, coupling in zip(self.link_names, couplings, strict=False):
            if half_way is None:
                moments = linearised(coupling, flat, pool).moments(weights).real
            else:
                moments = linearised(coupling, half_way, pool).moments_along(flat, weights)
            gradient[name][:] = to_ising(moments)
        if self.injection is not None:
            self._spread(to_ising(couplings[-1].moments(flat, weights)), gradient, "injection")
        first, last = self.driven
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
        """Return one parameter per unit (n,), layer after layer; channels have theirs at every place."""
        parts = [parameters[f"{layer.name}.{name}"] for layer in self.layers]
        repeats = [layer.size // part.size for layer, part in zip(self.layers, parts, strict=True)]
        return np.concatenate([np.tile(part, k) for part, k in zip(parts, repeats, strict=True)])

    def _spread(self, values: Floats, parameters: Parameters, name: str) -> None:
        """Write values per unit (n,) into the arrays of the layers, summed over places where they are shared."""
        for layer, (first, last) in zip(self.layers, self.spans, strict=True):
            part = parameters[f"{layer.name}.{name}"]
            part[:] = values[first:last].reshape(-1, part.size).sum(axis=0)

    def predict(self, parameters: Parameters, states: Floats) -> NDArray[np.int64]:
        """Return the class (b,) that states (b, n) stand for."""
        first, last = self.spans[-1]
        return np.asarray(self.cost.scores(parameters, states[:, first:last]).argmax(axis=1))

    def inputs_of(self, x: Floats) -> tuple[Driving, ...]:
        """Return the components of inputs (b, inputs)."""
        components = self.coding.inputs(x)
        if self.pairs is not None:
            return tuple(PairedInputs(component, self.pairs) for component in components)
        if self.windows:
            return tuple(Images(component, self.windows[0]) for component in components)
        return tuple(Inputs(component) for component in components)

    @staticmethod
    def _dtype(parameters: Parameters) -> np.dtype[np.floating]:
        return parameters.vector.dtype
