"""Making forces more symmetric while they learn, instead of correcting for what they are: for comparison.

    Kolen-Pollack   weights there and weights back both get the mean of their gradients; with decay they come to agree
    homeostasis     + ½ λ ‖J − Jᵀ‖², mean over samples, states and slopes of activations held

Kolen & Pollack 1994, as Laborieux et al. 2021 use it; Laborieux & Zenke 2023, whose estimate by random probes this is:
with probes ε of unit variance and w = (G − Gᵀ) ε, G = ∂field/∂x, the slope is the mean of wᵀ ∂G/∂θ ε − εᵀ ∂G/∂θ w.
"""

from collections.abc import Sequence

import numpy as np

from isingeq.backend import Floats
from isingeq.couplings import Coupling, Directed
from isingeq.couplings.directed import response
from isingeq.errors import ConfigError
from isingeq.learning.directed_links import DirectedLink
from isingeq.learning.network import to_ising
from isingeq.learning.parameters import Parameters
from isingeq.learning.rate_network import FieldLink, RateNetwork


def pairs(links: Sequence[FieldLink]) -> tuple[tuple[str, str], ...]:
    """Return names of weights there and weights back between the same ends, where they are two."""
    plain = [link for link in links if isinstance(link, DirectedLink)]
    back = {(link.forward, link.window): link.name for link in plain if link.turned}
    found = (
        (link.name, back.get((link.forward, link.window), link.name))
        for link in plain
        if not link.turned
    )
    return tuple((one, other) for one, other in found if one != other)


def check_pairs(network: RateNetwork) -> None:
    """Refuse a network without weights back of their own, with a ConfigError."""
    if not pairs(network.links):
        raise ConfigError(
            'learning.kolen_pollack is for weights there and back that are apart: set network.backward = "own"'
        )


def share_gradients(network: RateNetwork, gradient: Parameters) -> None:
    """Give weights there and weights back the mean of their gradients (Kolen-Pollack)."""
    for one, other in pairs(network.links):
        mean = 0.5 * (gradient[one] + gradient[other])
        gradient[one][:] = gradient[other][:] = mean


def add_homeostasis(
    network: RateNetwork, couplings: tuple[Coupling, ...], states: Floats, strength: float, gradient: Parameters, *,
    seed: int,
) -> None:  # fmt: skip
    """Add an estimate of the slope of ½ strength ‖J − Jᵀ‖², mean over states (b, n), by one probe per sample.

    Args:
        network: whose parameters.
        couplings: those the states settled under.
        states: free states.
        strength: λ.
        gradient: added to, in the neural sign.
        seed: of the probes.
    """
    rng = np.random.default_rng([seed, 5])
    probe = rng.standard_normal(states.shape).astype(states.dtype)
    parts = [response(coupling, states) for coupling in couplings]
    turned = np.zeros_like(probe)
    for part in parts:
        turned += part.change(probe)
        turned -= part.change_back(probe)
    turned *= strength / len(states)
    for link, coupling in zip(network.links, couplings, strict=False):
        if isinstance(coupling, Directed):
            at = coupling.at(states)
            slope = at.moments(probe, turned) - at.moments(turned, probe)
            gradient[link.name][:] += to_ising(slope)
