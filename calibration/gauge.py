"""Gauge: reads averaged over spin reversals, so that what a chip adds to fields and couplings averages out.

    s_i = g_i s'_i,  h'_i = g_i h_i,  J'_ij = g_i g_j J_ij,  g_i = ±1        E'(s') = E(s)

An ideal chip cannot tell: the distribution is that of the problem asked. A chip that adds o_i to every field adds
g_i o_i in the problem's own terms, which has mean 0 over gauges. To first order in offsets averages are then right;
gains, which a gauge does not turn over, stay.

The reads of a settle are split over the gauges, as many as there are reads at the most. Gauges are functions of the
seed and of the values of the couplings, not of the request: a free and a nudged phase share theirs, so that their
difference is not one between gauges; every update of a network draws new ones, even where a settle has but one read;
and a resumed run draws the same. What it costs: couplings are programmed once per gauge and settle, and a settle
below has few reads; the first gauge settled is the one that is programmed already.
"""

from dataclasses import dataclass, field, replace
from threading import Lock
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from calibration.factor import end_of
from calibration.groups import in_turn, merged, split
from calibration.report import GaugeReport, answer
from calibration.spins import digest_of, mappable, same, values_of, with_values
from isingeq.backend import Backend, Capabilities, Equilibrium, SettleRequest, check_request
from isingeq.couplings import Coupling
from isingeq.errors import ConfigError
from isingeq.problem import Problem
from isingeq.schedule import Schedule
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge, Term

_STREAM = 1
"""Of the seeds of groups of reads."""


@dataclass(eq=False)
class _Gauged:
    """Couplings asked for, their digest, and the gauges made of it so far.

    Attributes:
        asked: couplings.
        digest: of their values.
        made: signs (n,) and couplings, by number of the gauge.
        loaded: number of the gauge settled last.
    """

    asked: tuple[Coupling, ...]
    digest: int
    made: dict[int, tuple[NDArray[np.int8], tuple[Coupling, ...]]] = field(default_factory=dict)
    loaded: int = 0


@dataclass(eq=False)
class Gauge:
    """Spreads reads over random gauges.

    Attributes:
        inner: backend below, with everything in it that knows single elements of the chip.
        gauges: most of them in a settle.
        seed: of the gauges.
    """

    inner: Backend
    gauges: int = 4
    seed: int = 0
    capabilities: Capabilities = field(init=False, repr=False)
    _kept: _Gauged | None = field(default=None, init=False, repr=False)
    _turn: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.gauges < 1 or self.seed < 0:
            raise ConfigError(
                f"gauges are 1 or more and a seed is 0 or more, got {self.gauges} and {self.seed}"
            )
        c = mappable(self.name, self.inner.capabilities)
        levels = c.coupling_levels
        self.capabilities = replace(
            c,
            displacements=False,
            coupling_range=_even(self.name, c.coupling_range),
            field_range=_even(self.name, c.field_range),
            coupling_levels=levels and tuple(level for level in levels if -level in levels),
        )

    @property
    def name(self) -> str:
        """SPEC of the backend below."""
        return self.inner.name

    def suggest_schedule(self, problem: Problem) -> Schedule | None:
        """Return what the backend below suggests for the problem as it is, which no gauge changes."""
        return self.inner.suggest_schedule(problem)

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Settle the problem in one gauge after the other; see `Backend.settle`."""
        started = perf_counter()
        check_request(self.name, self.capabilities, request)
        parts = split(request, self.gauges, _STREAM)
        with self._turn:
            kept = self._kept
            if kept is None or not same(kept.asked, request.problem.couplings):
                kept = self._kept = _Gauged(
                    request.problem.couplings, digest_of(request.problem.couplings)
                )
            made = [self._made(kept, k, request.problem.n) for k in range(len(parts))]
            first, kept.loaded = kept.loaded, in_turn(len(parts), kept.loaded)[-1]
        below_s: list[float] = []

        def ask(k: int) -> Equilibrium:
            turned = _turned(parts[k], *made[k])
            asked = perf_counter()
            found = self.inner.settle(turned)
            below_s.append(perf_counter() - asked)
            return replace(found, states=found.states * made[k][0].astype(found.states.dtype))

        found = merged(parts, first, ask)
        report = GaugeReport(len(parts), [int((signs < 0).sum()) for signs, _ in made])
        return answer(request, found, report, perf_counter() - started - sum(below_s))

    def close(self) -> None:
        """Close the backend below."""
        self.inner.close()

    def _made(self, kept: _Gauged, k: int, n: int) -> tuple[NDArray[np.int8], tuple[Coupling, ...]]:
        """Return the signs of a gauge and the couplings in it, made once."""
        if k not in kept.made:
            signs = signs_of(self.seed, kept.digest, k, n)
            turned = tuple(_gauged(coupling, signs) for coupling in kept.asked)
            kept.made[k] = signs, turned
        return kept.made[k]


def signs_of(seed: int, digest: int, k: int, n: int) -> NDArray[np.int8]:
    """Return the signs (n,) of gauge k; for more units the first are the same."""
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, digest, k])))
    return np.where(random.random(n) < 0.5, -1, 1).astype(np.int8)


def _gauged(coupling: Coupling, signs: NDArray[np.int8]) -> Coupling:
    i, j, _ = coupling.edges()
    J = values_of(coupling)
    return with_values(coupling, signs.size, J * (signs[i] * signs[j]).reshape(J.shape))


def _turned(
    request: SettleRequest, signs: NDArray[np.int8], couplings: tuple[Coupling, ...]
) -> SettleRequest:
    """Return a request in a gauge."""
    p, initial = request.problem, request.initial
    return replace(
        request,
        problem=Problem(p.layers, couplings, p.fields * signs.astype(p.fields.dtype), p.offset),
        terms=tuple(_turned_term(term, signs) for term in request.terms),
        initial=None if initial is None else initial * signs.astype(initial.dtype),
    )


def _turned_term(term: Term, signs: NDArray[np.int8]) -> Term:
    if isinstance(term, LinearNudge):
        return LinearNudge(term.force * signs.astype(term.force.dtype))
    if isinstance(term, QuadraticNudge):
        own = signs[slice(*term.units)].astype(term.targets.dtype)
        return replace(term, targets=term.targets * own)
    assert isinstance(term, Clamp)
    return replace(term, values=term.values * signs.astype(term.values.dtype))


def _even(name: str, span: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return what of a range lies to both sides of 0: a gauge turns values over."""
    return None if span is None else (-end_of(name, span), end_of(name, span))
