"""Backprop through a feedforward rate network, layer by layer: no settle, no nudge.

    x_l = (Σ P(ρ(x); W) + x_in U + b) / k               δ_l = −(∂C/∂x_l − Σ ρ'(x_l) ∂Pᵀ δ) / k

The same network, parameters and data as those of other estimators; only where the gradient comes from differs. Signs
are a problem's: fields are minus the drive.
"""

import numpy as np

from isingeq.backend import Floats
from isingeq.couplings import Coupling, Directed
from isingeq.errors import ConfigError, DivergenceError
from isingeq.kernels.pool import Pool
from isingeq.learning.cost import Labels
from isingeq.learning.parameters import Parameters
from isingeq.learning.rate_network import RateNetwork


def check_feedforward(network: RateNetwork) -> None:
    """Refuse couplings that lead back, or within a layer, with a ConfigError."""
    for coupling in network.couplings(network.initial(0)):
        if not _leads_on(coupling, network):
            raise ConfigError(
                "backprop goes through feedforward networks: set network.backward=none, recurrent=false and skew=0, "
                "or learning.estimator=adjoint, which is as exact"
            )


def _leads_on(coupling: Coupling, network: RateNetwork) -> bool:
    """Return whether a coupling leads from one layer to a later one."""
    if not isinstance(coupling, Directed):
        return False
    ends = coupling.source, coupling.target
    return all(end in network.spans for end in ends) and coupling.source < coupling.target


def forward_rates(network: RateNetwork, couplings: tuple[Coupling, ...], fields: Floats) -> Floats:
    """Return the free states (b, n) under fields (b, n), of a feedforward network."""
    states, leak = np.zeros_like(fields), network.leak.astype(fields.dtype)
    for span in network.spans:
        part = slice(*span)
        force = fields[:, part].copy()
        for coupling in couplings:
            if isinstance(coupling, Directed) and coupling.target == span:
                force += coupling.onto(states)
        states[:, part] = -force / leak[part]
    return states


def backprop_rates(
    network: RateNetwork, parameters: Parameters, x: Floats, labels: Labels, *, pool: Pool, out: Parameters
) -> tuple[Parameters, float, int]:  # fmt: skip
    """Return the gradient of the mean cost of a batch, that cost, and how many classes are right.

    Raises:
        DivergenceError: the cost is no longer finite.
    """
    couplings, encoded = network.couplings(parameters), network.encode(parameters, x, pool)
    states = forward_rates(network, couplings, encoded.fields)
    outputs = states[:, slice(*network.spans[-1])]
    cost = float(network.cost.values(parameters, outputs, labels).mean())
    if not np.isfinite(cost):
        raise DivergenceError(
            "the cost is no longer finite: lower the learning rate or the initial gains"
        )
    leak = network.leak.astype(states.dtype)
    signal = np.zeros_like(states)
    signal[:, slice(*network.spans[-1])] = -network.cost.slope(parameters, outputs, labels)
    for span in reversed(network.spans):
        part = slice(*span)
        signal[:, part] /= leak[part]
        for coupling in couplings:
            if isinstance(coupling, Directed) and coupling.target == span:
                signal -= coupling.at(states).change_back(signal)
    share = np.full(len(x), 1 / len(x), states.dtype)
    network.answer(couplings, encoded.inputs, states, signal, share, out, pool)
    network.cost.explicit(parameters, outputs, labels, out)
    correct = int((network.predict(parameters, states) == labels).sum())
    return out, cost, correct
