"""Any device that speaks IQP/1 as a backend: problems into jobs of whole numbers, rows into states.

A batch goes slot by slot, as many samples to a run as the device has slots. A nudged phase that continues the free
one in the same slots sends the few fields that the nudge changes and starts from the states the device still has.
"""

import math
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import thread_time

import numpy as np

from drivers.board import Board
from drivers.descriptor import Descriptor
from drivers.lowering import Lowering
from drivers.open import open_board
from drivers.parts import settle_part
from isingeq.backend import (
    Capabilities,
    Claim,
    Equilibrium,
    Provenance,
    SettleRequest,
    Timing,
    check_request,
)
from isingeq.errors import BackendError, CapabilityError, ConfigError
from isingeq.problem import Problem
from isingeq.schedule import Annealing, schedule_data
from isingeq.spins import annealing_range
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge


@dataclass(eq=False)
class SerialBackend:
    """Settles problems on a board.

    Attributes:
        name: SPEC.
        board: the device and its shadow.
        sweeps: of the schedule that `suggest_schedule` returns.
        beta: finite to sample the Boltzmann distribution at this inverse temperature.
        reverse: how far along its schedule a nudged request with initial states turns round.
        lowering: from requests to jobs.
        capabilities: what the descriptor declares.
    """

    name: str
    board: Board
    sweeps: int = 100
    beta: float = math.inf
    reverse: float = 0.25
    lowering: Lowering = field(init=False, repr=False)
    capabilities: Capabilities = field(init=False, repr=False)
    _turned: tuple[Annealing, Annealing] | None = field(default=None, init=False, repr=False)
    _closed: bool = False

    def __post_init__(self) -> None:
        if self.sweeps < 1 or not self.beta >= 0 or not 0 <= self.reverse <= 1:
            raise ConfigError(
                f"a device needs sweeps >= 1, beta >= 0 and 0 <= reverse <= 1, got "
                f"{self.sweeps}, {self.beta:g} and {self.reverse:g}"
            )
        d = self.descriptor
        if self.sweeps > (most := d.schedule.legs * d.schedule.most_sweeps):
            raise CapabilityError(
                f"{self.name} takes {most} sweeps at most, got sweeps={self.sweeps}"
            )
        self.lowering = Lowering(self.name, d)
        self.capabilities = _declared(d, samples=math.isfinite(self.beta))
        if d.units.state != "spin":
            raise CapabilityError(
                f"{self.name} reads out {d.units.state}s: only spins are driven so far"
            )

    @property
    def descriptor(self) -> Descriptor:
        """What the device says of itself."""
        return self.board.session.descriptor

    def suggest_schedule(self, problem: Problem) -> Annealing:
        """Return a constant `beta` where it is finite, else one leg in a straight line from hot to cold.

        The ends are those of the published schedule (`isingeq.spins.annealing_range`), as far as the device goes.
        """
        if math.isfinite(self.beta):
            return Annealing.constant(self.beta, self.sweeps)
        first, last = annealing_range(problem)
        most = self.descriptor.schedule.most_gain * self.descriptor.schedule.beta_unit
        return Annealing(tuple(np.linspace(first, min(last, most), self.sweeps).tolist()))

    def schedule_of(self, request: SettleRequest) -> Annealing:
        """Return the schedule of a request: its own or the one suggested, in reverse where nudged states go on."""
        schedule = request.schedule or self.suggest_schedule(request.problem)
        assert isinstance(schedule, Annealing)
        if not request.nudged or request.initial is None:
            return schedule
        if self._turned is None or self._turned[0] is not schedule:
            self._turned = schedule, schedule.reverse(self.reverse)
        return self._turned[1]

    def settle(self, request: SettleRequest) -> Equilibrium:
        """Run every read of every sample; see `Backend.settle`.

        A nudged request that brings initial states anneals in reverse: `schedule.reverse(reverse)`.
        """
        started = thread_time()
        check_request(self.name, self.capabilities, request)
        if self._closed:
            raise BackendError(f"{self.name} is closed: open it again")
        schedule = self.schedule_of(request)
        jobs = self.lowering.jobs(request, schedule)
        part = settle_part(self.board, jobs, np.arange(request.problem.batch))
        legs = self.lowering.legs(schedule)
        details = {
            **self.identity(),
            "schedule": schedule_data(schedule),
            "schedule_deviation": legs.deviation,
            "link": self.link(),
        }
        kind = self.board.session.transport.kind
        return Equilibrium(
            request=request,
            states=part.spins.astype(request.precision),
            provenance=Provenance(self.name, kind, request.seed, details),
            steps=np.full(part.spins.shape[:2], legs.sweeps),
            timing=Timing(thread_time() - started, part.link_s, part.device_s),
        )

    def close(self) -> None:
        """Let go of the device."""
        self._closed = True
        self.board.close()

    def identity(self) -> dict[str, object]:
        """Return who the device is, for provenance."""
        d, welcome = self.descriptor, self.board.session.welcome
        return {
            "device": d.maker.model,
            "vendor": d.maker.vendor,
            "firmware": d.maker.firmware,
            "uid": f"{welcome.uid:#x}",
            "boot": f"{welcome.boot:#x}",
            "calibration": d.calibration.id or None,
        }

    def link(self) -> dict[str, int]:
        """Return what the link and the board went through, by name."""
        link = self.board.session.link
        counters = {name: getattr(link.counters, name) for name in link.counters.__slots__}
        return {**counters, **link.faults, **self.board.incidents}


