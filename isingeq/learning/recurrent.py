"""Recurrent backprop: the gradient of the cost at equilibrium from the linear response of the free state.

    (∂²u/∂s² + ∂field/∂s) δ = −∂C/∂s          over the units off their walls; δ = 0 at walls
    dL/dθ = d/dε ∂E/∂θ(s + ε δ) at ε = 0

What equilibrium propagation tends to at small nudging, without a nudged phase (Almeida 1987; Pineda 1987; Scellier &
Bengio 2019). `solve` finds δ by conjugate gradients, scaled by ∂²u/∂s². `unroll` takes the steps

    δ ← (−∂C/∂s − ∂field/∂s δ) / (∂²u/∂s²)

from δ = 0: t of them are backprop through the last t synchronous steps of a settle that has come to rest (Ernoult et
al. 2019, theorem 1), so the error is in the first layer after as many steps as there are layers.
"""

from collections.abc import Callable

import numpy as np

from isingeq.backend import Floats
from isingeq.couplings import Coupling
from isingeq.errors import ConfigError
from isingeq.kernels.pool import Pool
from isingeq.learning.backprop import steepness
from isingeq.learning.linearised import Linearised, linearised
from isingeq.learning.network import Driving, Network, to_ising
from isingeq.learning.parameters import Parameters
from isingeq.units import Phase, Spin

Field = Callable[[Floats], Floats]


def recurrent(
    network: Network, couplings: tuple[Coupling, ...], inputs: tuple[Driving, ...], states: Floats,
    slope: Floats, weights: Floats, out: Parameters, *, steps: int, tolerance: float | None, pool: Pool,
) -> None:  # fmt: skip
    """Write Σ_b weights_b dC_b/dθ at equilibrium into `out`; parameters of the cost are left alone.

    Args:
        network: whose parameters.
        couplings: those the states settled under.
        inputs: components of the inputs, as they were encoded.
        states: free equilibria (b, n).
        slope: ∂C/∂outputs (b, k).
        weights: (b,).
        out: gradient.
        steps: of the iteration, at most.
        tolerance: see `solve`; None to `unroll` instead.
        pool: threads.

    Raises:
        ConfigError: spins or phases.
    """
    parts = [linearised(coupling, states, pool) for coupling in couplings]
    steep = _steepness(network, states)
    push = np.zeros_like(states)
    push[:, slice(*network.spans[-1])] = -slope

    def change(direction: Floats) -> Floats:
        return _sum(parts, direction)

    if tolerance is None:
        direction = unroll(change, steep, push, steps=steps)
    else:
        direction = solve(change, steep, push, steps=steps, tolerance=tolerance)
    # The rest of the energy is linear in the states: its contrast is that of the direction itself.
    network.contrast((), inputs, direction[None, :, None], weights[None, :, None], out, pool)
    for name, part in zip(network.link_names, parts, strict=True):
        out[name][:] = to_ising(part.moments_along(direction, weights))


def check_amplitudes(network: Network) -> None:
    """Refuse spins and phases with a ConfigError."""
    if any(isinstance(layer.unit, Spin | Phase) for layer in network.layers):
        raise ConfigError(
            "recurrent backprop needs amplitudes: spins and phases have no self-energy to weigh a response with"
        )


def solve(change: Field, steep: Floats, push: Floats, *, steps: int, tolerance: float) -> Floats:
    """Return δ (b, n) with δ / steep + change(δ) = push where steep > 0, and 0 elsewhere.

    A sample is done when what is left of its push is at most `tolerance` of it. One that is no minimum, so that the
    energy falls along a direction searched, keeps what it has.

    Args:
        change: the symmetric derivative of the field.
        steep: 1 / (∂²u/∂s²), 0 at walls (b, n).
        push: −∂C/∂s (b, n).
        steps: at most.
        tolerance: on the norm of what is left.
    """
    free = steep > 0
    stiff = np.divide(1, steep, out=np.zeros_like(steep), where=free)
    left = np.where(free, push, 0)
    found = np.zeros_like(left)
    enough = tolerance * np.linalg.norm(left, axis=1)
    scaled = steep * left
    search, size = scaled, _dots(left, scaled)
    for _ in range(steps):
        turned = np.where(free, stiff * search + change(search), 0)
        curved = _dots(search, turned)
        going = (np.linalg.norm(left, axis=1) > enough) & (curved > 0)
        if not going.any():
            break
        step = np.divide(size, curved, out=np.zeros_like(size), where=going)[:, None]
        found += step * search
        left -= step * turned
        scaled = steep * left
        size, before = _dots(left, scaled), size
        share = np.divide(size, before, out=np.zeros_like(size), where=before > 0)
        search = scaled + share[:, None] * search
    return found


def unroll(change: Field, steep: Floats, push: Floats, *, steps: int) -> Floats:
    """Return δ (b, n) after some steps δ ← steep (push − change(δ)) from 0; arguments as those of `solve`."""
    found = steep * push
    for _ in range(steps - 1):
        found = steep * (push - change(found))
    return found


def _sum(parts: list[Linearised], direction: Floats) -> Floats:
    total = np.zeros_like(direction)
    for part in parts:
        total += part.change(direction)
    return total


def _dots(a: Floats, b: Floats) -> Floats:
    return np.einsum("bn,bn->b", a, b)


def _steepness(network: Network, states: Floats) -> Floats:
    """Return 1 / (∂²u/∂s²) of every unit (b, n), 0 at walls."""
    check_amplitudes(network)
    return np.concatenate(
        [
            steepness(layer.unit, states[:, first:last])
            for layer, (first, last) in zip(network.layers, network.spans, strict=True)
        ],
        axis=1,
    )
