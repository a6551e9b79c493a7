"""Activation functions ρ: what of a state the units that it drives can see.

tanh       ρ(x) = tanh x               logistic   ρ(x) = 1 / (1 + e^−x)
hard       ρ(x) = x between 0 and 1    identity   ρ(x) = x
"""

from typing import Literal

import numpy as np

from isingeq.couplings.kind import Floats

Activation = Literal["tanh", "logistic", "hard", "identity"]


def activated(name: Activation, states: Floats) -> Floats:
    """Return ρ of states of any shape."""
    if name == "tanh":
        return np.tanh(states)
    if name == "logistic":
        return 0.5 * (1 + np.tanh(0.5 * states))
    return np.clip(states, 0, 1) if name == "hard" else states


def slope(name: Activation, states: Floats) -> Floats:
    """Return ρ' at states of any shape; at the corners of `hard` 0."""
    if name == "identity":
        return np.ones_like(states)
    if name == "hard":
        return ((states > 0) & (states < 1)).astype(states.dtype)
    rho = activated(name, states)
    return 1 - rho * rho if name == "tanh" else rho * (1 - rho)
