"""Equilibrium propagation where forces have no energy: a signal δ for every unit, and the gradient that it makes.

    dx/dt = f(x), f(x0) = 0, J = ∂f/∂x at x0        δ = J⁻ᵀ ∂C/∂x        dL/dθ = ∂C/∂θ − δᵀ ∂f/∂θ(x0)

| estimator    | δ                                                                      | error          |
|--------------|------------------------------------------------------------------------|----------------|
| asymmetric   | (x₊ − x₋) / 2β, x± at rest under f + (Jᵀ − J)(x − x0) ∓ β ∂C/∂x         | O(β²)          |
| dyadic       | d / β, d at rest under Jᵀ d − β ∂C/∂x(x0)                               | none           |
| vector_field | (x₊ − x₋) / 2β, x± at rest under f ∓ β ∂C/∂x                            | J⁻¹ for J⁻ᵀ    |
| adjoint      | solved for                                                             | none           |
| plain        | none: contrast of the energy there would be, were all couplings mutual  | of the physics |

Scurria, Vanden Abeele, Mognetti & Massar 2026 (asymmetric, dyadic); Scellier et al. 2018 (vector field).
"""

from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from isingeq.backend import Backend, Equilibrium, Floats, SettleRequest
from isingeq.corrections import Reciprocal, Transposed
from isingeq.couplings import Coupling
from isingeq.errors import ConfigError
from isingeq.learning.adjoint import solve_adjoint
from isingeq.learning.model import Model
from isingeq.learning.rate_network import RateNetwork
from isingeq.problem import Problem
from isingeq.terms import Term

Nonconservative = Literal["asymmetric", "dyadic", "vector_field", "plain", "adjoint"]
METHODS: tuple[str, ...] = get_args(Nonconservative)


def check_field(method: str, network: Model) -> None:
    """Refuse an estimator for fields on a network with an energy, and the other way round.

    Raises:
        ConfigError: the two do not go together.
    """
    directed = isinstance(network, RateNetwork)
    if method in METHODS and not directed:
        raise ConfigError(
            f"the estimator {method} is for forces without an energy, this network has one: take centred, or set "
            'network.kind = "rate"'
        )
    if directed and method not in (*METHODS, "backprop"):
        raise ConfigError(
            f"the estimator {method} needs an energy, a rate network has none: take {', '.join(METHODS)}, or backprop"
        )


def linear_signal(
    network: RateNetwork, backend: Backend, couplings: tuple[Coupling, ...], states: Floats, slope: Floats, *,
    request: SettleRequest, method: Nonconservative, nudging: float,
) -> tuple[Equilibrium | None, Floats]:  # fmt: skip
    """Return δ (b, n), which is linear in the slope of the cost, and the equilibrium that it was read off.

    Args:
        network: whose forces.
        backend: that settles; the adjoint is solved for on the host.
        couplings: those the states settled under.
        states: free states (b, n).
        slope: ∂C/∂outputs (b, k).
        request: whose schedule, seed, tolerance, steps and precision are kept.
        method: dyadic or adjoint.
        nudging: β, of the dyadic method.
    """
    push = np.zeros_like(states)
    push[:, slice(*network.spans[-1])] = slope
    if method == "adjoint":
        return None, solve_adjoint(couplings, network.leak, states, push)
    dyad = replace(
        request,
        problem=Problem(network.layers, (), nudging * push),
        terms=(Transposed(couplings, states[:, None]),),
        initial=None,
    )
    settled = backend.settle(dyad)
    return settled, settled.states[:, 0] / nudging


def correction(
    method: str, couplings: tuple[Coupling, ...], states: Floats
) -> tuple[Reciprocal, ...]:
    """Return what a nudged phase about free states (b, r, n) has beside its nudge, by estimator."""
    return (Reciprocal(couplings, states),) if method == "asymmetric" else ()


def terms_of(method: str, problem: Problem) -> tuple[Term, ...]:
    """Return the kinds of term beside a nudge that an estimator needs, about states of 0."""
    at = np.zeros((problem.batch, 1, problem.n))
    if method == "dyadic":
        return (Transposed(problem.couplings, at),)
    return correction(method, problem.couplings, at)
