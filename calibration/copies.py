"""Copies: a problem several times over on one chip, so that each anneal gives several reads.

    E'(s¹, …, s^K) = Σ_k E(s^k)          no coupling between copies

Copies know nothing of each other, so each is a read of its own, of the distribution that the backend below has: K reads
for the time of one, wherever a chip has units to spare. They sit on other elements of the chip, so that mismatch and
offsets differ between them and average out in part. The last anneal may give more reads than are asked for; those of
the last copies are left out.
"""

from dataclasses import dataclass, field, replace
from threading import Lock
from time import perf_counter

import numpy as np

from calibration.report import CopiesReport, answer
from calibration.spins import mappable, pull_of, same
from isingeq.backend import (
    Backend,
    Capabilities,
    Equilibrium,
    Floats,
    SettleRequest,
    check_request,
)
from isingeq.couplings import Coupling, Edges
from isingeq.errors import CapabilityError, ConfigError
from isingeq.problem import Problem
from isingeq.schedule import Schedule
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge, Term
from isingeq.units import Layer, Spin


@dataclass(eq=False)
class Copies:
    """Lays out every problem K times.

    Attributes:
        inner: backend below, one that takes any pair: over a chip that does not, Embed stands in between.
        copies: K.
    """

    inner: Backend
    copies: int
    capabilities: Capabilities = field(init=False, repr=False)
    _kept: tuple[tuple[Coupling, ...], tuple[Edges, ...]] = field(
        default=((), ()), init=False, repr=False
    )
    _turn: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.copies < 1:
            raise ConfigError(f"copies are 1 or more, got {self.copies}")
        c = mappable(self.name, self.inner.capabilities)
        if c.connectivity is not None or "edges" not in c.couplings:
            raise CapabilityError(
                f"{self.name} couples certain pairs alone: put Embed between it and its copies"
            )
        springs = {QuadraticNudge} if LinearNudge in c.terms else set()
        self.capabilities = replace(
            c,
            displacements=False,
            terms=c.terms & {LinearNudge, Clamp} | springs,
            max_units=None if c.max_units is None else c.max_units // self.copies,
        )

    @property
    def name(self) -> str:
        """SPEC of the backend below."""
        return self.inner.name

    def suggest_schedule(self, problem: Problem) -> Schedule | None:
        """Return what the backend below suggests for all copies."""
        return self.inner.suggest_schedule(self._laid_out(problem))

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle all copies at once; see `Backend.settle`."""
        started = perf_counter()
        check_request(self.name, self.capabilities, request)
        anneals = -(-request.reads // self.copies)
        below = replace(
            request,
            problem=self._laid_out(request.problem),
            terms=self._terms(request),
            reads=anneals,
            initial=self._starts(request, anneals),
        )
        own_s = perf_counter() - started
        found = self.inner.settle(below)
        started = perf_counter()
        found = self._taken_apart(found, request)
        own_s += perf_counter() - started
        return answer(request, found, CopiesReport(self.copies, anneals), own_s)

    def close(self) -> None:
        """Close the backend below."""
        self.inner.close()

    def _laid_out(self, problem: Problem) -> Problem:
        n, k = problem.n, self.copies
        with self._turn:
            if not same(self._kept[0], problem.couplings):
                self._kept = (problem.couplings, tuple(_tiled(c, n, k) for c in problem.couplings))
            below = self._kept[1]
        layers = (Layer("copies", k * n, Spin()),)
        return Problem(layers, below, np.tile(problem.fields, k), k * problem.offset)

    def _terms(self, request: SettleRequest) -> tuple[Term, ...]:
        """Return nudges as one, and clamps, on every copy."""
        terms: list[Term] = [
            Clamp(np.tile(term.mask, self.copies), np.tile(term.values, self.copies))
            for term in request.terms
            if isinstance(term, Clamp)
        ]
        if (pull := pull_of(request.problem, request.terms)) is not None:
            force = np.zeros(request.problem.fields.shape)
            force[:, pull.units] = pull.force
            terms.append(LinearNudge(np.tile(force, self.copies)))
        return tuple(terms)

    def _starts(self, request: SettleRequest, anneals: int) -> Floats | None:
        """Return the starts of all copies (b, anneals, K n); of reads too many the last start again."""
        if request.initial is None:
            return None
        b, r, n = request.initial.shape
        reads = np.minimum(np.arange(anneals * self.copies), r - 1)
        return request.initial[:, reads].reshape(b, anneals, self.copies * n)

    def _taken_apart(self, found: Equilibrium, request: SettleRequest) -> Equilibrium:
        """Return every copy as a read; of states that are weighted none is one too many."""
        b, r, k = len(found.states), found.states.shape[1], self.copies
        reads = request.reads if found.weights is None else r * k

        def each(values: np.ndarray | None, share: int = 1) -> np.ndarray | None:
            return None if values is None else np.repeat(values / share, k, axis=1)[:, :reads]

        steps = each(found.steps)
        return replace(
            found,
            states=found.states.reshape(b, r * k, request.problem.n)[:, :reads],
            weights=each(found.weights, k),
            steps=None if steps is None else steps.astype(np.intp),
            two_cycle=None,
        )


def _tiled(coupling: Coupling, n: int, copies: int) -> Edges:
    i, j, J = coupling.edges()
    shifts = n * np.arange(copies)[:, None]
    return Edges(n * copies, (i + shifts).ravel(), (j + shifts).ravel(), np.tile(J, copies))
