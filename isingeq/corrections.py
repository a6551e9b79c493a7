"""Terms that turn a Jacobian round: what equilibrium propagation needs where forces are no gradient.

    Reciprocal   dx/dt = f(x) + (Jᵀ − J)(x − x0)         J = ∂f/∂x at x0: the response to a push is that of Jᵀ
    Transposed   dd/dt = Jᵀ d                            over a problem without couplings of its own

Scurria et al. 2026: Asymmetric EP and Dyadic EP. With the force f = −u' − h − field and G = ∂field/∂x, the gradients
(minus the force) are (Gᵀ − G)(x − x0) and Gᵀ d; self-energies are on the diagonal and stay.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

import numpy as np

from isingeq.couplings import Coupling
from isingeq.couplings.directed import KIND, Response, response
from isingeq.couplings.kind import is_finite
from isingeq.errors import ProblemError
from isingeq.problem import Floats, Problem


@dataclass(frozen=True, eq=False)
class Reciprocal:
    """The non-reciprocal part of couplings at free states x0, taken away twice: G becomes Gᵀ for what moves off x0.

    Args:
        couplings: of the problem; those with an energy are symmetric and add nothing.
        at: free states x0 (b, r, n).
    """

    couplings: tuple[Coupling, ...]
    at: Floats

    @cached_property
    def responses(self) -> tuple[Response, ...]:
        """Responses of the directed couplings at x0, reads one after the other."""
        return _responses([k for k in self.couplings if k.kind == KIND], self.at)

    def energy(self, states: Floats) -> NoReturn:
        """Refuse: raises ProblemError."""
        raise ProblemError("a Reciprocal term is a force without an energy")

    def gradient(self, states: Floats) -> Floats:
        """Return (Gᵀ − G)(x − x0) for states x (b, r, n), same shape."""
        moved = (states - self.at).reshape(-1, states.shape[-1])
        total = np.zeros_like(moved)
        for part in self.responses:
            total += part.change_back(moved)
            total -= part.change(moved)
        return total.reshape(states.shape)

    def check(self, problem: Problem) -> None:
        """Refuse free states of another shape, NaN and infinity."""
        _check(self, self.at, problem)


@dataclass(frozen=True, eq=False)
class Transposed:
    """The transposed Jacobian of couplings at free states, as a linear coupling of the response d.

    Args:
        couplings: whose G.
        at: free states (b, r, n).
    """

    couplings: tuple[Coupling, ...]
    at: Floats

    @cached_property
    def responses(self) -> tuple[Response, ...]:
        """Responses of all couplings at the free states, reads one after the other."""
        return _responses(list(self.couplings), self.at)

    def energy(self, states: Floats) -> NoReturn:
        """Refuse: raises ProblemError."""
        raise ProblemError("a Transposed term is a force without an energy")

    def gradient(self, states: Floats) -> Floats:
        """Return Gᵀ d for states d (b, r, n), same shape."""
        flat = states.reshape(-1, states.shape[-1])
        total = np.zeros_like(flat)
        for part in self.responses:
            total += part.change_back(flat)
        return total.reshape(states.shape)

    def check(self, problem: Problem) -> None:
        """Refuse free states of another shape, NaN and infinity."""
        _check(self, self.at, problem)


def _responses(couplings: list[Coupling], at: Floats) -> tuple[Response, ...]:
    flat = at.reshape(-1, at.shape[-1])
    return tuple(response(coupling, flat) for coupling in couplings)


def _check(term: Reciprocal | Transposed, at: Floats, problem: Problem) -> None:
    name = type(term).__name__
    if at.ndim != 3 or (at.shape[0], at.shape[2]) != (problem.batch, problem.n):
        raise ProblemError(
            f"a {name} is taken about free states (b, r, n) = ({problem.batch}, r, {problem.n}), got {at.shape}"
        )
    if not is_finite(at):
        raise ProblemError(f"a {name} is taken about states that are NaN or infinite")
