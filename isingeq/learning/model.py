"""Model: what estimators and the trainer ask of a network, whether its forces have an energy or not."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Floats
from isingeq.couplings import Coupling, Window
from isingeq.kernels.pool import Pool
from isingeq.learning.cost import Cost
from isingeq.learning.network import Driving, Encoded
from isingeq.learning.parameters import Parameters
from isingeq.problem import Problem
from isingeq.units import Layer


class Model(Protocol):
    """A network with parameters to be trained; `Network` has an energy, `RateNetwork` has not."""

    @property
    def inputs(self) -> int: ...  # noqa: D102
    @property
    def layers(self) -> tuple[Layer, ...]: ...  # noqa: D102
    @property
    def cost(self) -> Cost: ...  # noqa: D102
    @property
    def windows(self) -> tuple[Window, ...]: ...  # noqa: D102
    @property
    def n(self) -> int: ...  # noqa: D102
    @property
    def spans(self) -> tuple[tuple[int, int], ...]: ...  # noqa: D102
    @property
    def sites(self) -> NDArray[np.intp] | None: ...  # noqa: D102
    @property
    def input_name(self) -> str: ...  # noqa: D102

    def initial(self, seed: int, gains: tuple[float, ...] | None = None) -> Parameters:
        """Return fresh parameters."""
        ...

    def couplings(self, parameters: Parameters) -> tuple[Coupling, ...]:
        """Return the couplings between the units, a copy in the problem's sign."""
        ...

    def encode(self, parameters: Parameters, x: Floats, pool: Pool) -> Encoded:
        """Return the fields that inputs (b, inputs) and biases make."""
        ...

    def problem(self, couplings: tuple[Coupling, ...], encoded: Encoded) -> Problem:
        """Return the problem of a batch."""
        ...

    def contrast(
        self, couplings: tuple[Coupling, ...], inputs: tuple[Driving, ...], states: Floats, signs: Floats,
        gradient: Parameters, pool: Pool,
    ) -> None:  # fmt: skip
        """Write the signed sum of moments at states (k, b, r, n), signs (k, b, r), into `gradient`."""
        ...

    def predict(self, parameters: Parameters, states: Floats) -> NDArray[np.int64]:
        """Return the class (b,) that states (b, n) stand for."""
        ...
