"""Embed: a chip that couples few pairs, made to take problems of any pairs.

    a unit → a chain of the chip's units, coupled so strongly that they are alike
    J → shares on all couplers between two chains          h and nudges → shares on all units of a chain

A problem that fits as it is numbered goes below unchanged. An embedding belongs to the structure of a problem and is
found once. States are those of repaired chains, each going with most of its units, ties with its first one; so moments
and gradients are of repaired states, and every answer tells how many chains were broken. As repair and finite strength
bend the distribution, nothing is claimed. Where the same values come of new couplings, those below stay as they are.
"""

from dataclasses import dataclass, field, replace
from threading import Lock
from time import perf_counter
from typing import NamedTuple

import numpy as np

from calibration.embedding.chains import Embedding, Indices, Pairs
from calibration.embedding.find import embed
from calibration.embedding.placement import Placement
from calibration.embedding.report import EmbedReport
from calibration.embedding.strength import Strength
from calibration.report import answer
from calibration.spins import mappable, same
from isingeq.backend import (
    Backend,
    Capabilities,
    Claim,
    Equilibrium,
    SettleRequest,
    check_request,
)
from isingeq.connectivity import Connectivity
from isingeq.couplings import Coupling, Edges
from isingeq.errors import CapabilityError
from isingeq.problem import Problem, lower
from isingeq.schedule import Schedule
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge

_KEPT = 8
"""Structures whose embedding is remembered: a trainer alternates between very few."""


class _Embedded(NamedTuple):
    """Couplings asked for, and what they came to with what strength."""

    asked: tuple[Coupling, ...]
    below: Edges
    strength: float


@dataclass(eq=False)
class Embed:
    """Puts problems onto chains of the units of the backend below.

    Attributes:
        inner: backend below.
        chain_strength: in units of the problem's couplings; None for the rule of `Strength`.
        seed: of searches for embeddings.
        sites: row and column that every unit of the problems was made for (n, 2); None where there are none.
        strength: how it stands.
    """

    inner: Backend
    chain_strength: float | None = None
    seed: int = 0
    sites: Indices | None = None
    strength: Strength = field(init=False)
    capabilities: Capabilities = field(init=False, repr=False)
    _chip: Connectivity = field(init=False, repr=False)
    _placed: dict[object, Placement] = field(default_factory=dict, init=False, repr=False)
    _kept: _Embedded | None = field(default=None, init=False, repr=False)
    _turn: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        c = mappable(self.name, self.inner.capabilities)
        if c.connectivity is None or "edges" not in c.couplings:
            raise CapabilityError(f"{self.name} couples every pair: there is nothing to embed")
        self._chip, self.strength = c.connectivity, Strength(self.chain_strength)
        springs = {QuadraticNudge} if LinearNudge in c.terms else set()
        self.capabilities = replace(
            c,
            displacements=False,
            claim=Claim.NONE,
            terms=c.terms & {LinearNudge, Clamp} | springs,
            max_units=int(np.count_nonzero(self._chip.degrees)),
            connectivity=None,
        )

    @property
    def name(self) -> str:
        """SPEC of the backend below."""
        return self.inner.name

    def suggest_schedule(self, problem: Problem) -> Schedule | None:
        """Return what the backend below suggests for the embedded problem."""
        below, _ = self._below(SettleRequest(problem))
        return self.inner.suggest_schedule(below.problem)

    def embedding(self, problem: Problem) -> Embedding:
        """Return the embedding of all problems of this structure."""
        with self._turn:
            return self._place(problem).embedding

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle the embedded problem; see `Backend.settle`.

        Raises:
            CapabilityError: it cannot be embedded; says which part, and what would hold it.
        """
        started = perf_counter()
        check_request(self.name, self.capabilities, request)
        below, placed = self._below(request)
        own_s, broken = perf_counter() - started, 0.0
        found = self.inner.settle(below)
        started = perf_counter()
        if below is not request:
            states, breaks = placed.logical(found.states)
            broken = float(np.average(breaks.mean(axis=-1), weights=found.weights))
            found = replace(found, states=states)
        report = EmbedReport.of(placed.embedding, self.strength, broken)
        return answer(request, found, report, own_s + perf_counter() - started)

    def close(self) -> None:
        """Close the backend below."""
        self.inner.close()

    def _below(self, request: SettleRequest) -> tuple[SettleRequest, Placement]:
        problem = request.problem
        with self._turn:
            placed, kept = self._place(problem), self._kept
            if placed.embedding.found == "identity":
                return request, placed
            if kept is None or not same(kept.asked, problem.couplings):
                J = placed.values(lower(problem))
                strength = self.strength.of(J, problem.n)
                below = placed.couplings(J, strength, kept and kept.below)
                kept = self._kept = _Embedded(problem.couplings, below, strength)
        return placed.request(request, kept.below, kept.strength), placed

    def _place(self, problem: Problem) -> Placement:
        if (known := self._placed.get(problem.structure)) is not None:
            return known
        pairs, pair_of = Pairs.of(problem.n, lower(problem))
        found = embed(pairs, self._chip, self.seed, self.sites)
        placed = Placement.of(found, self._chip, pairs, pair_of)
        if len(self._placed) == _KEPT:
            self._placed.clear()
        self._placed[problem.structure] = placed
        return placed
