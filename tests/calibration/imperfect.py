"""A chip of known gains and offsets over exact enumeration, by the definition and nothing else."""

from dataclasses import dataclass, field, replace

import numpy as np

from calibration import Corrections
from calibration.elements import connectivity_of
from isingeq.backend import Capabilities, Claim, Equilibrium, SettleRequest, check_request
from isingeq.backends.exact import Enumeration, exact
from isingeq.connectivity import Connectivity
from isingeq.couplings import Edges
from isingeq.problem import Problem, lower
from isingeq.spins import spin_fields
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge


def wrong(n=9, edges=None, seed=3, gain=0.15, coupling_offset=0.05, field_offset=0.3):
    """Gains and offsets, both kinds on every element."""
    rng = np.random.default_rng(seed)
    m = n * (n - 1) // 2 if edges is None else edges
    return replace(
        Corrections.none(n, m),
        coupling_gain=rng.uniform(-gain, gain, m),
        coupling_offset=rng.uniform(-coupling_offset, coupling_offset, m),
        field_gain=rng.uniform(-gain, gain, n),
        field_offset=rng.uniform(-field_offset, field_offset, n),
    )


def sparse(n=9):
    """Couple what the problems of `problems` have, and a ring with a chord besides."""
    pairs = {(a, b) for a in range(4) for b in range(4, 7)} | {(4, 5), (4, 6), (5, 6)}
    pairs |= {(k, k + 1) for k in range(n - 1)} | {(0, 2), (0, n - 1)}
    i, j = np.array(sorted(pairs)).T
    return Connectivity(n, i, j)


@dataclass(eq=False)
class Imperfect:
    """J' = (1 + g) J + p on every coupler between units of the problem, h' = (1 + a) h + o.

    `lost` are field offsets that came later; `seen` keeps every request, `problem` what the last one came to.
    """

    truth: Corrections
    chip: Connectivity | None = None
    coupling_end: float | None = 2.0
    field_end: float | None = 12.0
    step: float | None = None
    claim: Claim = Claim.BOLTZMANN
    lost: np.ndarray | float = 0.0
    inner: Enumeration = field(default_factory=exact)
    seen: list[SettleRequest] = field(default_factory=list)
    problem: Problem | None = None
    name: str = "exact"

    @property
    def capabilities(self) -> Capabilities:
        return replace(
            self.inner.capabilities,
            claim=self.claim,
            terms=frozenset({LinearNudge, QuadraticNudge, Clamp}),
            max_units=self.truth.field_gain.size,
            connectivity=self.chip,
            coupling_range=self.coupling_end and (-self.coupling_end, self.coupling_end),
            field_range=self.field_end and (-self.field_end, self.field_end),
            coupling_step=self.step,
            field_step=self.step,
        )

    def suggest_schedule(self, problem):
        return self.inner.suggest_schedule(problem)

    def settle(self, request: SettleRequest) -> Equilibrium:
        check_request(self.name, self.capabilities, request)
        n, truth = request.problem.n, self.truth
        self.seen.append(request)
        chip = connectivity_of(self.name, self.capabilities)
        edges, matrix = lower(request.problem), np.zeros((chip.n, chip.n))
        np.add.at(matrix, (edges.i, edges.j), edges.J)
        J = (1 + truth.coupling_gain) * matrix[chip.i, chip.j] + truth.coupling_offset
        J[truth.dead_edges] = 0
        there = chip.j < n
        pairs = Edges(n, chip.i[there], chip.j[there], J[there])
        asked = spin_fields(request.problem, request.terms)
        assert self.field_end is None or np.abs(asked).max() <= self.field_end * (1 + 1e-9)
        h = (1 + truth.field_gain[:n]) * asked + (truth.field_offset + self.lost)[:n]
        held = tuple(term for term in request.terms if isinstance(term, Clamp))
        self.problem = Problem(request.problem.layers, (pairs,), h)
        return replace(
            self.inner.settle(replace(request, problem=self.problem, terms=held)), request=request
        )

    def close(self):
        self.inner.close()