def _declared(d: Descriptor, *, samples: bool) -> Capabilities:
    """Return what a descriptor declares, of a backend that samples at a temperature or looks for ground states."""
    gibbs = d.update.rule.endswith("gibbs")
    sign = d.update.energy_sign
    clamps = {Clamp} if d.features.clamp else set()
    return Capabilities(
        units=frozenset({"spin"}),
        couplings=frozenset({"edges"}),
        claim=Claim.BOLTZMANN if gibbs and samples else Claim.GROUND_STATE,
        terms=frozenset({LinearNudge, QuadraticNudge, *clamps}),
        schedules=frozenset({Annealing}),
        max_units=d.units.most,
        connectivity=d.topology.connectivity(d.units.most),
        field_range=_signed(d.field.low, d.field.high, sign),
        coupling_range=_signed(d.coupling.low, d.coupling.high, sign),
        field_step=1.0,
        coupling_step=1.0,
        split_invariant=d.update.seeded,
    )


def _signed(low: int, high: int, sign: int) -> tuple[float, float]:
    return (float(low), float(high)) if sign > 0 else (float(-high), float(-low))


def serial(
    argument: str,
    *,
    sweeps: int = 100,
    beta: float = math.inf,
    reverse: float = 0.25,
    timeout: float = 10.0,
    recovery: float = 30.0,
    **options: str,
) -> SerialBackend:
    """Open a device; SPEC `/dev/ttyACM0?baud=1000000`, `model://ref-arm192`, `emulator://lm3s?sweeps=50`.

    Args:
        argument: device path or URL.
        sweeps: of the schedule suggested.
        beta: finite to sample at this inverse temperature.
        reverse: how far along its schedule a nudged request with initial states turns round.
        timeout: seconds without an answer after which the board is stuck.
        recovery: seconds that it may take to come back.
        options: of the transport behind the URL.

    Raises:
        ConfigError: no URL, or an option that nothing takes.
        DeviceError: nothing answers, or not a device of this protocol.
    """
    if not argument:
        raise ConfigError("serial needs a device path or URL, as in serial:/dev/ttyACM0")
    board = open_board(argument, options, timeout=timeout, recovery=recovery)
    with ExitStack() as opened:
        opened.callback(board.close)
        backend = SerialBackend(argument, board, sweeps, beta, reverse)
        opened.pop_all()
    return backend
