"""The adjoint: the exact signal of a free state, solved for as linear equations of every sample.

    (k + G)ᵀ δ = −∂C/∂x          G = ∂field/∂x at the free state, column by column from products with unit vectors

Nothing relaxes and nothing is nudged, and no transposed product is taken: what other estimators are held to.
"""

import numpy as np

from isingeq.backend import Floats
from isingeq.couplings import Coupling
from isingeq.couplings.directed import response

_ROOM = 2**24
"""Numbers of Jacobians that are held at a time."""


def jacobians(couplings: tuple[Coupling, ...], leak: Floats, states: Floats) -> Floats:
    """Return −∂f/∂x = k + G, leak k (n,), at states (b, n), shape (b, n, n)."""
    b, n = states.shape
    total = np.zeros((b * n, n), states.dtype)
    along = np.tile(np.eye(n, dtype=states.dtype), (b, 1))
    at = np.repeat(states, n, axis=0)
    for coupling in couplings:
        total += response(coupling, at).change(along)
    matrices = np.swapaxes(total.reshape(b, n, n), 1, 2)
    matrices[:, np.arange(n), np.arange(n)] += leak
    return matrices


def solve_adjoint(
    couplings: tuple[Coupling, ...], leak: Floats, states: Floats, push: Floats
) -> Floats:
    """Return δ = −(k + G)⁻ᵀ push at states (b, n), push = ∂C/∂x (b, n), same shape, solved in float64.

    Args:
        couplings: of the problem.
        leak: stiffness of every unit (n,).
        states: free states.
        push: slope of the cost.
    """
    exact, out = states.astype(np.float64), np.empty_like(push)
    n = states.shape[1]
    size = max(1, _ROOM // n**2)
    for first in range(0, len(states), size):
        part = slice(first, first + size)
        matrices = np.swapaxes(jacobians(couplings, leak, exact[part]), 1, 2)
        found = np.linalg.solve(matrices, -push[part].astype(np.float64)[..., None])
        out[part] = found[..., 0]
    return out


def asymmetry(couplings: tuple[Coupling, ...], states: Floats) -> float:
    """Return ‖A‖ / ‖J + k‖, A the antisymmetric part of the Jacobian J of the forces, mean over states (b, n).

    0 where the forces have an energy; 1 / √2 of a feedforward network, 1 of skew couplings. Frobenius norms; J + k is
    what couplings alone make, without the leak k.
    """
    G = jacobians(couplings, np.zeros(states.shape[1]), states.astype(np.float64))
    sizes = np.linalg.norm(G, axis=(1, 2))
    odd = np.linalg.norm(G - np.swapaxes(G, 1, 2), axis=(1, 2)) / 2
    return float(np.divide(odd, sizes, out=np.zeros_like(odd), where=sizes > 0).mean())
