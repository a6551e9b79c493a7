"""A backend that answers at once, and a clock that only it moves."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from isingeq.backend import Capabilities, Claim, Equilibrium, Provenance, check_request
from isingeq.couplings import Edges
from isingeq.problem import Problem
from isingeq.schedule import Annealing, Drive
from isingeq.units import Layer, Spin


@dataclass
class Clock:
    now: float = 0.0

    def read(self) -> float:
        return self.now


@dataclass
class Guesser:
    """Each read is a guess of its own: bit k of the state of read r hangs on (seed, r) alone.

    A read takes 1 s of the clock per sweep; the more sweeps, the more spins point up.
    """

    clock: Clock = field(default_factory=Clock)
    schedule: object = field(default_factory=lambda: Annealing.geometric(0.1, 2.0, 4))
    calls: list[tuple[int, int]] = field(default_factory=list)
    name: str = "guesser"

    @property
    def capabilities(self):
        kinds = frozenset({"spin"}), frozenset({"edges"})
        schedules = frozenset({Annealing, Drive})
        return Capabilities(*kinds, Claim.GROUND_STATE, frozenset(), schedules)

    def suggest_schedule(self, problem):
        return self.schedule

    def settle(self, request):
        check_request(self.name, self.capabilities, request)
        schedule = request.schedule
        sweeps = len(schedule.betas) if isinstance(schedule, Annealing) else schedule.sweeps
        self.calls.append((request.seed, request.reads))
        self.clock.now += request.reads * sweeps
        n, up = request.problem.n, 1 - 0.5 ** (sweeps / 4)
        states = [
            np.where(np.random.default_rng((request.seed, r)).random(n) < up, 1.0, -1.0)
            for r in range(request.reads)
        ]
        told = Provenance(self.name, "simulated", request.seed)
        return Equilibrium(request, np.stack(states)[None].astype(np.float32), told)

    def close(self):
        pass


@pytest.fixture
def guesser(monkeypatch) -> Guesser:
    """The backend, on a clock that stands for both times."""
    backend = Guesser()
    for module in ("solver", "tuning"):
        monkeypatch.setattr(f"isingeq.solving.{module}.time.perf_counter", backend.clock.read)
        monkeypatch.setattr(f"isingeq.solving.{module}.time.process_time", backend.clock.read)
    return backend


@pytest.fixture
def fields() -> Problem:
    """Six free spins in a field of 1 each way: the energy counts the spins that are up, −6 at best."""
    none = np.zeros(0, np.int32)
    edges = Edges(6, none, none, np.zeros(0, np.float32))
    return Problem((Layer("s", 6, Spin()),), (edges,), -np.ones((1, 6)))


@pytest.fixture
def ring() -> Problem:
    """An odd ring of five with weights 1: the largest cut is 4, the lowest energy −3."""
    i, j = np.array([0, 1, 2, 3, 0]), np.array([1, 2, 3, 4, 4])
    return Problem((Layer("s", 5, Spin()),), (Edges(5, i, j, np.ones(5)),), np.zeros((1, 5)))
