"""DriftGuard: field offsets of a chip that wander, followed while it works.

Every so many settles, the first one included, all units settle alone under a field of +d and of −d, β d = ½:

    A± = ½ ln(p± / (1 − p±)) = −β (δ ± d)        p± shares of +1, δ what the trim below leaves of the offset
    β = mean over units of (A− − A+) / 2d,  δ = −(A+ + A−) / 2β        so β need not be known

δ is noisy, so only a share S / (S + se²) of it is taken out, S = mean of δ² − se², the variance that noise does not
explain: next to nothing while nothing drifts. What has moved further from the calibration than the reserve of the trim
is refused: gains may have changed as well then, and it is time to measure again. Answers depend on the checks before
them, and a run that is resumed is not bit for bit the same.
"""

from dataclasses import dataclass, field, replace
from threading import Lock
from time import perf_counter
from typing import NamedTuple

import numpy as np

from calibration.corrections import Reals
from calibration.report import DriftReport, answer
from calibration.trim import Trim
from isingeq.backend import Capabilities, Equilibrium, Floats, SettleRequest, Timing, check_request
from isingeq.errors import CalibrationError, CapabilityError, ConfigError
from isingeq.problem import Problem
from isingeq.schedule import Annealing, Schedule

WARMTH = 0.5
"""β d of the probing fields: p is 0.73 and 0.27 then, where log-odds are most accurate but for 0 itself."""


class _Seen(NamedTuple):
    """What a check found: left offsets (n,), what was taken out of it, spread beyond noise, and its time."""

    taken: Reals
    spread: float
    timing: Timing


@dataclass(eq=False)
class DriftGuard:
    """Moves the field offsets of the trim below when they have drifted.

    Attributes:
        inner: trim below, with a reserve.
        every: settles from check to check.
        reads: of a check, at either field.
        seed: of the checks.
    """

    inner: Trim
    every: int = 100
    reads: int = 1000
    seed: int = 0
    capabilities: Capabilities = field(init=False, repr=False)
    _settles: int = field(default=0, init=False, repr=False)
    _last: _Seen | None = field(default=None, init=False, repr=False)
    _turn: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.every < 1 or self.reads < 2 or self.seed < 0 or not self.inner.reserve > 0:
            raise ConfigError(
                f"a drift guard needs every >= 1, reads >= 2, a seed >= 0 and a trim with a reserve, got {self.every}, "
                f"{self.reads}, {self.seed} and a reserve of {self.inner.reserve:g}"
            )
        c = self.inner.capabilities
        if Annealing not in c.schedules:
            raise CapabilityError(
                f"{self.name} takes no betas, so its offsets cannot be read off its spins: leave the drift guard out"
            )
        self.capabilities = replace(c, split_invariant=False, concurrent=False)

    @property
    def name(self) -> str:
        """SPEC of the backend below."""
        return self.inner.name

    def suggest_schedule(self, problem: Problem) -> Schedule | None:
        """Return what the trim suggests."""
        return self.inner.suggest_schedule(problem)

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Check if it is time, then settle; see `Backend.settle`.

        Raises:
            CalibrationError: an offset left the reserve, or spins do not follow their fields.
        """
        check_request(self.name, self.capabilities, request)
        with self._turn:
            started = perf_counter()
            due = self._settles % self.every == 0
            if due:
                self._last = self._check(request)
            own_s = perf_counter() - started
            self._settles += 1
            assert self._last is not None
            report = self._report(self._last)
        found = answer(request, self.inner.settle(request), report, own_s)
        if not due:
            return found
        spent, probing = found.timing, self._last.timing
        host_s = spent.host_s - probing.link_s - probing.device_s
        extra = Timing(
            max(0.0, host_s), spent.link_s + probing.link_s, spent.device_s + probing.device_s
        )
        return replace(found, timing=extra)

    def close(self) -> None:
        """Close the backend below."""
        self.inner.close()

    def _check(self, request: SettleRequest) -> _Seen:
        problem = request.problem
        schedule = request.schedule or self.inner.suggest_schedule(problem)
        if not isinstance(schedule, Annealing) or not schedule.betas[-1] > 0:
            raise CapabilityError(f"{self.name} is guarded against drift: settle at a beta above 0")
        d = WARMTH / schedule.betas[-1]
        if (span := self.capabilities.field_range) is not None:
            d = min(d, -span[0], span[1])
        alive = ~self.inner.corrections.dead_units[: problem.n]
        fields = np.where(alive, np.array([[d], [-d]]), 0.0)
        seed = int(np.random.SeedSequence([self.seed, self._settles]).generate_state(1)[0])
        probe = SettleRequest(
            Problem(problem.layers, (), fields), reads=self.reads, schedule=schedule, seed=seed
        )
        found = self.inner.settle(probe)
        left, variance = self._left(found.mean()[:, alive], d)
        spread = max(0.0, float((left**2 - variance).mean())) if left.size else 0.0
        taken = np.zeros(self.inner.field_offset.size)
        if spread:
            taken[: problem.n][alive] = left * spread / (spread + variance)
        self.inner.move(self.inner.field_offset + taken)
        return _Seen(taken, spread**0.5, found.timing)

    def _left(self, mean: Floats, d: float) -> tuple[Reals, Reals]:
        """Return the offsets left, and their variances, from mean spins at +d and −d, (2, units)."""
        up, down = (self.reads * (1 + sign * mean.astype(np.float64)) / 2 + 0.5 for sign in (1, -1))
        odds = 0.5 * np.log(up / down)
        variance = (0.25 * (1 / up + 1 / down)).sum(axis=0)
        slopes = (odds[1] - odds[0]) / (2 * d)
        beta = float(slopes.mean()) if slopes.size else 1.0
        noise = float(np.sqrt(variance.sum())) / (2 * d * max(1, slopes.size))
        if beta <= 5 * noise:
            raise CalibrationError(
                f"{self.name} does not follow fields of ±{d:g}: log-odds move by {beta:.2g} ± {noise:.2g} of them; "
                "look whether it works"
            )
        return -odds.sum(axis=0) / (2 * beta), variance / (4 * beta**2)

    def _report(self, last: _Seen) -> DriftReport:
        moved = np.abs(self.inner.field_offset - self.inner.corrections.field_offset)
        return DriftReport(
            num_checks=(self._settles - 1) // self.every + 1,
            settles_since=(self._settles - 1) % self.every,
            drift_rms=last.spread,
            taken_max=float(np.abs(last.taken).max(initial=0.0)),
            moved_max=float(moved.max(initial=0.0)),
            reserve=self.inner.reserve,
        )
